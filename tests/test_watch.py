"""One watcher a backend: what listeners hear, how seldom the backend is asked, and faults."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from jupyterlab_pipelines import watch
from jupyterlab_pipelines.backends.base import Changes
from jupyterlab_pipelines.errors import NotFound, PipelinesError, Unreachable
from jupyterlab_pipelines.models import (
    Event,
    LogChunk,
    Run,
    RunGraph,
    State,
    TaskNode,
    TaskStatus,
    TaskType,
    Topology,
)
from jupyterlab_pipelines.routes.events import MAX_WAITING, Outbox
from jupyterlab_pipelines.watch import Topic, Watcher
from tests.async_tests import in_loop

START = datetime(2026, 8, 1, tzinfo=timezone.utc)


class Engine:
    """A backend of one run with one task, moved by the test."""

    watch_interval = 0.01

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.failure: Exception | None = None
        self.number = 0
        self.log = "line\n"
        self.log_over = False
        self.deleted: list[tuple[int, str]] = []
        self.unsure: list[str] = []
        self.state = State.RUNNING
        self.tasks = ["train"]
        self.gone = False

    def move(self, state: State) -> None:
        self.state = state
        self.number += 1

    @property
    def run(self) -> Run:
        return Run(run_id="a", display_name="a", state=self.state, created_at=START)

    def _ask(self, what: str) -> None:
        self.asked[what] += 1
        if self.failure is not None:
            raise self.failure

    async def changes(self, cursor: str | None) -> Changes:
        self._ask("changes")
        since = self.number if cursor is None else int(cursor)
        return Changes(
            cursor=str(self.number),
            runs=[self.run] if since < self.number and not self.gone else [],
            deleted=[run_id for number, run_id in self.deleted if number > since],
            unsure=self.unsure,
        )

    async def get_graph(self, run_id: str) -> RunGraph:
        self._ask("graph")
        if run_id != "a" or self.gone:
            raise NotFound("no")
        nodes = [
            TaskNode(id=name, name=name, display_name=name, type=TaskType.RUNTIME)
            for name in self.tasks
        ]
        return RunGraph(
            run=self.run,
            topology=Topology(key=",".join(self.tasks), tasks=nodes, artifacts=[], edges=[]),
            tasks={name: TaskStatus(state=self.state) for name in self.tasks},
            artifacts={},
            revision=self.number,
        )

    async def read_log(self, *arguments: Any) -> LogChunk:
        self._ask("log")
        size = len(self.log)
        return LogChunk(text="", offset=size, next_offset=size, size=size, complete=self.log_over)

    async def close(self) -> None: ...


class Ear:
    """Collects what it is told."""

    def __init__(self) -> None:
        self.heard: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event)

    async def until(self, enough: Callable[[Event], bool]) -> Event:
        """The first event that fits, from those heard or still to come."""
        for _ in range(500):
            for event in self.heard:
                if enough(event):
                    return event
            await asyncio.sleep(0.01)
        raise AssertionError(self.heard)


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def watcher(engine: Engine) -> Watcher:
    return Watcher(engine, "local")  # type: ignore[arg-type]


RUN, RUNS, LOG = Topic("run", "a"), Topic("runs"), Topic("log", "a", "train")


@in_loop
async def test_a_change_is_told_as_what_differs(engine: Engine, watcher: Watcher) -> None:
    runs, run = Ear(), Ear()
    watcher.subscribe(RUNS, runs)
    watcher.subscribe(RUN, run)
    first = await run.until(lambda event: event.delta is not None)
    assert first.delta is not None
    assert (first.delta.base_revision, first.delta.revision, first.delta.tasks) == (0, 0, {})
    assert (first.connection, first.run_id, first.seq) == ("local", "a", 0)

    engine.move(State.SUCCEEDED)
    told = await run.until(lambda event: bool(event.delta and event.delta.tasks))
    assert told.delta is not None
    assert (told.delta.base_revision, told.delta.revision) == (0, 1)
    assert told.delta.tasks["train"].state is State.SUCCEEDED
    assert told.delta.run.state is State.SUCCEEDED
    listed = await runs.until(lambda event: bool(event.runs))
    assert listed.runs[0].state is State.SUCCEEDED

    engine.number += 1  # counted, but nothing differs
    await asyncio.sleep(0.05)
    assert len(run.heard) == 2
    engine.move(State.FAILED)
    last = await run.until(lambda event: bool(event.delta and event.delta.revision == 3))
    assert last.delta is not None
    assert last.delta.base_revision == 1  # what listeners have
    await watcher.close()


@in_loop
async def test_a_new_shape_changes_the_key(engine: Engine, watcher: Watcher) -> None:
    run = Ear()
    watcher.subscribe(RUN, run)
    await run.until(lambda event: event.delta is not None)
    engine.tasks = ["train", "evaluate"]
    engine.number += 1
    await run.until(
        lambda event: bool(event.delta and event.delta.topology_key == "train,evaluate")
    )
    await watcher.close()


@in_loop
async def test_a_late_listener_hears_where_it_stands(engine: Engine, watcher: Watcher) -> None:
    early, late = Ear(), Ear()
    watcher.subscribe(RUN, early)
    engine.move(State.SUCCEEDED)
    await early.until(lambda event: bool(event.delta and event.delta.revision == 1))
    watcher.subscribe(RUN, late)
    (at_once,) = late.heard
    assert at_once.delta is not None
    assert (at_once.delta.base_revision, at_once.delta.revision) == (1, 1)
    await watcher.close()


@in_loop
async def test_two_hundred_listeners_cost_no_more_than_one(engine: Engine) -> None:
    async def cost(listeners: int) -> Counter[str]:
        engine.asked.clear()
        watcher = Watcher(engine, "local")  # type: ignore[arg-type]
        ears = [Ear() for _ in range(listeners)]
        for ear in ears:
            watcher.subscribe(RUN, ear)
            watcher.subscribe(LOG, ear)
        for _ in range(5):
            number = engine.number + 1
            engine.move(State.RUNNING if number % 2 else State.PENDING)
            for ear in ears:
                await ear.until(
                    lambda event, n=number: bool(event.delta and event.delta.revision == n)
                )  # type: ignore[misc]
        await watcher.close()
        return Counter(engine.asked)

    one, many = await cost(1), await cost(200)
    assert many["graph"] <= one["graph"] + 1
    assert many["changes"] <= one["changes"] + 5
    assert many["log"] <= one["log"] + 5


@in_loop
async def test_nothing_is_asked_while_nobody_listens(engine: Engine, watcher: Watcher) -> None:
    ear, other = Ear(), Ear()
    watcher.subscribe(RUNS, ear)
    watcher.subscribe(RUNS, other)
    await asyncio.sleep(0.05)
    watcher.unsubscribe(RUNS, ear)
    asked = engine.asked["changes"]
    await asyncio.sleep(0.05)
    assert engine.asked["changes"] > asked
    watcher.unsubscribe(RUNS, other)
    watcher.unsubscribe(RUNS, other)  # harmless
    await asyncio.sleep(0)
    asked = engine.asked["changes"]
    await asyncio.sleep(0.05)
    assert engine.asked["changes"] == asked
    watcher.subscribe(RUN, ear)
    await ear.until(lambda event: event.delta is not None)
    await watcher.close()


@in_loop
async def test_an_unchanged_run_is_read_once_unless_it_is_unsure(
    engine: Engine, watcher: Watcher
) -> None:
    ear = Ear()
    watcher.subscribe(RUN, ear)
    await asyncio.sleep(0.1)
    assert engine.asked["graph"] == 1
    engine.unsure = ["a"]
    engine.state = State.SUCCEEDED  # a change that the backend did not report
    await ear.until(lambda event: bool(event.delta and event.delta.tasks))
    await watcher.close()


@in_loop
async def test_a_log_is_told_as_it_grows_until_it_is_complete(
    engine: Engine, watcher: Watcher
) -> None:
    ear, late = Ear(), Ear()
    watcher.subscribe(LOG, ear)
    await ear.until(lambda event: event.log_size == 5)
    engine.log += "more\n"
    told = await ear.until(lambda event: event.log_size == 10)
    assert (told.task_id, told.attempt) == ("train", 1)
    watcher.subscribe(LOG, late)
    assert [event.log_size for event in late.heard] == [10]
    engine.log_over = True
    await asyncio.sleep(0.05)
    asked = engine.asked["log"]
    await asyncio.sleep(0.05)
    assert engine.asked["log"] == asked
    engine.log_over = False
    engine.log += "a second attempt\n"
    engine.move(State.RUNNING)
    await ear.until(lambda event: event.log_size == 27)
    await watcher.close()


@in_loop
async def test_a_deleted_run_is_told_to_its_listeners(engine: Engine, watcher: Watcher) -> None:
    run, runs, nothing = Ear(), Ear(), Ear()
    watcher.subscribe(RUN, run)
    watcher.subscribe(RUNS, runs)
    watcher.subscribe(Topic("run", "never-was"), nothing)
    await run.until(lambda event: event.delta is not None)
    assert (await nothing.until(lambda event: True)).deleted == ["never-was"]
    engine.gone = True
    engine.number += 1
    engine.deleted.append((engine.number, "a"))
    assert (await run.until(lambda event: bool(event.deleted))).deleted == ["a"]
    assert (await runs.until(lambda event: bool(event.deleted))).deleted == ["a"]
    asked = engine.asked["graph"]
    await asyncio.sleep(0.05)
    assert engine.asked["graph"] == asked
    await watcher.close()


@pytest.mark.parametrize("failure", [Unreachable("no route"), RuntimeError("canary")])
@in_loop
async def test_a_failure_is_told_once_and_so_is_the_recovery(
    engine: Engine, watcher: Watcher, failure: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MAX_PAUSE", 0.05)
    run, late = Ear(), Ear()
    watcher.subscribe(RUN, run)
    await run.until(lambda event: event.delta is not None)
    engine.failure = failure
    stale = await run.until(lambda event: event.stale is not None)
    expected = failure.message if isinstance(failure, PipelinesError) else "Unexpected error"
    assert expected in (stale.stale or "")
    assert "canary" not in (stale.stale or "")
    await asyncio.sleep(0.2)
    assert len([event for event in run.heard if event.stale]) == 1
    watcher.subscribe(RUN, late)
    assert late.heard[0].stale == stale.stale

    engine.move(State.SUCCEEDED)
    engine.failure = None
    heard = len(run.heard)
    told = await run.until(lambda event: bool(event.delta and event.delta.tasks))
    assert told.stale is None
    assert run.heard[heard].stale is None
    await watcher.close()


@in_loop
async def test_pauses_grow_while_a_backend_fails(
    engine: Engine, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    engine.failure = Unreachable("no route")
    engine.watch_interval = 1.0
    monkeypatch.setattr(watch.asyncio, "sleep", noted)
    watcher.subscribe(RUNS, Ear())
    while len(pauses) < 12:
        await sleep(0.001)
    await watcher.close()
    assert 1 <= pauses[0] <= 2
    assert all(15 <= pause <= 30 for pause in pauses[6:])
    assert len({round(pause, 3) for pause in pauses[6:]}) > 1


@in_loop
async def test_trouble_with_one_run_is_its_own(engine: Engine, watcher: Watcher) -> None:
    good, bad = Ear(), Ear()
    real = engine.get_graph

    async def get_graph(run_id: str) -> RunGraph:
        if run_id == "b":
            raise Unreachable("this one is broken")
        return await real(run_id)

    engine.get_graph = get_graph  # type: ignore[method-assign]
    watcher.subscribe(Topic("run", "b"), bad)
    watcher.subscribe(RUN, good)
    await bad.until(lambda event: event.stale == "this one is broken")
    await good.until(lambda event: event.delta is not None)
    engine.move(State.SUCCEEDED)
    await good.until(lambda event: bool(event.delta and event.delta.tasks))
    await watcher.close()


@in_loop
async def test_closing_says_why(engine: Engine, watcher: Watcher) -> None:
    ear = Ear()
    watcher.subscribe(RUN, ear)
    await ear.until(lambda event: event.delta is not None)
    await watcher.close("The connection was removed.")
    assert ear.heard[-1].stale == "The connection was removed."


# --- a page that does not read ------------------------------------------------------------------


def _event(text: str = "") -> Event:
    return Event(seq=0, topic="runs", connection="local", stale=text or None)


@in_loop
async def test_events_are_numbered_without_a_gap() -> None:
    outbox = Outbox()
    for _ in range(3):
        outbox.offer(_event())
    numbers = [Event.model_validate_json(await outbox.next()).seq for _ in range(3)]
    assert numbers == [1, 2, 3]


@in_loop
async def test_a_slow_page_gets_a_gap_and_the_newest_event_never_more_memory() -> None:
    outbox = Outbox()
    for number in range(MAX_WAITING * 3 + 5):
        outbox.offer(_event(f"event {number}"))
    assert len(outbox._waiting) <= MAX_WAITING
    first = Event.model_validate_json(await outbox.next())
    assert first.seq > 1
    last = first
    while outbox._waiting:
        following = Event.model_validate_json(await outbox.next())
        assert following.seq == last.seq + 1
        last = following
    assert last.stale == f"event {MAX_WAITING * 3 + 4}"

    for _ in range(50):
        outbox.offer(_event("x" * (1 << 20)))
    assert outbox._characters <= 9 << 20
