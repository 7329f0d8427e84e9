"""Connections: the store and its secrets, what is found, and the official client for each."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from jupyterlab_pipelines import client
from jupyterlab_pipelines.backends.base import ApiRequest
from jupyterlab_pipelines.backends.kubeflow import backend as backend_module
from jupyterlab_pipelines.backends.local.backend import LocalBackend
from jupyterlab_pipelines.connections import Connections, default_home, registry
from jupyterlab_pipelines.connections import client as client_module
from jupyterlab_pipelines.connections.checked import checked, clean_host
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.connections.store import Store
from jupyterlab_pipelines.errors import (
    BadInput,
    BadUpstream,
    Conflict,
    NotFound,
    StoreBlocked,
    Unreachable,
    UnsupportedFeature,
)
from jupyterlab_pipelines.models import (
    Connection,
    ConnectionKind,
    ConnectionState,
    Event,
    NewConnection,
    NoSignIn,
    RunQuery,
    TokenSignIn,
)
from jupyterlab_pipelines.service import Service, close_stream
from jupyterlab_pipelines.watch import Topic
from tests.async_tests import in_loop
from tests.backends.kubeflow.faults import fault_server, sends
from tests.kubeflow import Cluster, serving
from tests.kubeflow.faults import cuts_body, fault_proxy, passes, throttles

CANARY = "canary-1f0b"


def new(name: str = "team", **fields: Any) -> NewConnection:
    return NewConnection.model_validate({"name": name, "host": "http://127.0.0.1:9", **fields})


def stored(store: Store) -> list[str]:
    return [one.settings.name for one in store.load().records]


def token(value: str) -> dict[str, str]:
    return {"method": "token", "token": value}


# --- the list -----------------------------------------------------------------------------------


@in_loop
async def test_local_is_there_with_nothing_configured(places: Path) -> None:
    connections = Connections()
    assert await connections.list() == [
        Connection(name="local", kind=ConnectionKind.LOCAL, state=ConnectionState.READY)
    ]
    assert connections.home == places / "data" / "jupyterlab_pipelines" == default_home()
    assert connections.service("local") is connections.service("local")
    await connections.close()


@in_loop
async def test_local_says_why_it_cannot_be_used(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "file").write_text("")
    connections = Connections(places / "file" / "home")
    (local,) = await connections.list()
    assert local.state is ConnectionState.UNREACHABLE
    assert str(places / "file") in local.message
    await connections.close()

    # As on Windows, where there is no fcntl.
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "fcntl" else find_spec(name)
    )
    connections = Connections()
    (local,) = await connections.list()
    assert local.state is ConnectionState.UNSUPPORTED
    assert "Linux or macOS" in local.message
    with pytest.raises(UnsupportedFeature):
        connections.local_backend()
    await connections.close()


@in_loop
async def test_the_environments_endpoint_is_found(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:9/pipeline/")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(places / "missing"))
    connections = Connections()
    found = (await connections.list())[1]
    assert (found.name, found.host, found.removable) == (
        "kubeflow", "http://127.0.0.1:9/pipeline", False,
    )  # fmt: skip
    assert found.state is ConnectionState.SIGN_IN
    assert str(places / "missing") in found.message
    (places / "missing").write_text("a-token")
    found = (await connections.list())[1]
    assert found.state is ConnectionState.UNREACHABLE
    with pytest.raises(Conflict):
        await connections.remove("kubeflow")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "user:secret@host")
    monkeypatch.delenv("KF_PIPELINES_SA_TOKEN_PATH")
    assert len(await connections.list()) == 1
    await connections.close()


@in_loop
async def test_one_that_does_not_answer_does_not_hold_up_the_others() -> None:
    connections = Connections()
    for index in range(5):
        await connections.add(new(f"c{index}"))
    started = time.perf_counter()
    states = [one.state for one in await connections.list()]
    assert time.perf_counter() - started < 3
    assert states == [ConnectionState.READY, *[ConnectionState.UNREACHABLE] * 5]
    await connections.close()


@in_loop
async def test_one_that_never_answers_is_waited_for_in_bounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "HEALTH_PATIENCE", 0.3)
    connections = Connections()
    async with fault_server(sends(b"", linger=30)) as (host, _):
        added = await connections.add(new(host=host))
        assert added.state is ConnectionState.UNREACHABLE
        assert "has not answered" in added.message
        await connections.close()


@in_loop
async def test_one_that_fails_as_nobody_foresaw_takes_no_other_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> None:
        raise KeyError(CANARY)

    connections = Connections()
    for name in ("odd", "team"):
        await connections.add(new(name))
    monkeypatch.setattr(connections.service("odd"), "health", fails)
    listed = {one.name: one for one in await connections.list()}
    assert set(listed) == {"local", "odd", "team"}
    assert listed["odd"].state is ConnectionState.UNREACHABLE
    assert "KeyError" in listed["odd"].message
    assert "in fails" in caplog.text
    assert CANARY not in f"{listed['odd'].message}{caplog.text}"
    await connections.close()


@in_loop
async def test_listeners_hear_of_every_change() -> None:
    connections = Connections()
    heard: list[list[str]] = []
    done = asyncio.Event()

    def listener(listed: list[Connection]) -> None:
        heard.append([one.name for one in listed])
        done.set()

    connections.subscribe(listener)
    await asyncio.wait_for(done.wait(), 10)
    await connections.add(new())
    await connections.remove("team")
    assert heard == [["local"], ["local", "team"], ["local"]]
    connections.unsubscribe(listener)
    await connections.add(new())
    assert len(heard) == 3
    await connections.close()


# --- the store ----------------------------------------------------------------------------------


@in_loop
async def test_a_token_is_kept_for_the_user_only_and_never_shown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connections = Connections()
    added = await connections.add(new(sign_in=token(f" {CANARY}\n")))
    listed = await connections.list()
    await connections.close()
    file = connections_file()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert json.loads(file.read_text())["connections"][0]["sign_in"]["token"] == CANARY
    shown = f"{added} {listed} {added.model_dump()} {connections.settings('team')!r} {caplog.text}"
    assert CANARY not in shown


def test_a_file_that_others_may_read_is_closed_to_them() -> None:
    store = Store(connections_file())
    store.add(new(sign_in=token(CANARY)))
    store.path.chmod(0o644)
    assert stored(Store(store.path)) == ["team"]
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_closed_to_others_is_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    store = Store(connections_file())
    store.add(new())
    store.path.chmod(0o644)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "chmod", refused)
        assert stored(Store(store.path)) == ["team"]
        assert not caplog.records
    store.add(new("other", sign_in=token(CANARY)))
    store.path.chmod(0o644)
    monkeypatch.setattr(Path, "chmod", refused)
    assert stored(Store(store.path)) == ["team", "other"]
    assert "others can read" in caplog.text
    assert CANARY not in caplog.text


def test_processes_see_each_others_changes() -> None:
    first, second = Store(connections_file()), Store(connections_file())
    first.add(new("a"))
    assert stored(second) == ["a"]
    second.add(new("b"))
    assert stored(first) == ["a", "b"]
    first.remove("a")
    assert stored(second) == ["b"]


def test_no_change_is_lost_when_many_write_at_once() -> None:
    def add(part: int) -> None:
        store = Store(connections_file())
        for index in range(10):
            store.add(new(f"c{part}-{index}"))

    threads = [threading.Thread(target=add, args=(part,)) for part in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored(Store(connections_file()))) == 60
    assert not list(connections_file().parent.glob(".connections-*"))


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"connections": 3}', f'{{"connections": [{{"token": "{CANARY}"}}]}}', CANARY],
)
@in_loop
async def test_a_damaged_file_is_told_and_local_goes_on(content: str) -> None:
    connections_file().parent.mkdir(parents=True)
    connections_file().write_text(content)
    with pytest.raises(StoreBlocked, match="damaged") as caught:
        Store(connections_file()).load()
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    connections = Connections()
    assert [one.name for one in await connections.list()] == ["local"]
    assert (await connections.service("local").list_runs(RunQuery())).runs == []
    with pytest.raises(StoreBlocked):
        await connections.add(new())
    assert connections_file().read_text() == content
    await connections.close()


@in_loop
async def test_a_damaged_file_leaves_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    connections_file().parent.mkdir(parents=True)
    connections_file().write_text("{")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "http://127.0.0.1:9")
    connections = Connections()
    (_, found) = await connections.list()
    assert (found.name, found.state) == ("kubeflow", ConnectionState.UNREACHABLE)
    await connections.close()


@in_loop
async def test_names_are_unique_and_routes_are_reserved() -> None:
    connections = Connections()
    await connections.add(new())
    with pytest.raises(Conflict):
        await connections.add(new())
    for name in ("local", "kubeflow", "connections", "events", "cells", "apis", "test"):
        with pytest.raises(BadInput):
            await connections.add(new(name))
    with pytest.raises(NotFound):
        await connections.remove("other")
    with pytest.raises(NotFound):
        connections.service("other")
    with pytest.raises(BadInput):
        await connections.add(new("two", sign_in=token("x") | {"variable": "Y"}))
    with pytest.raises(BadInput):
        await connections.add(new("three", sign_in=token("line\nbreak in it")))
    await connections.close()


@in_loop
async def test_what_another_process_removed_is_let_go() -> None:
    mine, other = Connections(), Connections()
    await mine.add(new())
    told: list[Event] = []
    watcher, local = mine.watcher("team"), mine.watcher("local")
    watcher.subscribe(Topic("runs"), told.append)
    await other.remove("team")
    assert [one.name for one in await mine.list()] == ["local"]
    assert told[-1].stale == "The connection was removed."
    await other.add(new())
    assert mine.watcher("team") is not watcher
    assert mine.watcher("local") is local
    await asyncio.gather(mine.close(), other.close())


async def in_flight(connections: Connections) -> tuple[Service, AsyncIterator[bytes], bytes]:
    """A list of runs that is on its way, its beginning read."""
    service = await connections.ready_service("team")
    answer = await service.api(ApiRequest("GET", "/apis/v2beta1/runs"))
    assert not isinstance(answer.body, bytes)
    return service, answer.body, await anext(answer.body)


def endpoint_with_runs() -> Cluster:
    cluster = Cluster()
    for number in range(20):
        cluster.add_run(f"run {number}")
    return cluster


@pytest.mark.parametrize("change", ["namespace", "host", "removed", "removed elsewhere"])
@in_loop
async def test_what_is_under_way_ends_although_its_connection_was_changed(
    monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(backend_module, "_QUIET", 0.2)
    connections = Connections()
    async with serving(endpoint_with_runs()) as url, fault_proxy(url) as proxy:
        await connections.add(new(host=proxy.url))
        proxy.script(throttles(2000, 0.05))
        service, body, begun = await in_flight(connections)
        proxy.script(passes)
        if change == "namespace":
            await connections.choose_namespace("team", "other")
        elif change == "host":
            await connections.change("team", new(host=url))
        elif change == "removed":
            await connections.remove("team")
        else:
            Store(connections_file()).remove("team")
            await connections.list()
        rest = b"".join([piece async for piece in body])
        await close_stream(body)
        assert len(json.loads(begun + rest)["runs"]) == 20
        # One piece of work may ask more than once.
        assert len((await service.list_runs(RunQuery())).runs) == 20
        await asyncio.sleep(1)
        with pytest.raises(Unreachable, match="changed meanwhile"):
            await service.get_run("any")
    await connections.close()


@in_loop
async def test_closing_waits_for_nothing_that_is_under_way() -> None:
    connections = Connections()
    async with serving(endpoint_with_runs()) as url, fault_proxy(url) as proxy:
        await connections.add(new(host=proxy.url))
        proxy.script(cuts_body(3000, stalls=True))
        _, body, _ = await in_flight(connections)
        proxy.script(passes)
        await connections.remove("team")
        reading = asyncio.create_task(anext(body))
        await asyncio.sleep(0.1)
        await asyncio.wait_for(connections.close(), 5)
        with pytest.raises(BadUpstream):
            await asyncio.wait_for(reading, 5)
        await close_stream(body)


@in_loop
async def test_threads_that_open_a_connection_at_once_share_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = LocalBackend.__init__

    def slowly(*args: Any, **kwargs: Any) -> None:
        time.sleep(0.2)
        make(*args, **kwargs)

    monkeypatch.setattr(LocalBackend, "__init__", slowly)
    connections = Connections()
    one, two = await asyncio.gather(
        asyncio.to_thread(connections.local_backend), connections.ready_service("local")
    )
    assert two.backend is one
    await connections.close()


def test_a_file_of_the_first_version_is_read() -> None:
    records = [
        {"name": "a", "kind": "kubeflow", "host": "http://h", "namespace": "", "token": CANARY},
        {"name": "b", "kind": "kubeflow", "host": "http://h", "token_file": "/t"},
        {"name": "c", "kind": "kubeflow", "host": "http://h", "token_env": "T"},
        {"name": "d", "kind": "kubeflow", "host": "http://h"},
    ]
    connections_file().parent.mkdir(parents=True)
    connections_file().write_text(json.dumps({"connections": records}))
    store = Store(connections_file())
    assert [one.settings.sign_in for one in store.load().records] == [
        TokenSignIn(token=SecretStr(CANARY)),
        TokenSignIn(file="/t"),
        TokenSignIn(variable="T"),
        NoSignIn(),
    ]
    store.add(new("e"))
    assert stored(Store(connections_file())) == ["a", "b", "c", "d", "e"]


@in_loop
async def test_a_change_keeps_the_secrets_that_were_left_out() -> None:
    connections = Connections()
    await connections.add(new(sign_in=token(CANARY)))
    assert connections.shown_settings("team") == new(sign_in={"method": "token"})
    changed = await connections.change("team", new(namespace="mine", sign_in={"method": "token"}))
    assert (changed.namespace, changed.sign_in) == ("mine", "token")
    assert connections.settings("team") == new(namespace="mine", sign_in=token(CANARY))
    await connections.change("team", new(sign_in={"method": "token", "file": "/t"}))
    assert CANARY not in connections_file().read_text()
    with pytest.raises(BadInput):
        await connections.change("team", new("other"))
    with pytest.raises(NotFound):
        await connections.change("other", new("other"))
    with pytest.raises(Conflict):
        await connections.change("local", new("local"))
    await connections.close()


@in_loop
async def test_a_secret_is_never_sent_to_another_address_than_it_was_given_for() -> None:
    connections = Connections()
    oidc = {
        "method": "oidc", "token_url": "https://sso/token", "client_id": "c",
        "client_secret": CANARY,
    }  # fmt: skip
    store = {"prefix": "s3://", "endpoint": "https://s3", "access_key": "a", "secret_key": CANARY}
    await connections.add(new(sign_in=oidc, stores=[store]))
    left_out = {**oidc, "client_secret": None}
    for change in (
        {"host": "http://127.0.0.2:9", "sign_in": left_out},
        {"ui_host": "http://127.0.0.2:9", "sign_in": left_out},
        {"sign_in": {**left_out, "token_url": "https://evil/token"}},
        {
            "sign_in": left_out,
            "stores": [{**store, "endpoint": "https://evil", "secret_key": None}],
        },
    ):
        with pytest.raises(BadInput) as caught:
            await connections.change("team", new(**change))
        assert "secret" in caught.value.problems[0].place
    kept = {"sign_in": left_out, "stores": [{**store, "secret_key": None}]}
    await connections.change("team", new(**kept))
    assert connections.settings("team") == new(sign_in=oidc, stores=[store])
    await connections.close()


@in_loop
async def test_a_connection_that_was_changed_elsewhere_is_opened_again() -> None:
    connections = Connections()
    await connections.add(new())
    service = connections.service("team")
    assert connections.service("team") is service
    store = Store(connections_file())
    store.remove("team")
    store.add(new(host="http://127.0.0.1:10"))
    assert connections.service("team") is not service
    await connections.close()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://kubeflow.example.com", "https://kubeflow.example.com"),
        (" http://host:8888/ ", "http://host:8888"),
        ("https://host/pipeline/", "https://host/pipeline"),
        ("http://10.0.0.1:31380", "http://10.0.0.1:31380"),
        ("http://[::1]:8888", "http://[::1]:8888"),
    ],
)
def test_a_host_is_an_address(text: str, host: str) -> None:
    assert clean_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "ftp://host",
        "file:///etc/passwd",
        f"https://user:{CANARY}@host",
        "https://user@host",
        "https://host?x=1",
        "https://host#x",
        "https://",
        "https://ho st",
        "https://host\r\nX: y",
        "https://host/../x",
        "https://host/%2e%2e",
        "https://host\\@evil",
        "http://2130706433",
        "http://[::1",
        "http://host:port",
        "http://localhost:0",
        "javascript:alert(1)",
    ],
)
def test_nothing_else_is_a_host(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        clean_host(text)
    assert CANARY not in f"{caught.value.message}{caught.value.problems}"


# --- the official client ------------------------------------------------------------------------


def test_without_a_server_the_client_has_one_of_its_own() -> None:
    kfp_client = client("local")
    made = kfp_client.create_experiment("mine")
    assert kfp_client.get_experiment(experiment_id=made.experiment_id).display_name == "mine"
    assert client("local").get_experiment(experiment_name="mine").display_name == "mine"


def test_an_unknown_connection_is_told() -> None:
    with pytest.raises(NotFound):
        client("elsewhere")


@pytest.fixture(params=["token", "no token", "no token, allow_origin=*, prefix"])
def server(request: pytest.FixtureRequest, places: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real Jupyter server of this user."""
    flags = ["--port=0", "--port-retries=0", "--allow-root", "--no-browser"]
    if request.param == "token":
        flags.append("--IdentityProvider.token=a-token")
    else:
        flags += ["--ServerApp.token=", "--ServerApp.password="]
    if "prefix" in request.param:
        flags += ["--ServerApp.allow_origin=*", "--ServerApp.base_url=/notebook/ns/nb"]
    command = [sys.executable, "-m", "jupyter_server", *flags]
    process = subprocess.Popen(
        [*command, "--ServerApp.jpserver_extensions", "jupyterlab_pipelines=True"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=places,
        env=os.environ | {"JUPYTER_CONFIG_PATH": ""},
    )
    try:
        _wait_for_server(places / "runtime", process)
        yield process
    finally:
        process.kill()
        process.wait(10)


def _wait_for_server(runtime: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        for file in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(file.read_bytes())["url"]
                httpx.get(f"{url}api", timeout=2)
            except (ValueError, KeyError, httpx.HTTPError):
                continue
            return
        time.sleep(0.1)
    raise AssertionError("the server did not come up")


def test_the_client_finds_the_running_server(server: subprocess.Popen[bytes]) -> None:
    kfp_client = client("local")
    host = kfp_client._existing_config.host
    assert host.endswith("/pipelines/local")
    made = kfp_client.create_experiment("through the server")
    assert kfp_client.get_experiment(experiment_id=made.experiment_id) is not None
    assert client_module._loopback.cache_info().currsize == 0 or host not in (
        client_module._loopback(default_home()).url
    )


def test_a_server_of_another_home_is_left_alone(
    server: subprocess.Popen[bytes], places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_HOME", str(places / "another"))
    host = client("local")._existing_config.host
    assert not host.endswith("/pipelines/local")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"artifact_hosts": ["data.example.com", " files.example.com:8443 ", "[::1]:80"]}, ""),
        ({"artifact_hosts": ["https://data.example.com/x"]}, "artifact_hosts"),
        ({"artifact_hosts": ["user@host"]}, "artifact_hosts"),
        ({"stores": [{"prefix": "volume://data/", "endpoint": "/mnt/data"}]}, ""),
        ({"stores": [{"prefix": "volume://data/"}]}, "stores.0.endpoint"),
        ({"stores": [{"prefix": "gs://bucket/"}]}, ""),
    ],
)
def test_where_artifacts_may_be_read_is_checked(fields: dict[str, Any], place: str) -> None:
    if not place:
        one = checked(new(**fields))
        assert all(host == host.strip() for host in one.artifact_hosts)
        return
    with pytest.raises(BadInput) as caught:
        checked(new(**fields))
    assert [problem.place for problem in caught.value.problems] == [place]
