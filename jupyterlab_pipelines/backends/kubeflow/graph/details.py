"""The second source, on every Kubeflow of today: `run_details.task_details`, states by name.

It names no iteration, so that what happens inside a loop is told of all its iterations at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....models import Attempt, State, TaskNode, TaskStatus
from ..messages import error_text, moment, state
from .records import Pod, Record

#: Several nodes of one name are told as the first of these that one of them is in.
_RANKS = [
    State.FAILED,
    State.RUNNING,
    State.CANCELING,
    State.PAUSED,
    State.PENDING,
    State.CANCELED,
    State.SUCCEEDED,
    State.CACHED,
    State.SKIPPED,
]


def read_details(
    details: Sequence[Mapping[str, Any]], nodes: Sequence[TaskNode]
) -> dict[str, Record]:
    """Records of those tasks of the drawing that Argo has a node for."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for detail in details:
        by_name.setdefault(detail.get("display_name") or "", []).append(detail)
    records = {}
    for node in nodes:
        found = by_name.get(node.name)
        if found:
            records[node.id] = _record(node, found)
    return records


def _record(node: TaskNode, found: list[Mapping[str, Any]]) -> Record:
    states = [state(one.get("state")) for one in found]
    whole = min(states, key=_RANKS.index)
    first, last = found[0], found[-1]
    errors = [error_text(one.get("error")) for one in found]
    pods = [Pod(1, last["pod_name"])] if last.get("pod_name") else []
    started = moment(first.get("start_time"))
    finished = moment(last.get("end_time")) if whole.final else None
    return Record(
        task_id=node.id,
        uid=first.get("task_id") or "",
        name=node.name,
        display_name=node.display_name,
        type=node.type,
        parent=node.parent,
        iteration=None,
        status=TaskStatus(
            # Argo has no word for a result that was taken from the cache.
            state=whole,
            created_at=moment(first.get("create_time")),
            started_at=started,
            finished_at=finished,
            error=next((error for error in errors if error), None),
            attempts=[Attempt(number=1, state=whole, started_at=started, finished_at=finished)]
            if pods
            else [],
        ),
        pods=pods,
    )
