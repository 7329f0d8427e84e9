"""Has shims and tasks forked off a process that is there already: `forker.py`, `preloaded.py`."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from . import processes
from .records import Invocation

#: Whether anything is: on macOS many libraries do not survive a fork.
CAN_FORK = sys.platform == "linux"
#: What an interpreter, or the C library below it, reads only when it starts.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "HOME", "TZ")
#: Bytes that a path, and so a marker, may have.
_LONGEST_PATH = 4096
#: What a pipe takes whole or not at all.
_LONGEST_REQUEST = 4096


def suits(invocation: Invocation) -> bool:
    """Whether a fork of a Python that runs already does the same as a process of its own."""
    return (
        bool(invocation.source)
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

    def __init__(self, command: list[str], variables: Mapping[str, str], folder: Path) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Forked] = {}
        self._number = 0
        self._rest = b""
        room = f"{folder}/".ljust(_LONGEST_PATH, ".")
        limits = [str(processes.LOG_LIMIT), str(processes.STOP_GRACE)]
        with (folder / "forker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *limits],
                cwd=folder,
                env={**processes.environment(variables), processes.MARKER: room},
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

    def start(
        self, directory: Path, work: str | list[str], variables: Mapping[str, str]
    ) -> Forked | None:
        """Asks for the shim of a prepared attempt; null where it must be started another way."""
        with self._lock:
            request = [self._number, str(directory), work, dict(variables)]
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
    """The forkers of one run: one for commands, and one for each interpreter that Python tasks use.

    An environment over an interpreter counts as another.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._forkers: dict[str, Forker | None] = {}

    def run(
        self, directory: Path, command: list[str], variables: Mapping[str, str]
    ) -> Forked | None:
        """Asks for the shim of a prepared attempt; null where it must be started another way."""
        forker = self._forker("", [sys.executable, "-I", "-S", _beside("forker.py")], {})
        return None if forker is None else forker.start(directory, command, variables)

    def call(
        self, python: str, kfp_folder: str, directory: Path, invocation: Invocation
    ) -> Forked | None:
        """The same for a component's function, on a Python that has loaded kfp already."""
        command = [python, _beside("preloaded.py"), kfp_folder]
        forker = self._forker(python, command, processes.task_variables(python))
        if forker is None:
            return None
        return forker.start(directory, invocation.function, invocation.env)

    def _forker(self, key: str, command: list[str], variables: Mapping[str, str]) -> Forker | None:
        with self._lock:
            if key not in self._forkers:
                self._forkers[key] = None
                with contextlib.suppress(OSError):
                    self._forkers[key] = Forker(command, variables, self._folder)
            return self._forkers[key]

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


def _beside(name: str) -> str:
    return str(Path(__file__).with_name(name))
