"""Secrets lie in the operating system's keyring where one works, else in the user's own file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import SecretService, chainer, fail, null

from jupyterlab_pipelines.connections import Connections, vault
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.connections.store import Store
from jupyterlab_pipelines.connections.vault import Vault, VaultLocked, os_vault
from jupyterlab_pipelines.errors import SignInNeeded
from jupyterlab_pipelines.models import ConnectionState, NewConnection
from tests.async_tests import in_loop

CANARY = "canary-51ab"


class Keyring(KeyringBackend):
    """A keyring in memory, which may be locked, or wait for a dialog that nobody sees."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], str] = {}
        self.state = "open"
        self.asked = 0
        self.released = threading.Event()

    def _enter(self) -> None:
        self.asked += 1
        if self.state == "locked":
            raise keyring.errors.KeyringLocked(CANARY)
        if self.state == "asks":
            self.released.wait(20)

    def get_password(self, service: str, username: str) -> str | None:
        self._enter()
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._enter()
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._enter()
        del self.entries[service, username]


@pytest.fixture
def ring() -> Any:
    made = Keyring()
    yield made
    made.released.set()


def store(ring: Keyring) -> Store:
    """Another process's view of the same file and keyring."""
    return Store(connections_file(), vault=lambda: Vault(ring))


def new(secret: str = CANARY, **fields: Any) -> NewConnection:
    sign_in = {"method": "oidc", "token_url": "https://sso/token", "client_id": "c"}
    sign_in |= {"client_secret": secret, "refresh_token": f"{secret}-2"}
    bucket = {"prefix": "s3://", "access_key": "a", "secret_key": f"{secret}-3"}
    given = {"name": "team", "host": "https://h", "sign_in": sign_in, "stores": [bucket]}
    return NewConnection.model_validate({**given, **fields})


def test_secrets_lie_in_the_keyring_and_the_file_has_none(ring: Keyring) -> None:
    store(ring).add(new())
    assert CANARY not in connections_file().read_text()
    assert len(ring.entries) == 1
    (record,) = store(ring).load().records
    assert (record.settings, record.locked) == (new(), False)


def test_a_change_replaces_them_and_a_removal_forgets_them(ring: Keyring) -> None:
    mine, other = store(ring), store(ring)
    mine.add(new())
    other.change(new("another"))
    assert CANARY not in str(ring.entries)
    assert mine.load().records[0].settings == new("another")
    mine.remove("team")
    assert ring.entries == {}


def test_the_keyring_is_asked_once_for_each_secret(ring: Keyring) -> None:
    mine, other = store(ring), store(ring)
    mine.add(new())
    mine.load()
    other.load()
    asked = ring.asked
    for number in range(5):
        mine.add(NewConnection(name=f"other-{number}", host="https://h"))
        assert len(other.load().records) == number + 2
    assert ring.asked == asked


@pytest.mark.parametrize("state", ["locked", "asks"])
def test_a_keyring_that_cannot_keep_them_leaves_them_to_the_file(
    ring: Keyring, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "PATIENCE", 0.2)
    ring.state = state
    store(ring).add(new())
    assert connections_file().stat().st_mode & 0o077 == 0
    assert store(ring).load().records[0].settings == new()


@pytest.mark.parametrize("state", ["locked", "asks"])
@in_loop
async def test_a_keyring_that_gives_nothing_is_told_and_asked_again_later(
    ring: Keyring, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "PATIENCE", 0.2)
    store(ring).add(new(host="http://127.0.0.1:9"))
    ring.state = state
    mine = store(ring)
    connections = Connections(store=mine)
    (_, team) = await connections.list()
    assert team.state is ConnectionState.SIGN_IN
    assert "keyring" in team.message
    assert CANARY not in team.message
    with pytest.raises(SignInNeeded):
        connections.service("team")
    ring.state = "open"
    ring.released.set()
    assert (await connections.list())[1].state is ConnectionState.SIGN_IN  # not asked each time
    monkeypatch.setattr(mine, "_locked_until", 0.0)
    assert (await connections.list())[1].state is ConnectionState.UNREACHABLE
    await connections.close()


@in_loop
async def test_a_keyring_that_hangs_holds_nobody_else_up(
    ring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "PATIENCE", 3.0)
    for name in ("team", "other"):
        store(ring).add(new(name=name, host="http://127.0.0.1:9"))
    store(ring).add(NewConnection(name="plain", host="http://127.0.0.1:9"))
    connections = Connections(store=store(ring))
    await connections.list()  # all that is imported when first used is there by now
    await connections.close()
    ring.state, ring.asked = "asks", 0
    connections = Connections(store=store(ring))
    async with held_up() as gaps:
        asked = (connections.ready_service, connections.ready_watcher, connections.test_known)
        answers = asyncio.gather(
            *(ask(name) for ask in asked for name in ("team", "other")), return_exceptions=True
        )
        await asyncio.sleep(0.2)  # they wait by now
        begin = time.monotonic()
        await connections.ready_service("local")
        assert time.monotonic() - begin < vault.PATIENCE / 2, "it waits for a keyring of others"
        assert {type(one) for one in await answers} == {SignInNeeded}
        await connections.ready_service("plain")
    assert max(gaps) < vault.PATIENCE / 10
    assert ring.asked == 1, "one attempt at a time"
    await connections.close()


@contextlib.asynccontextmanager
async def held_up() -> AsyncIterator[list[float]]:
    """How many seconds the event loop was held up, time after time."""
    gaps: list[float] = []

    async def look() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - before - 0.01)

    looking = asyncio.create_task(look())
    try:
        yield gaps
    finally:
        looking.cancel()


def test_an_error_of_the_keyring_shows_no_secret(ring: Keyring) -> None:
    ring.state = "locked"
    with pytest.raises(VaultLocked) as caught:
        Vault(ring).get("x")
    assert CANARY not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("chosen", "works"),
    [
        (fail.Keyring, False),
        (null.Keyring, False),
        (Keyring, False),  # of a package that is not trusted: a plain file, or a prompt
        (SecretService.Keyring, True),
        (chainer.ChainerBackend, False),
    ],
)
def test_only_an_operating_systems_keyring_counts(
    chosen: type[KeyringBackend], works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setattr(keyring, "get_keyring", lambda: chosen.__new__(chosen))
    assert (os_vault() is not None) is works


def test_a_server_without_a_desktop_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    code = (
        "import sys\n"
        "from jupyterlab_pipelines.connections.vault import os_vault\n"
        "print(os_vault(), 'keyring' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.stdout.split() == ["None", "False"]


def test_a_file_of_this_version_without_a_keyring_is_whole(ring: Keyring) -> None:
    """Where the keyring is gone, for instance with another machine's home."""
    store(ring).add(new())
    ring.entries.clear()
    (record,) = Store(connections_file(), vault=lambda: None).load().records
    assert record.locked
    assert record.settings.name == "team"
    assert json.loads(connections_file().read_text())["connections"][0]["vault"] == record.vault
