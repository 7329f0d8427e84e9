"""Runs a lightweight component inside a task's process, on whatever Python the run was given.

Started by path, it imports nothing of this package. It works from Python 3.9 on, as kfp does, and
says so on an older one:

    runner.py KFP_FOLDER DIRECTORY FUNCTION

It does what ``python -m kfp.dsl.executor_main`` does on `DIRECTORY/ephemeral_component.py`, with
the executor input from a file, since a command line cannot hold a big one. Where the interpreter
has no kfp (or one too old), kfp comes from KFP_FOLDER, which holds nothing else.
"""

# ruff: noqa: UP031, UP036
from __future__ import annotations

import gc
import os
import sys
from types import ModuleType


def find_executor(kfp_folder: str) -> ModuleType:
    """kfp's executor module: the interpreter's own, else the one in `kfp_folder`."""
    try:
        from kfp.dsl import executor_main
    except ImportError:
        for name in [one for one in sys.modules if one == "kfp" or one.startswith("kfp.")]:
            del sys.modules[name]
        sys.path.append(kfp_folder)
        try:
            from kfp.dsl import executor_main
        except ImportError:  # an old kfp of the interpreter's hides it
            for name in [one for one in sys.modules if one == "kfp" or one.startswith("kfp.")]:
                del sys.modules[name]
            sys.path.remove(kfp_folder)
            sys.path.insert(1, kfp_folder)
            from kfp.dsl import executor_main
    return executor_main  # type: ignore[no-any-return]


def main(kfp_folder: str, directory: str, function: str) -> None:
    """Runs the component; its exceptions go through, so that the log ends with them."""
    if sys.version_info < (3, 9):
        raise RuntimeError("A step needs Python 3.9 or later, not %d.%d." % sys.version_info[:2])
    os.environ["_KFP_RUNTIME"] = "true"
    sys.path[0] = os.getcwd()  # noqa: PTH109 - as with `python -m`; until here it was this file's folder
    with open(os.path.join(directory, "executor_input.json"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
        executor_input = file.read()
    gc.disable()
    executor_main = find_executor(kfp_folder)
    gc.freeze()  # collections would look for rubbish in kfp, time and again, and find none
    gc.enable()
    sys.argv = [
        str(executor_main.__file__),
        "--component_module_path",
        os.path.join(directory, "ephemeral_component.py"),  # noqa: PTH118
        "--function_to_execute",
        function,
        "--executor_input",
        executor_input,
    ]
    executor_main.executor_main()


if __name__ == "__main__":
    main(*sys.argv[1:])
