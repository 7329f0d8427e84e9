"""Cached steps lead to the step whose results they took, and that costs little."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, origins, readings
from jupyterlab_pipelines.models import State, TaskRef
from tests.async_tests import in_loop
from tests.kubeflow import Answer, Request, serving
from tests.kubeflow.mlmd import SERVICE
from tests.kubeflow.steps import Outcome

from .everything import compiled
from .graphs import Endpoint, endpoint_with

EXIT = "exit-handler-1"
LOOP = f"{EXIT}/for-loop-2"
TRAIN = f"{EXIT}/inner/train"


@in_loop
async def test_a_hundred_links_cost_what_one_costs() -> None:
    endpoint = Endpoint()
    source = endpoint.add(compiled())
    origin = endpoint.executions[source.id][TRAIN]
    taken = {
        f"{LOOP}[{index}]/train": Outcome("CACHED", cached_from=origin) for index in range(100)
    }
    run = endpoint.add(compiled(), {LOOP: Outcome(iterations=100), **taken})
    endpoint.cluster.asked.clear()
    graph = await endpoint.graph(run)
    links = [graph.tasks[step].cached_from for step in taken]
    assert links == [TaskRef(run_id=source.id, task_id=TRAIN)] * 100
    asked = endpoint.cluster.asked
    assert asked[f"GET /apis/v2beta1/runs/{source.id}"] == 1
    # One for each level from the step up to the root.
    assert asked[f"POST {SERVICE}GetExecutionsByID"] == TRAIN.count("/") + 2


@in_loop
async def test_links_that_cannot_be_followed_do_no_harm() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), {TRAIN: Outcome("CACHED", cached_from=99_999)})
    graph = await endpoint.graph(run)
    assert graph.tasks[TRAIN].state is State.CACHED
    assert graph.tasks[TRAIN].cached_from is None


@in_loop
async def test_a_source_run_refused_once_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(origins, "_REFUSED", 0.0)
    monkeypatch.setattr(readings, "_FRESH", 0.0)
    endpoint = endpoint_with("the task API")
    source = endpoint.add(compiled())
    run = endpoint.add(compiled(), {TRAIN: Outcome("CACHED")})
    made = next(one for one in source.tasks or [] if one["task_id"].endswith(TRAIN))
    task = next(one for one in run.tasks or [] if one["task_id"].endswith(TRAIN))
    origin = {"cached_from_run_id": source.id, "cached_from_task_id": made["task_id"]}
    task.setdefault("status_metadata", {})["custom_properties"] = origin
    busy = True

    async def refuses(request: Request) -> Answer | None:
        refused = busy and request.path.endswith(source.id)
        return Answer.json({"message": "busy"}, 403) if refused else None

    endpoint.cluster.routers.insert(0, refuses)
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        assert (await backend.get_graph(run.id)).tasks[TRAIN].cached_from is None
        busy = False
        task["display_name"] = "changed"
        link = TaskRef(run_id=source.id, task_id=TRAIN)
        assert (await backend.get_graph(run.id)).tasks[TRAIN].cached_from == link
        await backend.close()


@in_loop
async def test_the_task_api_tells_by_whom_else_an_artifact_was_made() -> None:
    endpoint = endpoint_with("the task API")
    source = endpoint.add(compiled())
    between = endpoint.add(compiled(), {TRAIN: Outcome("CACHED")})
    run = endpoint.add(compiled(), {TRAIN: Outcome("CACHED")})
    runs = [between, source, run]  # the one between took it from the cache itself
    links: list[dict[str, Any]] = []
    made = next(one for one in source.tasks or [] if one["task_id"].endswith(TRAIN))
    for one in runs:
        task = next(task for task in one.tasks or [] if task["task_id"].endswith(TRAIN))
        task["outputs"] = copy.deepcopy(made["outputs"])
        artifact = task["outputs"]["artifacts"][0]["artifacts"][0]["artifact_id"]
        links.append({"run_id": one.id, "task_id": task["task_id"], "artifact_id": artifact})

    async def artifact_tasks(request: Request) -> Answer | None:
        if request.path != "/apis/v2beta1/artifact_tasks":
            return None
        assert request.query["type"] == "OUTPUT"
        wanted = request.query["artifact_ids"]
        found = [one for one in links if one["artifact_id"] == wanted]
        return Answer.json({"artifact_tasks": found})

    endpoint.cluster.routers.append(artifact_tasks)
    graph = await endpoint.graph(run)
    assert graph.tasks[TRAIN].cached_from == TaskRef(run_id=source.id, task_id=TRAIN)
    assert graph.artifacts[f"{TRAIN}:model"].uri
