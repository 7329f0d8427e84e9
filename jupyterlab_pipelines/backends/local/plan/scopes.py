"""A run in memory: scopes (DAGs at work) of nodes (tasks at work), with their records."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....models import State, TaskType
from ..records import TaskRecord, Values
from .spec import Component, Container, Task

SUCCESSFUL = frozenset({State.SUCCEEDED, State.CACHED})


@dataclass(eq=False)
class Scope:
    """A DAG at work: `inputs` are its component's, known once it has started."""

    component: Component
    prefix: str  # of its nodes' ids: "" or "for-loop-1[0]/"
    owner: Node | None = None
    inputs: Values = field(default_factory=Values)
    nodes: dict[str, Node] = field(default_factory=dict)
    unfinished: int = 0
    active: bool = False


@dataclass(eq=False)
class Node:
    """A task at work. A group has an `inner` scope; a loop has `iterations`, each a node."""

    record: TaskRecord
    task: Task
    component: Component
    scope: Scope  # where its name and its inputs are looked up
    loop: Node | None = None  # the loop it is an iteration of
    dependents: list[Node] = field(default_factory=list)
    waiting: int = 0  # dependencies that are not final yet
    inner: Scope | None = None
    iterations: list[Node] = field(default_factory=list)
    following: int = 0  # index of the next iteration to let in
    running: int = 0  # iterations let in that are not final yet
    admitted: bool = False  # as an iteration, by its loop
    unfinished: int = 0  # iterations that are not final yet

    @property
    def id(self) -> str:
        return self.record.task_id

    @property
    def is_leaf(self) -> bool:
        return self.record.type in (TaskType.RUNTIME, TaskType.IMPORTER)

    @property
    def over(self) -> Node | None:
        """The node that waits for this one to end: its loop, or its scope's owner."""
        return self.loop or self.scope.owner


def type_of(task: Task, component: Component) -> TaskType:
    """What a task is in the graph, from its component and the names that the SDK gives groups."""
    if task.iterator is not None:
        return TaskType.LOOP
    if component.dag is None:
        return TaskType.RUNTIME if isinstance(component.executor, Container) else TaskType.IMPORTER
    if task.condition:
        return TaskType.CONDITION
    if component.name.startswith("comp-condition-branches-"):
        return TaskType.CONDITION_BRANCH
    if component.name.startswith("comp-exit-handler-"):
        return TaskType.EXIT_HANDLER
    return TaskType.DAG


def iteration_type(component: Component) -> TaskType:
    """What an iteration of a loop is: a group, or the leaf that it repeats."""
    if component.dag is not None:
        return TaskType.LOOP_ITERATION
    return TaskType.RUNTIME if isinstance(component.executor, Container) else TaskType.IMPORTER
