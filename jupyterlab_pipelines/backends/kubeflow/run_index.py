"""Every run of an endpoint in a few words, for the sorts and filters that Kubeflow lacks.

It is read once, newest runs first, and then kept up to date by what is newer and what is active: a
page of 100,000 runs costs the endpoint a handful of requests.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, TypeAlias

from ...models import Run, RunQuery, State

#: Reads one page of runs, by predicates or on from a token: the runs, and the next page's token.
Read: TypeAlias = Callable[
    [Sequence[dict[str, Any]], str, int], Awaitable[tuple[Sequence[Run], str]]
]

#: Kubeflow's own largest page.
_PAGE = 200
#: Ids in one filter: the address must stay below the 8 KiB that gateways take.
_IDS = 50
#: Seconds that a question waits for the first reading; what is there by then is answered.
PATIENCE = 2.0
_ACTIVE = [state for state in State if not state.final]
_LONGEST = timedelta.max
_LAST = datetime.max.replace(tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Row:
    """What of a run is sorted and filtered by."""

    run_id: str
    display_name: str
    state: State
    created_at: datetime
    finished_at: datetime | None
    duration: timedelta | None
    pipeline_name: str
    experiment_id: str
    archived: bool

    def matches(self, query: RunQuery) -> bool:
        """Whether the query asks for it."""
        return (
            self.archived == query.archived
            and query.pipeline_name in (None, self.pipeline_name)
            and query.experiment_id in (None, "", self.experiment_id)
            and (not query.states or self.state in query.states)
            and (not query.name or query.name.casefold() in self.display_name.casefold())
        )

    def place(self, sort_by: str) -> Any:
        """Its place in an order; an unfinished run comes after all that ended."""
        if sort_by == "duration":
            return _LONGEST if self.duration is None else self.duration
        if sort_by == "finished_at":
            return self.finished_at or _LAST
        if sort_by == "display_name":
            return self.display_name.casefold()
        return self.state.value if sort_by == "state" else self.created_at


class RunIndex:
    """The rows of all runs that `read` can see."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._rows: dict[str, Row] = {}
        self._older = ""  # the token of what is not read yet
        self._reading: asyncio.Task[None] | None = None
        self.complete = False

    @property
    def size(self) -> int:
        """How many runs it knows."""
        return len(self._rows)

    def close(self) -> None:
        """Ends the reading."""
        if self._reading is not None:
            self._reading.cancel()

    async def bring_up_to_date(self) -> None:
        """Reads what is new; the first time all, as far as the patience goes. Raises our errors."""
        if self._rows:
            await asyncio.gather(self._read_newer(), self._read_active())
        if self.complete:
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().create_task(self._read_on())
            # A failure after the patience is told to nobody: the next question reads on.
            self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait([self._reading], timeout=PATIENCE)
        if self._reading.done():
            self._reading.result()

    async def select(self, query: RunQuery, start: int) -> tuple[list[Run], int]:
        """The runs of a page as they are now, and how many match."""
        for last in (False, False, True):
            rows = list(self._rows.values())
            first, matching = await asyncio.to_thread(_first, rows, query, start + query.page_size)
            page = first[start:]
            runs = await self._look_at([row.run_id for row in page])
            for row in page:
                if row.run_id not in runs:
                    self._rows.pop(row.run_id, None)
            # What was deleted, archived or renamed since makes the page another one.
            if last or all(self._rows.get(row.run_id) == row for row in page):
                break
        return [runs[row.run_id] for row in page if row.run_id in runs], matching

    async def _read_on(self) -> None:
        """All that is older than what is known; after a failure, on from where it was."""
        while True:
            runs, self._older = await self._read([], self._older, _PAGE)
            self._keep(runs)
            if not self._older:
                self.complete = True
                return

    async def _read_newer(self) -> None:
        token = ""
        while True:
            runs, token = await self._read([], token, _PAGE)
            met = any(run.run_id in self._rows for run in runs)
            self._keep(runs)
            if met or not token:
                return

    async def _read_active(self) -> None:
        """Runs that were active the last time: they may have ended since."""
        active = [row.run_id for row in self._rows.values() if row.state in _ACTIVE]
        found = await self._look_at(active)
        for run_id in active:
            if run_id not in found:
                self._rows.pop(run_id, None)

    async def _look_at(self, run_ids: list[str]) -> dict[str, Run]:
        """These runs as they are now; those that are gone are missing."""
        parts = [run_ids[first : first + _IDS] for first in range(0, len(run_ids), _IDS)]
        pages = await asyncio.gather(*[self._read([_one_of(part)], "", _IDS) for part in parts])
        found = {run.run_id: run for runs, _ in pages for run in runs}
        self._keep(found.values())
        return found

    def _keep(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._rows[run.run_id] = _row(run)


def _first(rows: list[Row], query: RunQuery, count: int) -> tuple[list[Row], int]:
    """The first rows in the query's order, and how many match it."""
    found = [row for row in rows if row.matches(query)]
    choose = heapq.nlargest if query.descending else heapq.nsmallest
    return choose(count, found, key=lambda row: (row.place(query.sort_by), row.run_id)), len(found)


def _one_of(run_ids: list[str]) -> dict[str, Any]:
    return {"key": "run_id", "operation": "IN", "string_values": {"values": run_ids}}


def _row(run: Run) -> Row:
    start = run.started_at or run.created_at
    return Row(
        run_id=run.run_id,
        display_name=run.display_name,
        state=run.state,
        created_at=run.created_at,
        finished_at=run.finished_at,
        duration=None if run.finished_at is None else run.finished_at - start,
        pipeline_name=run.pipeline_name,
        experiment_id=run.experiment_id,
        archived=run.archived,
    )
