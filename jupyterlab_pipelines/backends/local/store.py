"""One run's rows as its supervisor reads and writes them: a whole tick in one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ...errors import NotFound
from ...models import State
from . import cache, runs
from .database import Database, from_json, from_micros, now, to_micros
from .layout import Layout
from .records import RunContext, TaskRecord
from .tasks import LEAVES, AttemptRecord, load_attempts, load_tasks, save_attempts, save_tasks


@dataclass
class Tick:
    """What changed since the last commit."""

    records: dict[str, TaskRecord] = field(default_factory=dict)
    attempts: dict[tuple[str, int], AttemptRecord] = field(default_factory=dict)
    state: State | None = None
    error: str | None = None
    over: bool = False

    def __bool__(self) -> bool:
        return bool(self.records or self.attempts or self.state)

    def note(self, attempt: AttemptRecord) -> None:
        """Keeps an attempt for the commit."""
        self.attempts[attempt.task_id, attempt.number] = attempt


class RunStore:
    """The rows of one run. Raises NotFound where the run is gone, StoreBlocked on a full disk."""

    def __init__(self, database: Database, layout: Layout, run_id: str) -> None:
        self.database = database
        self.run_id = run_id
        row = database.one("SELECT * FROM runs WHERE run_id = ?", (run_id,))
        if row is None:
            raise NotFound(f"There is no run {run_id}.")
        self.pipeline_spec: dict[str, Any] = from_json(row["pipeline_spec"])
        self.platform_spec: dict[str, Any] | None = from_json(row["platform_spec"])
        self.interpreter: str | None = row["interpreter"]
        self.round: int = row["round"]
        self.pipeline_name: str = row["pipeline_name"]
        self.finished = row["finished_at"] is not None
        created_at = from_micros(row["created_at"]) or now()
        config = from_json(row["runtime_config"]) or {}
        self.context = RunContext(
            run_id=run_id,
            job_name=row["display_name"],
            job_resource_name=f"{self.pipeline_name}-{run_id[:5]}",
            created_at=created_at,
            scheduled_at=from_micros(row["scheduled_at"]) or created_at,
            artifacts_root=layout.artifacts(run_id),
            parameters=config.get("parameters", {}),
            caching=None if row["caching"] is None else bool(row["caching"]),
        )
        with database.snapshot() as connection:
            self.tasks = load_tasks(connection, run_id)
            self.attempts = load_attempts(connection, run_id)
        self._states: dict[str, State] = {}
        self._counts: Counter[State] = Counter()
        self._count(self.tasks.values())

    def begin(self) -> datetime:
        """Notes that the run is being worked on; when it first was."""
        with self.database.write() as connection:
            row = connection.execute(
                "SELECT state, cancel_requested FROM runs WHERE run_id = ?", (self.run_id,)
            ).fetchone()
            if row["state"] in (State.PENDING.value, State.PAUSED.value):
                runs.set_state(connection, self.run_id, State.RUNNING)
            connection.execute(
                "UPDATE runs SET starts = 0, started_at = IFNULL(started_at, created_at) "
                "WHERE run_id = ?",
                (self.run_id,),
            )
            runs.touch(connection, self.run_id)
        row = self.database.one("SELECT started_at FROM runs WHERE run_id = ?", (self.run_id,))
        return (from_micros(row["started_at"]) if row else None) or now()

    def cancel_requested(self) -> bool:
        """Whether the user has asked to stop the run; true too where the run is gone."""
        row = self.database.one(
            "SELECT cancel_requested FROM runs WHERE run_id = ?", (self.run_id,)
        )
        return row is None or bool(row["cancel_requested"])

    def setting(self, key: str, default: int) -> int:
        """A whole number among the user's settings."""
        row = self.database.one("SELECT value FROM meta WHERE key = ?", (key,))
        return default if row is None else int(row["value"])

    def pause(self, error: str | None) -> None:
        """Marks the run as paused for this reason, or, with null, as running again."""
        state = State.RUNNING if error is None else State.PAUSED
        with self.database.write() as connection:
            row = connection.execute(
                "SELECT cancel_requested FROM runs WHERE run_id = ?", (self.run_id,)
            ).fetchone()
            if row is not None and not row["cancel_requested"]:
                runs.set_state(connection, self.run_id, state, error=error)
                runs.touch(connection, self.run_id)

    def commit(self, tick: Tick) -> None:
        """Writes a tick: tasks, artifacts, attempts, cache entries, counts and the run's state."""
        counts = Counter(self._counts)
        states = dict(self._states)
        try:
            self._count(tick.records.values())
            self._write(tick)
        except BaseException:
            self._counts, self._states = counts, states
            raise

    def _write(self, tick: Tick) -> None:
        with self.database.write() as connection:
            save_tasks(connection, self.run_id, tick.records.values())
            save_attempts(connection, self.run_id, tick.attempts.values())
            for record in tick.records.values():
                if record.cache_key and record.state is State.SUCCEEDED:
                    cache.remember(
                        connection,
                        record.cache_key,
                        self.pipeline_name,
                        cache.scope_of(self.interpreter),
                        self.run_id,
                        record.task_id,
                        record.outputs,
                    )
            counts = self._counts
            connection.execute(
                "UPDATE runs SET total = ?, running = ?, done = ?, failed = ? WHERE run_id = ?",
                (
                    len(self._states),
                    counts[State.RUNNING] + counts[State.CANCELING],
                    sum(counts[state] for state in State if state.final),
                    counts[State.FAILED],
                    self.run_id,
                ),
            )
            if tick.state is not None:
                runs.set_state(
                    connection, self.run_id, tick.state, error=tick.error, over=tick.over
                )
            runs.touch(connection, self.run_id)

    def _count(self, records: Iterable[TaskRecord]) -> None:
        for record in records:
            if record.type in LEAVES:
                before = self._states.get(record.task_id)
                if before is not None:
                    self._counts[before] -= 1
                self._counts[record.state] += 1
                self._states[record.task_id] = record.state


def fail(database: Database, run_id: str, error: str) -> None:
    """Ends a run that nobody can go on with, and every task of it that is not over."""
    moment = to_micros(now())
    with database.write() as connection:
        for table in ("tasks", "attempts"):
            connection.execute(
                f"UPDATE {table} SET state = 'FAILED', error = ?, finished_at = ? "  # noqa: S608
                "WHERE run_id = ? AND finished_at IS NULL AND state != 'PENDING'",
                (error, moment, run_id),
            )
        connection.execute(
            "UPDATE tasks SET state = 'SKIPPED', finished_at = ? "
            "WHERE run_id = ? AND finished_at IS NULL",
            (moment, run_id),
        )
        runs.set_state(connection, run_id, State.FAILED, error=error, over=True)
        runs.touch(connection, run_id)
