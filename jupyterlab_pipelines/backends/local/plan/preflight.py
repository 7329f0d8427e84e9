"""Names, before anything runs, what a pipeline needs that this engine does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import JsonValue

from ....models import Problem
from .cel import CelError, parse
from .executor import CLOUD_SCHEMES, is_read
from .ir import Pipeline
from .lightweight import UnknownShape, recognise
from .parameters import as_text
from .spec import (
    Component,
    ComponentInput,
    Constant,
    Container,
    Importer,
    OtherExecutor,
    ParameterType,
    Task,
)

_ELSEWHERE = "Submit it to a Kubeflow connection."
_NEXT_STEPS = {
    "container": f"Write it as a Python component (`@dsl.component`). {_ELSEWHERE}",
    "cloud": f"Download the artifact and import its path on this machine. {_ELSEWHERE}",
}
#: Kubernetes options that say where and how a pod runs, not what its task computes.
_PLACEMENT = frozenset(
    {
        "activeDeadlineSeconds",
        "imagePullPolicy",
        "imagePullSecret",
        "nodeAffinity",
        "nodeSelector",
        "podAffinity",
        "podMetadata",
        "tolerations",
    }
)
_FEATURES = {
    "configMapAsEnv": "a Kubernetes config map as environment",
    "configMapAsVolume": "a Kubernetes config map as a volume",
    "emptyDirMounts": "a Kubernetes volume",
    "fieldPathAsEnv": "a field of its Kubernetes pod",
    "genericEphemeralVolume": "a Kubernetes volume",
    "pvcMount": "a Kubernetes volume (PVC)",
    "secretAsEnv": "a Kubernetes secret as environment",
    "secretAsVolume": "a Kubernetes secret as a volume",
    "securityContext": "a Kubernetes security context",
}


def preflight(
    pipeline: Pipeline, parameters: Mapping[str, JsonValue] | None = None
) -> list[Problem]:
    """What stands against running the pipeline here, by task; empty when nothing does.

    `parameters` are the run's, where they are known: they may hold the URI of an import.
    A task that can be reached in several ways is named once.
    """
    problems: dict[tuple[str, str], Problem] = {}
    if pipeline.platforms:
        names = ", ".join(pipeline.platforms)
        message = f"The pipeline has options of another platform: {names}."
        problems[("", message)] = Problem(place="platforms", message=message, next_step=_ELSEWHERE)
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
            values = dict(parameters or {}) if group is pipeline.root else {}
            for problem in _task_problems(pipeline, group, task, place, values):
                problems.setdefault((place, problem.message), problem)
            pending.append((component, f"{place}/"))
    return sorted(problems.values(), key=lambda problem: problem.place)


def _task_problems(
    pipeline: Pipeline,
    group: Component,
    task: Task,
    place: str,
    values: Mapping[str, JsonValue],
) -> Iterator[Problem]:
    component = pipeline.component_of(task.component)
    yield from _expression_problems(task, place)
    for field in (*task.unknown, *component.unknown):
        yield _problem(place, f"has the option `{field}`, which this engine does not know")
    for name, spec in component.input_parameters.items():
        if spec.type is ParameterType.TASK_CONFIG:
            yield _problem(place, f"asks for its Kubernetes configuration (`{name}`)")
    for option, value in component.platform.items():
        if value and option not in _PLACEMENT:
            feature = _FEATURES.get(option, f"the Kubernetes option `{option}`")
            yield _problem(place, f"needs {feature}")
    executor = component.executor
    if isinstance(executor, Container):
        yield from _container_problems(executor, place)
    elif isinstance(executor, Importer):
        if len(component.output_artifacts) != 1:
            yield _problem(place, "imports, but does not name one artifact")
        uri = executor.uri or _known_uri(pipeline, group, task, executor.parameter, values)
        if urlsplit(uri).scheme in CLOUD_SCHEMES and is_read(
            group, task.name, outermost=group is pipeline.root
        ):
            yield _problem(place, f"imports `{uri}`, which is not on this machine", "cloud")
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


def _container_problems(container: Container, place: str) -> Iterator[Problem]:
    for field in container.unknown:
        yield _problem(place, f"has the container option `{field}`")
    if container.image.startswith("argostub/"):
        yield _problem(place, "makes or deletes a Kubernetes volume (PVC)")
        return
    try:
        recognise(container)
    except UnknownShape as reason:
        yield _problem(
            place, f"needs a container of the image `{container.image}`: {reason}", "container"
        )


def _known_uri(
    pipeline: Pipeline,
    group: Component,
    task: Task,
    parameter: str,
    values: Mapping[str, JsonValue],
) -> str:
    """The URI as far as it is known before the run: a constant, or the pipeline's parameter."""
    source = task.parameters.get(parameter)
    if source is None:
        return ""
    if isinstance(source.origin, Constant):
        return as_text(source.origin.value)
    if isinstance(source.origin, ComponentInput) and group is pipeline.root:
        spec = pipeline.root.input_parameters.get(source.origin.name)
        given = values.get(source.origin.name)
        return as_text(given if given is not None else spec.default if spec else None)
    return ""
