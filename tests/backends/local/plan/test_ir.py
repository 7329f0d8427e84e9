"""What is not a pipeline is refused with the place of every mistake."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.errors import InvalidPipeline

Change = Callable[[dict[str, Any]], Any]


def changed(spec: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `spec` with `value` at the dotted `path`."""
    copy = deepcopy(spec)
    *parents, last = path.split(".")
    place = copy
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = value
    return copy


def problems(spec: Any) -> list[str]:
    with pytest.raises(InvalidPipeline) as refusal:
        Pipeline.parse(spec)
    assert refusal.value.http_status == 400
    return [f"{one.place}: {one.message}" for one in refusal.value.problems]


def test_the_built_pipeline_is_valid(ir: Any) -> None:
    pipeline = Pipeline.parse(ir({"a": [], "b": ["a"]}))
    assert pipeline.name == "built"
    assert pipeline.root.dag is not None
    assert pipeline.root.dag.tasks["b"].dependencies == ("a",)


TASK = "root.dag.tasks.a"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("pipelineInfo.name", "", "pipelineInfo: The pipeline has no name."),
        ("schemaVersion", "3.0", "schemaVersion: Schema version 3.0 is not known; 2.x is."),
        (f"{TASK}.componentRef.name", "no", "root/dag/tasks/a: Its component `no` does not exist."),
        (
            f"{TASK}.dependentTasks",
            ["z"],
            "root/dag/tasks/a: It depends on `z`, which is not in the DAG.",
        ),
        (f"{TASK}.dependentTasks", "z", "root/dag/tasks/a: `dependentTasks` must be a list."),
        (f"{TASK}.dependentTasks", ["b"], "root/dag: Its tasks wait for each other: a → b → a."),
        (
            f"{TASK}.inputs",
            {"parameters": {"x": {"componentInputParameter": "y"}}},
            "root/dag/tasks/a/inputs/x: The enclosing component has no input parameter `y`.",
        ),
        (
            f"{TASK}.inputs",
            {
                "parameters": {
                    "x": {"taskOutputParameter": {"producerTask": "c", "outputParameterKey": "o"}}
                }
            },
            "root/dag/tasks/a/inputs/x: Task `c` has no output parameter `o`.",
        ),
        (
            f"{TASK}.inputs",
            {"artifacts": {"x": {"taskOutputArtifact": {"producerTask": "c"}}}},
            "root/dag/tasks/a/inputs/x: Task `c` has no output artifact ``.",
        ),
        (
            f"{TASK}.inputs",
            {"parameters": {"x": {}}},
            "root/dag/tasks/a/inputs/x: The input says nothing about where its value comes from.",
        ),
        (
            f"{TASK}.parameterIterator",
            {"itemInput": "i", "items": {"inputParameter": "x"}},
            "root/dag/tasks/a: Its loop's items, `x`, are no input.",
        ),
        (
            "components.comp-step.inputDefinitions",
            {"parameters": {"x": {"parameterType": "STRING"}}},
            "root/dag/tasks/a: Its parameter `x` gets no value.",
        ),
        (
            "components.comp-step.inputDefinitions",
            {"parameters": {"x": {"parameterType": "COLOR"}}},
            "components/comp-step/inputDefinitions/parameters/x: Its type `COLOR` is not known.",
        ),
        (
            "components.comp-step.executorLabel",
            "no",
            "components/comp-step: Its executor `no` is not in `deploymentSpec`.",
        ),
        (
            "components.comp-step",
            {},
            "components/comp-step: The component has neither a `dag` nor an `executorLabel`.",
        ),
        (
            "components.comp-step",
            {"dag": {"tasks": {"inner": {"componentRef": {"name": "comp-step"}}}}},
            "components/comp-step: The component contains itself.",
        ),
        ("root.dag.tasks", {}, "root/dag: The DAG has no tasks."),
        (
            "root.dag.outputs",
            {"parameters": {"o": {"valueFromParameter": {"producerSubtask": "z"}}}},
            "root/dag/outputs/o: Task `z` is not in the DAG.",
        ),
        ("root.dag.tasks.a", 3, "root/dag/tasks/a: An object is expected here."),
    ],
)
def test_a_mistake_is_named_with_its_place(ir: Any, path: str, value: Any, expected: str) -> None:
    assert expected in problems(changed(ir({"a": [], "b": ["a"], "c": []}), path, value))


@pytest.mark.parametrize("name", ["a/b", "a[0]", "a:b", "..", "", "a\nb", "-a"])
def test_a_task_name_that_would_break_ids_is_refused(ir: Any, name: str) -> None:
    assert "cannot be the name of a task" in problems(ir({name: []}))[0]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "not a compiled pipeline"),
        ([], "not a compiled pipeline"),
        ({"pipelineInfo": {}}, "has no `root`"),
        ({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}, "Argo Workflow"),
    ],
)
def test_other_documents_are_told_apart(document: Any, message: str) -> None:
    with pytest.raises(InvalidPipeline, match=message):
        Pipeline.parse(document)


def test_every_mistake_is_named_at_once(ir: Any) -> None:
    spec = changed(ir({"a": [], "b": []}), f"{TASK}.componentRef.name", "no")
    spec["root"]["dag"]["tasks"]["b"]["dependentTasks"] = ["z"]
    assert len(problems(spec)) == 2


def test_a_pipeline_that_unfolds_without_bound_is_refused(ir: Any) -> None:
    spec = ir({"a": []})
    spec["root"]["dag"]["tasks"]["a"]["componentRef"]["name"] = "c0"
    for level in range(20):
        inner = f"c{level + 1}" if level < 19 else "comp-step"
        spec["components"][f"c{level}"] = {
            "dag": {"tasks": {name: {"componentRef": {"name": inner}} for name in "xy"}}
        }
    assert problems(spec) == ["root: It unfolds to more than 100,000 tasks."]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
PATHS = st.sampled_from(
    [
        "pipelineInfo",
        "root",
        "root.dag",
        "root.dag.tasks",
        "root.dag.outputs",
        "root.inputDefinitions",
        f"{TASK}",
        f"{TASK}.inputs",
        f"{TASK}.inputs.parameters",
        f"{TASK}.inputs.parameters.x.runtimeValue.constantValue.intValue",
        f"{TASK}.triggerPolicy",
        f"{TASK}.retryPolicy",
        f"{TASK}.retryPolicy.backoffDuration",
        f"{TASK}.parameterIterator",
        f"{TASK}.cachingOptions",
        "components",
        "components.comp-step",
        "components.comp-step.outputDefinitions.artifacts",
        "deploymentSpec",
        "deploymentSpec.executors.exec-step",
        "deploymentSpec.executors.exec-step.container",
        "deploymentSpec.executors.exec-step.importer",
    ]
)


@given(path=PATHS, value=json_values)
@settings(deadline=None, max_examples=300)
def test_nonsense_anywhere_is_refused_or_read_but_never_breaks(path: str, value: Any) -> None:
    spec: dict[str, Any] = {
        "pipelineInfo": {"name": "built"},
        "root": {"dag": {"tasks": {"a": {"componentRef": {"name": "comp-step"}}}}},
        "components": {"comp-step": {"executorLabel": "exec-step"}},
        "deploymentSpec": {"executors": {"exec-step": {"container": {"image": "i"}}}},
    }
    with contextlib.suppress(InvalidPipeline):
        Pipeline.parse(changed(spec, path, value))
