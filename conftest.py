"""What every test shares: the Jupyter server under test and the choice of a lab."""

from __future__ import annotations

from typing import Any

import pytest

pytest_plugins = ("pytest_jupyter.jupyter_server",)

LABS = ("token", "kubeflow", "oldest")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lab",
        choices=LABS,
        default="token",
        help="the lab of the browser tests: token (this environment's), kubeflow (the same under a "
        "Kubeflow notebook's flags) or oldest (the oldest Python and JupyterLab supported)",
    )


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """A server with our extension that refuses every handler without authentication."""
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyterlab_pipelines": True},
            "allow_unauthenticated_access": False,
        }
    }
