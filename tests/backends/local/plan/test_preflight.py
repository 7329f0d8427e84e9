"""What this engine cannot run is named by task, with the next step, before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.backends.local.plan.preflight import preflight


def refused(
    spec: dict[str, Any], options: dict[str, Any] | None = None, **platforms: Any
) -> list[str]:
    kubernetes = {"deploymentSpec": {"executors": {"exec-step": options or {}}}}
    platform_spec = {"platforms": {"kubernetes": kubernetes, **platforms}}
    found = preflight(Pipeline.parse(spec, platform_spec))
    assert all(problem.next_step for problem in found)
    return [problem.message for problem in found]


def with_executor(spec: dict[str, Any], executor: dict[str, Any]) -> dict[str, Any]:
    spec["deploymentSpec"]["executors"]["exec-step"] = executor
    return spec


def test_python_functions_run(ir: Any) -> None:
    assert refused(ir({"a": [], "b": ["a"]})) == []


def test_a_container_is_named_with_its_task_and_image(ir: Any) -> None:
    spec = with_executor(
        ir({"a": []}), {"container": {"image": "alpine", "command": ["echo", "hi"]}}
    )
    assert refused(spec) == [
        (
            "Task `a` needs a container of the image `alpine`: "
            "its command is not that of a Python function."
        )
    ]


def test_a_task_inside_groups_is_named_by_its_path(ir: Any) -> None:
    spec = with_executor(ir({"group": []}), {"container": {"image": "alpine"}})
    spec["components"]["comp-group"] = {
        "dag": {"tasks": {"inside": {"componentRef": {"name": "comp-step"}}}}
    }
    spec["root"]["dag"]["tasks"]["group"]["componentRef"]["name"] = "comp-group"
    assert refused(spec)[0].startswith("Task `group/inside` needs a container")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"secretAsEnv": [{"secretName": "s"}]}, "a Kubernetes secret as environment"),
        ({"pvcMount": [{"mountPath": "/data"}]}, "a Kubernetes volume (PVC)"),
        ({"fieldPathAsEnv": [{"name": "x"}]}, "a field of its Kubernetes pod"),
        ({"somethingNew": {"x": 1}}, "the Kubernetes option `somethingNew`"),
    ],
)
def test_kubernetes_options_that_change_results_are_named(
    ir: Any, option: dict[str, Any], words: str
) -> None:
    assert refused(ir({"a": []}), option) == [f"Task `a` needs {words}."]


def test_options_that_only_place_a_pod_are_left_to_kubernetes(ir: Any) -> None:
    options = {"nodeSelector": {"labels": {"x": "y"}}, "tolerations": [{}], "imagePullPolicy": "a"}
    assert refused(ir({"a": []}), options) == []


def test_resources_are_hints(ir: Any) -> None:
    spec = ir({"a": []})
    spec["deploymentSpec"]["executors"]["exec-step"]["container"]["resources"] = {
        "resourceCpuLimit": "4",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "1"},
    }
    assert refused(spec) == []


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ({"customJob": {}}, "has an executor of the kind `customJob`"),
        ({"resolver": {}}, "has an executor of the kind `resolver`"),
        ({"container": {"image": "argostub/createpvc"}}, "makes or deletes a Kubernetes volume"),
        ({"container": {"image": "x", "lifecycle": {}}}, "has the container option `lifecycle`"),
    ],
)
def test_other_executors_are_named(ir: Any, executor: dict[str, Any], words: str) -> None:
    assert words in refused(with_executor(ir({"a": []}), executor))[0]


def test_what_is_newer_than_this_engine_is_named(ir: Any) -> None:
    spec = ir({"a": []}, {"a": {"quantumPolicy": {"entangled": True}}})
    assert refused(spec) == [
        "Task `a` has the option `quantumPolicy`, which this engine does not know."
    ]


def test_a_condition_that_cannot_be_read_is_named(ir: Any) -> None:
    spec = ir({"a": []}, {"a": {"triggerPolicy": {"condition": "inputs.x =="}}})
    assert "The condition of task `a` cannot be read" in refused(spec)[0]


def test_another_platforms_options_are_named(ir: Any) -> None:
    assert refused(ir({"a": []}), google_cloud={"config": {"x": 1}}) == [
        "The pipeline has options of another platform: google_cloud."
    ]


def importing(ir: Any, uri: dict[str, Any], *, read: bool) -> dict[str, Any]:
    spec = ir({"get": [], "use": []})
    artifact = {"artifacts": {"artifact": {"artifactType": {"schemaTitle": "system.Dataset"}}}}
    spec["root"]["inputDefinitions"] = {
        "parameters": {"where": {"parameterType": "STRING", "defaultValue": "s3://b/k"}}
    }
    spec["components"]["comp-get"] = {"executorLabel": "exec-get", "outputDefinitions": artifact}
    spec["deploymentSpec"]["executors"]["exec-get"] = {"importer": {"artifactUri": uri}}
    tasks = spec["root"]["dag"]["tasks"]
    tasks["get"]["componentRef"]["name"] = "comp-get"
    tasks["get"]["inputs"] = {"parameters": {"uri": {"componentInputParameter": "where"}}}
    if read:
        ref = {"producerTask": "get", "outputArtifactKey": "artifact"}
        tasks["use"]["inputs"] = {"artifacts": {"data": {"taskOutputArtifact": ref}}}
    return spec


@pytest.mark.parametrize("uri", [{"constant": "gs://bucket/key"}, {"runtimeParameter": "uri"}])
def test_an_import_from_a_cloud_is_named_where_it_is_read(ir: Any, uri: dict[str, Any]) -> None:
    assert "which is not on this machine" in refused(importing(ir, uri, read=True))[0]
    assert refused(importing(ir, uri, read=False)) == []


def test_the_runs_parameters_may_bring_the_import_here(ir: Any) -> None:
    pipeline = Pipeline.parse(importing(ir, {"runtimeParameter": "uri"}, read=True))
    assert preflight(pipeline, {"where": "/data/x"}) == []
    assert len(preflight(pipeline)) == 1
