"""Forks tasks off one process that has loaded kfp already, so that none has to load it again.

Started by path on the tasks' interpreter:

    forker.py KFP_FOLDER LOG_LIMIT GRACE

Each line that it reads is a task as JSON, `[NUMBER, DIRECTORY, FUNCTION, VARIABLES]`. It forks a
shim for it, which forks the task; it writes `NUMBER STATUS` when the shim has ended. It goes when
its input ends, while shims and tasks stay. Linux only; it runs on Python 3.9 and later. Whatever
stands against forking makes it end at once, and `forking.py` has the tasks started another way.
"""

# What is imported here is there before a task asks for it: no more than needed.
# ruff: noqa: PTH118, PTH123, PTH208, SIM105

from __future__ import annotations

import argparse
import atexit
import ctypes
import fcntl  # noqa: F401 - the shim's
import gc
import importlib
import io
import json
import os
import select
import signal
import sys
import threading
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from . import runner, shim
else:
    import runner
    import shim

    # No task may import what lies beside this file.
    del sys.path[0], sys.modules["runner"], sys.modules["shim"]

MARKER = "JUPYTERLAB_PIPELINES_ATTEMPT"
#: Whose own `exit` writes what C code has buffered; no other thread runs meanwhile.
C_LIBRARY = ctypes.PyDLL(None)


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
        self.log_limit = log_limit
        self.grace = grace
        self.marker = Marker()
        self.shims: dict[int, int] = {}  # numbers by pid

    def serve(self) -> tuple[str, str]:
        """Forks what is asked for. It returns in a task's process only: directory and function."""
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
                    number, directory, function, variables = json.loads(line)
                    pid = os.fork()
                    if pid == 0:
                        self._become_shim(directory, variables)
                        return directory, function
                    self.shims[pid] = number

    def _reap(self) -> None:
        while self.shims:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            os.write(1, b"%d %d\n" % (self.shims.pop(pid), status))

    def _become_shim(self, directory: str, variables: dict[str, str]) -> None:
        """Sees to one attempt. It returns in the task's process only, made like a fresh one."""
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
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_IGN)  # as Python itself begins
        importlib.invalidate_caches()
        vars(runner).update(__name__="__main__", __spec__=None)
        sys.modules["__main__"] = runner  # which multiprocessing imports again where it spawns


def close_all_but_standard() -> None:
    """Closes every descriptor that this process has from its parent, but the first three."""
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2:
            try:
                os.close(number)
            except OSError:
                pass  # the one that listed them


def main(kfp_folder: str, log_limit: str, grace: str) -> tuple[str, str]:
    """Loads what tasks need, then serves; see `Forker.serve`."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.environ["_KFP_RUNTIME"] = "true"
    runner.find_executor(kfp_folder)
    argparse.ArgumentParser().parse_known_args([])  # loads what only its first use loads
    sys.path.insert(0, "")  # for the runner to replace, as in a process of its own
    forker = Forker(int(log_limit), float(grace))
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("Something that Python loads here has started a thread.")
    gc.collect()
    gc.freeze()  # a collection in a task must not copy what all of them share
    return forker.serve()


def leave() -> NoReturn:
    """Ends a task that went well as Python ends, but takes only the task's own module apart.

    The others are shared with the forker: to take them apart is to copy them first, which costs
    more than all else that a small task does.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    module = sys.modules.pop("ephemeral_component", None)
    if module is not None:
        names = vars(module)
        names.update(dict.fromkeys(names.keys() - {"__builtins__"}))
        del module, names
    gc.collect()
    for file in [one for one in gc.get_objects() if isinstance(one, io.IOBase)]:
        flushed(file)
    C_LIBRARY.exit(0 if flushed(sys.stdout) and flushed(sys.stderr) else 120)  # Python's own
    raise AssertionError("unreachable")


def flushed(file: Any) -> bool:
    """Writes what a file has buffered; false where that is lost."""
    try:
        if file is not None and not file.closed:
            file.flush()
    except (AttributeError, OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    attempt, task = main(*sys.argv[1:])
    runner.main(sys.argv[1], attempt, task)
    leave()
