"""Runs a pipeline of the suite with kfp.local and prints what its tasks gave, as JSON.

    python -m tests.conformance.kfp_local MODULE.PIPELINE

A process of its own, since kfp.local takes over logging, printing and the process's settings.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any


def main(pipeline: str) -> list[dict[str, Any]]:
    """The parameters that each task of a run put out, in no particular order."""
    from kfp import local

    module, _, name = pipeline.rpartition(".")
    root = Path(tempfile.mkdtemp())
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(root),
        workspace_root=str(root / "workspace"),
        raise_on_error=False,
    )
    function = getattr(importlib.import_module(f"tests.conformance.pipelines.{module}"), name)
    function()
    outputs = [json.loads(path.read_text()) for path in root.rglob("executor_output.json")]
    return [one.get("parameterValues", {}) for one in outputs]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    answer = os.fdopen(os.dup(1), "w")
    with contextlib.redirect_stdout(sys.stderr):
        outputs = main(sys.argv[1])
    json.dump(outputs, answer)
