"""A Jupyter server with the extension and an engine of its own, in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 (its fixtures, for this folder only)
from tornado.httpclient import HTTPResponse
from traitlets.config import Config

from jupyterlab_pipelines.connections import Connections
from tests.backends.local.conftest import kill

RUN_ID = "0d9f2f3c-6b0e-4a53-9d53-6c6a7f3f1d10"


@pytest.fixture(autouse=True)
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test stores is not for the developer's own keyring."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture
def home(tmp_path: Path) -> Any:
    folder = tmp_path / "pipelines-home"
    yield folder
    kill(folder)


@pytest.fixture
def jp_server_config(home: Path) -> Config:
    return Config(
        {
            "ServerApp": {
                "jpserver_extensions": {"jupyterlab_pipelines": True},
                "allow_unauthenticated_access": False,
            },
            "PipelinesApp": {"home": str(home)},
        }
    )


@pytest.fixture
def connections(jp_serverapp: Any) -> Connections:
    """The running server's connections."""
    app = jp_serverapp.web_app.settings["jupyterlab_pipelines"]
    found: Connections = app.connections
    return found


@pytest.fixture
def ask(
    jp_serverapp: Any, http_server_client: Any, jp_base_url: str
) -> Callable[..., Awaitable[HTTPResponse]]:
    """A request with exactly the headers given: no token comes along by itself."""

    def fetch(path: str, method: str = "GET", **options: Any) -> Awaitable[HTTPResponse]:
        if method in ("POST", "PUT", "PATCH"):
            options.setdefault("body", b"{}")
        answer: Awaitable[HTTPResponse] = http_server_client.fetch(
            f"{jp_base_url}pipelines/{path}",
            method=method,
            raise_error=False,
            follow_redirects=False,
            request_timeout=20,
            **options,
        )
        return answer

    return fetch
