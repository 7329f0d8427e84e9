"""Pipelines written with the kfp SDK, for tests of the engine.

Annotations are evaluated here, as the SDK reads them: no `from __future__ import annotations`.
"""
# ruff: noqa: PTH123, T201

from typing import Any

from kfp import dsl


@dsl.component(base_image="python:3.12")
def double(number: int, table: dsl.Output[dsl.Dataset], notes: dsl.Output[dsl.Metrics]) -> int:
    """Doubles, and writes it down."""
    print("doubling", number)
    with open(table.path, "w") as file:
        file.write(f"{number * 2}\n")
    table.metadata["rows"] = 1
    notes.log_metric("accuracy", 0.5)
    return number * 2


@dsl.component(base_image="python:3.12")
def read(table: dsl.Input[dsl.Dataset], number: int) -> str:
    """Reads it back."""
    with open(table.path) as file:
        return f"{file.read().strip()} {number!r}"


@dsl.component(base_image="python:3.12")
def count(words: list) -> int:
    """Counts."""
    return len(words)


@dsl.container_component
def shell() -> dsl.ContainerSpec:
    """Needs a container."""
    return dsl.ContainerSpec(image="alpine", command=["echo"])


@dsl.pipeline
def numbers(start: int = 4) -> None:
    """Two steps, an artifact and a parameter between them."""
    first = double(number=start)
    read(table=first.outputs["table"], number=first.outputs["Output"])


@dsl.pipeline
def imports(path: str) -> None:
    """An importer, and a step that reads what it brought."""
    brought: Any = dsl.importer(artifact_uri=path, artifact_class=dsl.Dataset)
    read(table=brought.output, number=1)


@dsl.pipeline
def big(words: list) -> None:
    """One big parameter."""
    count(words=words)


@dsl.pipeline
def contained() -> None:
    """What this engine refuses."""
    shell()
