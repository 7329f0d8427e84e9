"""Runs Kubeflow's own compiled pipelines and says whether each ended as on a cluster.

    python -m tests.conformance.kubeflow PATH/test_data/sdk_compiled_pipelines [PART OF A NAME]

The files belong to kubeflow/pipelines and are not part of this project. Those that need a
container, Kubernetes or a cloud must be refused, for the reason that is listed; every other one is
run. Tasks install packages, so this takes minutes and needs a package index.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.errors import InvalidPipeline, UnsupportedFeature
from jupyterlab_pipelines.models import Run, State
from tests.backends.local.conftest import kill
from tests.conformance.kubeflow_expectations import ENDS, INPUTS, REFUSED, SECRETS

_AT_ONCE = 3
_ANYTHING = {
    "NUMBER_INTEGER": 1,
    "NUMBER_DOUBLE": 0.5,
    "BOOLEAN": True,
    "LIST": ["a", "b"],
    "STRUCT": {"A": 1, "B": 2},
}
#: The fewest files of the whole folder that are run; else it is not the folder that is meant.
_FEWEST = 94
_PATIENCE = 1500.0  # seconds for one run, its packages included
_REFUSED = "refused"
_NEVER = r"(?!)"  # matches no text


@dataclass
class Result:
    """How one file ended: its run's last state, or that there was none."""

    name: str
    end: str
    as_meant: bool
    reason: str = ""
    seconds: float = 0.0


def main(folder: Path, part: str) -> int:
    """Runs the files of `folder` whose names hold `part`; 0 where all ended as they are meant to.

    Without a `part`, too few files are a failure as well.
    """
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in (".yaml", ".json") and part in str(path.relative_to(folder))
    )
    root = Path(tempfile.mkdtemp(prefix="kubeflow-"))
    os.environ["JUPYTER_CONFIG_DIR"] = str(root / "config")  # nothing of the user's own
    engine = Engine(root)
    engine.settings.change(lambda settings: settings.update(secrets=SECRETS))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        jobs = [pool.submit(_try, engine, path, str(path.relative_to(folder))) for path in files]
        results = []
        for job in jobs:
            results.append(job.result())
            _show(results[-1])
    engine.close()
    kill(root)
    ran = [one for one in results if one.end != _REFUSED]
    wrong = [one.name for one in results if not one.as_meant]
    print(f"\n{len(results)} files, {len(results) - len(ran)} refused, {len(ran)} run: ", end="")
    print(f"{len(wrong)} did not end as meant {wrong or ''}")
    print(f"logs and artifacts: {root}")
    missing = _missing(len(results), len(ran), part)
    if missing:
        print(missing)
    return int(bool(wrong or missing))


def _missing(found: int, ran: int, part: str) -> str:
    """Why these are too few files to say anything; empty where they are enough."""
    if not found:
        return "No file was found."
    return f"At least {_FEWEST} files were to be run." if not part and ran < _FEWEST else ""


def _show(result: Result) -> None:
    mark = "ok" if result.as_meant else "WRONG"
    print(f"{mark:8}{result.end:10}{result.seconds:6.1f} s  {result.name}  {result.reason}")
    sys.stdout.flush()


def _try(engine: Engine, path: Path, name: str) -> Result:
    documents = _documents(path)
    try:
        run_id = engine.create_run(
            display_name=path.stem,
            pipeline_spec=documents[0],
            platform_spec=documents[1] if len(documents) > 1 else None,
            runtime_config={"parameters": _given(path.stem, documents[0], engine.layout.root)},
            experiment_id="kubeflow",
        )
    except (InvalidPipeline, UnsupportedFeature) as refusal:
        text = refusal.problems[0].message if refusal.problems else str(refusal)
        meant = re.search(REFUSED.get(path.stem, _NEVER), text) is not None
        return Result(name, _REFUSED, meant, text)
    began = time.monotonic()
    if path.stem in REFUSED:
        engine.terminate(run_id)
        run = _wait(engine, run_id)
        reason = f"It was not refused: {REFUSED[path.stem]}"
        return Result(name, run.state.value, False, reason, time.monotonic() - began)
    run = _wait(engine, run_id)
    end = ENDS.get(path.stem)
    succeeded = run.state is State.SUCCEEDED
    as_meant = succeeded if end is None else succeeded and end.elsewhere
    if end is not None and run.state is State.FAILED:
        as_meant = re.search(end.cause, run.error or "") is not None
    reason = "; ".join(text for text in (end.why if end else "", run.error) if text)
    return Result(name, run.state.value, as_meant, reason, time.monotonic() - began)


def _documents(path: Path) -> list[Any]:
    try:
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
    except yaml.YAMLError:
        documents = []
    return documents or [{}]


def _given(stem: str, spec: dict[str, Any], root: Path) -> dict[str, Any]:
    """The parameters of a file: those of INPUTS, and something for others that it needs.

    `FOLDER` in a text stands for a folder that exists.
    """
    text = json.dumps(INPUTS.get(stem, {})).replace("FOLDER", str(root))
    given: dict[str, Any] = json.loads(text)
    wanted = spec.get("root", {}).get("inputDefinitions", {}).get("parameters", {})
    for name, entry in wanted.items():
        if "defaultValue" not in entry and not entry.get("isOptional"):
            given.setdefault(name, _ANYTHING.get(entry.get("parameterType"), "anything"))
    return given


def _wait(engine: Engine, run_id: str) -> Run:
    deadline = time.monotonic() + _PATIENCE
    while (run := engine.get_run(run_id)).finished_at is None:
        if time.monotonic() > deadline:
            engine.terminate(run_id)
            deadline += 60
        time.sleep(0.2)
    return run


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
