"""What a source says of a run's tasks, in one form whatever the source."""

from __future__ import annotations

from dataclasses import dataclass, field

from ....models import ArtifactStatus, TaskIO, TaskStatus, TaskType


@dataclass(frozen=True)
class Pod:
    """Where an attempt ran: the node of its log."""

    attempt: int
    name: str


@dataclass
class Record:
    """A task that exists. `task_id` is its scope path, `uid` the endpoint's own id."""

    task_id: str
    uid: str
    name: str
    display_name: str
    type: TaskType
    parent: str | None
    iteration: int | None
    status: TaskStatus
    inputs: TaskIO = field(default_factory=TaskIO)
    outputs: TaskIO = field(default_factory=TaskIO)
    #: Artifacts that it made, and the endpoint's ids of them, by graph id.
    artifacts: dict[str, ArtifactStatus] = field(default_factory=dict)
    artifact_uids: dict[str, str] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    cache_key: str = ""
    #: (run id, the endpoint's task id) of the task whose results were taken.
    cached_from: tuple[str, str] | None = None
