"""Begins, stops, retries and deletes runs."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from ...errors import Conflict, NotFound, StoreBlocked
from ...models import State
from . import runs, supervision
from .crash import crash_point
from .database import Database, bump, now, to_json, to_micros
from .layout import Layout
from .plan.ir import Pipeline
from .plan.retry import kept
from .tasks import load_tasks

logger = logging.getLogger(__name__)

#: Writes in the transaction that creates a run; what it raises undoes it.
Claim: TypeAlias = Callable[[sqlite3.Connection], None]


def insert(
    database: Database,
    layout: Layout,
    row: Mapping[str, Any],
    *,
    run_id: str | None = None,
    claim: Claim | None = None,
) -> str:
    """Writes a new run and starts it; where that fails, nothing of it stays. Returns its id.

    What `claim` writes is committed with the run or not at all. From then on the run stays, even
    where it cannot be started yet: `supervision.take_over` tries again.
    """
    run_id = run_id or str(uuid.uuid4())
    created = to_micros(now())
    columns = {
        **row,
        "run_id": run_id,
        "state": State.PENDING.value,
        "created_at": created,
        "state_history": to_json([{"state": State.PENDING.value, "update_time": created}]),
        "starts": 1,
    }
    folder = layout.run(run_id)
    try:
        folder.mkdir(parents=True, mode=0o700)
        with supervision.handed_lock(layout, run_id) as lock:
            assert lock is not None
            _insert_row(database, columns, claim)
            crash_point("after-run-commit")
            try:
                supervision.spawn(layout, run_id, lock)
            except OSError:
                if claim is None:
                    raise
                logger.warning("Run %s is started later.", run_id, exc_info=True)
    except BaseException as error:
        with contextlib.suppress(StoreBlocked), database.write() as connection:
            connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise StoreBlocked(f"The run cannot be started: {error}.") from error
        raise
    return run_id


def _insert_row(database: Database, columns: Mapping[str, Any], claim: Claim | None) -> None:
    names = [*columns, "changed"]
    with database.write(durable=True) as connection:
        if claim is not None:
            claim(connection)
        connection.execute(
            f"INSERT INTO runs ({', '.join(names)}) "  # noqa: S608 - our own column names
            f"VALUES ({', '.join('?' * len(names))})",
            [*columns.values(), bump(connection)],
        )
        crash_point("before-run-commit")


def stop(database: Database, layout: Layout, run_id: str) -> None:
    """Asks the run's supervisor to stop it. Raises Conflict where it is over."""
    with database.write() as connection:
        row = _active_row(connection.execute(_STATE, (run_id,)).fetchone(), run_id)
        if row["finished_at"] is not None:
            raise Conflict(f"The run is over: {row['state'].lower()}.", next_step="Refresh.")
        connection.execute("UPDATE runs SET cancel_requested = 1 WHERE run_id = ?", (run_id,))
        runs.set_state(connection, run_id, State.CANCELING)
        runs.touch(connection, run_id)
    supervision.supervise(database, layout, run_id)


_STATE = "SELECT state, finished_at FROM runs WHERE run_id = ?"


def _active_row(row: Any, run_id: str) -> Any:
    if row is None:
        raise NotFound(f"There is no run {run_id}.")
    return row


def retry(database: Database, layout: Layout, run_id: str, pipeline: Pipeline) -> None:
    """Plans again what did not succeed; what did is kept. Raises Conflict where it cannot be."""
    with supervision.settled(layout, run_id), database.write() as connection:
        row = _active_row(connection.execute(_STATE, (run_id,)).fetchone(), run_id)
        if row["state"] not in (State.FAILED.value, State.CANCELED.value):
            raise Conflict(
                f"The run is {row['state'].lower()}: only a failed or canceled one is retried.",
                next_step="Submit the pipeline again for another run.",
            )
        records = load_tasks(connection, run_id)
        again = [(run_id, task_id) for task_id in records.keys() - kept(pipeline, records)]
        for table in ("tasks", "artifacts"):
            connection.executemany(
                f"DELETE FROM {table} WHERE run_id = ? AND task_id = ?",  # noqa: S608
                again,
            )
        connection.execute(
            "UPDATE runs SET round = round + 1, cancel_requested = 0, starts = 0 WHERE run_id = ?",
            (run_id,),
        )
        runs.set_state(connection, run_id, State.PENDING)
        runs.touch(connection, run_id)
    supervision.supervise(database, layout, run_id)


def delete(database: Database, layout: Layout, run_id: str) -> None:
    """Removes a run that is over, and its files but those that a cached task of another run uses.

    Raises Conflict where it is active.
    """
    folder = layout.run(run_id)
    _refuse_active(database, run_id)
    if folder.exists():
        with supervision.settled(layout, run_id):
            _refuse_active(database, run_id)
            _delete_rows(database, run_id)
        delete_files(database, folder)
    else:
        _delete_rows(database, run_id)


def _refuse_active(database: Database, run_id: str) -> None:
    if _active_row(database.one(_STATE, (run_id,)), run_id)["finished_at"] is None:
        raise Conflict("The run is active.", next_step="Stop it first, then delete it.")


def _delete_rows(database: Database, run_id: str) -> None:
    with database.write() as connection:
        connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        connection.execute(
            "INSERT OR REPLACE INTO deleted_runs (run_id, changed) VALUES (?, ?)",
            (run_id, bump(connection)),
        )


def used_files(database: Database, folder: Path) -> set[Path]:
    """The files and folders below a run's folder that runs still show as their artifacts."""
    rows = database.read(
        "SELECT uri FROM artifacts WHERE uri >= ? AND uri < ?", (f"{folder}/", f"{folder}0")
    )
    return {Path(row["uri"]) for row in rows}


def delete_files(database: Database, folder: Path) -> None:
    """Removes a deleted run's folder but for what a cached task of another run uses."""
    used = used_files(database, folder)
    if not used:
        shutil.rmtree(folder, ignore_errors=True)
        return
    parents = {parent for path in used for parent in path.parents}
    pending = [folder]
    while pending:
        for path in pending.pop().iterdir():
            if path in used:
                continue
            if path in parents:
                pending.append(path)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def row_of(
    pipeline: Pipeline,
    parameters: Mapping[str, Any],
    *,
    scheduled_at: datetime | None,
    runtime_config: Mapping[str, Any],
    caching: bool | None,
    **columns: Any,
) -> dict[str, Any]:
    """The columns of a new run's row; `columns` are written as they are."""
    return {
        **columns,
        "pipeline_name": pipeline.name,
        "runtime_config": to_json({**runtime_config, "parameters": parameters}),
        "scheduled_at": to_micros(scheduled_at),
        "caching": None if caching is None else int(caching),
    }
