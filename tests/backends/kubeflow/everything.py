"""A pipeline with every kind of task that the SDK can make, compiled once.

Annotations are evaluated here, as the SDK reads them: no `from __future__ import annotations`.
"""

import functools
import tempfile
import warnings
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from jupyterlab_pipelines.pipeline_text import read_pipeline


@dsl.component(base_image="python:3.12")
def split(parts: int, table: dsl.Input[dsl.Dataset], rest: dsl.Output[dsl.Dataset]) -> list:
    """A list, and an artifact."""
    return list(range(parts))


@dsl.component(base_image="python:3.12")
def train(part: int, rest: dsl.Input[dsl.Dataset], model: dsl.Output[dsl.Model]) -> float:
    """A model for a part."""
    return float(part)


@dsl.component(base_image="python:3.12")
def judge(model: dsl.Input[dsl.Model], notes: dsl.Output[dsl.Metrics]) -> str:
    """A verdict."""
    return "good"


@dsl.component(base_image="python:3.12")
def merge(scores: list, models: dsl.Input[list[dsl.Model]]) -> int:
    """What the loop made."""
    return len(scores)


@dsl.component(base_image="python:3.12")
def tell(text: str) -> None:
    """Says it."""


@dsl.pipeline
def inner(part: int, rest: dsl.Input[dsl.Dataset]) -> str:
    """A DAG in a DAG."""
    trained = train(part=part, rest=rest)
    return judge(model=trained.outputs["model"]).outputs["Output"]


@dsl.pipeline(name="everything")
def everything(path: str = "minio://mlpipeline/table.csv", parts: int = 2) -> None:
    """An exit handler around an importer, loops in a loop, conditions and nested pipelines."""
    farewell: Any = tell(text="over")
    with dsl.ExitHandler(farewell):
        table: Any = dsl.importer(artifact_uri=path, artifact_class=dsl.Dataset)
        cut = split(parts=parts, table=table.output)
        with dsl.ParallelFor(cut.outputs["Output"]) as part:
            trained = train(part=part, rest=cut.outputs["rest"]).set_retry(2)
            with dsl.ParallelFor(["a", "b"]) as text:
                tell(text=text)
            with dsl.If(part == 1):
                judge(model=trained.outputs["model"])
        merge(
            scores=dsl.Collected(trained.outputs["Output"]),
            models=dsl.Collected(trained.outputs["model"]),
        )
        verdict = inner(part=1, rest=cut.outputs["rest"])
        with dsl.If(verdict.output == "good"):
            tell(text="yes")
        with dsl.Else():
            tell(text="no")


@functools.cache
def compiled() -> dict[str, Any]:
    """The pipeline as IR."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "everything.yaml"
        compiler.Compiler().compile(everything, str(path))
        return read_pipeline(path.read_text())
