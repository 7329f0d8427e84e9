"""A run's graph from the best source that the endpoint has: the one place that chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ....models import Progress, Run, State, TaskStatus, TaskType, Topology
from .details import read_details
from .records import Record
from .spec import Pipeline
from .task_api import read_tasks
from .topology import draw

__all__ = ["Pipeline", "Reading", "Record", "read_run", "read_tasks"]


@dataclass(frozen=True)
class Reading:
    """Everything that is known of a run at one moment."""

    run: Run
    pipeline: Pipeline
    topology: Topology
    records: Mapping[str, Record]

    @property
    def statuses(self) -> dict[str, TaskStatus]:
        """The state of every task of the drawing."""
        return {
            node.id: self.records[node.id].status
            if node.id in self.records
            else TaskStatus(state=_not_begun(self.run))
            for node in self.topology.tasks
        }


def read_run(run: Run, content: Mapping[str, Any], pipeline: Pipeline) -> Reading:
    """A run's answer, asked for with `view=FULL`, by the task API or else by Argo's nodes."""
    tasks = content.get("tasks") or []
    if tasks:
        records = read_tasks(tasks)
        topology = draw(pipeline, records)
    else:
        topology = draw(pipeline, {})
        details = (content.get("run_details") or {}).get("task_details") or []
        records = read_details(details, topology.tasks)
    reading = Reading(run, pipeline, topology, records)
    reading.run.progress = _progress(reading)
    return reading


def _not_begun(run: Run) -> State:
    """What a task is that no source mentions."""
    return State.SKIPPED if run.state.final else State.PENDING


def _progress(reading: Reading) -> Progress | None:
    leaves = [
        node
        for node in reading.topology.tasks
        if node.type in (TaskType.RUNTIME, TaskType.IMPORTER)
    ]
    states = [
        reading.records[leaf.id].status.state if leaf.id in reading.records else State.PENDING
        for leaf in leaves
    ]
    if not leaves:
        return None
    return Progress(
        total=len(leaves),
        running=sum(state is State.RUNNING for state in states),
        done=sum(state.final for state in states),
        failed=sum(state is State.FAILED for state in states),
    )
