"""Logs of Kubeflow's pods: as they grow, after they are gone, and never a line twice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, readings, sharing
from jupyterlab_pipelines.backends.kubeflow.logs import kept, reader
from jupyterlab_pipelines.backends.kubeflow.logs.kept import CUT, GONE, ROTATED, KeptLog, Text
from jupyterlab_pipelines.errors import NotFound, PipelinesError, UpstreamError
from jupyterlab_pipelines.models import LogChunk
from tests.async_tests import in_loop
from tests.kubeflow import Answer, Cluster, Request, Run, serving
from tests.kubeflow.faults import cuts_body, fault_proxy, passes, resets, shows_login

LOG = "/apis/v1alpha1/runs/{}/nodes/{}/log"


class World:
    """A run of one task with two attempts, of which the first has failed."""

    def __init__(self, cluster: Cluster, run: Run, backend: KubeflowBackend) -> None:
        self.cluster, self.run, self.backend = cluster, run, backend

    def prints(self, text: str, pod: str = "train-2") -> None:
        """The pod's log is this from now on."""
        self.cluster.logs[self.run.id, pod] = text.encode()

    def ends(self) -> None:
        """The run has succeeded; its pods are still there."""
        self.cluster.turn(self.run, "SUCCEEDED")
        assert self.run.tasks is not None
        self.run.tasks[0]["state"] = "SUCCEEDED"

    async def read(
        self, offset: int = 0, limit: int = 1 << 20, attempt: int | None = None
    ) -> LogChunk:
        return await self.backend.read_log(self.run.id, "train", attempt, offset, limit)


@contextlib.asynccontextmanager
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(reader, "_FRESH", 0.0)
    monkeypatch.setattr(reader, "_LONGEST_FRESH", 0.0)
    monkeypatch.setattr(sharing, "_FRESH", 0.0)
    monkeypatch.setattr(readings, "_FRESH", 0.0)
    cluster = Cluster()
    pods = [{"name": f"train-{number}", "type": "EXECUTOR"} for number in (1, 2)]
    task = {"task_id": "t", "name": "train", "type": "RUNTIME", "state": "RUNNING", "pods": pods}
    run = cluster.add_run("train", "RUNNING", tasks=[task], namespace="team")
    async with serving(cluster) as url:
        backend = KubeflowBackend(url, namespace="team")
        try:
            yield World(cluster, run, backend)
        finally:
            await backend.close()


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


def lines(start: int, stop: int) -> str:
    return "".join(f"line {number}: {'ü' * (number % 30)}\n" for number in range(start, stop))


@in_loop
async def test_a_running_pods_log_as_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        whole, read, offset = lines(0, 400), "", 0
        for length in range(0, len(whole), 2777):
            here.prints(whole[:length])
            for limit in (333, 5, 100_000):
                chunk = await here.read(offset, limit)
                assert (chunk.offset, chunk.complete, chunk.attempt) == (offset, False, 2)
                read, offset = read + chunk.text, chunk.next_offset
            assert read == whole[:length]
        here.prints(whole)
        here.ends()
        while not (chunk := await here.read(offset, 333)).complete:
            read, offset = read + chunk.text, chunk.next_offset
        assert read + chunk.text == whole


@in_loop
async def test_nothing_lost_or_doubled_over_a_line_that_drops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = lines(0, 500)
    async with world(monkeypatch) as here, fault_proxy(here.backend._endpoint.host) as proxy:
        backend = KubeflowBackend(proxy.url, sleep=at_once)
        here.backend, upstream = backend, here.backend
        read, offset, turn = "", 0, 0
        while len(read) < len(whole):
            turn += 1
            here.prints(whole[: 250 * turn])
            faults = [cuts_body(300), passes, resets, passes, shows_login, passes]
            proxy.script(passes, faults[turn % len(faults)], passes)
            with contextlib.suppress(PipelinesError):
                chunk = await here.read(offset, 4099)
                assert chunk.offset == offset
                read, offset = read + chunk.text, chunk.next_offset
        assert read == whole
        await backend.close()
        here.backend = upstream


@in_loop
async def test_each_attempt_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        here.prints("first\n", "train-1")
        here.prints("second\n")
        first = await here.read(attempt=1)
        assert (first.text, first.attempt, first.complete) == ("first\n", 1, True)
        assert (await here.read()).text == "second\n"
        with pytest.raises(NotFound):
            await here.read(attempt=3)


