"""`%%component`: what a cell becomes, and what it refuses."""

from __future__ import annotations

import inspect

import pytest

from jupyterlab_pipelines.errors import InvalidCell
from jupyterlab_pipelines.kernel.component import component_from_cell

FUNCTION = '''\
def scale(data: Input[Dataset], factor: float, result: Output[Markdown]) -> int:
    """Scales."""
    with open(result.path, "w") as file:
        file.write(str(factor))
    return 1
'''


def spec(component: object) -> dict:
    from google.protobuf import json_format

    return json_format.MessageToDict(component.pipeline_spec)  # type: ignore[attr-defined]


def test_a_function_becomes_the_component_of_its_name() -> None:
    name, component = component_from_cell(FUNCTION, {}, packages=["numpy"])
    assert name == "scale"
    definition = spec(component)["components"]["comp-scale"]
    assert definition["inputDefinitions"]["artifacts"]["data"]["artifactType"]["schemaTitle"] == (
        "system.Dataset"
    )
    assert definition["outputDefinitions"]["parameters"]["Output"]["parameterType"] == (
        "NUMBER_INTEGER"
    )
    container = spec(component)["deploymentSpec"]["executors"]["exec-scale"]["container"]
    assert "'numpy'" in " ".join(container["command"])
    assert "def scale(" in " ".join(container["command"])


def test_annotations_mean_kfps_types_even_where_the_notebook_uses_the_name() -> None:
    _, component = component_from_cell(FUNCTION, {"Markdown": str})
    outputs = spec(component)["components"]["comp-scale"]["outputDefinitions"]["artifacts"]
    assert outputs["result"]["artifactType"]["schemaTitle"] == "system.Markdown"


def test_plain_statements_become_a_component_with_ports() -> None:
    name, component = component_from_cell(
        "total = x + y\nif total > 3:\n    total = 3\n",
        {},
        name="add",
        inputs=["x:int", "y:int=2"],
        outputs=["total:int"],
    )
    assert name == "add"
    definition = spec(component)["components"]["comp-add"]
    assert definition["inputDefinitions"]["parameters"]["y"]["defaultValue"] == 2
    assert definition["outputDefinitions"]["parameters"]["total"]["parameterType"] == (
        "NUMBER_INTEGER"
    )
    scope: dict = {}
    exec("from typing import NamedTuple\n" + inspect.getsource(component.python_func), scope)
    assert scope["add"](x=5) == (3,)


@pytest.mark.parametrize(
    ("cell", "options", "said"),
    [
        ("import os\n\ndef f(): pass", {}, "Line 1: a component carries only its function"),
        ("def f(): pass\ndef g(): pass", {}, "2 functions"),
        ("def f(:", {}, "Line 1"),
        ("x = 1", {}, "no name"),
        ("x = 1", {"name": "2x"}, "'2x'"),
        ("", {"name": "empty"}, "empty"),
        ("y = x", {"name": "copy", "inputs": ["1x"]}, "'1x'"),
        ("def f(x: object): pass", {}, "f cannot be a component"),
        ("def f(): pass", {"inputs": ["x:int"]}, "without a function"),
    ],
)
def test_what_cannot_be_a_component_is_said_with_its_place(
    cell: str, options: dict, said: str
) -> None:
    with pytest.raises(InvalidCell) as caught:
        component_from_cell(cell, {}, **options)
    assert said in caught.value.message
    assert caught.value.next_step
