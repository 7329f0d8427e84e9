"""A task in detail: inputs, outputs, code, logs and what it shows."""

from __future__ import annotations

from typing import Any

from pydantic import Field, JsonValue

from .base import Model
from .graph import TaskNode, TaskStatus


class ArtifactRef(Model):
    """An artifact as an input or output of a task. `id` is null where it came from elsewhere."""

    name: str
    id: str | None = None
    type: str = "system.Artifact"
    uri: str = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    producer: str | None = None


class TaskIO(Model):
    """One side of a task."""

    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    artifacts: list[ArtifactRef] = Field(default_factory=list)


class TaskDetail(Model):
    """What the viewer shows of one clicked task."""

    run_id: str
    node: TaskNode
    status: TaskStatus
    inputs: TaskIO
    outputs: TaskIO
    image: str = ""
    command: list[str] = Field(default_factory=list)
    source: str = Field("", description="The Python function's source where the task has one.")
    packages: list[str] = Field(default_factory=list)
    caching: bool = False
    cache_key: str = ""


class LogChunk(Model):
    """A piece of an attempt's log. Offsets are bytes; a chunk never splits a character."""

    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool = Field(description="The attempt is over and the chunk reaches its end.")
    attempt: int = 1


class Output(Model):
    """Something to show of a task: a MIME bundle as a notebook's output would hold it."""

    id: str
    task_id: str
    title: str
    kind: str = Field(description="e.g. markdown, html, metrics, roc, confusion_matrix, table.")
    artifact_id: str | None = None
    bundle: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    error: str | None = Field(None, description="Why it cannot be shown, and the next step.")
