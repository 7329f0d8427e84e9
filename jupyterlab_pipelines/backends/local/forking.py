"""Has tasks forked off a process that has loaded kfp already: `forker.py` is what it runs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from . import processes
from .records import Invocation

#: What an interpreter, or the C library below it, reads only when it starts.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "HOME", "TZ")
#: Bytes that a path, and so a marker, may have.
_LONGEST_PATH = 4096
#: What a pipe takes whole or not at all.
_LONGEST_REQUEST = 4096


def suits(invocation: Invocation) -> bool:
    """Whether a fork of a process that runs already does the same as a process of its own."""
    return (
        sys.platform == "linux"  # on macOS many libraries do not survive a fork
        and bool(invocation.source)
        and not invocation.isolated
        and not any(name.startswith(_READ_AT_START) for name in invocation.env)
    )


class Forked:
    """A shim that a forker was asked for. It is polled as a child is."""

    def __init__(self) -> None:
        self.status: int | None = None

    def poll(self) -> int | None:
        """Null while the shim may live; else its status, or -1: nobody tells, look at its files."""
        return self.status


class Forker:
    """One forker, started with the object, that lives until it is closed or `hear` finds it gone.

    Thread-safe, and never waits for the forker.
    """

    def __init__(self, python: str, kfp_folder: str, folder: Path) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Forked] = {}
        self._number = 0
        self._rest = b""
        room = f"{folder}/".ljust(_LONGEST_PATH, ".")
        script = Path(__file__).with_name("forker.py")
        limits = [str(processes.LOG_LIMIT), str(processes.STOP_GRACE)]
        with (folder / "forker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [python, str(script), kfp_folder, *limits],
                cwd=folder,
                env={**processes.task_environment(python), processes.MARKER: room},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests = self._process.stdin.fileno()
        self.ear = self._process.stdout.fileno()
        os.set_blocking(self._requests, False)
        os.set_blocking(self.ear, False)
        self.alive = True

    def start(self, directory: Path, function: str, variables: dict[str, str]) -> Forked | None:
        """Asks for the shim of a prepared attempt; null where it must be started another way."""
        with self._lock:
            request = [self._number, str(directory), function, variables]
            data = json.dumps(request).encode() + b"\n"
            if not self.alive or len(data) > _LONGEST_REQUEST:
                return None
            try:
                os.write(self._requests, data)
            except OSError:  # it is gone, or has too much to do
                return None
            forked = self._open[self._number] = Forked()
            self._number += 1
            return forked

    def hear(self) -> None:
        """Takes in which shims have ended, and whether the forker itself has."""
        with self._lock:
            while self.alive:
                try:
                    data = os.read(self.ear, 1 << 16)
                except BlockingIOError:
                    return
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    number, status = map(int, line.split())
                    self._open.pop(number).status = status
                if not data:
                    self._part()

    def close(self) -> None:
        """Lets the forker go, and waits a moment for it."""
        with self._lock:
            if self.alive:
                self._part()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)

    def _part(self) -> None:
        self.alive = False
        for forked in self._open.values():
            forked.status = -1
        self._open.clear()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Forkers:
    """The forkers of one run: one for each interpreter, and for each environment over it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._forkers: dict[str, Forker | None] = {}

    def start(
        self, python: str, kfp_folder: str, directory: Path, invocation: Invocation
    ) -> Forked | None:
        """Asks for the shim of a prepared attempt; null where it must be started another way."""
        with self._lock:
            if python not in self._forkers:
                self._forkers[python] = None
                with contextlib.suppress(OSError):
                    self._forkers[python] = Forker(python, kfp_folder, self._folder)
            forker = self._forkers[python]
        if forker is None:
            return None
        return forker.start(directory, invocation.function, invocation.env)

    @property
    def ears(self) -> list[int]:
        """Descriptors that can be read once there is something to hear."""
        return [one.ear for one in self._started() if one.alive]

    def hear(self) -> None:
        """Takes in what all of them have to say."""
        for forker in self._started():
            forker.hear()

    def close(self) -> None:
        """Lets all of them go."""
        for forker in self._started():
            forker.close()

    def _started(self) -> list[Forker]:
        with self._lock:
            return [one for one in self._forkers.values() if one is not None]
