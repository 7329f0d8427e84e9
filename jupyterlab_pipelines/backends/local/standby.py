"""Forks supervisors off one process that has loaded the engine: a run begins at once.

    python -m jupyterlab_pipelines.backends.local.standby ROOT ROOM SOCKET

`supervision.Standby` starts it for the engine below ROOT. Each message on SOCKET, an open
descriptor, is a run as JSON, `[RUN_ID, VARIABLES]`, and brings the run's lock and its log as
descriptors. It goes when the other end is closed, while supervisors stay. ROOM is only there for a
supervisor to show in `ps` what it works on. Linux only.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import traceback
from pathlib import Path

from . import supervisor
from .layout import Layout

#: Bytes of a message.
_LONGEST = 1 << 20


def serve(connection: socket.socket) -> tuple[str, int]:
    """Forks what is asked for. It returns in a supervisor's process only: run and lock."""
    wake_end, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # its byte in the pipe is what counts
    while True:
        ready, _, _ = select.select([connection.fileno(), wake_end], [], [])
        if wake_end in ready:
            os.read(wake_end, 4096)
            _reap()
        if connection.fileno() in ready:
            data, descriptors, _, _ = socket.recv_fds(connection, _LONGEST, 2)
            if not data:
                sys.exit()
            run_id, variables = json.loads(data)
            lock, log = descriptors
            if _fork(log):
                for descriptor in (connection.detach(), wake_end, waker):
                    os.close(descriptor)
                _begin(variables, log)
                return run_id, lock
            os.close(lock)
            os.close(log)


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG) != (0, 0):
            pass


def _fork(log: int) -> bool:
    """True in the new process. Where there is none, the run's log says why."""
    try:
        return os.fork() == 0
    except OSError:
        os.write(log, traceback.format_exc().encode())
        return False


def _begin(variables: dict[str, str], log: int) -> None:
    """Makes this process like one that was started for its run."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    os.close(log)
    os.environ.clear()
    os.environ.update(variables)


def _show(words: list[str]) -> None:
    """Shows this command line, in the memory that others read this process's from."""
    status = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(status[45]), int(status[46])
    data = b"\0".join(os.fsencode(word) for word in words)
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(data[: end - start - 1].ljust(end - start, b"\0"))


def main(root: str, socket_: str) -> None:
    """Runs the command line above; in the end, as a supervisor, the run."""
    gc.collect()
    gc.freeze()  # a collection in a supervisor must not copy what all of them share
    run_id, lock = serve(socket.socket(fileno=int(socket_)))
    os.chdir(Layout(Path(root)).run(run_id))
    with contextlib.suppress(OSError):
        _show([sys.executable, "-m", supervisor.__name__, root, run_id])
    sys.exit(supervisor.main([root, run_id, str(lock)]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[3])
