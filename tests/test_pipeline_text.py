"""What becomes of a pipeline's text: two documents, hostile YAML, and where an error is named."""

from __future__ import annotations

import json
import time
import tracemalloc
from pathlib import Path

import pytest

from jupyterlab_pipelines.errors import InvalidPipeline
from jupyterlab_pipelines.pipeline_text import MAX_DEPTH, describe, read_pipeline, split

EXAMPLES = Path(__file__).parent.parent / "examples" / "pipelines"
SMALL = "pipelineInfo: {name: small}\nroot: {dag: {tasks: {}}}\n"


@pytest.mark.parametrize("name", ["digits", "control_flow", "failing"])
def test_compiled_pipelines_are_read(name: str) -> None:
    pipeline = read_pipeline((EXAMPLES / f"{name}.yaml").read_text())
    assert describe(pipeline).name
    assert "root" in split(pipeline)[0]


def test_json_is_read_as_well() -> None:
    spec = {"pipelineInfo": {"name": "small"}, "root": {"dag": {}}}
    assert read_pipeline(json.dumps(spec)) == spec
    assert read_pipeline(spec) == spec


def test_platforms_come_as_a_second_document_or_beside() -> None:
    platforms = {"kubernetes": {"deploymentSpec": {}}}
    both = read_pipeline(SMALL + "---\n" + json.dumps({"platforms": platforms}))
    spec, platform = split(both)
    assert spec["pipelineInfo"] == {"name": "small"}
    assert platform == {"platforms": platforms}
    assert split({**spec, "platforms": platforms}) == (spec, platform)
    assert split({"pipelineSpec": spec, "platformSpec": platform}) == (spec, platform)


def test_a_syntax_error_is_named_by_line_and_column() -> None:
    with pytest.raises(InvalidPipeline, match=r"line 4, column 2") as caught:
        read_pipeline("pipelineInfo:\n  name: x\n  root: [\n :}")
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (4, 2)


def test_a_v1_workflow_is_refused_by_name() -> None:
    with pytest.raises(InvalidPipeline, match="v1 pipeline: an Argo Workflow"):
        read_pipeline("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {}\n")


def _bomb(width: int, depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, depth):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        _bomb(9, 12),
        "root: " + "[" * 50_000,
        "root: " + "{a: " * 50_000,
        "a: &a [*a]\n",
        "root: &a\n  b: {<<: *a}\n",
        "\n".join(f"{'  ' * level}a:" for level in range(MAX_DEPTH + 2)),
        "m0: &m0 {k: v}\n"
        + "\n".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}]}}" for n in range(1, 12)),
        '{"root": ' + "[" * 100_000,
        "[" * 1_000_000,
        "root: {}\n" + "- " * 1_000_000,
    ],
    ids=lambda text: text[:20],
)
def test_bombs_are_refused_quickly_and_in_little_memory(text: str) -> None:
    tracemalloc.start()
    started = time.perf_counter()
    with pytest.raises(InvalidPipeline):
        read_pipeline(text)
    assert time.perf_counter() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 100 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("just words", "not a compiled pipeline"),
        ("- a\n- b\n", "not a compiled pipeline"),
        ("name: x\n", "`root` is missing"),
        ("root: {1: x}\n", "put it in quotes"),
        ("root: {a: !!binary aGk=}\n", "bytes"),
        ("root: {a: .nan}\n", "nan"),
        ('{"root": {"a": NaN}}', "not valid JSON: it holds NaN"),
        ("root: !!python/object/apply:os.system [true]\n", "constructor"),
        ("root: {a: \x00}\n", "not valid YAML"),
        ("---\na: 1\n---\nb: 2\n---\nc: 3\n", "not a compiled pipeline"),
        ("root: *missing\n", "undefined alias"),
    ],
)
def test_what_is_not_a_pipeline_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidPipeline, match=message):
        read_pipeline(text)


def test_dates_stay_text() -> None:
    spec = read_pipeline("root: {a: 2020-01-01}\n")
    assert spec["root"]["a"] == "2020-01-01"


def test_parameters_are_described() -> None:
    description = describe(
        read_pipeline(
            "pipelineInfo: {name: p, description: Trains}\nroot:\n  inputDefinitions:\n"
            "    parameters:\n"
            "      steps: {parameterType: NUMBER_INTEGER, defaultValue: 3, description: How many}\n"
            "      name: {parameterType: STRING}\n"
            "      note: {parameterType: STRING, isOptional: true}\n"
        )
    )
    assert description.description == "Trains"
    by_name = {parameter.name: parameter for parameter in description.parameters}
    assert (by_name["steps"].default, by_name["steps"].required) == (3, False)
    assert by_name["name"].required
    assert not by_name["note"].required
