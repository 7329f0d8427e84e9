"""Every way that a network, a gateway or an endpoint fails, and what the user is told of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.base import ApiRequest
from jupyterlab_pipelines.backends.kubeflow import BearerToken, KubeflowBackend, failures
from jupyterlab_pipelines.errors import (
    BadUpstream,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UpstreamError,
    UpstreamTimeout,
)
from jupyterlab_pipelines.models import ConnectionState, Event, RunQuery, Submission
from jupyterlab_pipelines.watch import Topic, Watcher
from tests.async_tests import in_loop
from tests.kubeflow import Cluster, serving
from tests.kubeflow.faults import (
    Fault,
    Proxy,
    answers,
    corrupts,
    cuts_body,
    cuts_head,
    cuts_last_chunk,
    delays,
    fault_proxy,
    half_closes,
    is_busy,
    is_silent,
    passes,
    redirects,
    resets,
    shows_login,
    throttles,
    wants_token,
)

CANARY = "canary-5e1f"
JSON = "Content-Type: application/json"
SPEC = {
    "pipelineInfo": {"name": "train"},
    "schemaVersion": "2.1.0",
    "root": {
        "dag": {
            "tasks": {
                "train": {"taskInfo": {"name": "train"}, "componentRef": {"name": "comp-train"}}
            }
        }
    },
    "components": {"comp-train": {"executorLabel": "exec-train"}},
    "deploymentSpec": {"executors": {"exec-train": {"container": {"image": "python:3.12"}}}},
}


class World:
    """A run on an endpoint, the proxy before it, and a backend that knows only the proxy."""

    def __init__(self, cluster: Cluster, proxy: Proxy, backend: KubeflowBackend) -> None:
        self.cluster, self.proxy, self.backend = cluster, proxy, backend
        details = [{"display_name": "train", "state": "RUNNING", "task_id": "t"}]
        self.run = cluster.add_run("train", "RUNNING", spec=SPEC, task_details=details)


async def at_once(seconds: float) -> None:
    """Waits no longer than others need to have their turn."""
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def world(*faults: Fault) -> AsyncIterator[World]:
    cluster = Cluster()
    async with serving(cluster) as url, fault_proxy(url, *faults) as proxy:
        backend = KubeflowBackend(proxy.url, BearerToken(CANARY), sleep=at_once)
        try:
            yield World(cluster, proxy, backend)
        finally:
            await backend.close()


Reading = Callable[[World], Awaitable[object]]


async def _passed_on(world: World) -> bytes:
    answer = await world.backend.api(ApiRequest("GET", "/apis/v2beta1/runs"))
    assert not isinstance(answer.body, bytes)
    if answer.status >= 400:
        raise UpstreamError(f"{world.proxy.url} answered {answer.status}.")
    return b"".join([piece async for piece in answer.body])


READINGS: dict[str, Reading] = {
    "list": lambda world: world.backend.list_runs(RunQuery()),
    "run": lambda world: world.backend.get_run(world.run.id),
    "graph": lambda world: world.backend.get_graph(world.run.id),
    "changes": lambda world: world.backend.changes(None),
    "passed on": _passed_on,
}
#: The fault, the error, and how often a GET is sent before it is given up.
TABLE: dict[str, tuple[Fault, type[PipelinesError], int]] = {
    "silence": (is_silent, UpstreamTimeout, 1),
    "half-closed": (half_closes, BadUpstream, 5),
    "reset": (resets, BadUpstream, 5),
    "no HTTP": (answers("\x00\x01 nonsense"), BadUpstream, 5),
    "cut in the headers": (cuts_head, BadUpstream, 5),
    "cut in the body": (cuts_body(1), BadUpstream, 1),
    "reset in the body": (cuts_body(1, reset=True), BadUpstream, 1),
    "stalled in the body": (cuts_body(1, stalls=True), UpstreamTimeout, 1),
    "no last chunk": (cuts_last_chunk, BadUpstream, 1),
    "500": (is_busy("500 Internal Server Error"), UpstreamError, 5),
    "503": (is_busy("503 Service Unavailable", 1), UpstreamError, 5),
    "429": (is_busy("429 Too Many Requests", 3), UpstreamError, 5),
    "429 for an hour": (is_busy("429 Too Many Requests", 3600), UpstreamError, 1),
    "login page": (shows_login, SignInNeeded, 1),
    "login page, refused": (
        answers("403 Forbidden", b"<html>", "Content-Type: text/html"),
        SignInNeeded,
        1,
    ),
    "redirect": (redirects("https://dex.example.com/auth?req=x"), SignInNeeded, 1),
}
NOT_JSON = {
    "half of it": b'{"runs": [',
    "no object": b"[]",
    "a picture": b"\x89PNG\r\n\x1a\n",
    "nesting": b'{"a":' * 100_000,
    "another shape": b'{"runs": [{"run_id": {"a": 1}, "state": []}]}',
    "lone surrogates": b'{"runs": [{"run_id": "\\ud800", "created_at": "yesterday"}]}',
}


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "IDLE_TIMEOUT", 0.2)


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("name", TABLE)
@in_loop
async def test_a_failure_is_told_with_the_endpoint_and_the_next_step(
    name: str, reading: str
) -> None:
    fault, kind, sent = TABLE[name]
    async with world(fault) as here:
        with pytest.raises(kind) as caught:
            await READINGS[reading](here)
        assert here.proxy.url in caught.value.message
        assert caught.value.next_step
        assert CANARY not in f"{caught.value.message} {caught.value.next_step}"
        if reading != "changes":  # which asks twice: what ended, and what runs
            assert len(here.proxy.requests) == sent


@pytest.mark.parametrize("name", TABLE)
@in_loop
async def test_what_changes_something_is_sent_once(name: str) -> None:
    fault, kind, _ = TABLE[name]
    async with world(fault) as here:
        for act in (
            lambda: here.backend.submit(Submission(pipeline=dict(SPEC))),
            lambda: here.backend.terminate(here.run.id),
            lambda: here.backend.delete(here.run.id),
        ):
            before = len(here.proxy.requests)
            with pytest.raises(kind):
                await act()
            assert len(here.proxy.requests) == before + 1


@pytest.mark.parametrize("name", NOT_JSON)
@in_loop
async def test_what_is_not_the_protocol_is_shown_and_never_believed(name: str) -> None:
    body = NOT_JSON[name]
    async with world(answers("200 OK", body, JSON)) as here:
        for reading in ("list", "run", "graph"):
            with pytest.raises(BadUpstream) as caught:
                await READINGS[reading](here)
            assert len(caught.value.message) < 700
            assert caught.value.message.isprintable()


@pytest.mark.parametrize("reading", [one for one in READINGS if one != "changes"])
@in_loop
async def test_a_cut_answer_is_never_taken_for_a_whole_one(reading: str) -> None:
    async with world(passes) as here:
        await READINGS[reading](here)
        whole = 400
        for length in range(0, whole, 23):
            here.proxy.script(cuts_body(length))
            here.backend._readings.forget(here.run.id)
            with pytest.raises(BadUpstream):
                await READINGS[reading](here)


@pytest.mark.parametrize("reading", ["list", "run", "graph", "changes"])
@in_loop
async def test_corrupt_answers_do_no_harm(reading: str) -> None:
    """Each seed damages other bytes: there is a result, or an error of ours."""
    refused: list[str] = []
    async with world(passes) as here:
        for seed in range(40):
            here.proxy.script(corrupts(seed, 1 + seed % 8))
            here.backend._readings.forget(here.run.id)
            try:
                await READINGS[reading](here)
            except PipelinesError as error:
                refused.append(error.message)
    assert len(refused) > 5
    assert all(message.isprintable() for message in refused)


@pytest.mark.parametrize("fault", [delays(0.1), throttles(97, 0.005)])
@in_loop
async def test_slow_is_not_broken(fault: Fault) -> None:
    async with world(fault) as here:
        assert (await here.backend.list_runs(RunQuery())).runs[0].run_id == here.run.id
        assert (await here.backend.get_graph(here.run.id)).run.run_id == here.run.id


@in_loop
async def test_what_fails_now_and_then_is_not_noticed() -> None:
    faults = (resets, is_busy("503 Service Unavailable"), cuts_head, half_closes, passes)
    async with world(*faults) as here:
        assert len((await here.backend.list_runs(RunQuery())).runs) == 1
        assert len(here.proxy.requests) == 5


@in_loop
async def test_an_endpoint_that_is_down_is_named() -> None:
    async with fault_proxy("http://127.0.0.1:9") as proxy:
        pass
    backend = KubeflowBackend(proxy.url, sleep=at_once)
    with pytest.raises(Unreachable, match=proxy.url):
        await backend.list_runs(RunQuery())
    health = await backend.health()
    assert health.state is ConnectionState.UNREACHABLE
    assert proxy.url in health.message
    await backend.close()


@in_loop
async def test_a_redirect_is_not_followed() -> None:
    async with fault_proxy("http://127.0.0.1:9") as elsewhere:
        places = (f"{elsewhere.url}/apis/v2beta1/runs", "//evil.example", "file:///etc/passwd", "")
        for place in places:
            async with world(redirects(place)) as here:
                with pytest.raises(SignInNeeded):
                    await here.backend.list_runs(RunQuery())
        assert elsewhere.requests == []


@in_loop
async def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    cluster = Cluster()
    cluster.add_run("train")
    current = "first"
    async with (
        serving(cluster) as url,
        fault_proxy(url, wants_token(lambda: current)) as proxy,
    ):
        backend = KubeflowBackend(proxy.url, BearerToken(file=str(file)), sleep=at_once)
        assert len((await backend.list_runs(RunQuery())).runs) == 1
        current = "second"
        with pytest.raises(SignInNeeded):
            await backend.list_runs(RunQuery())
        file.write_text("second")
        assert len((await backend.list_runs(RunQuery())).runs) == 1
        await backend.close()


# --- what is watched ----------------------------------------------------------------------------


@in_loop
async def test_a_view_is_marked_stale_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(passes) as here:
        here.backend.watch_interval = 0.05  # type: ignore[misc]
        watcher = Watcher(here.backend, "kubeflow")
        events: asyncio.Queue[Event] = asyncio.Queue()
        watcher.subscribe(Topic("run", here.run.id), events.put_nowait)
        first = await asyncio.wait_for(events.get(), 5)
        assert first.stale is None
        for fault in (is_silent, resets, shows_login, cuts_body(30)):
            here.proxy.script(fault)
            stale = await asyncio.wait_for(events.get(), 10)
            assert stale.stale is not None
            assert here.proxy.url in stale.stale
            here.proxy.script(passes)
            while (await asyncio.wait_for(events.get(), 10)).stale is not None:
                pass
        await watcher.close()


@in_loop
async def test_a_log_goes_on_where_it_broke_off_without_a_line_lost_or_doubled() -> None:
    text = "".join(f"line {number}: {'ü' * (number % 40)}\n" for number in range(3000))
    pod = "train-1"
    task = {"task_id": "t", "name": "train", "type": "RUNTIME", "state": "RUNNING"}
    async with world(passes) as here:
        here.run.tasks = [{**task, "pods": [{"name": pod, "type": "EXECUTOR"}]}]
        here.cluster.logs[here.run.id, pod] = text.encode()
        read, offset, troubles = "", 0, 0
        while offset < len(text.encode()):
            here.proxy.script(
                [cuts_body(offset + 500), passes, resets, passes, cuts_body(0, reset=True)][
                    troubles % 5
                ],
                passes,
            )
            try:
                chunk = await here.backend.read_log(here.run.id, "train", None, offset, 7001)
            except PipelinesError:
                troubles += 1
                continue
            assert chunk.offset == offset
            read, offset = read + chunk.text, chunk.next_offset
            troubles += 1
        assert read == text


# --- names that are more than names -------------------------------------------------------------

HOSTILE = [
    "../../etc/passwd",
    "..%2f..%2fetc",
    "%252e%252e/x",
    "a/../../b",
    "a\r\nHost: evil.example.org",
    "a%0d%0aX-Injected: 1",
    "a?b=c",
    "a#b",
    "@169.254.169.254/",
    "//169.254.169.254/latest/meta-data",
    "http://169.254.169.254/",
    "http://[::ffff:127.0.0.1]/",
    "http://2130706433/",
    "file:///etc/passwd",
    "\x00",
    "user@evil.example.org",
    "",
]


@pytest.mark.parametrize("name", HOSTILE[:-2])
@in_loop
async def test_a_hostile_id_reaches_nothing(name: str) -> None:
    async with world(passes) as here:
        for ask in (
            lambda: here.backend.get_run(name),
            lambda: here.backend.get_graph(name),
            lambda: here.backend.get_task(name, "train"),
            lambda: here.backend.read_log(name, "train", None, 0, 10),
            lambda: here.backend.open_artifact(name, "train:out"),
            lambda: here.backend.terminate(name),
            lambda: here.backend.delete(name),
            lambda: here.backend.api(ApiRequest("GET", f"/apis/v2beta1/runs/{name}")),
            lambda: here.backend.api(ApiRequest("POST", f"{name}/apis/v2beta1/runs")),
        ):
            with pytest.raises(NotFound):
                await ask()
        assert here.proxy.requests == []


@pytest.mark.parametrize("name", HOSTILE)
@in_loop
async def test_a_hostile_name_stays_where_it_is_put(name: str) -> None:
    """In a filter or a body it is text: the request has the headers that it always has."""
    async with world(passes) as here:
        await here.backend.list_runs(RunQuery(name="harmless"))
        await here.backend.list_runs(RunQuery(name=name))
        if name:
            run = await here.backend.submit(
                Submission(pipeline=dict(SPEC), display_name=name, description=name)
            )
            assert here.cluster.runs[run.run_id].display_name == name
            found = await here.backend.list_runs(RunQuery(name=name))
            assert [one.run_id for one in found.runs] == [run.run_id]
        names = [
            sorted(line.split(b":")[0].lower() for line in head.strip().split(b"\r\n")[1:])
            for head in here.proxy.requests
            if head.startswith(b"GET")
        ]
        assert all(one == names[0] for one in names)


@in_loop
async def test_a_filter_holds_any_text() -> None:
    async with world(passes) as here:
        for name in ("100% done", "a+b", "%41", 'quote " and \\', "ünïcode ✓", "a b"):
            run = here.cluster.add_run(name)
            found = await here.backend.list_runs(RunQuery(name=name))
            assert run.id in [one.run_id for one in found.runs]
