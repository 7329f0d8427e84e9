"""What an attempt does before its command can run: processes and waits that a stop ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .processes import MARKER, environment, try_lock

_LOOK_AGAIN = 0.1


class EnvironmentFailed(Exception):
    """The packages could not be made importable; the message is what the user reads."""


class Building:
    """The preparation of the attempt at `directory`. One thread works in it, any may stop it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing more may begin."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Ends what runs or waits; the working thread gets EnvironmentFailed."""
        with self._lock:
            self._stopped.set()
            if self._process is not None and self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)

    def start(
        self, command: Sequence[str], env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """A process that carries the attempt's marker. Raises EnvironmentFailed, or OSError."""
        with self._lock:
            self.go_on()
            marked = {**environment(env), MARKER: str(self._directory)}
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                env=marked,
                start_new_session=True,
                **options,
            )
            return self._process

    def go_on(self) -> None:
        """Raises EnvironmentFailed once it is stopped."""
        if self.stopped:
            raise EnvironmentFailed("Stopped before it began.")

    @contextlib.contextmanager
    def waited_lock(self, path: Path) -> Iterator[int]:
        """Holds the lock of this file, after whoever holds it now; gives the descriptor.

        Raises EnvironmentFailed where it is stopped meanwhile.
        """
        while (lock := try_lock(path)) is None:
            self._stopped.wait(_LOOK_AGAIN)
            self.go_on()
        try:
            yield lock
        finally:
            os.close(lock)
