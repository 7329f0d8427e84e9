"""The processes of attempts and supervisors: locks, what a shim left behind, start, stop, kill."""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from . import shim

#: Seconds between SIGTERM and SIGKILL; below 10, so that a stop is over within 10.
STOP_GRACE = 8.0
#: Bytes of an attempt's log.
LOG_LIMIT = 100 * 2**20
#: Carried by every process of an attempt, so that even one in a group of its own is found.
MARKER = "JUPYTERLAB_PIPELINES_ATTEMPT"

#: Imported, not run by path: that way Python keeps the shim compiled.
_SHIM = (
    "import sys; sys.path.append(sys.argv.pop(1)); import shim; sys.exit(shim.main(sys.argv[1:]))"
)
_SECRET_PREFIXES = ("JPY_", "JUPYTERHUB_")
_SECRETS = {"JUPYTER_TOKEN", "JUPYTER_PASSWORD", "CONFIGPROXY_AUTH_TOKEN", "KF_PIPELINES_TOKEN"}


@functools.cache
def boot_identity() -> str:
    """What names this boot of the machine and of the container; see `shim.boot_identity`."""
    return shim.boot_identity()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without the server's secrets, with `extra` over it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_SECRET_PREFIXES) and name not in _SECRETS and name != MARKER
    }
    return {**kept, **(extra or {})}


def task_variables(python: str) -> dict[str, str]:
    """What a task on this interpreter finds in its environment beyond `environment`."""
    path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
    return {"PATH": path, "PYTHONUNBUFFERED": "1"}


# --- locks -------------------------------------------------------------------------------------


def try_lock(path: Path) -> int | None:
    """An open descriptor that holds the lock of this file, or null where somebody else does.

    The lock lives as long as any process has the descriptor. Raises FileNotFoundError where the
    folder is gone.
    """
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return None
        raise
    return descriptor


@contextlib.contextmanager
def waited_lock(path: Path) -> Iterator[int]:
    """Holds the lock of this file, after whoever holds it now; gives the descriptor."""
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


# --- what a shim left behind -------------------------------------------------------------------


class Phase(Enum):
    """How far an attempt has come, as its files and its lock tell."""

    UNCLAIMED = "no shim has claimed it"
    UNSTARTED = "its shim died before the command could run"
    RUNNING = "its shim is alive"
    ENDED = "the outcome is known"
    UNKNOWN = "its shim died with the command running"


@dataclass(frozen=True)
class Exit:
    """How a command ended: by an exit code or by a signal."""

    code: int | None
    signal: int | None
    stopped: bool
    out_of_memory: bool
    at: int  # microseconds UTC


@dataclass(frozen=True)
class Sighting:
    """What a look at an attempt found. `start` is start.json, `exit` exit.json."""

    phase: Phase
    start: dict[str, Any] | None = None
    exit: Exit | None = None


def look(directory: Path) -> Sighting:
    """Where an attempt stands; safe while its shim works."""
    try:
        lock = try_lock(directory / "lock")
    except FileNotFoundError:
        return Sighting(Phase.UNCLAIMED)
    if lock is None:
        return Sighting(Phase.RUNNING, _read(directory / "start.json"))
    try:  # only now: a shim writes the exit before it lets the lock go
        return _settled(directory)
    finally:
        os.close(lock)


def _settled(directory: Path) -> Sighting:
    start = _read(directory / "start.json")
    end = _read(directory / "exit.json")
    if end is not None:
        return Sighting(Phase.ENDED, start, Exit(**end))
    if start is not None:
        return Sighting(Phase.UNKNOWN, start)
    claimed = (directory / "claim").exists()
    return Sighting(Phase.UNSTARTED if claimed else Phase.UNCLAIMED)


def start_of(directory: Path) -> dict[str, Any] | None:
    """An attempt's start.json; null until its shim has written it."""
    return _read(directory / "start.json")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def withdraw_claim(directory: Path) -> None:
    """Makes an UNSTARTED attempt claimable again; no command of it has ever run."""
    lock = try_lock(directory / "lock")
    if lock is None:
        return
    try:
        if _settled(directory).phase is Phase.UNSTARTED:
            (directory / "claim").unlink()
    finally:
        os.close(lock)


def forbid(directory: Path) -> bool:
    """Claims an attempt so that no late shim can start it; false where one has it already."""
    directory.mkdir(parents=True, exist_ok=True)
    try:
        (directory / "claim").touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    return True


# --- start -------------------------------------------------------------------------------------


def launch(
    directory: Path, command: Sequence[str], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Starts the shim of an attempt, whose intent is committed. The command runs in `work`.

    What the shim itself has to say goes where this process's errors go. Raises OSError where it
    cannot start.
    """
    work = directory / "work"
    work.mkdir(parents=True, exist_ok=True)
    folder = str(Path(shim.__file__).parent)
    python = [sys.executable, "-I", "-S", "-c", _SHIM, folder]
    return subprocess.Popen(
        [*python, str(directory), str(LOG_LIMIT), str(STOP_GRACE), *command],
        cwd=work,
        env={**environment(variables), MARKER: str(directory)},
        stdin=subprocess.DEVNULL,
        stdout=2,
        stderr=2,
    )


# --- stop --------------------------------------------------------------------------------------


def same_boot(start: Mapping[str, Any]) -> bool:
    """Whether processes of that start.json can still exist."""
    return bool(start.get("boot") == boot_identity())


def ask_to_stop(start: Mapping[str, Any]) -> None:
    """Tells a living shim to stop its command; it sees to the rest. May be repeated."""
    pid = int(start["pid"])
    if same_boot(start) and shim.process_start(pid) == start["start"]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def kill_all(directory: Path, start: Mapping[str, Any] | None, *, timeout: float = 2.0) -> bool:
    """SIGKILLs every process of an attempt; true once none is left.

    It finds them by the groups of the shim and of the command, and by the marker in their
    environment. A pid counts only if the shim's machine, boot and times agree.
    """
    deadline = time.monotonic() + timeout
    while survivors := _survivors(directory, start):
        for pid in survivors:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _survivors(directory: Path, start: Mapping[str, Any] | None) -> list[int]:
    import psutil

    groups = set()
    if start is not None and same_boot(start):
        for leader, began in (("pid", "start"), ("group", "group_start")):
            if shim.process_start(int(start[leader])) in ("", start[began]):
                groups.add(int(start[leader]))
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
            pid = process.pid
            if pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if os.getpgid(pid) in groups or process.environ().get(MARKER) == str(directory):
                found.append(pid)
    return found
