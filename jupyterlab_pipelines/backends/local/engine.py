"""The embedded engine's face: a folder of runs that any number of processes may open at once."""

from __future__ import annotations

import importlib.util
import os
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from ...errors import BadInput, NotFound, UnsupportedFeature
from ...models import LogChunk, Run, RunGraph, RunPage, RunQuery, TaskDetail
from ..base import Changes
from . import artifacts, lifecycle, logs, runs, supervision
from .database import Database, to_json
from .layout import Layout
from .plan.submission import accept
from .settings import SettingsFile
from .this_machine import ThisMachine
from .views import Views


class Engine:
    """Runs pipelines as processes on this machine; its state lives below `root`.

    Cheap to make, thread-safe, synchronous. Every method raises only PipelinesError: NotFound on
    an unknown id, StoreBlocked where the folder cannot be written, and what it says itself.
    """

    def __init__(self, root: Path) -> None:
        if importlib.util.find_spec("fcntl") is None:  # Windows
            raise UnsupportedFeature(
                "The embedded engine needs Linux or macOS.",
                next_step="Add a connection to a Kubeflow endpoint, or use WSL.",
            )
        self.layout = Layout(root.absolute())
        self.database = Database(self.layout.database)
        self.settings = SettingsFile()
        self._views = Views(self.database)

    @property
    def machine(self) -> ThisMachine:
        """What the user's settings make of this machine now."""
        return ThisMachine(self.settings.load(), self.layout)

    # --- changing ------------------------------------------------------------------------------

    def create_run(
        self,
        *,
        display_name: str,
        pipeline_spec: dict[str, Any],
        platform_spec: dict[str, Any] | None = None,
        runtime_config: dict[str, Any] | None = None,
        experiment_id: str,
        description: str = "",
        pipeline_id: str | None = None,
        pipeline_version_id: str | None = None,
        recurring_run_id: str | None = None,
        service_account: str = "",
        scheduled_at: datetime | None = None,
        interpreter: str | None = None,
        caching: bool | None = None,
        run_id: str | None = None,
        claim: lifecycle.Claim | None = None,
    ) -> str:
        """Checks the pipeline and its parameters, then starts the run; its id.

        `claim` writes in the transaction that creates the run. Raises InvalidPipeline,
        InvalidParameter, UnsupportedFeature (its problems name the tasks) or BadInput, and what
        `claim` raises, and then leaves nothing behind.
        """
        config = runtime_config or {}
        pipeline, parameters = accept(
            pipeline_spec, platform_spec, config.get("parameters") or {}, self.machine
        )
        row = lifecycle.row_of(
            pipeline,
            parameters,
            scheduled_at=scheduled_at,
            runtime_config=config,
            caching=caching,
            display_name=display_name,
            description=description,
            experiment_id=experiment_id,
            pipeline_id=pipeline_id,
            pipeline_version_id=pipeline_version_id,
            recurring_run_id=recurring_run_id,
            service_account=service_account,
            interpreter=None if interpreter is None else _known_interpreter(interpreter),
            pipeline_spec=to_json(pipeline_spec),
            platform_spec=to_json(platform_spec),
        )
        return lifecycle.insert(self.database, self.layout, row, run_id=run_id, claim=claim)

    def terminate(self, run_id: str) -> None:
        """Stops an active run within 10 s. Raises Conflict where it is over."""
        lifecycle.stop(self.database, self.layout, run_id)

    def retry(self, run_id: str) -> None:
        """Runs again what failed or was canceled. Raises Conflict unless the run ended so."""
        lifecycle.retry(self.database, self.layout, run_id, self._views.pipeline(run_id))

    def delete(self, run_id: str) -> None:
        """Removes a run and its files. Raises Conflict where it is active: stop it first."""
        lifecycle.delete(self.database, self.layout, run_id)

    def set_archived(self, run_id: str, archived: bool) -> None:
        """Moves a run to the archive, or back."""
        with self.database.write() as connection:
            state = "ARCHIVED" if archived else "AVAILABLE"
            cursor = connection.execute(
                "UPDATE runs SET storage_state = ? WHERE run_id = ?", (state, run_id)
            )
            if cursor.rowcount == 0:
                raise NotFound(f"There is no run {run_id}.")
            runs.touch(connection, run_id)

    def reconcile(self) -> int:
        """Gives every active run without a supervisor a new one; how many. Cheap, repeatable."""
        if not self.layout.database.exists():
            return 0
        return supervision.take_over(self.database, self.layout)

    # --- reading -------------------------------------------------------------------------------

    def get_run(self, run_id: str) -> Run:
        """One run, without its tasks."""
        row = self.database.one(
            f"SELECT {runs.COLUMNS} FROM runs WHERE run_id = ?",  # noqa: S608 - our own columns
            (run_id,),
        )
        if row is None:
            raise NotFound(f"There is no run {run_id}.")
        return runs.load_run(row)

    def list_runs(self, query: RunQuery) -> RunPage:
        """One page of runs. Raises BadInput on a page token of another list."""
        with self.database.snapshot() as connection:
            return runs.page(connection, query)

    def graph(self, run_id: str) -> RunGraph:
        """The run's shape and state at one moment."""
        return self._views.graph(run_id)

    def task(self, run_id: str, task_id: str) -> TaskDetail:
        """One task in detail, whether it has begun or not."""
        return self._views.task(run_id, task_id)

    def read_log(
        self, run_id: str, task_id: str, attempt: int | None, offset: int, limit: int
    ) -> LogChunk:
        """Up to `limit` bytes of an attempt's log (null: the last one) from `offset`."""
        row = self.database.one(
            "SELECT number, directory, finished_at FROM attempts WHERE run_id = ? AND task_id = ? "
            "AND number = IFNULL(?, number) ORDER BY number DESC LIMIT 1",
            (run_id, task_id, attempt),
        )
        if row is not None:
            path = Path(row["directory"]) / "log.txt"
            over = row["finished_at"] is not None
            return logs.read_chunk(path, offset, limit, attempt=row["number"], over=over)
        detail = self.task(run_id, task_id)  # raises NotFound on an unknown task
        if attempt is not None:
            raise NotFound(f"Task {task_id!r} has no attempt {attempt}.")
        over = detail.status.state.final
        return LogChunk(text="", offset=0, next_offset=0, size=0, complete=over)

    def artifact_file(self, run_id: str, artifact_id: str) -> tuple[Path, str]:
        """The file or folder of an artifact and its media type.

        Raises UnsupportedFeature where it lies outside the engine's folder, NotFound where it is
        not there.
        """
        row = self.database.one(
            "SELECT uri, type FROM artifacts WHERE run_id = ? AND artifact_id = ?",
            (run_id, artifact_id),
        )
        if row is None:
            raise NotFound(f"Run {run_id} has no artifact {artifact_id!r}.")
        path = artifacts.safe_file(row["uri"], self.layout.runs)
        return path, artifacts.media_type(path, row["type"])

    def changes(self, cursor: str | None) -> Changes:
        """Runs changed or deleted since `cursor`; null asks only where to start."""
        if cursor is None:
            row = self.database.one("SELECT value FROM meta WHERE key = 'changed'")
            return Changes(cursor=str(row["value"] if row else 0))
        if not cursor.isdecimal():
            raise BadInput("The cursor is not one of this engine's.", next_step="Start again.")
        since = int(cursor)
        with self.database.snapshot() as connection:
            latest = connection.execute("SELECT value FROM meta WHERE key = 'changed'").fetchone()[
                "value"
            ]
            if latest == since:
                return Changes(cursor=cursor)
            changed = connection.execute(
                f"SELECT {runs.COLUMNS} FROM runs WHERE changed > ? ORDER BY changed",  # noqa: S608
                (since,),
            ).fetchall()
            deleted = connection.execute(
                "SELECT run_id FROM deleted_runs WHERE changed > ? ORDER BY changed", (since,)
            ).fetchall()
        return Changes(
            cursor=str(latest),
            runs=[runs.load_run(row) for row in changed],
            deleted=[row["run_id"] for row in deleted],
        )

    def active_runs(self) -> int:
        """How many runs are not over."""
        if not self.layout.database.exists():
            return 0
        row = self.database.one("SELECT COUNT(*) FROM runs WHERE finished_at IS NULL")
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Closes the store's connections; runs go on."""
        supervision.standby(self.layout.root).close()
        self.database.close()


def _known_interpreter(path: str) -> str:
    """An interpreter's absolute path, links kept: a venv's Python is one. Raises BadInput."""
    found = shutil.which(path)
    if found is None:
        raise BadInput(
            f"There is no interpreter {path}.", next_step="Choose the notebook's kernel again."
        )
    return os.path.abspath(found)  # noqa: PTH100 - resolve() would leave the venv
