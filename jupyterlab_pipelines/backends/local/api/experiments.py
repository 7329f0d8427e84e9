"""Experiments: named groups of runs, and the default one that always exists."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

from ....errors import BadInput, Conflict, NotFound
from ..database import Database, bump, now, to_micros
from .filters import Field
from .listing import Listing
from .messages import EXPERIMENT, check_length, read
from .protocol import Aborted, Call, Route
from .render import message, required_timestamp, timestamp

DEFAULT_NAME = "Default"
_MAX_NAME = 128
_DEFAULT_KEY = "default_experiment_id"

EXPERIMENTS = Listing(
    table="experiments",
    key="experiment_id",
    fields={
        "id": Field("experiment_id"),
        "experiment_id": Field("experiment_id"),
        "name": Field("display_name", "name"),
        "display_name": Field("display_name", "name"),
        "created_at": Field("created_at", "time"),
        "last_run_created_at": Field("IFNULL(last_run_created_at, 0)", "time"),
        "description": Field("description"),
        "namespace": Field("namespace"),
        "storage_state": Field("storage_state"),
    },
)


def default_experiment(database: Database) -> str:
    """The id of the experiment of runs that name none; made when first needed."""
    known = database.one("SELECT value FROM meta WHERE key = ?", (_DEFAULT_KEY,))
    if known is not None:
        return str(known["value"])
    with database.write() as connection:
        known = connection.execute(
            "SELECT value FROM meta WHERE key = ?", (_DEFAULT_KEY,)
        ).fetchone()
        if known is not None:  # another process was faster
            return str(known["value"])
        row = connection.execute(
            "SELECT experiment_id FROM experiments WHERE display_name = ?", (DEFAULT_NAME,)
        ).fetchone()
        experiment_id = (
            str(row["experiment_id"])
            if row is not None
            else _insert(
                connection,
                DEFAULT_NAME,
                "All runs created without specifying an experiment will be grouped here.",
            )
        )
        connection.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?)", (_DEFAULT_KEY, experiment_id)
        )
    return experiment_id


def known_experiment(database: Database, experiment_id: str | None) -> str:
    """`experiment_id`, or the default one's where it is empty. Raises NotFound."""
    if not experiment_id:
        return default_experiment(database)
    _row(database, experiment_id)
    return experiment_id


def run_created(database: Database, experiment_id: str, created_at: int) -> None:
    """Notes when the experiment's last run was created, in microseconds UTC."""
    with database.write() as connection:
        connection.execute(
            "UPDATE experiments SET last_run_created_at = MAX(IFNULL(last_run_created_at, 0), ?)"
            " WHERE experiment_id = ?",
            (created_at, experiment_id),
        )


def create(call: Call) -> dict[str, Any]:
    """Makes an experiment; names are unique."""
    content = read(EXPERIMENT, call.json())
    name = content.get("display_name", "")
    if not name:
        raise BadInput("An experiment needs a display_name.")
    check_length("Experiment.Name", name, _MAX_NAME)
    default_experiment(call.engine.database)
    with call.engine.database.write() as connection:
        if connection.execute(
            "SELECT 1 FROM experiments WHERE display_name = ?", (name,)
        ).fetchone():
            raise Conflict(
                f"An experiment named {name!r} already exists.", next_step="Choose another name."
            )
        experiment_id = _insert(connection, name, content.get("description", ""))
    return render(_row(call.engine.database, experiment_id))


def get(call: Call) -> dict[str, Any]:
    """One experiment."""
    return render(_row(call.engine.database, call.path["experiment_id"]))


def list_(call: Call) -> dict[str, Any]:
    """A page of experiments."""
    default_experiment(call.engine.database)
    page = EXPERIMENTS.page(call.engine.database, call.query)
    return message(
        experiments=[render(row) for row in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_page_token,
    )


def archive(call: Call) -> dict[str, Any]:
    """Archives an experiment and every run in it, and disables its recurring runs."""
    experiment_id = call.path["experiment_id"]
    _row(call.engine.database, experiment_id)
    with call.engine.database.write() as connection:
        connection.execute(
            "UPDATE experiments SET storage_state = 'ARCHIVED' WHERE experiment_id = ?",
            (experiment_id,),
        )
        connection.execute(
            "UPDATE runs SET storage_state = 'ARCHIVED', revision = revision + 1, changed = ?"
            " WHERE experiment_id = ? AND storage_state <> 'ARCHIVED'",
            (bump(connection), experiment_id),
        )
        connection.execute(
            "UPDATE recurring_runs SET enabled = 0, updated_at = ? WHERE experiment_id = ?",
            (to_micros(now()), experiment_id),
        )
    return {}


def unarchive(call: Call) -> dict[str, Any]:
    """Restores an experiment; its runs stay archived, as in Kubeflow."""
    experiment_id = call.path["experiment_id"]
    _row(call.engine.database, experiment_id)
    with call.engine.database.write() as connection:
        connection.execute(
            "UPDATE experiments SET storage_state = 'AVAILABLE' WHERE experiment_id = ?",
            (experiment_id,),
        )
    return {}


def delete(call: Call) -> dict[str, Any]:
    """Removes an experiment, but not its runs; the default one stays."""
    experiment_id = call.path["experiment_id"]
    if experiment_id == default_experiment(call.engine.database):
        raise Aborted("The default experiment cannot be deleted.")
    _row(call.engine.database, experiment_id)
    with call.engine.database.write() as connection:
        connection.execute("DELETE FROM experiments WHERE experiment_id = ?", (experiment_id,))
    return {}


def render(row: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment's row as the API shows it."""
    return message(
        experiment_id=row["experiment_id"],
        display_name=row["display_name"],
        description=row["description"],
        created_at=timestamp(row["created_at"]),
        namespace=row["namespace"],
        storage_state=row["storage_state"],
        last_run_created_at=required_timestamp(row["last_run_created_at"]),
    )


def _row(database: Database, experiment_id: str) -> Mapping[str, Any]:
    row = database.one("SELECT * FROM experiments WHERE experiment_id = ?", (experiment_id,))
    if row is None:
        raise NotFound(f"Experiment {experiment_id} not found.")
    return dict(row)


def _insert(connection: sqlite3.Connection, name: str, description: str) -> str:
    experiment_id = str(uuid.uuid4())
    connection.execute(
        "INSERT INTO experiments (experiment_id, display_name, description, created_at)"
        " VALUES (?, ?, ?, ?)",
        (experiment_id, name, description, to_micros(now())),
    )
    return experiment_id


_ONE = "/apis/v2beta1/experiments/{experiment_id}"
ROUTES = [
    Route("POST", "/apis/v2beta1/experiments", create),
    Route("GET", "/apis/v2beta1/experiments", list_),
    Route("GET", _ONE, get),
    Route("DELETE", _ONE, delete),
    Route("POST", f"{_ONE}:archive", archive),
    Route("POST", f"{_ONE}:unarchive", unarchive),
]
