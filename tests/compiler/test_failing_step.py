"""A failing cell as the user meets it: in the log, in the executed notebook, in the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.local.logs import exception_in
from jupyterlab_pipelines.compiler import compile_step, plan_step
from jupyterlab_pipelines.models import CellSelection, NotebookCell, StepRequest


def run(folder: Path, *cells: str) -> int:
    """Runs cells as one step, as a backend does, with the log in `folder`; the exit code."""
    request = StepRequest(
        selection=CellSelection(
            cells=[NotebookCell(id=str(n), source=text) for n, text in enumerate(cells)],
            selected=[str(n) for n in range(len(cells))],
        )
    )
    pipeline = compile_step(request, plan_step(request)).pipeline
    (executor,) = pipeline["deploymentSpec"]["executors"].values()
    (folder / "ephemeral_component.py").write_text(
        executor["container"]["command"][-1], encoding="utf-8"
    )
    artifacts = {
        name: {"artifacts": [{"name": name, "uri": str(folder / name), "metadata": {}}]}
        for name in ("notebook", "report")
    }
    outputs = {"outputFile": str(folder / "executor_output.json"), "artifacts": artifacts}
    command = [sys.executable, "-m", "kfp.dsl.executor_main"]
    command += ["--component_module_path", str(folder / "ephemeral_component.py")]
    command += ["--executor_input", json.dumps({"inputs": {}, "outputs": outputs})]
    command += ["--function_to_execute", executor["container"]["args"][-1]]
    with (folder / "log.txt").open("wb") as log:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "_KFP_RUNTIME": "true"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=120,
            check=False,
        )
    return done.returncode


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')", "ValueError: two\nlines"),
        ("eval('a ==')", "SyntaxError: invalid syntax (<string>, line 1)"),
        ("try:\n    {}['k']\nexcept KeyError:\n    1 / 0", "ZeroDivisionError: division by zero"),
        ("class OwnError(Exception): pass\nraise OwnError()", "OwnError"),
    ],
)
def test_the_log_ends_with_the_cells_exception(tmp_path: Path, cell: str, reason: str) -> None:
    assert run(tmp_path, "print('before')", cell, "print('never')") == 1
    log = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert exception_in(tmp_path / "log.txt").startswith(reason.split(" (")[0])
    assert "executor_main" not in log.split("before")[1]
    notebook = json.loads((tmp_path / "notebook").read_text(encoding="utf-8"))
    first, failed, last = (cell["outputs"] for cell in notebook["cells"])
    assert first[0]["text"] == "before\n"
    assert failed[0]["ename"] == reason.split(":")[0]
    assert last == []
    assert reason.split(":")[0] in (tmp_path / "report").read_text(encoding="utf-8")


def test_leaving_early_is_no_failure(tmp_path: Path) -> None:
    assert run(tmp_path, "print('done')\nimport sys\nsys.exit()", "print('never')") == 0
    assert run(tmp_path, "import sys\nsys.exit(3)") == 1


def test_cells_find_their_own_surroundings(tmp_path: Path) -> None:
    """Neither the executor's arguments nor its logging reach the cells."""
    cell = "import logging, sys\nlogging.warning('careful')\nprint(sys.argv[1:], __name__)"
    assert run(tmp_path, cell) == 0
    notebook = json.loads((tmp_path / "notebook").read_text(encoding="utf-8"))
    texts = {one["name"]: one["text"] for one in notebook["cells"][0]["outputs"]}
    assert texts == {"stderr": "WARNING:root:careful\n", "stdout": "[] __main__\n"}
