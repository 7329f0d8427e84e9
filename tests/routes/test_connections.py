"""Connections over HTTP: given, changed, tested, switched; and who may let a command be run."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from traitlets.config import Config

from tests.kubeflow import Cluster, in_thread

CANARY = "canary-66fa"
Fetch = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def call(jp_fetch: Any, caplog: pytest.LogCaptureFixture) -> Fetch:
    """A request with the token, whose answer is looked through for the canary."""

    async def fetch(path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        options = {} if body is None else {"body": json.dumps(body)}
        answer = await jp_fetch(
            "pipelines", *path.split("/"), method=method, raise_error=False, **options
        )
        text = answer.body.decode()
        assert CANARY not in text + caplog.text + str(answer.headers)
        return answer.code, json.loads(text) if text else None

    return fetch


def new(url: str, **fields: Any) -> dict[str, Any]:
    sign_in = {"method": "token", "token": CANARY}
    return {"name": "team", "host": url, "sign_in": sign_in, **fields}


LEFT_OUT = {"method": "token"}


async def test_a_connection_is_tried_given_changed_and_read_back(call: Fetch) -> None:
    cluster = Cluster()
    cluster.users = {CANARY: "ada"}
    with in_thread(cluster) as url:
        status, tried = await call("connections/test", "POST", new(url))
        assert (status, tried["ok"], tried["version"]) == (200, True, "2.17.0")
        assert (await call("connections"))[1]["connections"][1:] == []

        status, added = await call("connections", "POST", new(url))
        assert (status, added["state"], added["sign_in"]) == (201, "ready", "token")
        status, shown = await call("connections/team")
        assert shown["sign_in"] == {
            "method": "token", "token": None, "file": None, "variable": None, "command": None,
        }  # fmt: skip

        status, tried = await call("connections/test", "POST", new(url, sign_in=LEFT_OUT))
        assert (status, tried["ok"]) == (200, True)
        status, changed = await call("connections/team", "PUT", new(url, sign_in=LEFT_OUT))
        assert (status, changed["state"]) == (200, "ready")

        cluster.users = {"another": "ada"}
        status, tried = await call("connections/test", "POST", new(url, sign_in=LEFT_OUT))
        assert [one["name"] for one in tried["steps"] if one["state"] == "failed"] == ["sign_in"]


@pytest.mark.parametrize(("path", "method"), [("test", "POST"), ("team", "PUT")])
async def test_a_kept_secret_goes_to_no_other_host(call: Fetch, path: str, method: str) -> None:
    cluster, thief = Cluster(), Cluster()
    with in_thread(cluster) as url, in_thread(thief) as evil:
        await call("connections", "POST", new(url))
        for change in ({"host": evil}, {"ui_host": evil}):
            body = new(url, sign_in=LEFT_OUT) | change
            status, answer = await call(f"connections/{path}", method, body)
            assert (status, answer["code"]) == (400, "BadInput")
            assert answer["problems"][0]["place"] == "sign_in.token"
    assert thief.seen == []


async def test_input_that_cannot_be_is_named_by_its_field(call: Fetch) -> None:
    for change, place in (
        ({"host": "nowhere"}, "host"),
        ({"ui_host": "ftp://x"}, "ui_host"),
        ({"sign_in": {"method": "dex", "username": "ada"}}, "sign_in.password"),
        ({"sign_in": {"method": "header", "header": "Host", "value": "x"}}, "sign_in.header"),
        ({"sign_in": {"method": "header", "header": "x", "value": "a\r\nb: c"}}, "sign_in.value"),
        ({"sign_in": {"method": "cookie", "cookie": "no pair"}}, "sign_in.cookie"),
        ({"sign_in": {"method": "magic"}}, "sign_in"),
        ({"client_key": "/k"}, "client_certificate"),
        ({"stores": [{"prefix": "bucket"}]}, "stores.0.prefix"),
        ({"stores": [{"prefix": "s3://", "access_key": "a"}]}, "stores.0.secret_key"),
        ({"name": "test"}, "name"),
    ):
        status, answer = await call("connections", "POST", new("http://127.0.0.1:9", **change))
        assert status == 400, answer
        assert answer["problems"][0]["place"] == place


async def test_one_that_was_found_is_tried_as_it_is(
    call: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text(CANARY)
    cluster = Cluster()
    cluster.users = {CANARY: "ada"}
    with in_thread(cluster) as url:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", url)
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(token))
        found = (await call("connections"))[1]["connections"][1]
        assert (found["found"], found["removable"]) == ("environment", False)
        status, tried = await call("connections/kubeflow/test", "POST", {})
        assert (status, tried["ok"], tried["version"]) == (200, True, "2.17.0")

        token.unlink()
        status, tried = await call("connections/kubeflow/test", "POST", {})
        (failed,) = [one for one in tried["steps"] if one["state"] == "failed"]
        assert (status, failed["name"]) == (200, "sign_in")
        assert str(token) in failed["message"]
    assert {request.method for request in cluster.seen} == {"GET"}


async def test_one_that_was_added_is_tried_by_its_name(call: Fetch) -> None:
    cluster = Cluster()
    cluster.users = {CANARY: "ada"}
    with in_thread(cluster) as url:
        await call("connections", "POST", new(url))
        assert (await call("connections/team/test", "POST", {}))[1]["ok"] is True
    assert (await call("connections/nowhere/test", "POST", {}))[0] == 404
    status, refused = await call("connections/local/test", "POST", {})
    assert (status, refused["next_step"]) == (400, "Choose a Kubeflow connection.")


async def test_namespaces_over_http(call: Fetch) -> None:
    cluster = Cluster()
    cluster.multi_user = True
    cluster.users = {CANARY: "ada"}
    cluster.access = {("ada", "team-a")}
    with in_thread(cluster) as url:
        await call("connections", "POST", new(url))
        status, chosen = await call("team/namespace", "PUT", {"namespace": "team-a"})
        assert (status, chosen["state"], chosen["namespace"]) == (200, "ready", "team-a")
        status, seen = await call("team/namespaces")
        assert (seen["namespaces"], seen["current"]) == (["team-a"], "team-a")
        assert (await call("nowhere/namespaces"))[0] == 404
        assert (await call("local/namespaces"))[1]["multi_user"] is False
        assert (await call("team/namespace", "PUT", {"namespace": "../x"}))[0] == 400


class NoExecution(Authorizer):
    """Lets people look and change, and run nothing."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action != "execute"


class TestCommands:
    """A command that prints the token runs on the server."""

    @pytest.fixture
    def jp_server_config(self, home: Path) -> Config:
        return Config(
            {
                "ServerApp": {
                    "jpserver_extensions": {"jupyterlab_pipelines": True},
                    "authorizer_class": NoExecution,
                },
                "PipelinesApp": {"home": str(home)},
            }
        )

    async def test_only_who_may_execute_may_give_one(self, call: Fetch, tmp_path: Path) -> None:
        marker = tmp_path / "ran"
        command = {"method": "token", "command": f"touch {marker}"}
        body = new("http://127.0.0.1:9", sign_in=command)
        assert (await call("connections", "POST", new("http://127.0.0.1:9")))[0] == 201
        for path, method in (
            ("connections", "POST"), ("connections/test", "POST"), ("connections/team", "PUT"),
        ):  # fmt: skip
            assert (await call(path, method, body))[0] == 403
        assert not marker.exists()
