"""Sees to it that every run that is not over has a supervisor, and never two."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ...errors import Conflict
from . import processes
from .database import Database
from .layout import Layout
from .store import fail

logger = logging.getLogger(__name__)

#: How often a supervisor may die before it came up: with words in its log, and without any, which
#: means that it was killed.
_MOST_STARTS, _MOST_KILLS = 4, 50
#: Seconds that a finished run's supervisor has to go away before its run is deleted.
_PATIENCE = 5.0


def supervise(database: Database, layout: Layout, run_id: str) -> bool:
    """Starts a supervisor for the run unless one has its lock; whether it did. Raises OSError.

    A run whose folder is gone ends instead.
    """
    if not layout.run(run_id).exists():
        fail(database, run_id, "The run's folder is gone.")
        return False
    with handed_lock(layout, run_id) as lock:
        if lock is None:
            return False
        with database.write() as connection:
            row = connection.execute(
                "UPDATE runs SET starts = starts + 1 WHERE run_id = ? AND finished_at IS NULL "
                "RETURNING starts",
                (run_id,),
            ).fetchone()
        if row is None:
            return False
        words = _last_words(layout.supervisor_log(run_id))
        if row["starts"] > (_MOST_STARTS if words else _MOST_KILLS):
            reason = words or "it is killed each time."
            fail(database, run_id, f"The run's supervisor cannot start: {reason}")
            return False
        spawn(layout, run_id, lock)
    return True


@contextlib.contextmanager
def handed_lock(layout: Layout, run_id: str) -> Iterator[int | None]:
    """The run's lock, to be handed to a supervisor, so that two callers never start two.

    Null where a supervisor has it.
    """
    lock = processes.try_lock(layout.supervisor_lock(run_id))
    try:
        yield lock
    finally:
        if lock is not None:
            os.close(lock)


def spawn(layout: Layout, run_id: str, lock: int) -> None:
    """Starts a supervisor that has the run's lock. Raises OSError."""
    module = f"{__package__}.supervisor"
    with layout.supervisor_log(run_id).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(layout.root), run_id, str(lock)],
            cwd=layout.run(run_id),
            env=processes.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
        )
    # Collects it when it ends while this process lives; it is nobody's to wait for otherwise.
    threading.Thread(target=process.wait, name=f"supervisor {run_id}", daemon=True).start()


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def take_over(database: Database, layout: Layout) -> int:
    """Starts a supervisor for every active run that has none; how many. Never raises for a run."""
    started = 0
    for row in database.read("SELECT run_id FROM runs WHERE finished_at IS NULL"):
        run_id = row["run_id"]
        try:
            started += supervise(database, layout, run_id)
        except Exception:
            logger.exception("Run %s cannot be taken over.", run_id)
    return started


@contextlib.contextmanager
def settled(layout: Layout, run_id: str) -> Iterator[None]:
    """Holds a run's lock, once the supervisor that has just ended it has let it go."""
    deadline = time.monotonic() + _PATIENCE
    layout.run(run_id).mkdir(parents=True, exist_ok=True, mode=0o700)
    while (lock := processes.try_lock(layout.supervisor_lock(run_id))) is None:
        if time.monotonic() > deadline:
            raise Conflict("The run is active.", next_step="Stop it first.")
        time.sleep(0.02)
    try:
        yield
    finally:
        os.close(lock)
