"""Draws a run's shape: tasks, the artifacts they will make, and what travels between them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from ....models import ArtifactNode, Edge, TaskNode, TaskType, Topology
from ..records import TaskRecord
from .ir import Pipeline
from .scopes import iteration_type, type_of
from .spec import Component, ComponentInput, OutputRef, Task


def build_topology(pipeline: Pipeline, records: Mapping[str, TaskRecord]) -> Topology:
    """The shape of a run with these `records`: only loops and lists of outputs depend on them.

    Artifacts are drawn between the tasks that make and use them, through any depth of groups; a
    parameter, or `after`, is drawn as a dependency between tasks of one group.
    """
    drawing = _Drawing(pipeline, records)
    drawing.draw()
    shape = [
        [(task.id, task.type.value) for task in drawing.tasks],
        [artifact.id for artifact in drawing.artifacts],
        list(drawing.edges),
    ]
    return Topology(
        key=sha256(json.dumps(shape).encode()).hexdigest()[:16],
        tasks=drawing.tasks,
        artifacts=drawing.artifacts,
        edges=list(drawing.edges.values()),
    )


@dataclass(eq=False)
class _Place:
    """A DAG of the drawing. `inputs` are the artifacts that come in, by their ids."""

    component: Component
    prefix: str
    parent: str | None
    above: _Place | None = None
    task: Task | None = None  # that it is the inside of, in `above`
    item: int | None = None  # index of the iteration
    inner: dict[str, _Place] = field(default_factory=dict)  # by task name
    iterations: dict[str, list[_Place]] = field(default_factory=dict)  # by task name


class _Drawing:
    def __init__(self, pipeline: Pipeline, records: Mapping[str, TaskRecord]) -> None:
        self._pipeline = pipeline
        self._records = records
        self._loops: dict[str, list[TaskRecord]] = defaultdict(list)
        for record in records.values():
            if record.iteration is not None and record.parent is not None:
                self._loops[record.parent].append(record)
        self._known: dict[tuple[int, str, str], list[str]] = {}
        self.tasks: list[TaskNode] = []
        self.artifacts: list[ArtifactNode] = []
        self.edges: dict[tuple[str, str, str, str], Edge] = {}

    def draw(self) -> None:
        root = _Place(self._pipeline.root, "", None)
        places = [root]
        for place in places:  # grows while it is walked
            assert place.component.dag is not None
            for task in place.component.dag.tasks.values():
                places.extend(self._draw_task(place, task))
        for place in places:
            assert place.component.dag is not None
            for task in place.component.dag.tasks.values():
                self._connect(place, task)

    # --- nodes ---------------------------------------------------------------------------------

    def _draw_task(self, place: _Place, task: Task) -> list[_Place]:
        component = self._pipeline.component_of(task.component)
        task_id = place.prefix + task.name
        kind = type_of(task, component)
        self._node(task_id, task, kind, place.parent, component)
        if kind is TaskType.LOOP:
            return self._draw_iterations(place, task, component, task_id)
        if component.dag is None:
            return []
        inner = _Place(component, f"{task_id}/", task_id, place, task)
        place.inner[task.name] = inner
        return [inner]

    def _draw_iterations(
        self, place: _Place, task: Task, component: Component, task_id: str
    ) -> list[_Place]:
        places = []
        records = sorted(self._loops[task_id], key=lambda record: record.iteration or 0)
        for record in records:
            kind = iteration_type(component)
            self._node(record.task_id, task, kind, task_id, component, record.iteration)
            places.append(
                _Place(
                    component,
                    f"{record.task_id}/",
                    record.task_id,
                    place,
                    task,
                    record.iteration,
                )
            )
        place.iterations[task.name] = places
        return places if component.dag else []

    def _node(
        self,
        task_id: str,
        task: Task,
        kind: TaskType,
        parent: str | None,
        component: Component,
        iteration: int | None = None,
    ) -> None:
        self.tasks.append(
            TaskNode(
                id=task_id,
                name=task.name,
                display_name=task.display_name if iteration is None else f"Iteration {iteration}",
                type=kind,
                parent=parent,
                iteration=iteration,
                component=component.name,
            )
        )
        if kind in (TaskType.RUNTIME, TaskType.IMPORTER):
            for key, spec in component.output_artifacts.items():
                for artifact_id in self._made_by(task_id, component, key):
                    self.artifacts.append(
                        ArtifactNode(
                            id=artifact_id,
                            name=key,
                            type=spec.type,
                            producer=task_id,
                            parent=parent,
                        )
                    )
                    self._edge(task_id, artifact_id, "output", key)

    def _made_by(self, task_id: str, component: Component, key: str) -> list[str]:
        """The ids of a leaf's artifacts: a list is one node until its elements are known."""
        artifact_id = f"{task_id}:{key}"
        record = self._records.get(task_id)
        if component.output_artifacts[key].is_list and record and key in record.outputs.artifacts:
            return [
                f"{artifact_id}[{index}]" for index in range(len(record.outputs.artifacts[key]))
            ]
        return [artifact_id]

    # --- edges ---------------------------------------------------------------------------------

    def _edge(self, source: str, target: str, kind: str, label: str) -> None:
        key = (source, target, kind, label)
        if key not in self.edges:
            self.edges[key] = Edge.model_validate(
                {"source": source, "target": target, "kind": kind, "label": label}
            )

    def _connect(self, place: _Place, task: Task) -> None:
        task_id = place.prefix + task.name
        component = self._pipeline.component_of(task.component)
        shown = set()  # dependencies that an artifact's way already shows
        for key, source in task.artifacts.items():
            artifacts = self._sources(place, task, key)
            if isinstance(source, OutputRef) and artifacts:
                shown.add(source.task)
            for target, index in self._users(place, task, component):
                for artifact_id in self._share(task, key, artifacts, index):
                    self._edge(artifact_id, target, "input", key)
        labels: dict[str, list[str]] = {name: [] for name in task.dependencies}
        for parameter in task.parameters.values():
            if isinstance(parameter.origin, OutputRef):
                labels[parameter.origin.task].append(parameter.origin.key)
        for name, carried in labels.items():
            if carried or name not in shown:
                label = ", ".join(dict.fromkeys(carried))
                self._edge(place.prefix + name, task_id, "dependency", label)

    def _users(
        self, place: _Place, task: Task, component: Component
    ) -> list[tuple[str, int | None]]:
        """The nodes that use a task's artifacts here; inside a group they are drawn there."""
        task_id = place.prefix + task.name
        if task.iterator is None:
            return [(task_id, None)] if component.dag is None else []
        iterations = place.iterations[task.name]
        if not iterations:
            return [(task_id, None)]
        if component.dag is not None:
            return []
        return [(f"{task_id}[{one.item}]", one.item) for one in iterations]

    @staticmethod
    def _share(task: Task, key: str, artifacts: list[str], index: int | None) -> list[str]:
        """One element for an iteration over artifacts, where they are known one by one."""
        iterator = task.iterator
        if (
            index is None
            or iterator is None
            or not iterator.over_artifacts
            or key != iterator.items
        ):
            return artifacts
        return artifacts[index : index + 1] if index < len(artifacts) else artifacts

    def _sources(self, place: _Place, task: Task, key: str) -> list[str]:
        """The ids of the artifacts that reach a task's input."""
        source = task.artifacts.get(key)
        if isinstance(source, OutputRef):
            return self._outputs(place, source)
        if isinstance(source, ComponentInput):
            return self._incoming(place, source.name)
        return []

    def _incoming(self, place: _Place, name: str) -> list[str]:
        """The ids of the artifacts that come in from the enclosing DAG."""
        if place.above is None or place.task is None:
            return []
        iterator = place.task.iterator
        if iterator and iterator.over_artifacts and name == iterator.item:
            artifacts = self._sources(place.above, place.task, iterator.items)
            return self._share(place.task, iterator.items, artifacts, place.item)
        return self._sources(place.above, place.task, name)

    def _outputs(self, place: _Place, ref: OutputRef) -> list[str]:
        """The ids of the artifacts behind an output of a DAG's task."""
        known = (id(place), ref.task, ref.key)
        if known not in self._known:
            self._known[known] = list(dict.fromkeys(self._find_outputs(place, ref)))
        return self._known[known]

    def _find_outputs(self, place: _Place, ref: OutputRef) -> list[str]:
        assert place.component.dag is not None
        task = place.component.dag.tasks[ref.task]
        component = self._pipeline.component_of(task.component)
        insides = place.iterations[task.name] if task.iterator else [place.inner.get(task.name)]
        if component.dag is None:
            leaves = [one.prefix[:-1] for one in insides if one] or [place.prefix + task.name]
            if task.iterator and not place.iterations[task.name]:
                return []
            return [made for leaf in leaves for made in self._made_by(leaf, component, ref.key)]
        return [
            artifact_id
            for inside in insides
            if inside
            for inner in component.dag.artifacts.get(ref.key, ())
            for artifact_id in self._outputs(inside, inner)
        ]
