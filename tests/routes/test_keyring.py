"""A desktop's keyring that hangs: the server says so, and goes on for everybody meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import keyring
import pytest
from keyring.backends import null
from tornado.httpclient import HTTPResponse

from jupyterlab_pipelines.connections import vault
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.connections.store import Store
from jupyterlab_pipelines.models import NewConnection

HOST = "http://127.0.0.1:9"


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The desktop's keyring; it gives nothing while the event is set."""
    waits, entries = threading.Event(), dict[tuple[str, str], str]()

    class Keyring(null.Keyring):
        __module__ = "keyring.backends.libsecret"

        def get_password(self, service: str, username: str) -> str | None:
            while waits.is_set():
                time.sleep(0.02)
            return entries.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            entries[service, username] = password

    ring = Keyring()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setattr(keyring, "get_keyring", lambda: ring)
    yield waits
    waits.clear()


@pytest.mark.parametrize(
    "path", ["team/runs", "team/apis/v2beta1/runs", "connections/team", "team/"]
)
async def test_a_request_that_waits_for_the_keyring_holds_no_other_up(
    path: str, hangs: threading.Event, jp_fetch: Any
) -> None:
    def ask(path: str) -> Any:
        return jp_fetch("pipelines", *path.split("/"), raise_error=False)

    await add("warm")
    await asyncio.gather(ask("local/runs"), ask("warm/runs"), ask("warm/apis/v2beta1/runs"))
    await add("team", token="secret")
    hangs.set()
    begin = time.monotonic()
    waiting = asyncio.ensure_future(ask(path))
    await asyncio.sleep(0.1)
    assert (await ask("local/runs")).code == 200
    assert time.monotonic() - begin < vault.PATIENCE / 2
    assert not waiting.done()
    answer: HTTPResponse = await waiting
    assert b"secret" not in answer.body.replace(b"secrets", b"")
    if path.startswith("team/") and path != "team/":
        assert (answer.code, "keyring" in answer.body.decode()) == (401, True)


async def test_a_subscription_that_waits_for_the_keyring_is_answered(
    hangs: threading.Event, jp_fetch: Any, jp_ws_fetch: Any
) -> None:
    await add("team", token="secret")
    await jp_fetch("pipelines", "local", "runs")
    hangs.set()
    socket = await jp_ws_fetch("pipelines", "events")
    order = {"action": "subscribe", "topic": "runs", "connection": "team"}
    begin = time.monotonic()
    await socket.write_message(json.dumps(order))
    await asyncio.sleep(0.1)
    await jp_fetch("pipelines", "local", "runs")
    assert time.monotonic() - begin < vault.PATIENCE / 2
    event = json.loads(await asyncio.wait_for(socket.read_message(), 20))
    assert "keyring" in event["stale"]
    socket.close()


async def add(name: str, **token: str) -> None:
    """Another process stores a connection; with a token, it lies in the keyring."""
    sign_in = {"method": "token", **token} if token else {"method": "none"}
    given = NewConnection.model_validate({"name": name, "host": HOST, "sign_in": sign_in})
    await asyncio.to_thread(Store(connections_file()).add, given)
    assert "secret" not in connections_file().read_text()
