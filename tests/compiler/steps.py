"""Runs cells as one step the way a pod does: the component's text under kfp's executor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.compiler import compile_step, plan_step
from jupyterlab_pipelines.models import StepRequest
from tests.compiler.notebooks import request


@dataclass
class Ran:
    """What a step left."""

    code: int
    log: str
    folder: Path

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The executed notebook's cells."""
        notebook = json.loads((self.folder / "notebook").read_text(encoding="utf-8"))
        cells: list[dict[str, Any]] = notebook["cells"]
        return cells

    @property
    def report(self) -> str:
        return (self.folder / "report").read_text(encoding="utf-8")

    def text(self, number: int, name: str = "stdout") -> str:
        """What a cell, numbered from 1, wrote to a stream."""
        outputs = self.cells[number - 1]["outputs"]
        return "".join(one["text"] for one in outputs if one.get("name") == name)

    def data(self, number: int) -> list[dict[str, Any]]:
        """The bundles that a cell, numbered from 1, displayed."""
        return [one["data"] for one in self.cells[number - 1]["outputs"] if "data" in one]


def start(folder: Path, asked: StepRequest) -> subprocess.Popen[bytes]:
    """Starts a step whose log and outputs go into `folder`."""
    plan = plan_step(asked)
    assert plan.problems == []
    submission = compile_step(asked, plan)
    pipeline: Any = submission.pipeline
    (executor,) = [
        one["container"]
        for one in pipeline["deploymentSpec"]["executors"].values()
        if "container" in one
    ]
    module = folder / "ephemeral_component.py"
    module.write_text(executor["command"][-1], encoding="utf-8")
    step = pipeline["root"]["dag"]["tasks"][plan.name]
    ports = step.get("inputs", {}).get("parameters", {})
    values = {
        port: submission.parameters[one["componentInputParameter"]] for port, one in ports.items()
    }
    snapshots = {
        port: one["taskOutputArtifact"]["producerTask"]
        for port, one in step.get("inputs", {}).get("artifacts", {}).items()
    }
    imported = {
        name: pipeline["deploymentSpec"]["executors"][f"exec-{name}"]["importer"]["artifactUri"]
        for name in snapshots.values()
    }
    found = {port: _artifact(port, imported[name]["constant"]) for port, name in snapshots.items()}
    outputs = {name: _artifact(name, str(folder / name)) for name in ("notebook", "report")}
    executor_input = {
        "inputs": {"parameterValues": values, "artifacts": found},
        "outputs": {"outputFile": str(folder / "executor_output.json"), "artifacts": outputs},
    }
    command = [asked.interpreter or sys.executable, "-m", "kfp.dsl.executor_main"]
    command += ["--component_module_path", str(module)]
    command += ["--executor_input", json.dumps(executor_input)]
    command += ["--function_to_execute", executor["args"][-1]]
    environment = {name: text for name, text in os.environ.items() if name != "MPLBACKEND"}
    with (folder / "log.txt").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "_KFP_RUNTIME": "true"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _artifact(name: str, uri: str) -> dict[str, Any]:
    kind = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}
    return {"artifacts": [{"name": name, "uri": uri, "type": kind, "metadata": {}}]}


def run_request(folder: Path, asked: StepRequest) -> Ran:
    """Runs a step to its end."""
    folder.mkdir(exist_ok=True)
    process = start(folder, asked)
    try:
        code = process.wait(timeout=120)
    finally:
        process.kill()
    return Ran(code, (folder / "log.txt").read_text(encoding="utf-8"), folder)


def run_cells(folder: Path, cells: Sequence[str], **more: Any) -> Ran:
    """Runs all of some cells as one step."""
    return run_request(folder, request(cells, range(1, len(cells) + 1), **more))
