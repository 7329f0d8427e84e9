"""Names, before anything runs, what a pipeline needs that this engine does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from urllib.parse import urlsplit

from pydantic import JsonValue

from ....models import Problem
from .cel import CelError, parse
from .executor import CLOUD_SCHEMES, is_read, shown_uri
from .ir import Pipeline
from .machine import BARE, Machine
from .needs import Known, made_volumes, pod_problems
from .spec import (
    Component,
    Container,
    Importer,
    OtherExecutor,
    ParameterType,
    Task,
)

_ELSEWHERE = "Submit it to a Kubeflow connection."
_NEXT_STEPS = {
    "cloud": f"Download the artifact and import its path on this machine. {_ELSEWHERE}",
}


def preflight(
    pipeline: Pipeline,
    parameters: Mapping[str, JsonValue] | None = None,
    machine: Machine = BARE,
) -> list[Problem]:
    """What stands against running the pipeline here, by task; empty when nothing does.

    `parameters` are the run's, where they are known: they may hold the URI of an import, or the
    name of a secret. A task that can be reached in several ways is named once.
    """
    problems: dict[tuple[str, str], Problem] = {}
    if pipeline.platforms:
        names = ", ".join(pipeline.platforms)
        message = f"The pipeline has options of another platform: {names}."
        problems[("", message)] = Problem(place="platforms", message=message, next_step=_ELSEWHERE)
    made = made_volumes(pipeline, parameters or {})
    seen = set()
    pending = [(pipeline.root, "")]
    while pending:
        group, path = pending.pop()
        if group.dag is None or group.name in seen:
            continue
        seen.add(group.name)
        for task in group.dag.tasks.values():
            component = pipeline.component_of(task.component)
            place = f"{path}{task.name}"
            known = Known(pipeline, group, parameters or {})
            problems_of_pod = pod_problems(task, place, component, known, machine, made)
            for problem in chain(_task_problems(task, place, component, known), problems_of_pod):
                problems.setdefault((place, problem.message), problem)
            pending.append((component, f"{place}/"))
    return sorted(problems.values(), key=lambda problem: problem.place)


def _task_problems(task: Task, place: str, component: Component, known: Known) -> Iterator[Problem]:
    yield from _expression_problems(task, place)
    for field in (*task.unknown, *component.unknown):
        yield _problem(place, f"has the option `{field}`, which this engine does not know")
    for name, spec in component.input_parameters.items():
        if spec.type is ParameterType.TASK_CONFIG:
            yield _problem(place, f"asks for its Kubernetes configuration (`{name}`)")
    executor = component.executor
    if isinstance(executor, Container):
        for field in executor.unknown:
            yield _problem(place, f"has the container option `{field}`")
    elif isinstance(executor, Importer):
        if len(component.output_artifacts) != 1:
            yield _problem(place, "imports, but does not name one artifact")
        source = task.parameters.get(executor.parameter)
        uri = executor.uri or (known.text(source) if source else "") or ""
        if urlsplit(uri).scheme in CLOUD_SCHEMES and is_read(
            known.group, task.name, outermost=known.outermost
        ):
            need = f"imports `{shown_uri(uri)}`, which is not on this machine"
            yield _problem(place, need, "cloud")
    elif isinstance(executor, OtherExecutor):
        yield _problem(place, f"has an executor of the kind `{executor.kind}`")


def _problem(place: str, need: str, kind: str = "") -> Problem:
    return Problem(
        place=place,
        message=f"Task `{place}` {need}.",
        next_step=_NEXT_STEPS.get(kind, _ELSEWHERE),
    )


def _expression_problems(task: Task, place: str) -> Iterator[Problem]:
    expressions = [(task.condition, "condition")]
    expressions += [
        (source.selector, f"input `{name}`") for name, source in task.parameters.items()
    ]
    for expression, what in expressions:
        reason = _unreadable(expression)
        if reason:
            yield Problem(
                place=place,
                message=f"The {what} of task `{place}` cannot be read: {reason}.",
                next_step=f"Rewrite the expression `{expression}`.",
            )


def _unreadable(expression: str) -> str:
    if expression:
        try:
            parse(expression)
        except CelError as error:
            return str(error)
    return ""
