"""Names what a task needs of a cluster, a container included, that this machine does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from ....models import Problem
from ..records import Mount
from .ir import Pipeline
from .machine import Machine
from .parameters import as_text
from .pod import VOLUME_ACTIONS, unknown_fields, why_container
from .spec import (
    Component,
    ComponentInput,
    Constant,
    Container,
    KeysAsEnv,
    KeysAsVolume,
    ParameterSource,
    Task,
)

_ELSEWHERE = "Submit it to a Kubeflow connection."
_SWITCH = "jupyter pipelines settings containers podman` (or `docker`)"
_WORDS = {"secret": "secret", "config-map": "config map"}


@dataclass(frozen=True)
class Known:
    """What is known before a run of the values in one of the pipeline's groups."""

    pipeline: Pipeline
    group: Component
    parameters: Mapping[str, JsonValue]  # the run's

    @property
    def outermost(self) -> bool:
        return self.group is self.pipeline.root

    def text(self, source: ParameterSource) -> str | None:
        """The value: a constant, or the pipeline's parameter; "" if it is not known, null if null.

        A constant with placeholders is not known.
        """
        value: JsonValue
        if isinstance(source.origin, Constant):
            value = source.origin.value
            return "" if isinstance(value, str) and "{{$" in value else as_text(value)
        if not isinstance(source.origin, ComponentInput) or not self.outermost or source.selector:
            return ""
        spec = self.pipeline.root.input_parameters.get(source.origin.name)
        value = self.parameters.get(source.origin.name)
        if value is None and spec is not None:
            if not spec.has_default and not spec.optional:
                return ""  # still to be given
            value = spec.default
        return None if value is None else as_text(value)


def made_volumes(pipeline: Pipeline, parameters: Mapping[str, JsonValue]) -> frozenset[str]:
    """The names of the volumes (PVCs) that the pipeline makes itself, as far as they are known."""
    names = set()
    for group in (pipeline.root, *pipeline.components.values()):
        for task in group.dag.tasks.values() if group.dag else ():
            executor = pipeline.component_of(task.component).executor
            source = task.parameters.get("pvc_name")
            image = executor.image if isinstance(executor, Container) else ""
            if VOLUME_ACTIONS.get(image) == "create" and source is not None:
                names.add(Known(pipeline, group, parameters).text(source) or "")
    return frozenset(names)


def pod_problems(
    task: Task,
    place: str,
    component: Component,
    known: Known,
    machine: Machine,
    made: frozenset[str],
) -> Iterator[Problem]:
    """What stands against the task's options of Kubernetes and against its image."""
    executor, options = component.executor, component.kubernetes
    for feature in options.unknown:
        yield _problem(place, f"needs {feature}", _ELSEWHERE)
    for wrong in options.problems:
        yield _problem(place, wrong, "Correct it where the pipeline is written; compile it again.")
    for path in unknown_fields(options):
        yield _problem(place, f"asks for the field `{path}` of its pod", _ELSEWHERE)
    if not isinstance(executor, Container) or executor.image in VOLUME_ACTIONS:
        return
    keyeds: list[KeysAsEnv | KeysAsVolume] = [*options.keys_as_env, *options.keys_as_volumes]
    for keyed in keyeds:
        yield from _key_problems(place, keyed, known.text(keyed.name), machine)
    for volume in options.volumes:
        name = known.text(volume.name)
        if name and name not in made and not machine.has_volume(name):
            yield _problem(
                place,
                f"mounts the volume (PVC) `{name}`, which is not mapped",
                f"Map it to a folder: `jupyter pipelines map pvc {name} FOLDER`.",
            )
    yield from _container_problems(place, executor, _mounts(component, known), machine)


def _mounts(component: Component, known: Known) -> list[Mount]:
    options = component.kubernetes
    found = [Mount(one.path, "pvc", known.text(one.name) or "") for one in options.volumes]
    for keyed in options.keys_as_volumes:
        name = known.text(keyed.name)
        if name is not None:
            found.append(Mount(keyed.path, keyed.kind, name))
    return found + [Mount(path, "scratch") for path in options.scratch]


def _key_problems(
    place: str, keyed: KeysAsEnv | KeysAsVolume, name: str | None, machine: Machine
) -> Iterator[Problem]:
    """The secret or config map, or those of its keys, that are needed and not mapped."""
    if not name or keyed.optional:
        return
    what = f"{_WORDS[keyed.kind]} `{name}`"
    command = f"jupyter pipelines map {keyed.kind} {name}"
    how = "--prompt" if keyed.kind == "secret" else "--value TEXT"
    keys = machine.keys(keyed.kind, name)
    wanted = [key for key, _ in keyed.variables] if isinstance(keyed, KeysAsEnv) else []
    if keys is None:
        step = "; ".join(f"`{command} {key} {how}`" for key in wanted or ["KEY"])
        yield _problem(place, f"needs the {what}, which is not mapped", f"Map it: {step}.")
        return
    for key in wanted:
        if key not in keys:
            step = f"Map it: `{command} {key} {how}`."
            yield _problem(place, f"needs the key `{key}` of the {what}: it is not mapped", step)


def _container_problems(
    place: str, container: Container, mounts: list[Mount], machine: Machine
) -> Iterator[Problem]:
    if machine.containers:
        if why_container(container, mounts, machine) and not machine.containers_found:
            yield _problem(
                place,
                f"needs a container, and {machine.containers} is not installed",
                f"Install {machine.containers}, or choose again: `{_SWITCH}.",
            )
        return
    reason = why_container(container, [], machine)
    if reason:
        yield _problem(
            place,
            f"needs a container of the image `{container.image}`: {reason}",
            f"Turn containers on: `{_SWITCH}. Or write the task as a Python component.",
        )
        return
    for mount in mounts:
        if not machine.can_mount(mount.path, mount.kind, mount.name):
            yield _problem(
                place,
                f"mounts `{mount.path}`, which this machine lets only a container have",
                f"Turn containers on: `{_SWITCH}. Or make `{mount.path}` the mapped folder itself, "
                "or a link to it.",
            )


def _problem(place: str, need: str, next_step: str) -> Problem:
    return Problem(place=place, message=f"Task `{place}` {need}.", next_step=next_step)
