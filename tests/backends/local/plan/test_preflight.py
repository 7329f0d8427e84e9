"""What this engine cannot run is named by task, with the next step, before anything starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.backends.local.plan.machine import BARE, Bare
from jupyterlab_pipelines.backends.local.plan.preflight import preflight
from jupyterlab_pipelines.backends.local.plan.spec import Kind
from jupyterlab_pipelines.models import Problem


@dataclass(frozen=True)
class Mapped(Bare):
    """A machine on which the user has mapped a little."""

    def has_volume(self, name: str) -> bool:
        return name == "data"

    def keys(self, kind: Kind, name: str) -> frozenset[str] | None:
        return {"db": frozenset({"user"}), "empty": frozenset()}.get(name)

    def can_mount(self, path: str, kind: str, name: str) -> bool:
        return path == "/data"


def problems(
    spec: dict[str, Any],
    options: dict[str, Any] | None = None,
    machine: Bare = BARE,
    parameters: dict[str, Any] | None = None,
    **platforms: Any,
) -> list[Problem]:
    kubernetes = {"deploymentSpec": {"executors": {"exec-step": options or {}}}}
    platform_spec = {"platforms": {"kubernetes": kubernetes, **platforms}}
    found = preflight(Pipeline.parse(spec, platform_spec), parameters, machine)
    assert all(problem.next_step for problem in found)
    return found


def refused(*arguments: Any, **more: Any) -> list[str]:
    return [problem.message for problem in problems(*arguments, **more)]


def constant(name: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": name}}


def env_of(name: dict[str, Any], key: str = "user", **more: Any) -> dict[str, Any]:
    pairs = [{"secretKey": key, "envVar": "DB_USER"}]
    return {"secretAsEnv": [{"keyToEnv": pairs, "secretNameParameter": name, **more}]}


def volume(name: str, path: str = "/data", **more: Any) -> dict[str, Any]:
    return {"pvcMount": [{"mountPath": path, "pvcNameParameter": constant(name), **more}]}


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
    ("option", "words", "step"),
    [
        (env_of(constant("s")), "needs the secret `s`, which is not mapped", "secret s user --pr"),
        (
            env_of(constant("db"), key="password"),
            "needs the key `password` of the secret `db`: it is not mapped",
            "jupyter pipelines map secret db password --prompt",
        ),
        (
            {"configMapAsVolume": [{"mountPath": "/data", "configMapName": "c"}]},
            "needs the config map `c`, which is not mapped",
            "jupyter pipelines map config-map c KEY --value TEXT",
        ),
        (
            volume("models"),
            "mounts the volume (PVC) `models`, which is not mapped",
            "jupyter pipelines map pvc models FOLDER",
        ),
        (
            volume("data", "/mnt/x"),
            "mounts `/mnt/x`, which this machine lets only a container have",
            "settings containers podman",
        ),
        ({"secretAsEnv": [{}]}, "uses a secret without a name", "Correct it"),
        ({"pvcMount": [{"mountPath": "/data"}]}, "mounts a volume (PVC) without a name", "Correct"),
        (volume("data", "data"), "mounts something at `data`, which is not an absolute", "Correct"),
        (volume("data", subPath="../x"), "mounts the part `../x` of a volume: it leads", "Correct"),
        ({"imagePullPolicy": "Often"}, "has the image pull policy `Often`", "Correct it"),
        (
            {"fieldPathAsEnv": [{"name": "X", "fieldPath": "spec.secrets"}]},
            "asks for the field `spec.secrets` of its pod",
            "Kubeflow connection",
        ),
        ({"initContainers": [{"name": "x"}]}, "needs init containers", "Kubeflow connection"),
        ({"somethingNew": {"x": 1}}, "needs the Kubernetes option `somethingNew`", "Kubeflow"),
    ],
)
def test_what_a_task_needs_of_a_cluster_and_is_not_mapped_is_named(
    ir: Any, option: dict[str, Any], words: str, step: str
) -> None:
    (problem,) = problems(ir({"a": []}), option, Mapped())
    assert problem.message.startswith(f"Task `a` {words}")
    assert problem.place == "a"
    assert step in problem.next_step


@pytest.mark.parametrize(
    "option",
    [
        env_of(constant("db")),
        env_of(constant("s"), optional=True),
        env_of({"taskOutputParameter": {"producerTask": "a", "outputParameterKey": "name"}}),
        {"secretAsVolume": [{"mountPath": "/data", "secretName": "empty"}]},
        volume("data", subPath="a/b"),
        {"pvcMount": [{"mountPath": "/data", "constant": "data"}]},
        {"emptyDirMounts": [{"mountPath": "/data", "volumeName": "x"}]},
        {"fieldPathAsEnv": [{"name": "X", "fieldPath": "metadata.labels['x']"}]},
        {"enabledSharedMemory": {"volumeName": "shm", "size": "1Gi"}},
    ],
)
def test_what_is_mapped_optional_or_not_known_yet_is_no_problem(
    ir: Any, option: dict[str, Any]
) -> None:
    assert refused(ir({"a": []}), option, Mapped()) == []


def test_a_secret_that_a_parameter_names_is_looked_for_by_its_value(ir: Any) -> None:
    spec = ir({"a": []})
    spec["root"]["inputDefinitions"] = {
        "parameters": {"which": {"parameterType": "STRING", "isOptional": True}}
    }
    option = env_of({"componentInputParameter": "which"})
    assert refused(spec, option, Mapped(), {"which": "db"}) == []
    assert refused(spec, option, Mapped(), {}) == []  # Kubeflow leaves a null name out
    (message,) = refused(spec, option, Mapped(), {"which": "other"})
    assert "`other`" in message


def test_a_volume_that_the_pipeline_makes_need_not_be_mapped(ir: Any) -> None:
    spec = ir({"a": [], "make": []})
    assert len(refused(spec, volume("own"), Mapped())) == 2
    spec["components"]["comp-make"] = {
        "executorLabel": "exec-make",
        "inputDefinitions": {"parameters": {"pvc_name": {"parameterType": "STRING"}}},
    }
    spec["deploymentSpec"]["executors"]["exec-make"] = {
        "container": {"image": "argostub/createpvc"}
    }
    spec["root"]["dag"]["tasks"]["make"] = {
        "componentRef": {"name": "comp-make"},
        "inputs": {"parameters": {"pvc_name": constant("own")}},
    }
    assert refused(spec, volume("own"), Mapped()) == []


def test_options_that_only_place_a_pod_are_left_to_kubernetes(ir: Any) -> None:
    options = {
        "activeDeadlineSeconds": "60",
        "imagePullPolicy": "Always",
        "imagePullSecret": [{"secretName": "registry"}],
        "nodeAffinity": [{"matchFields": []}],
        "nodeSelector": {"labels": {"x": "y"}},
        "podMetadata": {"labels": {"x": "y"}},
        "securityContext": {"runAsUser": "1000"},
        "tolerations": [{}],
    }
    assert refused(ir({"a": []}), options) == []


def test_containers_run_where_the_user_turned_them_on_and_they_are_there(ir: Any) -> None:
    spec = with_executor(ir({"a": []}), {"container": {"image": "alpine", "command": ["true"]}})
    (problem,) = problems(spec)
    assert "jupyter pipelines settings containers podman" in problem.next_step
    assert refused(spec, machine=Bare("podman", containers_found=True)) == []
    assert refused(spec, machine=Bare("podman")) == [
        "Task `a` needs a container, and podman is not installed."
    ]
    mounted = {"emptyDirMounts": [{"mountPath": "/scratch", "volumeName": "x"}]}
    assert refused(ir({"a": []}), mounted, Bare("docker", containers_found=True)) == []
    assert refused(ir({"a": []}), None, Bare("docker")) == []  # a Python function


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


def test_credentials_in_what_is_imported_are_not_named(ir: Any) -> None:
    uri = {"constant": "https://ada:s3cretpw@host/data.csv?sig=s3cret"}
    (said,) = refused(importing(ir, uri, read=True))
    assert "`https://host/data.csv`" in said
    assert "s3cret" not in said


def test_the_runs_parameters_may_bring_the_import_here(ir: Any) -> None:
    pipeline = Pipeline.parse(importing(ir, {"runtimeParameter": "uri"}, read=True))
    assert preflight(pipeline, {"where": "/data/x"}) == []
    assert len(preflight(pipeline)) == 1
