"""A run's shape: groups, artifacts before they exist, and what travels through groups and loops."""

# The SDK reads component functions' annotations, so they must not be postponed here.

from collections.abc import Callable
from functools import partial
from typing import Any

from kfp import dsl

from jupyterlab_pipelines.models import Topology

component = partial(dsl.component, base_image="python:3.11")


@component
def make(text: str, data: dsl.Output[dsl.Dataset]) -> str:
    with open(data.path, "w") as file:  # noqa: PTH123 - a component is self-contained
        file.write(text)
    return text


@component
def use(data: dsl.Input[dsl.Dataset], note: str = "") -> str:
    return note


@component
def use_all(data: dsl.Input[list[dsl.Dataset]]) -> int:
    return len(data)


def edges(topology: Topology, kind: str) -> set[tuple[str, str, str]]:
    return {(e.source, e.target, e.label) for e in topology.edges if e.kind == kind}


def check(topology: Topology) -> None:
    """What holds of every shape: ends exist, edges are distinct, parents come first."""
    tasks = {task.id for task in topology.tasks}
    artifacts = {artifact.id for artifact in topology.artifacts}
    assert len(tasks) == len(topology.tasks)
    assert len(artifacts) == len(topology.artifacts)
    keys = [(e.source, e.target, e.kind, e.label) for e in topology.edges]
    assert len(keys) == len(set(keys))
    for edge in topology.edges:
        assert edge.source in (artifacts if edge.kind == "input" else tasks)
        assert edge.target in (artifacts if edge.kind == "output" else tasks)
    seen: set[str | None] = {None}
    for task in topology.tasks:
        assert task.parent in seen
        seen.add(task.id)


def test_artifacts_are_drawn_before_they_exist(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="plain")
    def plain() -> None:
        made = make(text="a")
        use(data=made.outputs["data"], note=made.outputs["Output"])
        use(data=made.outputs["data"])
        make(text="z").after(made)

    run = begin(plain)
    before = run.scheduler.topology()
    check(before)
    (artifact, _) = before.artifacts
    assert (artifact.id, artifact.type, artifact.producer) == (
        "make:data",
        "system.Dataset",
        "make",
    )
    assert ("make", "make:data", "data") in edges(before, "output")
    assert edges(before, "input") == {("make:data", "use", "data"), ("make:data", "use-2", "data")}
    # The second user needs the artifact only: its way shows that.
    assert edges(before, "dependency") == {("make", "use", "Output"), ("make", "make-2", "")}
    assert run.to_end().scheduler.topology().key == before.key


def test_artifacts_reach_into_groups_and_out_of_them(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="inner")
    def inner(data: dsl.Input[dsl.Dataset]) -> dsl.Dataset:
        use(data=data)
        return make(text="x").outputs["data"]

    @dsl.pipeline(name="outer")
    def outer(coin: str = "heads") -> None:
        part = inner(data=make(text="a").outputs["data"])
        with dsl.If(coin == "heads"):
            one = make(text="1")
        with dsl.Else():
            two = make(text="2")
        use(data=part.output)
        use(data=dsl.OneOf(one.outputs["data"], two.outputs["data"]))

    topology = begin(outer).scheduler.topology()
    check(topology)
    assert edges(topology, "input") == {
        ("make:data", "inner/use", "data"),
        ("inner/make:data", "use", "data"),
        ("condition-branches-1/condition-2/make-2:data", "use-2", "data"),
        ("condition-branches-1/condition-3/make-3:data", "use-2", "data"),
    }
    types = {task.id: task.type.value for task in topology.tasks}
    assert types["inner"] == "DAG"
    assert types["condition-branches-1"] == "CONDITION_BRANCH"
    assert types["condition-branches-1/condition-2"] == "CONDITION"


def test_a_loop_unfolds_with_its_iterations(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="loops")
    def loops() -> None:
        first = make(text="a")
        with dsl.ParallelFor(["x", "y"]) as item:
            made = make(text=item)
            use(data=first.outputs["data"])
        use_all(data=dsl.Collected(made.outputs["data"]))

    run = begin(loops)
    before = run.scheduler.topology()
    check(before)
    assert edges(before, "input") == {("make:data", "for-loop-2", "pipelinechannel--make-data")}
    assert ("for-loop-2", "use-all", "") in edges(before, "dependency")
    after = run.to_end().scheduler.topology()
    check(after)
    assert after.key != before.key
    assert edges(after, "input") == {
        ("make:data", "for-loop-2[0]/use", "data"),
        ("make:data", "for-loop-2[1]/use", "data"),
        ("for-loop-2[0]/make-2:data", "use-all", "data"),
        ("for-loop-2[1]/make-2:data", "use-all", "data"),
    }
    (second,) = [task for task in after.tasks if task.id == "for-loop-2[1]"]
    assert (second.type.value, second.iteration, second.parent) == (
        "LOOP_ITERATION",
        1,
        "for-loop-2",
    )


def test_a_loop_over_artifacts_gives_each_iteration_its_own(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="producer")
    def producer() -> list[dsl.Dataset]:
        with dsl.ParallelFor(["x", "y"]) as item:
            made = make(text=item)
        return dsl.Collected(made.outputs["data"])

    @dsl.pipeline(name="loops")
    def loops() -> None:
        with dsl.ParallelFor(items=producer().output) as item:
            use(data=item)

    run = begin(loops).to_end()
    assert run.state.value == "SUCCEEDED"
    topology = run.scheduler.topology()
    check(topology)
    assert edges(topology, "input") == {
        ("producer/for-loop-2[0]/make:data", "for-loop-1[0]/use", "data"),
        ("producer/for-loop-2[1]/make:data", "for-loop-1[1]/use", "data"),
    }
    assert run.stored["for-loop-1[1]/use"].inputs.artifacts["data"][0].artifact_id == (
        "producer/for-loop-2[1]/make:data"
    )


def test_an_exit_handler_is_drawn_as_one(begin: Callable[..., Any]) -> None:
    @dsl.pipeline(name="exits")
    def exits() -> None:
        with dsl.ExitHandler(make(text="bye")):
            make(text="work")

    topology = begin(exits).scheduler.topology()
    types = {task.id: task.type.value for task in topology.tasks}
    assert types == {
        "exit-handler-1": "EXIT_HANDLER",
        "exit-handler-1/make-2": "RUNTIME",
        "make": "RUNTIME",
    }
    assert edges(topology, "dependency") == {("exit-handler-1", "make", "")}
