"""Forks the shims of attempts off one small process, so that none has to start a Python for itself.

Started by path with ``python -I -S``; `preloaded.py` has one for tasks in Python:

    forker.py LOG_LIMIT GRACE

Each line that it reads is a task as JSON, `[NUMBER, DIRECTORY, WORK, VARIABLES]`, whose WORK is a
command here. It forks a shim for it, which forks the task; it writes `NUMBER STATUS` when the shim
has ended. It goes when its input ends, while shims and tasks stay. Linux only; it runs on Python
3.9 and later. Whatever stands against forking makes it end at once, and `forking.py` has the tasks
started another way.
"""

# What is imported here is there before a task asks for it: no more than needed.
# ruff: noqa: PTH118, PTH120, PTH123, PTH208, SIM105

from __future__ import annotations

import fcntl  # noqa: F401 - the shim's
import json
import os
import select
import signal
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from . import shim
else:
    sys.path.append(os.path.dirname(__file__))
    import shim

    sys.path.pop()

MARKER = "JUPYTERLAB_PIPELINES_ATTEMPT"


class Marker:
    """This process's marker as others read it: in the memory that /proc shows as its environment.

    A forked process has its parent's, and would not be found by its own attempt's.
    """

    def __init__(self) -> None:
        with open("/proc/self/environ", "rb") as file:
            block = b"\0" + file.read()
        with open("/proc/self/stat") as file:
            start = int(file.read().rpartition(")")[2].split()[47])
        name = MARKER.encode() + b"="
        self._address = start + block.index(b"\0" + name) + len(name)
        self._room = len(os.environb[MARKER.encode()])
        self.write(os.environ[MARKER])

    def write(self, text: str) -> None:
        """Shows another text. Raises OSError or ValueError where that cannot be."""
        data = os.fsencode(text)
        if len(data) > self._room:
            raise ValueError("The marker is too long.")
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(self._address)
            memory.write(data.ljust(self._room, b"\0"))


class Forker:
    """The process that is forked: it runs no task itself, and has one thread."""

    def __init__(self, log_limit: int, grace: float) -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.log_limit = log_limit
        self.grace = grace
        self.marker = Marker()
        self.shims: dict[int, int] = {}  # numbers by pid

    def serve(self) -> tuple[str, Any]:
        """Forks what is asked for. It returns in a task's process only: directory and work."""
        wake_end, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # its byte in the pipe is what counts
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        rest = b""
        while True:
            ready, _, _ = select.select([0, wake_end], [], [])
            if wake_end in ready:
                os.read(wake_end, 4096)
                self._reap()
            if 0 in ready:
                data = os.read(0, 1 << 16)
                if not data:
                    os._exit(0)
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    number, directory, work, variables = json.loads(line)
                    pid = os.fork()
                    if pid == 0:
                        self._become_shim(directory, variables)
                        return directory, work
                    self.shims[pid] = number

    def _reap(self) -> None:
        while self.shims:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            os.write(1, b"%d %d\n" % (self.shims.pop(pid), status))

    def _become_shim(self, directory: str, variables: dict[str, str]) -> None:
        """Sees to one attempt. It returns in the task's process only."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(2, 1)
            close_all_but_standard()
            os.chdir(os.path.join(directory, "work"))
            os.environ.update(variables)
            os.environ[MARKER] = directory
            self.marker.write(directory)
            status = shim.attend(directory, self.log_limit, self.grace)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        if status is not None:
            os._exit(status)
        close_all_but_standard()  # among them the attempt's lock, which is the shim's alone


def close_all_but_standard() -> None:
    """Closes every descriptor that this process has from its parent, but the first three."""
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2:
            try:
                os.close(number)
            except OSError:
                pass  # the one that listed them


if __name__ == "__main__":
    _, command = Forker(int(sys.argv[1]), float(sys.argv[2])).serve()
    shim.turn_into(command)
