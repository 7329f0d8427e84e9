"""Checks that a parsed pipeline hangs together: references, cycles, recursion, size."""

from __future__ import annotations

import re
from collections.abc import Iterator as Generator
from collections.abc import Mapping

from ....models import Problem
from .spec import Component, ComponentInput, Dag, OutputRef, Task

#: Most tasks one pipeline may unfold to before its loops are known.
MAX_TASKS = 100_000
#: Deepest nesting of groups.
MAX_DEPTH = 64
_TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,252}")


def validate(root: Component, components: Mapping[str, Component]) -> list[Problem]:
    """Every problem of the pipeline's references; empty when a scheduler can walk it."""
    problems: list[Problem] = []
    places = [("root", root), *((f"components/{name}", components[name]) for name in components)]
    for place, component in places:
        if component.dag:
            problems += _dag_problems(component, component.dag, components, f"{place}/dag")
    if root.dag is None:
        problems.append(Problem(place="root", message="The root must be a `dag`."))
    if root.name in components:
        problems.append(Problem(place="components/root", message="`root` names the pipeline."))
    if not problems:
        problems += _size_problems(root, components)
    return problems


def _dag_problems(
    component: Component, dag: Dag, components: Mapping[str, Component], place: str
) -> Generator[Problem]:
    if not dag.tasks:
        yield Problem(place=place, message="The DAG has no tasks.")
    for name, task in dag.tasks.items():
        at = f"{place}/tasks/{name}"
        if not _TASK_NAME.fullmatch(name):
            yield Problem(place=at, message=f"`{name}` cannot be the name of a task.")
        if task.component not in components:
            yield Problem(place=at, message=f"Its component `{task.component}` does not exist.")
            continue
        yield from _input_problems(task, component, dag, components, at)
        yield from _iterator_problems(task, components[task.component], at)
    yield from _output_problems(component, dag, components, f"{place}/outputs")
    cycle = _cycle(dag)
    if cycle:
        yield Problem(place=place, message=f"Its tasks wait for each other: {' → '.join(cycle)}.")


def _input_problems(
    task: Task,
    parent: Component,
    dag: Dag,
    components: Mapping[str, Component],
    place: str,
) -> Generator[Problem]:
    for name in task.dependencies:
        if name not in dag.tasks:
            yield Problem(place=place, message=f"It depends on `{name}`, which is not in the DAG.")
    for key, source in task.parameters.items():
        origin = source.origin
        if isinstance(origin, ComponentInput) and origin.name not in parent.input_parameters:
            yield _no_input(place, key, origin.name, "parameter")
        if isinstance(origin, OutputRef) and not _gives(dag, components, origin, "parameter"):
            yield _no_output(place, key, origin, "parameter")
    for key, artifact in task.artifacts.items():
        if isinstance(artifact, ComponentInput) and artifact.name not in parent.input_artifacts:
            yield _no_input(place, key, artifact.name, "artifact")
        if isinstance(artifact, OutputRef) and not _gives(dag, components, artifact, "artifact"):
            yield _no_output(place, key, artifact, "artifact")
    component = components[task.component]
    given = set(task.parameters) | ({task.iterator.item} if task.iterator else set())
    for name, spec in component.input_parameters.items():
        if not (spec.optional or spec.has_default or name in given):
            yield Problem(place=place, message=f"Its parameter `{name}` gets no value.")


def _no_input(place: str, key: str, name: str, kind: str) -> Problem:
    return Problem(
        place=f"{place}/inputs/{key}",
        message=f"The enclosing component has no input {kind} `{name}`.",
    )


def _no_output(place: str, key: str, ref: OutputRef, kind: str) -> Problem:
    return Problem(
        place=f"{place}/inputs/{key}",
        message=f"Task `{ref.task}` has no output {kind} `{ref.key}`.",
    )


def _gives(dag: Dag, components: Mapping[str, Component], ref: OutputRef, kind: str) -> bool:
    task = dag.tasks.get(ref.task)
    component = components.get(task.component) if task else None
    if component is None:
        return True  # already told at the task itself
    outputs = component.output_parameters if kind == "parameter" else component.output_artifacts
    return ref.key in outputs


def _iterator_problems(task: Task, component: Component, place: str) -> Generator[Problem]:
    iterator = task.iterator
    if iterator is None:
        return
    inputs = task.artifacts if iterator.over_artifacts else task.parameters
    if not iterator.item:
        yield Problem(place=place, message="Its loop does not name the item's input.")
    if not iterator.raw and not iterator.items:
        yield Problem(place=place, message="Its loop has nothing to go over.")
    elif not iterator.raw and iterator.items not in inputs:
        yield Problem(place=place, message=f"Its loop's items, `{iterator.items}`, are no input.")


def _output_problems(
    component: Component, dag: Dag, components: Mapping[str, Component], place: str
) -> Generator[Problem]:
    for kind, selected, declared in (
        ("parameter", dag.parameters, component.output_parameters),
        ("artifact", dag.artifacts, component.output_artifacts),
    ):
        for key, refs in selected.items():
            for ref in refs:
                if ref.task not in dag.tasks:
                    yield Problem(
                        place=f"{place}/{key}", message=f"Task `{ref.task}` is not in the DAG."
                    )
                elif not _gives(dag, components, ref, kind):
                    yield Problem(
                        place=f"{place}/{key}",
                        message=f"Task `{ref.task}` has no output {kind} `{ref.key}`.",
                    )
        for key in declared:
            if key not in selected:
                yield Problem(place=f"{place}/{key}", message="No task gives this output.")


def _cycle(dag: Dag) -> list[str]:
    """The names along one cycle of the DAG's dependencies; empty where there is none."""
    done: set[str] = set()
    for start in dag.tasks:
        path: dict[str, list[str]] = {start: _successors(dag, start)}
        while path:
            name, waiting = next(reversed(path.items()))
            if name in done or not waiting:
                done.add(name)
                del path[name]
                continue
            following = waiting.pop()
            if following in path:
                names = list(path)
                return [*names[names.index(following) :], following]
            if following not in done:
                path[following] = _successors(dag, following)
    return []


def _successors(dag: Dag, name: str) -> list[str]:
    return [dependency for dependency in dag.tasks[name].dependencies if dependency in dag.tasks]


def _size_problems(root: Component, components: Mapping[str, Component]) -> list[Problem]:
    """Refuses a component that contains itself, and what unfolds too far or too deep."""
    measured: dict[str, tuple[int, int]] = {}  # tasks and levels by component
    entered: set[str] = set()
    stack = [root]
    while stack:
        component = stack[-1]
        tasks = component.dag.tasks.values() if component.dag else ()
        inner = [components[task.component] for task in tasks]
        missing = [one for one in inner if one.name not in measured]
        if missing and component.name not in entered:
            entered.add(component.name)
            stack.extend(missing)
            continue
        if missing:
            place = "root" if component is root else f"components/{component.name}"
            return [Problem(place=place, message="The component contains itself.")]
        sizes = [measured[one.name] for one in inner]
        measured[component.name] = (
            1 + sum(size for size, _ in sizes),
            1 + max((depth for _, depth in sizes), default=0),
        )
        stack.pop()
    size, depth = measured[root.name]
    if size > MAX_TASKS:
        return [Problem(place="root", message=f"It unfolds to more than {MAX_TASKS:,} tasks.")]
    if depth > MAX_DEPTH:
        return [Problem(place="root", message=f"Its groups are nested deeper than {MAX_DEPTH}.")]
    return []
