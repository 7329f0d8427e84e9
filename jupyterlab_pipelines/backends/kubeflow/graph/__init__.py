"""A run's graph from the best source that the endpoint has: the one place that chooses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from weakref import ref

from ....models import Progress, Run, State, TaskStatus, TaskType, Topology
from ..messages import UNREADABLE
from ..mlmd import Snapshot
from .argo import read_workflow
from .argo_v1 import read_v1
from .details import read_details
from .merge import merge
from .metadata import path_of, read_metadata
from .outline import outline
from .records import Pod, Record
from .settle import settle
from .spec import Pipeline
from .task_api import read_tasks
from .topology import draw
from .workflow import Workflow

T = TypeVar("T")

__all__ = [
    "Pipeline",
    "Pod",
    "Reading",
    "Record",
    "Told",
    "Workflow",
    "path_of",
    "read_run",
    "read_tasks",
]


@dataclass(frozen=True)
class Told:
    """What the sources told of a run: its own answer (`view=FULL`), and the others where asked.

    `look` is a fingerprint of the answer, for a comparison with an earlier one.
    """

    content: Mapping[str, Any]
    metadata: Snapshot | None = None
    workflow: Workflow | None = None
    look: str = ""
    #: What a source could not tell, in the user's words.
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> Sequence[Mapping[str, Any]]:
        """What the task API told; empty where there is none."""
        return self.content.get("tasks") or ()

    @property
    def trace(self) -> Trace:
        """By what it is known again."""
        return Trace(
            self.look,
            bool(self.tasks),
            self.notes,
            None if self.metadata is None else ref(self.metadata),
            None if self.workflow is None else ref(self.workflow),
        )


@dataclass(frozen=True)
class Trace:
    """What was told, without keeping it: sources hand out the same object while nothing changes.

    `whole` says that the run's own answer told all, so that no other source was asked.
    """

    look: str
    whole: bool
    notes: tuple[str, ...]
    metadata: ref[Snapshot] | None
    workflow: ref[Workflow] | None

    def says_all(self, look: str) -> bool:
        """Whether an answer of this look leaves nothing to ask and nothing that is new."""
        return self.whole and self.look == look

    def is_of(self, told: Told) -> bool:
        """Whether it was this; what its source has forgotten since counts as changed."""
        return (
            (self.look, self.notes) == (told.look, told.notes)
            and _is(self.metadata, told.metadata)
            and _is(self.workflow, told.workflow)
        )


def _is(known: ref[T] | None, told: T | None) -> bool:
    return told is None if known is None else told is not None and known() is told


@dataclass(frozen=True)
class Reading:
    """Everything that is known of a run at one moment."""

    run: Run
    trace: Trace
    pipeline: Pipeline
    topology: Topology
    records: Mapping[str, Record]
    #: What is missing, in the user's words.
    notes: tuple[str, ...] = ()

    @cached_property
    def statuses(self) -> dict[str, TaskStatus]:
        """The state of every task of the drawing."""
        found: dict[str, TaskStatus] = {}
        for node in self.topology.tasks:  # parents come before their children
            record = self.records.get(node.id)
            above = found.get(node.parent or "")
            idle = self.run.state.final or (above is not None and above.state.final)
            found[node.id] = (
                record.status
                if record is not None
                else TaskStatus(state=State.SKIPPED if idle else State.PENDING)
            )
        return found


def read_run(run: Run, told: Told, pipeline: Pipeline) -> Reading:
    """A run by the task API, or else by ML Metadata and Argo's workflow, each enough by itself."""
    records: dict[str, Record] = {}
    notes = told.notes
    if told.tasks:
        records = read_tasks(told.tasks)
    else:
        records, unread = _read_both(told, pipeline)
        notes = (*notes, *unread)
        run.error = run.error or _reason(told.workflow, run)
    topology = draw(pipeline, records) if pipeline.known else outline(records)
    if not records:
        details = (told.content.get("run_details") or {}).get("task_details") or []
        records = read_details(details, topology.tasks)
    settle(records, pipeline, run.state if run.state.final else None)
    reading = Reading(run, told.trace, pipeline, topology, records, notes)
    run.progress = _progress(reading)
    return reading


def _read_both(told: Told, pipeline: Pipeline) -> tuple[dict[str, Record], list[str]]:
    """What ML Metadata and the workflow tell; one that cannot be read takes nothing from the other.

    Where nothing is left, what the first one failed with is raised.
    """
    metadata, workflow = told.metadata, told.workflow
    failed: dict[str, Exception] = {}

    def read(source: str, way: Callable[[], dict[str, Record]]) -> dict[str, Record]:
        try:
            return way()
        except UNREADABLE as error:
            failed[source] = error
            return {}

    recorded = read("ML Metadata", lambda: read_metadata(metadata, pipeline)) if metadata else {}
    argo = read("the workflow", lambda: _read_argo(workflow, pipeline)) if workflow else {}
    if failed and not (recorded or argo):
        raise next(iter(failed.values()))
    notes = [
        f"What {source} says cannot be read ({type(error).__name__}): something may be missing."
        for source, error in failed.items()
    ]
    return merge(recorded, argo), notes


def _read_argo(workflow: Workflow, pipeline: Pipeline) -> dict[str, Record]:
    if pipeline.known or workflow.is_v2:
        return read_workflow(workflow, pipeline)
    return read_v1(workflow)


def _reason(workflow: Workflow | None, run: Run) -> str | None:
    """Why a run failed before it had a task, or failed as a whole."""
    if workflow is None or run.state is not State.FAILED:
        return None
    driver = workflow.nodes.get(f"{workflow.name}.root-driver")
    error = driver.error if driver is not None else None
    return error or workflow.message


def _progress(reading: Reading) -> Progress | None:
    statuses = reading.statuses
    states = [
        statuses[node.id].state
        for node in reading.topology.tasks
        if node.type in (TaskType.RUNTIME, TaskType.IMPORTER)
    ]
    if not states:
        return None
    return Progress(
        total=len(states),
        running=sum(state is State.RUNNING for state in states),
        done=sum(state.final for state in states),
        failed=sum(state is State.FAILED for state in states),
    )
