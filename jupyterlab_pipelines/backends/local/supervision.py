"""Sees to it that every run that is not over has a supervisor, and never two."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ...errors import Conflict
from . import forking, processes
from .database import Database
from .layout import Layout
from .store import fail

logger = logging.getLogger(__name__)

#: How often a supervisor may die before it came up: with words in its log, and without any, which
#: means that it was killed.
_MOST_STARTS, _MOST_KILLS = 4, 50
#: Seconds that a finished run's supervisor has to go away before its run is deleted.
_PATIENCE = 5.0
#: Seconds without a new run after which nothing stands by for the next.
_IDLE = 600.0
_SUPERVISOR = f"{__package__}.supervisor"
_RUN_ID_LENGTH = 36


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
    with layout.supervisor_log(run_id).open("ab") as log:
        if forking.CAN_FORK and standby(layout.root).fork(run_id, lock, log.fileno()):
            return
        process = subprocess.Popen(
            [sys.executable, "-m", _SUPERVISOR, str(layout.root), run_id, str(lock)],
            cwd=layout.run(run_id),
            env=processes.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
        )
    _collect(process)


def _collect(process: subprocess.Popen[bytes]) -> None:
    """Has it collected when it ends while this process lives; nobody else waits for it."""
    threading.Thread(target=process.wait, name=f"wait for {process.pid}", daemon=True).start()


class Standby:
    """The process that supervisors are forked off: `standby.py` is what it runs.

    It is started for the first run, and goes with this process, or when it was idle for long.
    Thread-safe, and never waits for it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None
        self._used = 0.0

    def fork(self, run_id: str, lock: int, log: int) -> bool:
        """Has a supervisor forked that gets both descriptors; false where it cannot be asked.

        Where the process ends before it comes to it, the lock is free again, as it is after the
        death of a supervisor, and `take_over` sees to the run.
        """
        message = json.dumps([run_id, processes.environment()]).encode()
        with self._lock, contextlib.suppress(OSError):
            if self._process is None or self._process.poll() is not None:
                self._start(log)
            assert self._connection is not None
            socket.send_fds(self._connection, [message], [lock, log])
            self._used = time.monotonic()
            return True
        return False

    def close(self, idle: float = 0.0) -> None:
        """Lets the process go, if nothing has begun for so many seconds."""
        with self._lock:
            if self._process is not None and time.monotonic() - self._used >= idle:
                self._part()

    def _start(self, log: int) -> None:
        """Starts it. What keeps it from coming up is in the log of the run that needs it."""
        self._part()
        module = f"{__package__}.standby"
        room = "-" * (_RUN_ID_LENGTH + len(_SUPERVISOR) - len(module))
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with its:
            self._connection = ours
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(self._root), room, str(its.fileno())],
                cwd=self._root,
                env=processes.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        _collect(self._process)

    def _part(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


@functools.cache
def standby(root: Path) -> Standby:
    """This process's one for the engine below `root`."""
    return Standby(root)


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def take_over(database: Database, layout: Layout) -> int:
    """Starts a supervisor for every active run that has none; how many. Never raises for a run.

    What has stood by for long without a run is let go.
    """
    standby(layout.root).close(_IDLE)
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
