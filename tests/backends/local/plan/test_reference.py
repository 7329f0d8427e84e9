"""Random pipelines of every group, failures and orders, against a reference of thirty lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.plan.scheduler import Scheduler
from jupyterlab_pipelines.backends.local.records import Outcome, TaskRecord, Values
from jupyterlab_pipelines.models import State
from tests.backends.local.plan.conftest import STEP

PROPERTIES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
    max_examples=60,
)
DEPTH = 3
WHATEVER = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


@dataclass
class Some:
    """A task: a leaf where `inner` is null, a loop where `items` is a number, else a group."""

    name: str
    after: list[str]
    inner: list[Some] | None = None
    items: int | None = None
    limit: int = 0
    holds: bool | None = None  # what its condition gives; null: it has none, or it fails
    broken_condition: bool = False
    whatever: bool = False


@st.composite
def dags(draw: st.DrawFn, depth: int = 0) -> list[Some]:
    """Tasks of one DAG, each after some of those before it."""
    tasks: list[Some] = []
    for index in range(draw(st.integers(1, 4))):
        before = [one.name for one in tasks if not one.whatever]
        after = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        task = Some(f"t{index}", after)
        if depth < DEPTH and draw(st.integers(0, 2)) == 0:
            task.inner = draw(dags(depth + 1))
            kind = draw(st.sampled_from(["group", "loop", "if", "broken"]))
            if kind == "loop":
                task.items, task.limit = draw(st.integers(0, 3)), draw(st.integers(0, 2))
            elif kind == "if":
                task.holds = draw(st.booleans())
            task.broken_condition = kind == "broken"
        task.whatever = bool(after) and draw(st.integers(0, 4)) == 0
        tasks.append(task)
    return draw(st.permutations(tasks))


@dataclass
class Reference:
    """How a run must end: every task's state by its id, from definitions alone."""

    fails: Callable[[str], bool]
    states: dict[str, str] = field(default_factory=dict)

    def dag(self, tasks: list[Some], prefix: str) -> bool:
        """Ends the tasks of a DAG; whether it succeeded."""
        left = list(tasks)
        while left:
            task = next(one for one in left if not {other.name for other in left} & {*one.after})
            left.remove(task)
            before = [self.states[prefix + name] for name in task.after]
            self.states[prefix + task.name] = self.task(task, prefix + task.name, before)
        ends = [self.states[prefix + task.name] for task in tasks if not task.whatever]
        return "FAILED" not in ends

    def task(self, task: Some, task_id: str, before: list[str]) -> str:
        wanted = any if task.whatever else all
        fits = {"SUCCEEDED", "FAILED"} if task.whatever else {"SUCCEEDED"}
        if not wanted(state in fits for state in before) and before:
            return self.skip(task, task_id)
        if task.broken_condition or task.holds is False:
            self.skip(task, task_id)
            return "FAILED" if task.broken_condition else "SKIPPED"
        if task.inner is None:
            return "FAILED" if self.fails(task_id) else "SUCCEEDED"
        if task.items is None:
            return "SUCCEEDED" if self.dag(task.inner, f"{task_id}/") else "FAILED"
        ends = []
        for index in range(task.items):
            iteration = f"{task_id}[{index}]"
            ends.append("SUCCEEDED" if self.dag(task.inner, f"{iteration}/") else "FAILED")
            self.states[iteration] = ends[-1]
        return "FAILED" if "FAILED" in ends else "SUCCEEDED"

    def skip(self, task: Some, task_id: str) -> str:
        if task.items is None:
            for one in task.inner or []:
                self.states[f"{task_id}/{one.name}"] = self.skip(one, f"{task_id}/{one.name}")
        return "SKIPPED"


def built(tasks: list[Some]) -> dict[str, Any]:
    """The IR of a DAG of tasks."""
    components: dict[str, Any] = {"comp-step": {"executorLabel": "exec-step"}}

    def dag(some: list[Some], prefix: str) -> dict[str, Any]:
        return {"dag": {"tasks": {one.name: task(one, prefix + one.name) for one in some}}}

    def task(one: Some, name: str) -> dict[str, Any]:
        body: dict[str, Any] = {"taskInfo": {"name": one.name}, "dependentTasks": one.after}
        trigger = dict(WHATEVER) if one.whatever else {}
        component = "comp-step"
        if one.inner is not None:
            component = f"comp-{name}"
            components[component] = dag(one.inner, f"{name}-")
        if one.items is not None:
            items = {"raw": json.dumps(list(range(one.items)))}
            body["parameterIterator"] = {"itemInput": "item", "items": items}
            body["iteratorPolicy"] = {"parallelismLimit": one.limit}
            parameters = {"item": {"parameterType": "NUMBER_INTEGER"}}
            components[component]["inputDefinitions"] = {"parameters": parameters}
        if one.holds is not None or one.broken_condition:
            trigger["condition"] = (
                "1 == 'x' + 1" if one.broken_condition else f"{one.holds}".lower()
            )
        return {**body, "triggerPolicy": trigger, "componentRef": {"name": component}}

    return {
        "pipelineInfo": {"name": "random"},
        "schemaVersion": "2.1.0",
        "root": dag(tasks, ""),
        "components": components,
        "deploymentSpec": {"executors": {"exec-step": deepcopy(STEP)}},
    }


