"""Two sources' records of one run as one: what ML Metadata knows, and what Argo says besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from ....models import State, TaskType
from .records import Record


def merge(recorded: Mapping[str, Record], argo: Mapping[str, Record]) -> dict[str, Record]:
    """Inputs, outputs and the cache are `recorded`; messages, pods and attempts are `argo`'s."""
    merged = {
        task_id: _both(record, argo[task_id]) if task_id in argo else record
        for task_id, record in recorded.items()
    }
    return merged | {task_id: record for task_id, record in argo.items() if task_id not in merged}


def _both(recorded: Record, argo: Record) -> Record:
    before, status = recorded.status, argo.status
    state = _state(recorded, argo)
    if state is not status.state:
        status.state = state
        status.finished_at = before.finished_at if state.final else None
    # Only what differs is set: each time that is checked anew, and a run has many of them.
    created = _first(before.created_at, status.created_at)
    if created is not status.created_at:
        status.created_at = created
    if status.started_at is None and before.started_at is not None:
        status.started_at = before.started_at
    if status.error is not None and state in (State.SUCCEEDED, State.CACHED):
        status.error = None
    recorded.status = status
    if not argo.pods:
        status.attempts = before.attempts
        return recorded
    pods = argo.pods
    if recorded.pods and not pods[-1].log_uri:
        # The launcher keeps its own copy of the last log, whatever Argo does with it.
        pods = [*pods[:-1], replace(pods[-1], log_uri=recorded.pods[-1].log_uri)]
    recorded.pods = pods
    return recorded


def _state(recorded: Record, argo: Record) -> State:
    """The later of two states: either source may lag some seconds behind the other."""
    mine, theirs = recorded.status.state, argo.status.state
    if mine in (State.CACHED, State.SKIPPED):
        return mine
    leaf = recorded.type in (TaskType.RUNTIME, TaskType.IMPORTER)
    if not leaf or theirs.final:
        return theirs
    if mine is State.SUCCEEDED:
        return mine
    # A step that failed and that Argo has not given up is tried again; one that has a pod to
    # tell of has begun.
    return State.RUNNING if mine is State.RUNNING else theirs


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other