@in_loop
async def test_a_retrys_log_is_not_the_one_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        here.prints("first try\n")
        here.ends()
        assert (await here.read()).text == "first try\n"
        here.cluster.turn(here.run, "RUNNING")
        assert here.run.tasks is not None
        here.run.tasks[0]["state"] = "RUNNING"
        here.prints("second try\n")
        chunk = await here.read()
        assert (chunk.text, chunk.complete) == ("second try\n", False)


@in_loop
async def test_a_retry_that_nobody_saw_running_is_told_by_its_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch) as here:
        assert here.run.tasks is not None
        here.ends()
        for hour, text in ((10, "first try\n"), (11, "second try\n")):
            start = f"2026-08-01T{hour}:00:00Z"
            one = {"number": 1, "pod_name": "train-2", "state": "SUCCEEDED", "start_time": start}
            properties = {"custom_properties": {"attempts": [one]}}
            here.run.tasks[0]["status_metadata"] = properties
            here.prints(text)
            chunk = await here.read()
            assert (chunk.text, chunk.complete) == (text, True)


@pytest.mark.parametrize("place", ["declared", "pods"])
@in_loop
async def test_it_goes_on_in_the_archive_when_the_pod_is_gone(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    async with world(monkeypatch) as here:
        here.prints(lines(0, 50))
        before = await here.read()
        del here.cluster.logs[here.run.id, "train-2"]
        whole = lines(0, 80).encode()
        if place == "declared":
            here.cluster.declared[here.run.id, "train-2", "main-logs"] = whole
        else:
            here.cluster.pods["team", "train-2"] = whole  # the UI server finds it in its archive
        here.ends()
        after = await here.read(before.next_offset)
        assert before.text + after.text == lines(0, 80)
        assert after.complete
        asked = sum(here.cluster.asked.values())
        assert (await here.read()).text == lines(0, 80)
        logs = [key for key in here.cluster.asked if "/log" in key or ":read" in key]
        assert sum(here.cluster.asked.values()) - asked <= 1, logs  # the run only


BEGINS = 'time="2026-08-01T10:00:00 UTC" level=info msg="capturing logs" argo=true\n'
ENDS = (
    'time="2026-08-01T10:09:00 UTC" level=info msg="sub-process exited" argo=true error="<nil>"\n'
)
ENDS_IN_ARGO_4 = 'time=2026-08-01T10:09:00.1Z level=INFO msg="sub-process exited" argo=true\n'


@pytest.mark.parametrize("ends", [ENDS, ENDS_IN_ARGO_4])
@pytest.mark.parametrize("last", ["", "the last line has no end", "at what time=12"])
@in_loop
async def test_what_argo_itself_says_is_no_part_of_a_log(
    monkeypatch: pytest.MonkeyPatch, last: str, ends: str
) -> None:
    async with world(monkeypatch) as here:
        whole = 'time="12:00" level=info msg="the step\'s own"\n' + lines(0, 20) + last
        live = BEGINS + whole + ends
        read, offset = "", 0
        for length in (10, 90, 500, *range(len(live) - len(ends) - 30, len(live))):
            here.prints(live[:length])
            chunk = await here.read(offset)
            read, offset = read + chunk.text, chunk.next_offset
            assert whole.startswith(read)
        here.cluster.declared[here.run.id, "train-2", "main-logs"] = whole.encode()
        here.ends()
        chunk = await here.read(offset)
        assert (read + chunk.text, chunk.complete) == (whole, True)


@in_loop
async def test_a_rotated_log_says_so_once_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        here.prints(lines(0, 100))
        await here.read()
        here.prints(lines(120, 130))  # the node has begun another file
        await here.read()
        here.prints(lines(120, 150))
        chunk = await here.read()
        assert chunk.text == lines(0, 100) + ROTATED.decode() + lines(120, 150)
        # The archive is whole; what was told stays as it is, and only the rest is added.
        here.cluster.declared[here.run.id, "train-2", "main-logs"] = lines(0, 170).encode()
        here.ends()
        rest = await here.read(chunk.next_offset)
        assert (rest.text, rest.complete) == (lines(150, 170), True)


@in_loop
async def test_a_log_without_its_head_is_no_other_log(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        here.prints(lines(0, 100))
        await here.read()
        here.prints(lines(60, 140))
        assert (await here.read()).text == lines(0, 140)
        here.prints(lines(60, 120))  # a source that lags behind
        assert (await here.read()).text == lines(0, 140)


@in_loop
async def test_an_error_in_place_of_a_log_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(message: str) -> str:
        return json.dumps({"error_message": message, "error_details": message})

    async with world(monkeypatch) as here:
        for reason in ('container "main" is waiting to start: ContainerCreating', "not found"):
            here.prints(failed(f"failed to read logs: {reason}"))
            chunk = await here.read()
            assert (chunk.text, chunk.complete) == ("", False)
        here.prints("")
        assert (await here.read()).text == ""
        said = 'he said {"error_message": 1}\n'
        here.prints(said)
        assert (await here.read()).text == said
        here.prints(said + failed("etcdserver: request timed out"))
        with pytest.raises(UpstreamError, match="timed out"):
            await here.read(len(said))
        here.prints(said + "and more\n")
        assert (await here.read()).text == said + "and more\n"


@in_loop
async def test_the_ui_server_is_asked_where_the_api_may_not_read_pods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch) as here:
        forbidden = "pods is forbidden: User cannot get resource pods/log"
        here.prints(json.dumps({"error_message": forbidden, "error_details": forbidden}))
        here.cluster.pods["team", "train-2"] = b"from the node\n"
        assert (await here.read()).text == "from the node\n"
        del here.cluster.pods["team", "train-2"]
        here.ends()
        with pytest.raises(UpstreamError, match="forbidden"):
            await here.read()


@in_loop
async def test_a_log_that_nobody_kept_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        here.ends()
        chunk = await here.read()
        assert (chunk.text, chunk.complete) == (GONE.decode(), True)


@in_loop
async def test_two_hundred_readers_cost_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(monkeypatch) as here:
        monkeypatch.setattr(reader, "_FRESH", 60.0)
        monkeypatch.setattr(reader, "_LONGEST_FRESH", 60.0)
        here.prints(lines(0, 10))
        await here.read()
        path = "GET " + LOG.format(here.run.id, "train-2")
        before = here.cluster.asked[path]
        chunks = await asyncio.gather(*(here.read(number, 50) for number in range(200)))
        assert {chunk.size for chunk in chunks} == {len(lines(0, 10).encode())}
        assert here.cluster.asked[path] == before


@in_loop
async def test_who_gives_up_does_not_take_the_reading_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with world(monkeypatch) as here:
        here.prints(lines(0, 10))
        await here.read()
        here.prints(lines(0, 20))
        impatient = asyncio.create_task(here.read(0, 1 << 20))
        patient = asyncio.create_task(here.read(0, 1 << 19))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).text == lines(0, 20)


