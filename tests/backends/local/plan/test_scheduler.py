"""Properties of any plan: order, once only, failures, cancelling, a restart at any point, cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.plan.retry import kept
from jupyterlab_pipelines.backends.local.plan.scheduler import Scheduler
from jupyterlab_pipelines.backends.local.records import Outcome, Step, TaskRecord
from jupyterlab_pipelines.models import State

SUCCESS = Outcome(State.SUCCEEDED)
FAILURE = Outcome(State.FAILED, error="it broke")
FUNCTION_FIXTURES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)


@st.composite
def dags(draw: st.DrawFn) -> dict[str, list[str]]:
    """Tasks with those they wait for, in no particular order."""
    count = draw(st.integers(1, 12))
    names = [f"t{index}" for index in range(count)]
    tasks = {
        name: draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        for index, name in enumerate(names)
    }
    return {name: tasks[name] for name in draw(st.permutations(names))}


def play(
    scheduler: Scheduler,
    outcome: Callable[[str], Outcome] = lambda _: SUCCESS,
    stored: dict[str, TaskRecord] | None = None,
    pick: Callable[[list[str]], int] = lambda _: 0,
) -> tuple[list[str], Step]:
    """Ends ready leaves one by one until the run is over: the order they ran in, the last step."""
    order: list[str] = []
    waiting: list[str] = []
    while True:
        step = scheduler.advance()
        if stored is not None:
            stored.update({record.task_id: deepcopy(record) for record in step.changed})
        waiting += [ready.task_id for ready in step.ready]
        if step.run_state:
            return order, step
        task_id = waiting.pop(pick(waiting))
        scheduler.started(task_id)
        order.append(task_id)
        scheduler.finished(task_id, outcome(task_id))


@FUNCTION_FIXTURES
@given(tasks=dags(), data=st.data())
def test_every_task_runs_once_after_those_it_waits_for(
    ir: Any, plan: Any, tasks: dict[str, list[str]], data: st.DataObject
) -> None:
    order, last = play(
        plan(ir(tasks)),
        pick=lambda waiting: data.draw(st.integers(0, len(waiting) - 1)),
    )
    assert sorted(order) == sorted(tasks)
    assert all(order.index(one) < order.index(name) for name in tasks for one in tasks[name])
    assert last.run_state is State.SUCCEEDED


@FUNCTION_FIXTURES
@given(tasks=dags(), data=st.data())
def test_what_waits_for_a_failure_is_skipped_and_the_rest_runs(
    ir: Any, plan: Any, tasks: dict[str, list[str]], data: st.DataObject
) -> None:
    broken = set(data.draw(st.lists(st.sampled_from(sorted(tasks)), unique=True)))
    stored: dict[str, TaskRecord] = {}
    scheduler = plan(ir(tasks))
    _, last = play(scheduler, lambda name: FAILURE if name in broken else SUCCESS, stored)

    def expected(name: str) -> State:
        if any(expected(one) is not State.SUCCEEDED for one in tasks[name]):
            return State.SKIPPED
        return State.FAILED if name in broken else State.SUCCEEDED

    assert {name: record.state for name, record in stored.items()} == {
        name: expected(name) for name in tasks
    }
    failed = any(expected(name) is State.FAILED for name in tasks)
    assert last.run_state is (State.FAILED if failed else State.SUCCEEDED)


@FUNCTION_FIXTURES
@given(tasks=dags(), turns=st.integers(0, 12), lost=st.booleans())
def test_a_restart_at_any_point_changes_nothing(
    ir: Any, plan: Any, tasks: dict[str, list[str]], turns: int, lost: bool
) -> None:
    spec = ir(tasks)
    scheduler = plan(spec)
    stored: dict[str, TaskRecord] = {}
    order: list[str] = []
    waiting: list[str] = []
    for _ in range(turns):
        step = scheduler.advance()
        stored.update({record.task_id: deepcopy(record) for record in step.changed})
        waiting += [ready.task_id for ready in step.ready]
        if step.run_state:
            return
        order.append(waiting.pop(0))
        scheduler.started(order[-1])
        scheduler.finished(order[-1], SUCCESS)
    if not lost:  # the last step had been persisted before the crash
        stored.update({record.task_id: deepcopy(record) for record in scheduler.advance().changed})
    known = {name for name, record in stored.items() if record.state is State.SUCCEEDED}
    again, last = play(plan(spec, stored))
    assert sorted(again) == sorted(set(tasks) - known)
    assert last.run_state is State.SUCCEEDED


@FUNCTION_FIXTURES
@given(tasks=dags(), turns=st.integers(0, 8), launched=st.integers(0, 3))
def test_cancelling_starts_nothing_more_and_waits_for_what_runs(
    ir: Any, plan: Any, tasks: dict[str, list[str]], turns: int, launched: int
) -> None:
    scheduler = plan(ir(tasks))
    stored: dict[str, TaskRecord] = {}
    waiting: list[str] = []
    for _ in range(turns):
        step = scheduler.advance()
        stored.update({record.task_id: record for record in step.changed})
        waiting += [ready.task_id for ready in step.ready]
        if step.run_state:
            return
        scheduler.finished(waiting.pop(0), SUCCESS)
    step = scheduler.advance()
    stored.update({record.task_id: record for record in step.changed})
    if step.run_state:
        return
    waiting += [ready.task_id for ready in step.ready]
    running = waiting[: min(launched, len(waiting))]
    for name in running:
        scheduler.started(name)
    scheduler.cancel()
    step = scheduler.advance()
    assert not step.ready
    assert all(stored[name].state is State.CANCELING for name in running)
    assert (step.run_state is State.CANCELED) is (not running)
    for name in running:
        scheduler.finished(name, Outcome(State.CANCELED))
        step = scheduler.advance()
    assert step.run_state is State.CANCELED
    states = {record.state for record in stored.values()}
    assert states <= {State.SUCCEEDED, State.CANCELED}


def test_a_deadline_fails_the_run_and_says_so(ir: Any, plan: Any) -> None:
    scheduler = plan(ir({"a": [], "b": ["a"]}))
    scheduler.advance()
    scheduler.started("a")
    scheduler.cancel("The run took longer than 60 s.")
    scheduler.finished("a", Outcome(State.CANCELED))
    step = scheduler.advance()
    assert step.run_state is State.FAILED
    assert step.run_error == "The run took longer than 60 s."


def test_a_running_leaf_is_waited_for_after_a_restart(ir: Any, plan: Any) -> None:
    spec = ir({"a": [], "b": ["a"]})
    scheduler = plan(spec)
    stored = {record.task_id: record for record in scheduler.advance().changed}
    scheduler.started("a")
    stored.update({record.task_id: record for record in scheduler.advance().changed})
    again = plan(spec, deepcopy(stored))
    assert again.advance().ready == []
    again.finished("a", SUCCESS)
    assert [ready.task_id for ready in again.advance().ready] == ["b"]


def test_a_second_word_on_a_leaf_is_ignored(ir: Any, plan: Any) -> None:
    scheduler = plan(ir({"a": [], "b": ["a"]}))
    scheduler.advance()
    scheduler.finished("a", SUCCESS)
    scheduler.finished("a", FAILURE)
    assert [ready.task_id for ready in scheduler.advance().ready] == ["b"]


@FUNCTION_FIXTURES
@given(tasks=dags(), data=st.data())
def test_a_retry_runs_only_what_did_not_succeed(
    ir: Any, plan: Any, tasks: dict[str, list[str]], data: st.DataObject
) -> None:
    from jupyterlab_pipelines.backends.local.plan.ir import Pipeline

    broken = set(data.draw(st.lists(st.sampled_from(sorted(tasks)), unique=True)))
    spec = ir(tasks)
    stored: dict[str, TaskRecord] = {}
    play(plan(spec), lambda name: FAILURE if name in broken else SUCCESS, stored)
    done = {name for name, record in stored.items() if record.state is State.SUCCEEDED}
    ids = kept(Pipeline.parse(spec), stored)
    again, last = play(plan(spec, {name: stored[name] for name in ids}))
    assert ids == done
    assert sorted(again) == sorted(set(tasks) - done)
    assert last.run_state is State.SUCCEEDED


def test_a_retry_runs_an_exit_task_again(ir: Any, plan: Any) -> None:
    from jupyterlab_pipelines.backends.local.plan.ir import Pipeline

    exit_task = {"triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}}
    spec = ir({"a": [], "b": ["a"], "bye": ["b"], "other": []}, {"bye": exit_task})
    stored: dict[str, TaskRecord] = {}
    order, _ = play(plan(spec), lambda name: FAILURE if name == "b" else SUCCESS, stored)
    assert sorted(order) == ["a", "b", "bye", "other"]
    ids = kept(Pipeline.parse(spec), stored)
    assert ids == {"a", "other"}
    again, last = play(plan(spec, {name: stored[name] for name in ids}))
    assert again == ["b", "bye"]
    assert last.run_state is State.SUCCEEDED


@pytest.mark.parametrize("shape", ["wide", "chain", "layers"])
def test_a_thousand_tasks_cost_little(ir: Any, plan: Any, shape: str) -> None:
    names = [f"t{index}" for index in range(1000)]
    tasks: dict[str, list[str]] = {
        "wide": {name: [] for name in names},
        "chain": {name: names[max(0, i - 1) : i] for i, name in enumerate(names)},
        "layers": {
            name: names[max(0, i // 10 - 1) * 10 : i // 10 * 10] for i, name in enumerate(names)
        },
    }[shape]
    spec = ir(tasks)
    began = time.process_time()
    scheduler = plan(spec)
    order, _ = play(scheduler)
    topology = scheduler.topology()
    assert time.process_time() - began < 2.0
    assert len(order) == len(topology.tasks) == 1000
