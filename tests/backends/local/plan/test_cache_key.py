"""The cache key is Kubeflow's: SHA-256 over the canonical JSON of what a task depends on."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.plan.cache_key import cache_key
from jupyterlab_pipelines.backends.local.plan.spec import (
    ArtifactSpec,
    Component,
    Container,
    ParameterSpec,
    ParameterType,
    Task,
)
from jupyterlab_pipelines.backends.local.records import ArtifactRecord, Values

TASK = Task("train", "train", "comp-train")
COMPONENT = Component(
    "comp-train",
    output_parameters={"acc": ParameterSpec("acc", ParameterType.DOUBLE)},
    output_artifacts={
        "model": ArtifactSpec(
            "model",
            "system.Model",
            {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"},
        )
    },
)
CONTAINER = Container("python:3.11", ("sh", "-c", "a && b > c"), ("x",))


def key(inputs: Values | None = None, volumes: tuple[str, ...] = (), **changes: Any) -> str:
    task, component, container = TASK, COMPONENT, CONTAINER
    container = changes.get("container", container)
    return cache_key(task, component, container, inputs or Values(), volumes)


def dataset(identity: str = "one") -> Values:
    record = ArtifactRecord("load:out", "out", "system.Dataset", "/data/1", identity=identity)
    return Values(artifacts={"data": [record]})


def test_the_key_is_the_hash_of_gos_json() -> None:
    inputs = Values(parameters={"n": 3, "x": 2.0, "text": "<é>", "d": {"b": 1, "a": None}})
    canonical = (
        '{"containerSpec":{"cmdArgs":["sh","-c","a \\u0026\\u0026 b \\u003e c","x"],'
        '"image":"python:3.11"},'
        '"inputParameterValues":{"d":{"a":null,"b":1},"n":3,"text":"\\u003cé\\u003e","x":2},'
        '"outputArtifactsSpec":{"model":{"name":"model",'
        '"type":{"schemaTitle":"system.Model","schemaVersion":"0.0.1"}}},'
        '"outputParametersSpec":{"acc":"NUMBER_DOUBLE"}}'
    )
    assert key(inputs) == sha256(canonical.encode()).hexdigest()


#: Inputs and the fingerprints that Kubeflow 2.17's own `cacheutils` gave for them.
KUBEFLOWS = json.loads((Path(__file__).parent / "kubeflow_keys.json").read_text())


@pytest.mark.parametrize("case", KUBEFLOWS, ids=[case["key"][:8] for case in KUBEFLOWS])
def test_the_key_is_the_one_that_kubeflows_code_gives(case: dict[str, Any]) -> None:
    schema = {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}
    component = Component(
        "comp",
        output_parameters={
            name: ParameterSpec(name, ParameterType(kind))
            for name, kind in case["output_parameters"].items()
        },
        output_artifacts={
            name: ArtifactSpec(name, "system.Model", schema, metadata=metadata)
            for name, metadata in case["output_artifacts"].items()
        },
    )
    inputs = Values(
        parameters=case["parameters"],
        artifacts={
            name: [ArtifactRecord("id", "n", "t", "/x", identity=one) for one in identities]
            for name, identities in case["artifacts"].items()
        },
    )
    container = Container(case["image"], tuple(case["command"]))
    assert cache_key(TASK, component, container, inputs, case["volumes"]) == case["key"]


def test_a_key_of_the_tasks_own_wins() -> None:
    task = Task("train", "train", "comp-train", cache_key="mine")
    expected = sha256(b"comp-train\0mine").hexdigest()
    assert cache_key(task, COMPONENT, CONTAINER, dataset(), ["/w"]) == expected


@pytest.mark.parametrize(
    "other",
    [
        lambda: key(dataset("two")),
        lambda: key(Values(parameters={"n": 1})),
        lambda: key(dataset(), ("/workspace",)),
        lambda: key(dataset(), container=Container("python:3.12")),
    ],
)
def test_whatever_a_task_depends_on_changes_its_key(other: Any) -> None:
    assert other() != key(dataset())


def test_the_same_inputs_give_the_same_key() -> None:
    assert key(dataset()) == key(dataset())


def test_caching_follows_the_task_and_the_run(ir: Any, plan: Any) -> None:
    spec = ir({"on": [], "off": []}, {"on": {"cachingOptions": {"enableCache": True}}})

    def cached(**context: Any) -> dict[str, bool]:
        ready = plan(spec, **context).advance().ready
        return {task.task_id: bool(task.cache_key) for task in ready}

    assert cached() == {"on": True, "off": False}
    assert cached(caching=False) == {"on": False, "off": False}
    assert cached(caching=True) == {"on": True, "off": True}


def test_retries_and_deadlines_come_with_the_task(ir: Any, plan: Any) -> None:
    policy = {"retryPolicy": {"maxRetryCount": 3, "backoffDuration": "1.5s", "backoffFactor": 3.0}}
    (ready,) = plan(ir({"a": []}, {"a": policy})).advance().ready
    assert (ready.retry.max_retries, ready.retry.backoff, ready.retry.factor) == (3, 1.5, 3.0)
    assert ready.retry.window == 3600.0
    assert ready.timeout is None
