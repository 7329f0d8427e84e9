"""Forks tasks off one process that has loaded kfp already, so that none has to load it again.

Started by path on the tasks' interpreter:

    preloaded.py KFP_FOLDER LOG_LIMIT GRACE

It is a `forker.Forker` whose tasks' WORK is the name of the function that `runner.py` runs.
"""

# What is imported here is there before a task asks for it: no more than needed.
# ruff: noqa: PTH208

from __future__ import annotations

import argparse
import atexit
import ctypes
import gc
import importlib
import io
import os
import signal
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from . import forker, runner
else:
    import forker
    import runner

    # No task may import what lies beside this file.
    del sys.path[0], sys.modules["runner"], sys.modules["forker"], sys.modules["shim"]

#: Whose own `exit` writes what C code has buffered; no other thread runs meanwhile.
C_LIBRARY = ctypes.PyDLL(None)


def load(kfp_folder: str) -> None:
    """Loads what tasks need."""
    os.environ["_KFP_RUNTIME"] = "true"
    runner.find_executor(kfp_folder)
    argparse.ArgumentParser().parse_known_args([])  # loads what only its first use loads
    sys.path.insert(0, "")  # for the runner to replace, as in a process of its own
    if len(os.listdir("/proc/self/task")) > 1:
        sys.exit("Something that Python loads here has started a thread.")
    gc.collect()
    gc.freeze()  # a collection in a task must not copy what all of them share


def begin() -> None:
    """Makes a task's process like one in which Python has just begun to run `runner.py`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    importlib.invalidate_caches()
    vars(runner).update(__name__="__main__", __spec__=None)
    sys.modules["__main__"] = runner  # which multiprocessing imports again where it spawns


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
    folder, log_limit, grace = sys.argv[1:]
    load(folder)
    attempt, function = forker.Forker(int(log_limit), float(grace)).serve()
    begin()
    runner.main(folder, attempt, function)
    leave()
