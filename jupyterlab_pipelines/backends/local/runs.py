"""Runs between the store's rows and the vocabulary, and the list of them: filters, sorts, pages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import sqlite3
from typing import Any

from ...errors import BadInput
from ...models import Progress, Run, RunPage, RunQuery, State
from .database import bump, from_micros, now, readable_json, to_json, to_micros

#: What a listed run needs; the large columns (the pipeline itself) stay unread.
COLUMNS = (
    "run_id, display_name, description, experiment_id, pipeline_id, pipeline_version_id, "
    "recurring_run_id, pipeline_name, state, storage_state, created_at, scheduled_at, started_at, "
    "finished_at, error, total, running, done, failed, runtime_config"
)
_NEVER = 9223372036854775807  # an unfinished run sorts after every finished one
_SORTS = {
    "created_at": "created_at",
    "finished_at": f"IFNULL(finished_at, {_NEVER})",
    "display_name": "display_name COLLATE NOCASE",
    "state": "state",
    "duration": f"IFNULL(finished_at - started_at, {_NEVER})",
}


def load_run(row: sqlite3.Row) -> Run:
    """A run from a row with at least `COLUMNS`."""
    config = readable_json(row["runtime_config"]) or {}
    total = row["total"]
    progress = Progress(total=total, running=row["running"], done=row["done"], failed=row["failed"])
    return Run(
        run_id=row["run_id"],
        display_name=row["display_name"],
        state=State(row["state"]),
        description=row["description"],
        created_at=from_micros(row["created_at"]) or now(),
        scheduled_at=from_micros(row["scheduled_at"]),
        started_at=from_micros(row["started_at"]),
        finished_at=from_micros(row["finished_at"]),
        error=row["error"],
        experiment_id=row["experiment_id"],
        pipeline_name=row["pipeline_name"],
        pipeline_id=row["pipeline_id"],
        pipeline_version_id=row["pipeline_version_id"],
        recurring_run_id=row["recurring_run_id"],
        archived=row["storage_state"] == "ARCHIVED",
        parameters=config.get("parameters", {}),
        progress=progress if total else None,
    )


def set_state(
    connection: sqlite3.Connection,
    run_id: str,
    state: State,
    *,
    error: str | None = None,
    over: bool = False,
) -> None:
    """Moves a run to `state` in the caller's transaction, its history and times included.

    The caller calls `touch` too; with `over` the run is finished at this moment.
    """
    moment = to_micros(now())
    entry: dict[str, Any] = {"state": state.value, "update_time": moment}
    if error:
        entry["error"] = error
    connection.execute(
        "UPDATE runs SET state_history = CASE WHEN state = ? THEN state_history ELSE "
        "json_insert(iif(json_valid(state_history), state_history, '[]'), '$[#]', json(?)) END, "
        "state = ?, error = ?, "
        "started_at = CASE WHEN ? THEN IFNULL(started_at, ?) ELSE started_at END, "
        "finished_at = ? WHERE run_id = ?",
        (
            state.value, to_json(entry), state.value, error, state is State.RUNNING, moment,
            moment if over else None, run_id,
        ),
    )  # fmt: skip


def touch(connection: sqlite3.Connection, run_id: str) -> None:
    """Counts a change of a run, for its listeners, in the caller's transaction."""
    connection.execute(
        "UPDATE runs SET revision = revision + 1, changed = ? WHERE run_id = ?",
        (bump(connection), run_id),
    )


def page(connection: sqlite3.Connection, query: RunQuery) -> RunPage:
    """One page of the list, stable while runs come and go. Raises BadInput on a wrong token."""
    where, parameters = _criteria(query)
    key = _SORTS[query.sort_by]
    total = connection.execute(
        f"SELECT COUNT(*) FROM runs WHERE {where}",  # noqa: S608 - placeholders only
        parameters,
    ).fetchone()[0]
    if len(parameters) > 1:  # few may be left: reading in order would read every large row
        key = f"+{key}"
    direction, sign = ("DESC", "<") if query.descending else ("ASC", ">")
    digest = _digest(query)
    if query.page_token:
        where += f" AND ({key}, run_id) {sign} (?, ?)"
        parameters = [*parameters, *_read_token(query.page_token, digest)]
    order = f"ORDER BY {key} {direction}, run_id {direction}"
    keys = f"SELECT run_id FROM runs WHERE {where} {order} LIMIT ?"  # noqa: S608 - as above
    rows = connection.execute(
        f"SELECT {COLUMNS}, {key} AS sort_key FROM runs "  # noqa: S608 - as above
        f"WHERE run_id IN ({keys}) {order}",
        [*parameters, query.page_size + 1],
    ).fetchall()
    token = ""
    if len(rows) > query.page_size:
        rows = rows[: query.page_size]
        token = _make_token(digest, rows[-1]["sort_key"], rows[-1]["run_id"])
    return RunPage(runs=[load_run(row) for row in rows], next_page_token=token, total_size=total)


def _criteria(query: RunQuery) -> tuple[str, list[Any]]:
    where = ["storage_state = ?"]
    parameters: list[Any] = ["ARCHIVED" if query.archived else "AVAILABLE"]
    if query.experiment_id is not None:
        where.append("experiment_id = ?")
        parameters.append(query.experiment_id)
    if query.pipeline_name is not None:
        where.append("pipeline_name = ?")
        parameters.append(query.pipeline_name)
    if query.states:
        where.append(f"state IN ({', '.join('?' * len(query.states))})")
        parameters.extend(state.value for state in query.states)
    if query.name:
        escaped = query.name.replace("!", "!!").replace("%", "!%").replace("_", "!_")
        where.append("display_name LIKE ? ESCAPE '!'")
        parameters.append(f"%{escaped}%")
    return " AND ".join(where), parameters


def _digest(query: RunQuery) -> str:
    """What a token belongs to: the same criteria and order; the page's size may change."""
    text = query.model_dump_json(exclude={"page_token", "page_size"})
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _make_token(digest: str, value: Any, run_id: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([digest, value, run_id]).encode()).decode()


def _read_token(token: str, digest: str) -> tuple[Any, str]:
    try:
        owner, value, run_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        if owner == digest and isinstance(value, (int, str)) and isinstance(run_id, str):
            return value, run_id
    except (ValueError, TypeError, binascii.Error):
        pass
    raise BadInput(
        "The page token does not belong to this list.", next_step="Load the first page again."
    )