@in_loop
async def test_an_endless_log_ends_with_a_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1 << 20
    monkeypatch.setattr(kept, "LIMIT", limit)
    sent = 0

    async def endless(request: Request) -> Answer | None:
        if not request.path.endswith("/log"):
            return None

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            while sent < 64 * limit:
                sent += 65536
                yield b"x" * 65535 + b"\n"

        return Answer(200, body(), {"Content-Type": "text/plain"})

    async with world(monkeypatch) as here:
        here.cluster.routers.append(endless)
        here.backend._logs._ranged = False
        size = (await here.read(1 << 62, 0)).size
        assert size == limit + len(CUT)
        assert (await here.read(limit, 1000)).text == CUT.decode()
        assert sent < 16 * limit
        assert (await here.read(1 << 62, 0)).size == size


# --- what is kept -------------------------------------------------------------------------------


def reading(data: bytes) -> Text:
    text = Text()
    text.append(data)
    return text


steps = st.lists(
    st.tuples(st.sampled_from(["grow", "lag", "behead", "rotate"]), st.integers(0, 40)),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whatever_a_source_forgets_no_line_is_doubled_and_none_is_missing_unsaid(
    steps: list[tuple[str, int]],
) -> None:
    log = KeptLog()
    first, last, told = 0, 5, b""
    for what, count in steps:
        if what == "rotate":
            last += count
            first = last
        last += count + 1
        if what == "behead":
            first = min(first + count, last - 1)
        text = b"".join(b"line number %d of this log\n" % number for number in range(first, last))
        if what == "lag":
            text = text[: -(count + 1)]
        log.take(reading(text))
        now = log.read(0, log.size)
        assert now.startswith(told)
        told = now
    numbers: list[int | None] = [
        None if line == ROTATED.strip() else int(line.split()[2])
        for line in told.splitlines()
        if line.count(b" ") == 5 or line == ROTATED.strip()
    ]
    for before, after in itertools.pairwise(numbers):
        if before is not None and after is not None:
            assert after == before + 1
    seen = [number for number in numbers if number is not None]
    # A mark may stand where nothing is missing; then the same lines may follow it once more.
    if None not in numbers:
        assert len(seen) == len(set(seen))


def test_a_log_that_repeats_itself_is_not_mistaken_for_a_rotated_one() -> None:
    log = KeptLog()
    for count in (1, 5, 50, 500):
        log.take(reading(b"tick\n" * count))
    assert log.read(0, log.size) == b"tick\n" * 500
