"""What the planner and the supervisor say to each other: plain records, no I/O.

The planner (`plan/`) is pure: it holds a run's tasks in memory, is told what ended, and answers
which records changed and which tasks are ready. The supervisor persists those records, launches
what is ready and reports outcomes back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ...models import State, TaskRef, TaskType


class TaskFailure(Exception):
    """An attempt has failed, for a reason the user reads; a retry policy applies to it as well.

    `Scheduler.invocation` and `Scheduler.collect` raise it.
    """


@dataclass
class ArtifactRecord:
    """One artifact as a task received or produced it."""

    artifact_id: str  # graph id: "<task id>:<output key>" or with "[i]"
    name: str
    type: str  # schema title, "system.Model"
    uri: str
    schema_version: str = "0.0.1"
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    producer: TaskRef | None = None
    custom_path: str = ""
    identity: str = ""  # names what was made for good; a cached copy keeps it, a rerun changes it


@dataclass
class Values:
    """One side of a task. Every artifact input or output is a list: of one, or of many."""

    parameters: dict[str, JsonValue] = field(default_factory=dict)
    artifacts: dict[str, list[ArtifactRecord]] = field(default_factory=dict)


@dataclass
class TaskRecord:
    """A task (leaf or group) of a run: what the store keeps and the graph shows."""

    task_id: str  # scope path: "for-loop-1[3]/train"
    name: str
    display_name: str
    type: TaskType
    parent: str | None
    component: str
    state: State = State.PENDING
    iteration: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    inputs: Values = field(default_factory=Values)
    outputs: Values = field(default_factory=Values)
    left: Values = field(default_factory=Values)  # of a failed leaf: shown, never passed on
    cache_key: str = ""
    cached_from: TaskRef | None = None


@dataclass(frozen=True)
class MappedVariable:
    """A variable that holds the value of a key of a secret or config map."""

    variable: str
    kind: str  # "secret" or "config-map"
    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True)
class Mount:
    """A folder that a task is to see at `path`."""

    path: str
    kind: str  # "pvc", "secret", "config-map" or "scratch": empty at first, gone with the task
    name: str = ""
    sub_path: str = ""
    optional: bool = False


@dataclass(frozen=True)
class ContainerWish:
    """What a container is to be like, beyond its command. Quantities are Kubernetes's: `2Gi`."""

    image: str
    pull_policy: str = ""  # Always, IfNotPresent, Never, or "": as is usual
    cpu: str = ""
    memory: str = ""
    accelerators: str = ""
    shared_memory: str = ""
    inputs: tuple[Path, ...] = ()  # what it reads outside the run's own folders


@dataclass(frozen=True)
class RunContext:
    """What placeholders and paths need to know of the run. Times are UTC."""

    run_id: str
    job_name: str  # the run's display name
    job_resource_name: str
    created_at: datetime
    scheduled_at: datetime
    artifacts_root: Path  # a task's files lie below <artifacts_root>/<task path>/attempt-N
    parameters: dict[str, JsonValue]
    caching: bool | None = None  # overrides every task's option
    namespace: str = ""
    workspace: Path | None = None  # shared by the run's tasks; null: beside `artifacts_root`


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how soon a failed attempt is tried again. Durations are seconds."""

    max_retries: int = 0
    backoff: float = 0.0
    factor: float = 2.0
    window: float = 3600.0  # since the first attempt began; whatever fails later is not tried again


@dataclass(frozen=True)
class ReadyTask:
    """A leaf whose inputs are complete. The supervisor asks `plan.invocation` for an attempt's
    command, since output paths carry the attempt's number."""

    task_id: str
    kind: TaskType  # RUNTIME or IMPORTER
    cache_key: str  # empty: not to be cached
    retry: RetryPolicy
    timeout: float | None = None  # seconds an attempt may take


@dataclass(frozen=True)
class Invocation:
    """One attempt, ready to launch.

    With `source` set, the task is a lightweight Python component and runs as
    ``kfp.dsl.executor_main`` on `source`, without the shell and pip wrapper of its command. With
    `container` set, `command` is run literally in one; no command is the image's own. With
    `volume_action` set (`create`, `delete`), it makes or removes a volume (PVC).
    """

    executor_input: dict[str, Any]  # ExecutorInput as JSON
    command: list[str]
    env: dict[str, str]
    packages: list[str]  # requirements to be importable, kfp itself left out
    source: str = ""
    function: str = ""
    pip_index_urls: list[str] = field(default_factory=list)
    pip_trusted_hosts: list[str] = field(default_factory=list)
    directories: list[Path] = field(default_factory=list)  # to exist before the launch
    container: ContainerWish | None = None
    variables: list[MappedVariable] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    isolated: bool = False  # the launcher's: some of `mounts` are still to be made
    volume_action: str = ""
    reuse_volume: bool = False  # a volume that is there already is as good as made


@dataclass(frozen=True)
class Outcome:
    """How a leaf ended, after its last attempt. `error` is what the user reads.

    `outputs` of one that did not succeed are what it had written by then.
    """

    state: State  # SUCCEEDED, CACHED, FAILED, CANCELED
    outputs: Values = field(default_factory=Values)
    error: str | None = None
    cached_from: TaskRef | None = None


@dataclass(frozen=True)
class Step:
    """What changed when the planner advanced. `run_state` is set once the run is over."""

    changed: list[TaskRecord] = field(default_factory=list)
    ready: list[ReadyTask] = field(default_factory=list)
    run_state: State | None = None
    run_error: str | None = None
