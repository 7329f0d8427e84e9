"""Tasks, attempts and artifacts of a run, between the store's rows and the records in memory."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ...models import Attempt, State, TaskRef, TaskStatus, TaskType
from .database import from_json, from_micros, now, to_json, to_micros
from .records import ArtifactRecord, TaskRecord, Values

#: Tasks without tasks in them.
LEAVES = frozenset({TaskType.RUNTIME, TaskType.IMPORTER})
_FAILED = frozenset({State.FAILED, State.CANCELED})
#: An attempt that is committed but not known to be over.
LAUNCHING = "LAUNCHING"


@dataclass
class AttemptRecord:
    """One try of a leaf. `state` is LAUNCHING until its end is known."""

    task_id: str
    number: int
    round: int
    state: str
    directory: Path
    boot: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None

    @property
    def open(self) -> bool:
        """Whether its end is not known yet."""
        return self.state == LAUNCHING

    def model(self) -> Attempt:
        """The attempt as everybody outside the engine sees it."""
        state = State.RUNNING if self.open else State(self.state)
        return Attempt(
            number=self.number,
            state=state,
            started_at=self.started_at,
            finished_at=self.finished_at,
            exit_code=self.exit_code,
            error=self.error,
        )


def task_uid(run_id: str, task_id: str) -> str:
    """A task's UUID, as Kubeflow's API names tasks: the same for the same task."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"kfp-local:{run_id}/{task_id}"))


def artifact_uid(run_id: str, artifact_id: str) -> str:
    """An artifact's UUID: the same for the same artifact."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"kfp-local-artifact:{run_id}/{artifact_id}"))


# --- values ------------------------------------------------------------------------------------


def values_to_json(values: Values) -> str:
    """One side of a task as the store keeps it."""
    artifacts = {
        key: [_artifact_dict(artifact) for artifact in group]
        for key, group in values.artifacts.items()
    }
    return to_json({"parameters": values.parameters, "artifacts": artifacts}) or "{}"


def values_from_json(text: str | None) -> Values:
    """What `values_to_json` stored; null is an empty side."""
    data = from_json(text) or {}
    artifacts = {
        key: [_artifact(item) for item in group] for key, group in data.get("artifacts", {}).items()
    }
    return Values(parameters=data.get("parameters", {}), artifacts=artifacts)


def _artifact_dict(artifact: ArtifactRecord) -> dict[str, Any]:
    data = asdict(artifact)
    if artifact.producer is not None:
        data["producer"] = [artifact.producer.run_id, artifact.producer.task_id]
    return data


def _artifact(data: dict[str, Any]) -> ArtifactRecord:
    producer = data.pop("producer", None)
    ref = TaskRef(run_id=producer[0], task_id=producer[1]) if producer else None
    return ArtifactRecord(**data, producer=ref)


# --- tasks -------------------------------------------------------------------------------------

_TASK_COLUMNS = (
    "run_id", "task_id", "uid", "name", "display_name", "type", "parent", "iteration",
    "component", "state", "created_at", "started_at", "finished_at", "error", "inputs", "outputs",
    "cache_key", "cached_from_run", "cached_from_task", "state_history",
)  # fmt: skip
_SAVE_TASK = (
    f"INSERT INTO tasks ({', '.join(_TASK_COLUMNS)}) "  # noqa: S608 - our own column names
    f"VALUES ({', '.join('?' * len(_TASK_COLUMNS))}) "
    "ON CONFLICT (run_id, task_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _TASK_COLUMNS[3:-1])
    + ", state_history = CASE WHEN tasks.state = excluded.state THEN tasks.state_history ELSE "
    "json_insert(IFNULL(tasks.state_history, '[]'), '$[#]', "
    "json_extract(excluded.state_history, '$[0]')) END"
)


def save_tasks(connection: sqlite3.Connection, run_id: str, records: Iterable[TaskRecord]) -> None:
    """Writes the records, and the artifacts they have put out, in the caller's transaction."""
    records = list(records)
    moment = to_micros(now())
    connection.executemany(_SAVE_TASK, [_task_row(run_id, record, moment) for record in records])
    connection.executemany(
        "INSERT INTO artifacts (run_id, artifact_id, uid, task_id, output_key, idx, name, type, "
        "uri, metadata, size, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (run_id, artifact_id) DO UPDATE SET uri = excluded.uri, "
        "type = excluded.type, metadata = excluded.metadata, size = excluded.size",
        [row for record in records for row in _artifact_rows(run_id, record, moment)],
    )


def shown_outputs(record: TaskRecord) -> Values:
    """What a task has to show: of a leaf that failed, what it had written by then."""
    return record.left if record.left.artifacts else record.outputs