class Player:
    """Runs leaves in an order of its choice, several at a time, and keeps what was persisted."""

    def __init__(self, plan: Any, spec: dict[str, Any], fails: Callable[[str], bool]) -> None:
        self.plan, self.spec, self.fails = plan, spec, fails
        self.scheduler: Scheduler = plan(spec)
        self.stored: dict[str, TaskRecord] = {}
        self.ready: list[str] = []
        self.running: list[str] = []
        self.ran: list[str] = []
        self.state: State | None = None

    def advance(self) -> None:
        step = self.scheduler.advance()
        self.stored.update({record.task_id: deepcopy(record) for record in step.changed})
        self.ready += [one.task_id for one in step.ready]
        self.state = step.run_state
        if self.state is None:
            assert self.ready or self.running, "nothing is ready, nothing runs, and it is not over"

    def turn(self, data: st.DataObject) -> None:
        """Begins a leaf, ends one, or loses the scheduler and goes on with another."""
        move = data.draw(st.sampled_from(["begin", "end", "end", "restart"]))
        if move == "restart":
            self.scheduler = self.plan(self.spec, deepcopy(self.stored))
            self.ready = []
        elif self.ready and (move == "begin" or not self.running):
            name = self.ready.pop(data.draw(st.integers(0, len(self.ready) - 1)))
            assert name not in self.ran, f"{name} begins twice"
            self.ran.append(name)
            self.running.append(name)
            self.scheduler.started(name)
        elif self.running:
            name = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
            state = State.FAILED if self.fails(name) else State.SUCCEEDED
            self.scheduler.finished(name, Outcome(state, Values(), "it broke"))
        self.advance()

    def states(self) -> dict[str, str]:
        return {task_id: record.state.value for task_id, record in self.stored.items()}


RUNS = {
    "tasks": dags(),
    "salt": st.integers(0, 1000),
    "rate": st.sampled_from([0, 1, 4]),
    "data": st.data(),
}


@PROPERTIES
@given(**RUNS)
def test_a_run_ends_as_its_definition_says(plan: Any, **drawn: Any) -> None:
    play_out(plan, **drawn)


@pytest.mark.soak
@settings(PROPERTIES, max_examples=2000)
@given(**RUNS)
def test_thousands_of_runs_end_as_their_definitions_say(plan: Any, **drawn: Any) -> None:
    play_out(plan, **drawn)


def play_out(plan: Any, tasks: list[Some], salt: int, rate: int, data: st.DataObject) -> None:
    """Runs a pipeline whose leaves fail at `rate` in ten, and compares it with the reference."""

    def fails(task_id: str) -> bool:
        return sum(map(ord, f"{salt}{task_id}")) % 10 < rate

    reference = Reference(fails)
    succeeded = reference.dag(tasks, "")
    player = Player(plan, built(tasks), fails)
    player.advance()
    while player.state is None:
        check_limits(player, tasks)
        player.turn(data)
    assert player.states() == reference.states
    assert player.state is (State.SUCCEEDED if succeeded else State.FAILED)
    check_order(player, tasks)


@PROPERTIES
@given(tasks=dags(), turns=st.integers(0, 20), data=st.data())
def test_a_stopped_run_begins_nothing_more_and_ends(
    plan: Any, tasks: list[Some], turns: int, data: st.DataObject
) -> None:
    player = Player(plan, built(tasks), lambda _: False)
    player.advance()
    for _ in range(turns):
        if player.state is None:
            player.turn(data)
    if player.state is not None:
        return
    player.scheduler.cancel()
    for name in player.running:
        player.scheduler.finished(name, Outcome(State.CANCELED))
    player.running.clear()
    step = player.scheduler.advance()
    assert not step.ready
    player.state = step.run_state
    assert player.state is State.CANCELED
    assert {record.state.final for record in player.scheduler.records.values()} == {True}


def check_limits(player: Player, tasks: list[Some]) -> None:
    """No loop has more iterations at work than it allows."""
    for task in tasks:
        if task.limit and task.items:
            states = [
                player.stored[f"{task.name}[{index}]"].state
                for index in range(task.items)
                if f"{task.name}[{index}]" in player.stored
            ]
            assert states.count(State.RUNNING) <= task.limit


def check_order(player: Player, tasks: list[Some]) -> None:
    """Whatever is inside of a task begins after all that is inside of those before it."""
    for task in tasks:
        for name in task.after:
            earlier = [i for i, one in enumerate(player.ran) if top(one) == name]
            later = [i for i, one in enumerate(player.ran) if top(one) == task.name]
            assert not (earlier and later) or max(earlier) < min(later)


def top(task_id: str) -> str:
    """The outermost task that a leaf is in."""
    return task_id.partition("/")[0].partition("[")[0]
