"""Unfolds a pipeline into scopes and nodes, each with the record it had before or a new one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from ....models import TaskType
from ..records import TaskRecord, Values
from .ir import Pipeline
from .scopes import Node, Scope, iteration_type, type_of
from .spec import Component, Task


class Tree:
    """The nodes of a run, by id. `earlier` records are adopted, as copies."""

    def __init__(
        self,
        pipeline: Pipeline,
        earlier: Mapping[str, TaskRecord],
        clock: Callable[[], datetime],
    ) -> None:
        self._pipeline = pipeline
        self._earlier = dict(earlier)
        self._clock = clock
        self._new: dict[str, TaskRecord] = {}
        self.nodes: dict[str, Node] = {}

    def records(self) -> dict[str, TaskRecord]:
        """Every record known so far; what is inside a group that was over keeps its earlier one."""
        return {**self._earlier, **{task_id: node.record for task_id, node in self.nodes.items()}}

    def take_new(self) -> dict[str, TaskRecord]:
        """The records made since the last call."""
        new, self._new = self._new, {}
        return new

    def scope(self, component: Component, prefix: str, owner: Node | None) -> Scope:
        """A DAG's nodes, and those of the groups inside; loops unfold when they start."""
        outermost = Scope(component, prefix, owner)
        pending = [outermost]
        while pending:
            scope = pending.pop()
            assert scope.component.dag is not None
            for task in scope.component.dag.tasks.values():
                node = self._node(task, scope)
                scope.nodes[task.name] = node
                inner = node.component
                if inner.dag and not task.iterator and not node.record.state.final:
                    node.inner = Scope(inner, f"{node.id}/", node)
                    pending.append(node.inner)
            _link(scope)
        return outermost

    def iteration(self, loop: Node, index: int, inputs: Values) -> Node:
        """One iteration of a loop, with what is inside it."""
        task_id = f"{loop.id}[{index}]"
        kind = iteration_type(loop.component)
        record = self._record(task_id, loop.task, loop.component, kind, loop, index)
        node = Node(record, loop.task, loop.component, loop.scope, loop=loop)
        if not record.state.final:
            record.inputs = inputs
            if loop.component.dag:
                node.inner = self.scope(loop.component, f"{task_id}/", node)
        self.nodes[task_id] = node
        return node

    def _node(self, task: Task, scope: Scope) -> Node:
        task_id = f"{scope.prefix}{task.name}"
        component = self._pipeline.component_of(task.component)
        kind = type_of(task, component)
        record = self._record(task_id, task, component, kind, scope.owner)
        self.nodes[task_id] = Node(record, task, component, scope)
        return self.nodes[task_id]

    def _record(
        self,
        task_id: str,
        task: Task,
        component: Component,
        kind: TaskType,
        parent: Node | None,
        iteration: int | None = None,
    ) -> TaskRecord:
        if task_id in self._earlier:
            return replace(self._earlier[task_id])
        record = TaskRecord(
            task_id=task_id,
            name=task.name,
            display_name=task.display_name if iteration is None else f"Iteration {iteration}",
            type=kind,
            parent=parent.id if parent else None,
            component=component.name,
            iteration=iteration,
            created_at=self._clock(),
        )
        self._new[task_id] = record
        return record


def _link(scope: Scope) -> None:
    """Lets each node know how many others it waits for, and them whom to tell."""
    for node in scope.nodes.values():
        scope.unfinished += not node.record.state.final
        for name in node.task.dependencies:
            dependency = scope.nodes[name]
            if not dependency.record.state.final:
                dependency.dependents.append(node)
                node.waiting += 1
