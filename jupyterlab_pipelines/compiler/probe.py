"""What to ask a notebook's kernel: the values of variables, its Python and its packages.

`probe_source` is Python for any kernel from 3.8 on. It needs only the standard library, leaves no
name behind, and prints one line of JSON between `<pipelines-probe>` and `</pipelines-probe>`:
``{"variables": [KernelVariable], "executable": str, "python_version": str, "cwd": str,
"distributions": {module: "name==version" or null}}``.

A variable whose value is whole JSON comes with its value. All others are pickled into one file in
`snapshot_dir`, a dict by name, so that what they share stays shared. What cannot be saved says why
in `error`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

#: Bytes of JSON up to which a value travels as a parameter.
MAX_JSON = 64 * 1024


def probe_source(
    names: Sequence[str], snapshot_dir: str | None, modules: Sequence[str] = ()
) -> str:
    """Python that asks the kernel for variables and for the packages of modules.

    Without `snapshot_dir` nothing is saved.
    """
    # One expression, whose arguments are texts: it binds no name, and no name can become code.
    asked = json.dumps([list(names), list(modules), snapshot_dir, MAX_JSON])
    builtins = "__import__('builtins')"
    scope = f"{{'NAMESPACE': {builtins}.globals(), 'ASKED': {asked!r}}}"
    return f"{builtins}.exec({_kernel_side()!r}, {scope})\n"


@cache
def _kernel_side() -> str:
    return Path(__file__).with_name("kernel_side.py").read_text(encoding="utf-8")
