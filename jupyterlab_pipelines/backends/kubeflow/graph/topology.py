"""Draws a run's shape from its IR; iterations and lists unfold as the records tell of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ....models import ArtifactNode, Edge, TaskNode, TaskType, Topology
from .records import Record
from .spec import Component, Pipeline, Source, Task, type_of

#: Tasks after which no group is unfolded that nothing is told of.
_MOST = 100_000


def draw(pipeline: Pipeline, records: Mapping[str, Record]) -> Topology:
    """Tasks at every depth, the artifacts they make, and what travels between them."""
    drawing = _Drawing(pipeline, records)
    return Topology(
        key=key_of(drawing.tasks, drawing.artifacts, drawing.edges),
        tasks=drawing.tasks,
        artifacts=drawing.artifacts,
        edges=list(drawing.edges.values()),
    )


def key_of(
    tasks: Sequence[TaskNode],
    artifacts: Sequence[ArtifactNode],
    edges: Iterable[tuple[str, str, str, str]],
) -> str:
    """A hash of a shape: the same key, the same layout."""
    shape = [
        [(task.id, task.type.value) for task in tasks],
        [artifact.id for artifact in artifacts],
        list(edges),
    ]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:16]


@dataclass(eq=False)
class _Scope:
    """A DAG as drawn: once, or once an iteration of a loop."""

    component: Component
    tasks: dict[str, Task]
    path: str = ""  # of the task that it is the inside of
    task: Task | None = None
    above: _Scope | None = None
    index: int | None = None
    #: The insides of its groups by task name: one, or one an iteration.
    inner: dict[str, list[_Scope]] = field(default_factory=dict)

    def id_of(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name


class _Drawing:
    def __init__(self, pipeline: Pipeline, records: Mapping[str, Record]) -> None:
        self._pipeline = pipeline
        self._records = records
        self._begun = {record.parent for record in records.values()}
        self._iterations: dict[str, list[int]] = {}
        for record in records.values():
            if record.iteration is not None and record.parent is not None:
                self._iterations.setdefault(record.parent, []).append(record.iteration)
        self.tasks: list[TaskNode] = []
        self.artifacts: list[ArtifactNode] = []
        self.edges: dict[tuple[str, str, str, str], Edge] = {}
        scopes = [_Scope(pipeline.root, pipeline.root.tasks or {})]
        for scope in scopes:  # grows while it is walked
            for task in scope.tasks.values():
                scopes.extend(self._draw_task(scope, task))
        for scope in scopes:
            for task in scope.tasks.values():
                self._connect(scope, task)

    # --- nodes ---------------------------------------------------------------------------------

    def _draw_task(self, scope: _Scope, task: Task) -> Sequence[_Scope]:
        component = self._pipeline.component_of(task)
        task_id = scope.id_of(task.name)
        self._node(task_id, task, type_of(task, component), scope.path or None, component)
        insides: list[tuple[str, int | None]] = [(task_id, None)]
        if task.is_loop:
            leaf = TaskType.IMPORTER if component.importer else TaskType.RUNTIME
            kind = leaf if component.tasks is None else TaskType.LOOP_ITERATION
            insides = [(f"{task_id}[{i}]", i) for i in sorted(self._iterations.get(task_id, []))]
            for path, index in insides:
                self._node(path, task, kind, task_id, component, index)
        if component.tasks is None:
            return []
        if len(self.tasks) > _MOST or _is_inside(component, scope):
            insides = [one for one in insides if one[0] in self._begun]
        inner = [
            _Scope(component, component.tasks, path, task, scope, index) for path, index in insides
        ]
        scope.inner[task.name] = inner
        return inner

    def _node(
        self,
        task_id: str,
        task: Task,
        kind: TaskType,
        parent: str | None,
        component: Component,
        iteration: int | None = None,
    ) -> None:
        name = task.display_name if iteration is None else f"Iteration {iteration}"
        self.tasks.append(
            TaskNode(
                id=task_id,
                name=task.name,
                display_name=name,
                type=kind,
                parent=parent,
                iteration=iteration,
                component=component.name,
            )
        )
        if kind not in (TaskType.RUNTIME, TaskType.IMPORTER):
            return
        for key, (title, _) in component.artifact_types.items():
            for artifact_id in self._made(task_id, component, key):
                self.artifacts.append(
                    ArtifactNode(
                        id=artifact_id, name=key, type=title, producer=task_id, parent=parent
                    )
                )
                self._edge(task_id, artifact_id, "output", key)

    def _made(self, task_id: str, component: Component, key: str) -> list[str]:
        """A leaf's artifacts: a list is one node until its elements are known."""
        whole = f"{task_id}:{key}"
        record = self._records.get(task_id)
        if component.artifact_types.get(key, ("", False))[1] and record is not None:
            elements = [one for one in record.artifacts if one.startswith(f"{whole}[")]
            return elements or [whole]
        return [whole]

    # --- edges ---------------------------------------------------------------------------------

    def _edge(
        self, source: str, target: str, kind: Literal["output", "input", "dependency"], label: str
    ) -> None:
        self.edges.setdefault(
            (source, target, kind, label),
            Edge(source=source, target=target, kind=kind, label=label),
        )

    def _connect(self, scope: _Scope, task: Task) -> None:
        shown = set()  # dependencies that an artifact's way shows already
        users = self._users(scope, task) if task.artifacts else ()
        for key, source in task.artifacts.items():
            artifacts = list(dict.fromkeys(self._behind(scope, source)))
            if source.task and artifacts:
                shown.add(source.task)
            for target, index in users:
                for artifact_id in _share(task, key, artifacts, index):
                    self._edge(artifact_id, target, "input", key)
        for name, parameters in task.waits_for.items():
            if name in scope.tasks and (parameters or name not in shown):
                label = ", ".join(parameters)
                self._edge(scope.id_of(name), scope.id_of(task.name), "dependency", label)

    def _users(self, scope: _Scope, task: Task) -> Sequence[tuple[str, int | None]]:
        """The nodes that use a task's inputs here; inside a group they are drawn there."""
        task_id = scope.id_of(task.name)
        leaf = self._pipeline.component_of(task).tasks is None
        indexes = sorted(self._iterations.get(task_id, [])) if task.is_loop else []
        if leaf and indexes:
            return [(f"{task_id}[{index}]", index) for index in indexes]
        return [(task_id, None)] if leaf or (task.is_loop and not indexes) else []

    def _behind(self, scope: _Scope, source: Source) -> Sequence[str]:
        """The artifacts that reach an input, through any depth of groups."""
        if source.task:
            return self._outputs(scope, source)
        above, task = scope.above, scope.task
        if above is None or task is None:
            return ()
        iterated = task.iterated
        name = source.key
        if iterated is not None and name == iterated[0]:
            name = iterated[1]
        outer = task.artifacts.get(name)
        if outer is None:
            return ()
        artifacts = list(dict.fromkeys(self._behind(above, outer)))
        shared = iterated is not None and source.key == iterated[0]
        return _share(task, name, artifacts, scope.index) if shared else artifacts

    def _outputs(self, scope: _Scope, source: Source) -> list[str]:
        """The artifacts behind an output of a task of this DAG."""
        task = scope.tasks.get(source.task)
        if task is None:
            return []
        component = self._pipeline.component_of(task)
        if component.tasks is not None:
            return [
                artifact_id
                for inside in scope.inner.get(task.name, ())
                for selected in component.selected(source.key)
                for artifact_id in self._outputs(inside, selected)
            ]
        task_id = scope.id_of(task.name)
        if not task.is_loop:
            return self._made(task_id, component, source.key)
        return [
            artifact_id
            for index in sorted(self._iterations.get(task_id, []))
            for artifact_id in self._made(f"{task_id}[{index}]", component, source.key)
        ]


def _is_inside(component: Component, scope: _Scope | None) -> bool:
    """Whether a component is about to be drawn inside itself, which has no end of its own."""
    while scope is not None:
        if scope.component is component:
            return True
        scope = scope.above
    return False


def _share(task: Task, key: str, artifacts: list[str], index: int | None) -> list[str]:
    """One element for an iteration over artifacts, where they are known one by one."""
    iterated = task.iterated if index is not None else None
    if index is None or iterated is None or key != iterated[1] or index >= len(artifacts):
        return artifacts
    return artifacts[index : index + 1]
