"""A run as a graph: its topology apart from its state."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from .base import Model, State, TaskType
from .runs import Run


class TaskNode(Model):
    """A step, or a group of steps, of a run's graph."""

    id: str
    name: str = Field(description="The task's key in the pipeline's DAG.")
    display_name: str
    type: TaskType
    parent: str | None = Field(None, description="Id of the enclosing group; null at the top.")
    iteration: int | None = Field(None, description="Index of a LOOP_ITERATION.")
    component: str | None = None


class ArtifactNode(Model):
    """An artifact of a run's graph, known from the pipeline before it exists."""

    id: str
    name: str = Field(description="The output's key.")
    type: str = Field("system.Artifact", description="Schema title, e.g. `system.Model`.")
    producer: str | None = Field(None, description="Id of the producing task.")
    parent: str | None = None


class Edge(Model):
    """`output`: task → artifact; `input`: artifact → task; `dependency`: task → task."""

    source: str
    target: str
    kind: Literal["output", "input", "dependency"]
    label: str = Field("", description="The name of the input or parameter that travels.")


class Topology(Model):
    """The shape of a run. It changes only when a loop or a group unfolds."""

    key: str = Field(description="A hash of the shape: same key, same layout.")
    tasks: list[TaskNode]
    artifacts: list[ArtifactNode]
    edges: list[Edge]


class Attempt(Model):
    """One try of a task; the first is number 1."""

    number: int
    state: State
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None


class TaskRef(Model):
    """A task of some run."""

    run_id: str
    task_id: str


class TaskStatus(Model):
    """What moves while a task runs."""

    state: State
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = Field(None, description="One or a few lines: why it failed.")
    attempts: list[Attempt] = Field(default_factory=list)
    cached_from: TaskRef | None = None


class ArtifactStatus(Model):
    """An artifact that exists: where it is and what its producer said about it."""

    uri: str
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    size: int | None = Field(None, description="Bytes; null where unknown or a folder.")
    created_at: datetime | None = None


class RunGraph(Model):
    """A run's shape and state. `tasks` and `artifacts` are keyed by node id."""

    run: Run
    topology: Topology
    tasks: dict[str, TaskStatus]
    artifacts: dict[str, ArtifactStatus]
    revision: int = Field(description="Counts this run's changes; grows.")
    notes: list[str] = Field(
        default_factory=list, description="What could not be read of the run, and why."
    )


class GraphDelta(Model):
    """What changed in a run since `base_revision`. A new `topology_key` means: fetch the graph."""

    run: Run
    base_revision: int
    revision: int
    topology_key: str
    tasks: dict[str, TaskStatus] = Field(default_factory=dict)
    artifacts: dict[str, ArtifactStatus] = Field(default_factory=dict)
