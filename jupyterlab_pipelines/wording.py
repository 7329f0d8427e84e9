"""How states, durations and tasks read in plain text: one wording for kernel and command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from .models import RunGraph, State, TaskNode, TaskStatus

MARKS = {
    State.PENDING: "·",
    State.RUNNING: "▶",
    State.SUCCEEDED: "✓",
    State.CACHED: "↺",
    State.SKIPPED: "»",
    State.FAILED: "✗",
    State.CANCELING: "◌",
    State.CANCELED: "■",
    State.PAUSED: "‖",
}


def state_text(state: State) -> str:
    """A state as a mark and a word: never by colour alone."""
    return f"{MARKS[state]} {state.value.capitalize()}"


def duration_text(started: datetime | None, finished: datetime | None) -> str:
    """The time from start to end, or until now; empty before the start."""
    if started is None:
        return ""
    seconds = ((finished or datetime.now(timezone.utc)) - started).total_seconds()
    return span_text(max(0.0, seconds))


def age_text(moment: datetime) -> str:
    """How long ago a moment was."""
    seconds = (datetime.now(timezone.utc) - moment).total_seconds()
    return "just now" if seconds < 5 else f"{span_text(seconds, precise=False)} ago"


def span_text(seconds: float, *, precise: bool = True) -> str:
    """Seconds as people say them: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d`."""
    if precise and seconds < 10:
        return f"{seconds:.1f} s"
    total = int(seconds)
    for size, unit, below, part in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= size:
            rest = total % size // below
            return f"{total // size} {unit}" + (f" {rest} {part}" if precise and rest else "")
    return f"{total} s"


def size_text(size: int) -> str:
    """Bytes as disks are sold: `0 B`, `950 kB`, `1.2 GB`."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5:
            return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"
    return f"{amount / 1000:.1f} PB"


def tasks_in_order(graph: RunGraph) -> Iterator[tuple[int, TaskNode, TaskStatus]]:
    """Every task with its depth: a group first, then what is in it, each by its start."""
    children: dict[str | None, list[TaskNode]] = {}
    for node in graph.topology.tasks:
        children.setdefault(node.parent, []).append(node)

    def order(node: TaskNode) -> tuple[int, datetime]:
        started = graph.tasks[node.id].started_at if node.id in graph.tasks else None
        return (node.iteration or 0, started or datetime.max.replace(tzinfo=timezone.utc))

    def walk(parent: str | None, depth: int) -> Iterator[tuple[int, TaskNode, TaskStatus]]:
        for node in sorted(children.get(parent, []), key=order):
            yield depth, node, graph.tasks.get(node.id) or TaskStatus(state=State.PENDING)
            yield from walk(node.id, depth + 1)

    return walk(None, 0)
