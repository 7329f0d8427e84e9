"""Fires recurring runs when they are due, from one process a folder, as Kubeflow's controller does.

Any number of controllers may run: the holder of the folder's scheduler lock fires, the others wait
to take over. And even two that both believe to hold it never fire a time twice: the time and its
run are one transaction.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ...errors import NotFound, PipelinesError, StoreBlocked
from ...pipeline_text import split
from . import processes, recurring
from .api.experiments import known_experiment
from .api.versions import latest_version_row
from .database import from_json
from .engine import Engine
from .schedule.macros import Macros
from .schedule.trigger import default_zone

logger = logging.getLogger(__name__)

#: Seconds between two looks, at least and at most, and after one that failed.
_SOON, _POLL, _PAUSE = 0.02, 1.0, 10.0


class Controller:
    """One process's part in firing the recurring runs of `engine`. `clock` gives Unix seconds."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self._lock: int | None = None
        self._trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Fires what is due until `stop` is set. Never raises."""
        try:
            while not stop.is_set():
                stop.wait(self._careful_tick())
        finally:
            self.close()

    def tick(self) -> float:
        """Fires what is due, where this process holds the lock; the seconds until the next look.

        Raises StoreBlocked, and Conflict where a newer version has the store.
        """
        if not (self._engine.layout.database.exists() and self._leads()):
            return _POLL
        wait = _POLL
        for row in recurring.enabled(self._engine.database):
            due = self._fire_due(row)
            if due is not None:
                wait = min(wait, due - self._clock())
        return max(wait, _SOON)

    def close(self) -> None:
        """Lets another process fire."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _careful_tick(self) -> float:
        try:
            wait = self.tick()
        except PipelinesError as error:
            self._say(error.message)
            return _PAUSE
        except Exception:
            logger.exception("Recurring runs could not be looked after")
            return _PAUSE
        self._trouble = ""
        return wait

    def _say(self, trouble: str) -> None:
        """Logs what is wrong once, not at every look."""
        if trouble != self._trouble:
            self._trouble = trouble
            logger.warning("Recurring runs are not fired: %s", trouble)

    def _leads(self) -> bool:
        if self._lock is None:
            with contextlib.suppress(FileNotFoundError):  # the folder has just been removed
                self._lock = processes.try_lock(self._engine.layout.scheduler_lock)
        return self._lock is not None

    # --- one recurring run -----------------------------------------------------------------------

    def _fire_due(self, row: Mapping[str, Any]) -> float | None:
        """Fires what is due of one recurring run; when to look at it again, in Unix seconds.

        Null where only another change can make it due.
        """
        pause = recurring.pause(row, self._clock())
        if pause is not None:
            return pause
        for _ in range(row["max_concurrency"] - row["active"]):
            now = int(self._clock())
            try:
                due = recurring.next_time(row, now, default_zone())
                if due is None or due > now:
                    return due
                self._fire(row, due, now)
            except recurring.Overtaken:
                return None
            except StoreBlocked:
                raise
            except PipelinesError as error:
                recurring.note_failure(self._engine.database, row, error, now)
                return None
            except Exception as error:
                logger.exception("Recurring run %s could not fire", row["recurring_run_id"])
                defect = PipelinesError(f"Internal server error: {error!r}.")
                recurring.note_failure(self._engine.database, row, defect, now)
                return None
            row = recurring.claimed(row, due)
        return None

    def _fire(self, row: Mapping[str, Any], scheduled: int, now: int) -> None:
        """Creates the run of one time. Raises Overtaken, or PipelinesError: nothing was fired."""
        database = self._engine.database
        found = database.one(
            "SELECT * FROM recurring_runs WHERE recurring_run_id = ?", (row["recurring_run_id"],)
        )
        if found is None:
            raise recurring.Overtaken
        whole = dict(found)
        known_experiment(database, row["experiment_id"])
        run_id = str(uuid.uuid4())
        macros = Macros(run_id, now, row["last_index"] + 1, scheduled)
        config = from_json(whole["runtime_config"]) or {}
        spec, version_id = self._pipeline(whole)
        pipeline_spec, platform_spec = split(spec)
        self._engine.create_run(
            run_id=run_id,
            display_name=recurring.run_name(row),
            pipeline_spec=pipeline_spec,
            platform_spec=platform_spec,
            runtime_config={**config, "parameters": macros.fill(config.get("parameters", {}))},
            experiment_id=row["experiment_id"],
            pipeline_id=whole["pipeline_id"],
            pipeline_version_id=version_id,
            recurring_run_id=row["recurring_run_id"],
            service_account=whole["service_account"],
            scheduled_at=datetime.fromtimestamp(scheduled, timezone.utc),
            claim=recurring.claim(row, scheduled, now),
        )

    def _pipeline(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
        """The pipeline to run, and the id of its version: its own copy, or the newest version."""
        if row["pipeline_spec"] is not None:
            return from_json(row["pipeline_spec"]), row["pipeline_version_id"]
        try:
            version = latest_version_row(self._engine.database, row["pipeline_id"])
        except NotFound as error:
            raise NotFound(
                f"{error.message} The recurring run cannot fire without it.",
                next_step="Upload a version of the pipeline, or delete the recurring run.",
            ) from error
        return from_json(version["pipeline_spec"]), version["pipeline_version_id"]