def _task_row(run_id: str, record: TaskRecord, moment: int | None) -> tuple[Any, ...]:
    entry: dict[str, Any] = {"state": record.state.value, "update_time": moment}
    if record.error:
        entry["error"] = record.error
    source = record.cached_from
    return (
        run_id, record.task_id, task_uid(run_id, record.task_id), record.name,
        record.display_name, record.type.value, record.parent, record.iteration,
        record.component, record.state.value, to_micros(record.created_at),
        to_micros(record.started_at), to_micros(record.finished_at), record.error,
        values_to_json(record.inputs), values_to_json(shown_outputs(record)), record.cache_key,
        source.run_id if source else None, source.task_id if source else None, to_json([entry]),
    )  # fmt: skip


def _artifact_rows(
    run_id: str, record: TaskRecord, moment: int | None
) -> Iterable[tuple[Any, ...]]:
    """Rows of what the task itself made; a group only passes on its children's artifacts."""
    prefix = record.task_id + ":"
    for key, group in shown_outputs(record).artifacts.items():
        for index, artifact in enumerate(group):
            if artifact.artifact_id.startswith(prefix):
                yield (
                    run_id, artifact.artifact_id, artifact_uid(run_id, artifact.artifact_id),
                    record.task_id, key, index, artifact.name, artifact.type, artifact.uri,
                    to_json(artifact.metadata), _size(artifact.uri), moment,
                )  # fmt: skip


def _size(uri: str) -> int | None:
    path = Path(uri.removeprefix("file://"))
    try:
        return path.stat().st_size if path.is_absolute() and path.is_file() else None
    except OSError:
        return None


def load_task(row: sqlite3.Row, *, values: bool = True) -> TaskRecord:
    """A record from a row of `tasks`; without `values` its inputs and outputs stay empty."""
    source = row["cached_from_run"]
    outputs = values_from_json(row["outputs"] if values else None)
    unfinished = TaskType(row["type"]) in LEAVES and State(row["state"]) in _FAILED
    return TaskRecord(
        task_id=row["task_id"],
        name=row["name"],
        display_name=row["display_name"],
        type=TaskType(row["type"]),
        parent=row["parent"],
        component=row["component"],
        state=State(row["state"]),
        iteration=row["iteration"],
        created_at=from_micros(row["created_at"]),
        started_at=from_micros(row["started_at"]),
        finished_at=from_micros(row["finished_at"]),
        error=row["error"],
        inputs=values_from_json(row["inputs"] if values else None),
        outputs=Values() if unfinished else outputs,
        left=outputs if unfinished else Values(),
        cache_key=row["cache_key"],
        cached_from=(
            TaskRef(run_id=source, task_id=row["cached_from_task"]) if source is not None else None
        ),
    )


def load_tasks(
    connection: sqlite3.Connection, run_id: str, task_id: str | None = None, *, values: bool = True
) -> dict[str, TaskRecord]:
    """All records of a run, in the order they came to be; one where it is named.

    Without `values`, which take most of the time, their inputs and outputs stay empty.
    """
    rows = connection.execute(
        "SELECT * FROM tasks WHERE run_id = ? AND task_id = IFNULL(?, task_id) ORDER BY rowid",
        (run_id, task_id),
    )
    return {row["task_id"]: load_task(row, values=values) for row in rows}


# --- attempts ----------------------------------------------------------------------------------


def save_attempts(
    connection: sqlite3.Connection, run_id: str, attempts: Iterable[AttemptRecord]
) -> None:
    """Writes the attempts in the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO attempts (run_id, task_id, number, round, state, started_at, "
        "finished_at, exit_code, error, directory, boot) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run_id,
                one.task_id,
                one.number,
                one.round,
                one.state,
                to_micros(one.started_at),
                to_micros(one.finished_at),
                one.exit_code,
                one.error,
                str(one.directory),
                one.boot,
            )
            for one in attempts
        ],
    )


def load_attempts(
    connection: sqlite3.Connection, run_id: str, task_id: str | None = None
) -> dict[str, list[AttemptRecord]]:
    """A run's attempts by task, oldest first; of one task where it is named."""
    sql = "SELECT * FROM attempts WHERE run_id = ?"
    parameters = [run_id]
    if task_id is not None:
        sql += " AND task_id = ?"
        parameters.append(task_id)
    attempts: dict[str, list[AttemptRecord]] = {}
    for row in connection.execute(sql + " ORDER BY task_id, number", parameters):
        attempts.setdefault(row["task_id"], []).append(
            AttemptRecord(
                task_id=row["task_id"],
                number=row["number"],
                round=row["round"],
                state=row["state"],
                directory=Path(row["directory"]),
                boot=row["boot"],
                started_at=from_micros(row["started_at"]),
                finished_at=from_micros(row["finished_at"]),
                exit_code=row["exit_code"],
                error=row["error"],
            )
        )
    return attempts


def status(record: TaskRecord, attempts: Mapping[str, list[AttemptRecord]]) -> TaskStatus:
    """What moves of a task, for the graph."""
    return TaskStatus(
        state=record.state,
        created_at=record.created_at,
        started_at=record.started_at,
        finished_at=record.finished_at,
        error=record.error,
        attempts=[one.model() for one in attempts.get(record.task_id, [])],
        cached_from=record.cached_from,
    )
