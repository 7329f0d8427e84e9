"""Finds the outputs that an equal task has made before, and remembers new ones."""

from __future__ import annotations

import os
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from ...models import State, TaskRef
from .artifacts import local_path
from .database import Database, from_json, now, to_json, to_micros
from .records import Outcome, Values
from .tasks import values_from_json


def scope_of(interpreter: str | None) -> str:
    """What a hit may not cross: the Python that a run's steps run on; null is our own.

    Kubeflow's key holds the step's image, and with it its Python. Here the Python is the run's.
    """
    path = interpreter or sys.executable
    # The folder tells environments apart that share an executable; the target has the version.
    return f"{Path(path).absolute().parent} {os.path.realpath(path)}"


def find(
    database: Database, cache_key: str, pipeline_name: str, scope: str, task_id: str
) -> Outcome | None:
    """The newest hit as the outcome of this task, or null.

    A hit whose files are gone is none. Its artifacts stay where they lie.
    """
    rows = database.read(
        "SELECT cache.run_id, cache.task_id, cache.files, tasks.outputs FROM cache "
        "JOIN tasks USING (run_id, task_id) WHERE cache.cache_key = ? AND pipeline_name = ? "
        "AND scope = ? ORDER BY cache.created_at DESC LIMIT 20",
        (cache_key, pipeline_name, scope),
    )
    for row in rows:
        if all(Path(file).exists() for file in from_json(row["files"]) or []):
            source = TaskRef(run_id=row["run_id"], task_id=row["task_id"])
            outputs = _moved(values_from_json(row["outputs"]), source.task_id, task_id)
            return Outcome(State.CACHED, outputs, cached_from=source)
    return None


def _moved(outputs: Values, source_task: str, task_id: str) -> Values:
    """Outputs under the ids of this run's graph; their maker, and so their identity, stays."""
    artifacts = {
        key: [
            replace(artifact, artifact_id=task_id + artifact.artifact_id.removeprefix(source_task))
            for artifact in group
        ]
        for key, group in outputs.artifacts.items()
    }
    return Values(parameters=outputs.parameters, artifacts=artifacts)


def remember(
    connection: sqlite3.Connection,
    cache_key: str,
    pipeline_name: str,
    scope: str,
    run_id: str,
    task_id: str,
    outputs: Values,
) -> None:
    """Notes what a task has made, in the caller's transaction."""
    paths = [
        path
        for group in outputs.artifacts.values()
        for artifact in group
        if (path := local_path(artifact.uri)) is not None and path.exists()
    ]
    connection.execute(
        "INSERT OR REPLACE INTO cache (cache_key, pipeline_name, scope, run_id, task_id, "
        "created_at, files) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            cache_key,
            pipeline_name,
            scope,
            run_id,
            task_id,
            to_micros(now()),
            to_json([str(path) for path in paths]),
        ),
    )
