"""States that no source tells: of groups whose members are done, and of what a dead run left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ....models import State, TaskType
from .records import Record
from .spec import Pipeline

_LEAVES = (TaskType.RUNTIME, TaskType.IMPORTER)


def settle(records: Mapping[str, Record], pipeline: Pipeline, over: State | None) -> None:
    """Ends the groups that have nothing left to do; `over` is the run's state once it is final."""
    members: dict[str, list[Record]] = {}
    for record in records.values():
        if record.parent is not None:
            members.setdefault(record.parent, []).append(record)
    # The deepest first: a group is done when its own groups are.
    for record in sorted(records.values(), key=_depth, reverse=True):
        status = record.status
        inside = members.get(record.task_id, [])
        if status.state.final:
            within = {one.status.state for one in inside}
            if status.state is State.FAILED and State.CANCELED in within:
                # Argo has no other word for a group that was stopped.
                status.state = _whole(within)
            continue
        if record.type in _LEAVES:
            if over is not None:
                status.state = _left_behind(status.state, over)
        elif over is not None or _complete(record, inside, pipeline):
            states = [one.status.state for one in inside]
            status.state = (
                _whole(states) if states or over is None else _left_behind(status.state, over)
            )
        if status.state.final:
            ends = [one.status.finished_at for one in inside if one.status.finished_at]
            status.finished_at = status.finished_at or max(ends, default=None)


def _depth(record: Record) -> int:
    return record.task_id.count("/") * 2 + record.task_id.count("[")


def _left_behind(state: State, over: State) -> State:
    """What became of a step whose end nobody wrote down: its pod was removed or killed."""
    if over is State.SUCCEEDED:
        return State.SKIPPED if state is State.PENDING else State.SUCCEEDED
    if state is State.PENDING:
        return State.CANCELED if over is State.CANCELED else State.SKIPPED
    return State.CANCELED if over is State.CANCELED else State.FAILED


def _complete(record: Record, inside: list[Record], pipeline: Pipeline) -> bool:
    expected = record.members
    if expected is None:
        names = [one.partition("[")[0] for one in record.task_id.split("/")]
        found = pipeline.find(names)
        if found is None or record.type is TaskType.LOOP:
            return False
        expected = len(found[1].tasks or {})
    return len(inside) >= expected and all(one.status.state.final for one in inside)


def _whole(states: Iterable[State]) -> State:
    """The state of a group all of whose members are final."""
    found = set(states)
    if State.FAILED in found:
        return State.FAILED
    return State.CANCELED if State.CANCELED in found else State.SUCCEEDED
