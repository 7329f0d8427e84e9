"""A run with groups of every kind, restarted at every point, cancelled, and tried again."""

# The SDK reads component functions' annotations, so they must not be postponed here.
# ruff: noqa: UP006, UP035

from collections.abc import Callable
from functools import partial
from typing import Any, List

import pytest
from kfp import dsl

from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.backends.local.plan.retry import kept
from jupyterlab_pipelines.backends.local.plan.scheduler import Scheduler
from jupyterlab_pipelines.backends.local.records import Outcome
from jupyterlab_pipelines.models import State

component = partial(dsl.component, base_image="python:3.11")


@component
def double(number: int) -> int:
    return number * 2


@component
def check(number: int, marker: str) -> int:
    import pathlib

    if number == 4 and not pathlib.Path(marker).exists():
        raise ValueError("not yet")
    return number


@component
def total(numbers: List[int]) -> int:
    return sum(numbers)


@component
def bye(status: dsl.PipelineTaskFinalStatus) -> str:
    return status.state


@dsl.pipeline(name="inner")
def inner(number: int) -> int:
    return double(number=double(number=number).output).output


@dsl.pipeline(name="everything")
def everything(marker: str, items: List[int] = [1, 2, 3]) -> None:  # noqa: B006
    with dsl.ExitHandler(bye()):
        start = inner(number=1)
        with dsl.ParallelFor(items, parallelism=1) as item:
            made = check(number=double(number=item).output, marker=marker)
            with dsl.If(item == 2):
                double(number=made.output)
            with dsl.Else():
                double(number=start.output)
        total(numbers=dsl.Collected(made.output))


@pytest.fixture
def pipeline(compiled: Callable[..., Pipeline]) -> Pipeline:
    return compiled(everything)


def test_a_restart_after_every_turn_ends_as_an_undisturbed_run(
    begin: Callable[..., Any], pipeline: Pipeline, tmp_path: Any
) -> None:
    marker = tmp_path / "marker"
    marker.touch()
    straight = begin(pipeline, marker=str(marker)).to_end()
    assert straight.state is State.SUCCEEDED
    assert straight.output("exit-handler-1/total") == 12

    broken = begin(pipeline, marker=str(marker))
    while broken.state is None:
        broken.turn()
        step = broken.scheduler.advance()  # what the supervisor had persisted
        broken.stored.update({record.task_id: record for record in step.changed})
        broken.state = step.run_state
        if broken.state is None:
            broken = broken.restarted()
    assert broken.states() == straight.states()
    assert sorted(broken.ran) == sorted(straight.ran)


def test_a_retry_keeps_finished_iterations(
    begin: Callable[..., Any], pipeline: Pipeline, tmp_path: Any
) -> None:
    marker = tmp_path / "marker"
    first = begin(pipeline, marker=str(marker)).to_end()
    assert first.state is State.FAILED
    assert first.error == "exit-handler-1/for-loop-2[1]/check: ValueError: not yet"
    assert first.output("bye") == "FAILED"
    assert first.states()["exit-handler-1/total"] == "SKIPPED"

    marker.touch()
    first.stored = {name: first.stored[name] for name in kept(pipeline, first.stored)}
    again = first.restarted()
    again.ran = []
    again.to_end()
    assert again.state is State.SUCCEEDED
    assert again.output("bye") == "COMPLETE"
    assert sorted(again.ran) == [
        "bye",
        "exit-handler-1/for-loop-2[1]/check",
        "exit-handler-1/for-loop-2[1]/condition-branches-3/condition-4/double-2",
        "exit-handler-1/total",
    ]


def test_cancelling_in_a_loop_ends_every_iteration(
    begin: Callable[..., Any], pipeline: Pipeline, tmp_path: Any
) -> None:
    run = begin(pipeline, marker=str(tmp_path))
    for _ in range(3):
        run.turn()
    running = next(iter(run.waiting or [ready.task_id for ready in run.scheduler.advance().ready]))
    run.scheduler.started(running)
    run.scheduler.cancel()
    run.scheduler.finished(running, Outcome(State.CANCELED))
    run.turn()
    assert run.state is State.CANCELED
    assert "CANCELING" not in run.states().values()
    assert "PENDING" not in run.states().values()
    assert run.states()["exit-handler-1/for-loop-2[2]"] == "CANCELED"


def test_cancelling_a_long_loop_needs_no_deep_stack(ir: Any, plan: Any) -> None:
    spec = ir({"loop": []}, {"loop": {"componentRef": {"name": "comp-loop"}}})
    spec["components"]["comp-loop"] = {
        "dag": {"tasks": {"step": {"componentRef": {"name": "comp-step"}}}},
        "inputDefinitions": {"parameters": {"item": {"parameterType": "NUMBER_INTEGER"}}},
    }
    items = "[" + ",".join(map(str, range(5000))) + "]"
    spec["root"]["dag"]["tasks"]["loop"] |= {
        "parameterIterator": {"items": {"raw": items}, "itemInput": "item"},
        "iteratorPolicy": {"parallelismLimit": 1},
    }
    scheduler: Scheduler = plan(spec)
    (first,) = scheduler.advance().ready
    scheduler.started(first.task_id)
    scheduler.cancel()
    scheduler.finished(first.task_id, Outcome(State.CANCELED))
    step = scheduler.advance()
    assert step.run_state is State.CANCELED
    assert all(record.state.final for record in scheduler.records.values())
