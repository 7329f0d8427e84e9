"""Compiles the suite's pipelines with the kfp SDK: python -m tests.conformance.compile FOLDER.

A process of its own, since kfp's compiler keeps process-wide state. Each pipeline becomes
FOLDER/<module>.<name>.json with its pipeline spec and its platform spec.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import yaml

PIPELINES = Path(__file__).parent / "pipelines"


def main(folder: Path) -> None:
    """Compiles every pipeline function of every module in `pipelines/`."""
    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    for found in pkgutil.iter_modules([str(PIPELINES)]):
        module = importlib.import_module(f"tests.conformance.pipelines.{found.name}")
        for name, function in _pipelines(module):
            text = json.dumps(_compiled(function))
            (folder / f"{found.name}.{name}.json").write_text(text, encoding="utf-8")


def _pipelines(module: Any) -> list[tuple[str, Any]]:
    from kfp.dsl.graph_component import GraphComponent

    return [(name, one) for name, one in vars(module).items() if isinstance(one, GraphComponent)]


def _compiled(function: Any) -> dict[str, Any]:
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(function, str(path))
        documents = list(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))
    platform = documents[1] if len(documents) > 1 else None
    return {"pipeline_spec": documents[0], "platform_spec": platform}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
