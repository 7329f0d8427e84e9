"""Logs of a task's attempts; a node is a pod of the task API, or a task's id for its last one.

A Range is honoured, so that a follower reads on from where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ....errors import NotFound
from ...base import ApiResponse
from ..database import Database
from ..logs import read_chunk
from .content import file_response
from .protocol import Call, Route


def read(call: Call) -> ApiResponse:
    """The log of an attempt, as plain text."""
    path = log_file(call.engine.database, call.path["run_id"], call.path["node_id"])
    size = read_chunk(path, 0, 0, attempt=0, over=False).size
    return file_response(path, "text/plain; charset=utf-8", call.header("Range"), size=size)


def log_file(database: Database, run_id: str, node_id: str) -> Path:
    """The file of the log that `node_id` names. Raises NotFound."""
    attempt = _attempt(database, run_id, node_id)
    path = Path(attempt["directory"]) / "log.txt"
    if not path.is_file():
        raise NotFound(f"Node {node_id} of run {run_id} has no log.", next_step="")
    return path


def task_of_node(database: Database, run_id: str, node_id: str) -> tuple[str, int | None]:
    """A node's task id and attempt; null stands for the last one. Raises NotFound."""
    uid, _, number = node_id.rpartition("-")
    attempt = int(number) if number.isdecimal() and len(number) < 10 else None
    for candidate, wanted in ((node_id, None), (uid, attempt)):
        row = database.one(
            "SELECT task_id FROM tasks WHERE run_id = ? AND (uid = ? OR task_id = ?)",
            (run_id, candidate, candidate),
        )
        if row is not None and (wanted is not None or candidate == node_id):
            return row["task_id"], wanted
    raise NotFound(f"Run {run_id} has no node {node_id}.")


def _attempt(database: Database, run_id: str, node_id: str) -> Mapping[str, Any]:
    task_id, number = task_of_node(database, run_id, node_id)
    row = database.one(
        "SELECT * FROM attempts WHERE run_id = ? AND task_id = ? AND number = IFNULL(?, number)"
        " ORDER BY number DESC LIMIT 1",
        (run_id, task_id, number),
    )
    if row is None:
        raise NotFound(f"Node {node_id} of run {run_id} has not started.", next_step="")
    return dict(row)


ROUTES = [Route("GET", "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log", read)]
