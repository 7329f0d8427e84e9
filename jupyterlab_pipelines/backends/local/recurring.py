"""Recurring runs in the store: what fires next, the claim that fires it once, why it could not."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import Any

from ...errors import PipelinesError
from .database import Database, to_json
from .schedule.trigger import Trigger

#: Microseconds, which the store counts, of a second, which schedules count.
SECOND = 1_000_000
_UNLIKE_NAME = re.compile(r"[^a-z0-9-]+")
_LONGEST_NAME = 25
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"  # what Kubernetes ends generated names with
_FIRST_PAUSE, _LONGEST_PAUSE = 10, 360  # seconds, as Kubeflow's controller backs off
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193

_DUE = """
SELECT recurring_run_id, name, experiment_id, max_concurrency, no_catchup, cron, interval_second,
    start_time, end_time, created_at, last_index, last_scheduled_at, failures, retry_at,
    (SELECT COUNT(*) FROM runs WHERE runs.recurring_run_id = recurring_runs.recurring_run_id
        AND runs.finished_at IS NULL) AS active
FROM recurring_runs WHERE enabled = 1
"""
_CLAIM = """
UPDATE recurring_runs SET last_index = last_index + 1, last_scheduled_at = ?, updated_at = ?,
    failures = 0, retry_at = NULL, error = NULL
WHERE recurring_run_id = ? AND enabled = 1 AND last_index = ? AND max_concurrency >
    (SELECT COUNT(*) FROM runs WHERE recurring_run_id = ? AND finished_at IS NULL)
"""


class Overtaken(Exception):
    """The recurring run was fired, disabled or deleted since it was read."""


def enabled(database: Database) -> list[dict[str, Any]]:
    """The rows of those that may fire, without their large columns, each with its `active` runs."""
    return [dict(row) for row in database.read(_DUE)]


def next_time(row: Mapping[str, Any], now: int, zone: tzinfo) -> int | None:
    """When it fires next, perhaps in the past; in seconds since 1970, as `now`. Null: never.

    Raises InvalidCron.
    """
    trigger = Trigger(
        cron=row["cron"] or "",
        interval=row["interval_second"] or 0,
        start=_seconds(row["start_time"]),
        end=_seconds(row["end_time"]),
        catch_up=not row["no_catchup"],
    )
    created = row["created_at"] // SECOND
    return trigger.next(_seconds(row["last_scheduled_at"]), created, now, zone)


def claim(row: Mapping[str, Any], scheduled: int, now: int) -> Callable[[sqlite3.Connection], None]:
    """Takes the time `scheduled` for a run, in the transaction that creates the run.

    What it returns raises Overtaken where the time is no longer to be had.
    """
    recurring_run_id = row["recurring_run_id"]

    def take(connection: sqlite3.Connection) -> None:
        values = (scheduled * SECOND, now * SECOND, recurring_run_id, row["last_index"])
        if connection.execute(_CLAIM, (*values, recurring_run_id)).rowcount != 1:
            raise Overtaken
        connection.execute(
            "UPDATE experiments SET last_run_created_at = MAX(IFNULL(last_run_created_at, 0), ?)"
            " WHERE experiment_id = ?",
            (now * SECOND, row["experiment_id"]),
        )

    return take


def claimed(row: Mapping[str, Any], scheduled: int) -> dict[str, Any]:
    """The row as it is once `scheduled` was claimed."""
    index = row["last_index"] + 1
    return {**row, "last_index": index, "last_scheduled_at": scheduled * SECOND}


def note_failure(
    database: Database, row: Mapping[str, Any], error: PipelinesError, now: int
) -> None:
    """Keeps why it could not fire; it is tried again, later each time. The time stays due."""
    pause = min(_FIRST_PAUSE * 2 ** min(row["failures"], 10), _LONGEST_PAUSE)
    text = f"{error.message} {error.next_step}".strip()
    with database.write() as connection:
        connection.execute(
            "UPDATE recurring_runs SET failures = failures + 1, retry_at = ?, error = ?"
            " WHERE recurring_run_id = ? AND last_index = ?",
            (
                (now + pause) * SECOND,
                to_json({"code": error.grpc_code, "message": text}),
                row["recurring_run_id"],
                row["last_index"],
            ),
        )


def pause(row: Mapping[str, Any], now: float) -> float | None:
    """Until when it waits after a failure, in Unix seconds; null where it may be tried.

    A pause that is longer than any comes of a clock that was put back, and is over.
    """
    if row["retry_at"] is None:
        return None
    until: float = row["retry_at"] / SECOND
    return until if 0 < until - now <= _LONGEST_PAUSE else None


def new_name(display_name: str) -> str:
    """A new resource name, as Kubernetes would generate it from the display name."""
    base = _UNLIKE_NAME.sub("", display_name.lower())[:_LONGEST_NAME] or "job-"
    return base + "".join(random.choices(_SUFFIX, k=5))  # noqa: S311 - a name, not a secret


def run_name(row: Mapping[str, Any]) -> str:
    """What the next run is called: `<name>-<index>-<FNV-1a hash of both>`."""
    text = f"{row['name']}-{row['last_index'] + 1}"
    digest = _FNV_OFFSET
    for byte in text.encode():
        digest = (digest * _FNV_PRIME) % 2**32 ^ byte
    return f"{text}-{digest}"


def _seconds(micros: int | None) -> int | None:
    return None if micros is None else micros // SECOND
