"""What a source says of a run's tasks, in one form whatever the source."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ....models import ArtifactStatus, TaskIO, TaskStatus, TaskType

#: What a launcher calls the log that it keeps as an artifact.
LOG = "executor-logs"


@dataclass(frozen=True)
class Pod:
    """Where an attempt ran. `node` is Argo's id of it, `log_uri` where its log is kept."""

    attempt: int
    name: str
    node: str = ""
    log_uri: str = ""


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
    #: Reads inputs and outputs, which nobody looks at but in the few tasks that are clicked. The
    #: artifacts' ids are the endpoint's own.
    io: Callable[[], tuple[TaskIO, TaskIO]] = lambda: (TaskIO(), TaskIO())
    #: (graph id, producer) by the endpoint's id of an artifact.
    known: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    #: Artifacts that it made, and the endpoint's ids of them, by graph id.
    artifacts: dict[str, ArtifactStatus] = field(default_factory=dict)
    artifact_uids: dict[str, str] = field(default_factory=dict)
    #: Their types where the source tells them, and how the UI server reaches their store (JSON).
    artifact_types: dict[str, str] = field(default_factory=dict)
    artifact_stores: dict[str, str] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    cache_key: str = ""
    #: What it runs, where there is no IR to tell: the component's name, and Argo's container.
    component: str = ""
    container: Mapping[str, Any] = field(default_factory=dict)
    #: How many tasks or iterations a group will have, where the source tells.
    members: int | None = None
    #: The tasks that it waits for, each with the names of the parameters that travel.
    after: dict[str, str] = field(default_factory=dict)
    #: (run id, the endpoint's task id) of the task whose results were taken. The run is empty
    #: where only ML Metadata knows it, by the id of the execution.
    cached_from: tuple[str, str] | None = None

    @property
    def inputs(self) -> TaskIO:
        """What came in, with the ids of the graph."""
        return self._sides[0]

    @property
    def outputs(self) -> TaskIO:
        """What it made, with the ids of the graph."""
        return self._sides[1]

    @cached_property
    def _sides(self) -> tuple[TaskIO, TaskIO]:
        inputs, outputs = self.io()
        for artifact in (*inputs.artifacts, *outputs.artifacts):
            artifact.id, artifact.producer = self.known.get(artifact.id or "", (None, None))
        # What came from the cache is another task's too: the id that this task shows is its own.
        for artifact, graph_id in zip(outputs.artifacts, self.artifacts, strict=False):
            artifact.id, artifact.producer = graph_id, self.task_id
        return inputs, outputs


def link_artifacts(records: Collection[Record]) -> None:
    """Lets inputs and outputs name the graph's artifacts and their producers."""
    known = {
        # Argo's artifacts have no id but their place.
        record.artifact_uids.get(graph_id) or artifact.uri: (graph_id, record.task_id)
        for record in records
        for graph_id, artifact in record.artifacts.items()
    }
    for record in records:
        record.known = known
