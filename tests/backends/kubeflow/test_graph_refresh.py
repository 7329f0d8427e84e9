"""What a refresh of a run costs, and what becomes of the graph where a source fails."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, readings, sources
from jupyterlab_pipelines.backends.kubeflow.endpoint import Endpoint as Remote
from jupyterlab_pipelines.models import State
from tests.async_tests import in_loop
from tests.kubeflow import Answer, Request, serving
from tests.kubeflow.argo import make_workflow
from tests.kubeflow.mlmd import SERVICE
from tests.kubeflow.steps import Outcome, unfold
from tests.kubeflow.task_api import make_tasks

from .everything import compiled
from .graphs import HAVING, Endpoint, endpoint_with

EXIT = "exit-handler-1"
SPLIT = f"{EXIT}/split"
FAILED = {SPLIT: Outcome("FAILED", "OOMKilled (exit code 137)")}
MANIFEST = "GET /apis/v1beta1/runs/{}"


@pytest.fixture(autouse=True)
def every_look_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_FRESH", 0.0)


@contextlib.asynccontextmanager
async def backend_of(endpoint: Endpoint) -> AsyncIterator[KubeflowBackend]:
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        try:
            yield backend
        finally:
            await backend.close()


# --- what it costs ------------------------------------------------------------------------------


@in_loop
async def test_what_cannot_have_changed_is_not_asked_for() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), {SPLIT: Outcome("RUNNING")}, "RUNNING")
    asked = endpoint.cluster.asked
    async with backend_of(endpoint) as backend:
        first = await backend.get_graph(run.id)
        asked.clear()
        assert await backend.get_graph(run.id) is first
        method = f"POST {SERVICE}GetExecutionsByContext"
        assert asked == {f"GET /apis/v2beta1/runs/{run.id}": 1, method: 1}

        endpoint.metadata.update(
            endpoint.metadata.executions[endpoint.executions[run.id][SPLIT]], "COMPLETE"
        )
        asked.clear()
        second = await backend.get_graph(run.id)
        assert second.tasks[SPLIT].state is State.SUCCEEDED
        assert second.revision > first.revision
        assert second.topology.key == first.topology.key
        assert asked[MANIFEST.format(run.id)] == 0


@in_loop
async def test_an_answer_with_all_tasks_is_read_again_only_where_it_differs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = endpoint_with("the task API")
    run = endpoint.add(compiled(), {SPLIT: Outcome("RUNNING")}, "RUNNING")
    async with backend_of(endpoint) as backend:
        first = await backend.get_graph(run.id)
        with monkeypatch.context() as patch:
            patch.setattr(Remote, "parsed", None)
            assert await backend.get_graph(run.id) is first

        run.tasks = make_tasks(run.id, unfold(compiled(), {}))
        second = await backend.get_graph(run.id)
        assert second.tasks[SPLIT].state is State.SUCCEEDED
        assert second.revision > first.revision


@in_loop
async def test_a_reason_that_shows_nowhere_else_is_found_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a pod cannot begin, nothing changes but the workflow."""
    endpoint = Endpoint()
    run = endpoint.add(compiled(), {SPLIT: Outcome("PENDING")}, "RUNNING")
    async with backend_of(endpoint) as backend:
        assert (await backend.get_graph(run.id)).tasks[SPLIT].error is None
        stuck = {SPLIT: Outcome("PENDING", "Unschedulable: 0/3 nodes are available")}
        run.workflow = make_workflow(f"run-{run.id[:5]}", run.id, unfold(compiled(), stuck))
        assert (await backend.get_graph(run.id)).tasks[SPLIT].error is None
        monkeypatch.setattr(sources, "_STALE", 0.0)
        error = (await backend.get_graph(run.id)).tasks[SPLIT].error
        assert error == "Unschedulable: 0/3 nodes are available"


@in_loop
async def test_a_workflow_that_is_over_is_read_once_until_the_run_is_retried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sources, "_STALE", 0.0)
    endpoint = Endpoint()
    run = endpoint.add(compiled(), FAILED, "FAILED")
    asked = endpoint.cluster.asked
    async with backend_of(endpoint) as backend:
        for _ in range(3):
            await backend.get_graph(run.id)
        assert asked[MANIFEST.format(run.id)] == 1
        await backend.retry(run.id)
        await backend.get_graph(run.id)
        assert asked[MANIFEST.format(run.id)] == 2


@in_loop
async def test_two_hundred_viewers_cost_what_one_costs() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), {SPLIT: Outcome("RUNNING")}, "RUNNING")
    async with backend_of(endpoint) as backend:
        await asyncio.gather(*(backend.get_graph(run.id) for _ in range(200)))
    assert set(endpoint.cluster.asked.values()) == {1}


# --- a source that fails ------------------------------------------------------------------------


@in_loop
async def test_a_source_that_fails_once_takes_nothing_away() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), FAILED, "RUNNING")
    async with backend_of(endpoint) as backend:
        before = await backend.get_graph(run.id)
        assert before.notes == []
        endpoint.metadata.failing = (14, "the store is restarting")
        endpoint.without = {"/apis/v1beta1/"}
        run.display_name = "renamed, so that all is asked for again"
        after = await backend.get_graph(run.id)
        assert after.tasks == before.tasks
        assert after.artifacts == before.artifacts != {}
        assert "may be old" in after.notes[0]
        assert "the store is restarting" in after.notes[0]


@pytest.mark.parametrize("text", ["not JSON", '{"status": {"compressedNodes": "H4sIAAAA"}}', "[1]"])
@in_loop
async def test_a_broken_workflow_leaves_what_the_other_source_tells(text: str) -> None:
    endpoint = Endpoint()

    async def broken(request: Request) -> Answer | None:
        if request.path == f"/apis/v1beta1/runs/{run.id}":
            return Answer.json({"run": {}, "pipeline_runtime": {"workflow_manifest": text}})
        return None

    endpoint.cluster.routers.insert(0, broken)
    run = endpoint.add(compiled(), FAILED, "FAILED")
    other = endpoint.add(compiled(), FAILED, "FAILED")
    async with backend_of(endpoint) as backend:
        graph = await backend.get_graph(run.id)
        assert graph.tasks[SPLIT].state is State.FAILED
        assert len(graph.artifacts) == 1
        (note,) = graph.notes
        assert note.startswith("The run's workflow cannot be read, so attempts and the reasons")
        well = await backend.get_graph(other.id)
        assert well.tasks[SPLIT].error == "OOMKilled (exit code 137)"
        assert well.notes == []


@in_loop
async def test_a_store_that_hangs_does_not_keep_the_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PATIENCE", 0.2)
    endpoint = Endpoint()
    released = asyncio.Event()

    async def hangs(request: Request) -> Answer | None:
        if request.path.startswith(SERVICE):
            await released.wait()
        return None

    endpoint.cluster.routers.insert(0, hangs)
    run = endpoint.add(compiled(), FAILED, "FAILED")
    async with backend_of(endpoint) as backend:
        graph = await backend.get_graph(run.id)
        assert graph.tasks[SPLIT].error == "OOMKilled (exit code 137)"
        assert "artifacts, inputs and outputs are missing" in graph.notes[0]
        released.set()  # and what was asked for is not asked for again
        while graph.notes:
            graph = await backend.get_graph(run.id)
        assert graph.artifacts
        assert endpoint.metadata.asked.count("GetEventsByExecutionIDs") == 1


@in_loop
async def test_a_source_that_is_not_there_is_not_asked_again() -> None:
    endpoint = Endpoint()
    endpoint.without = HAVING["the workflow"]
    run = endpoint.add(compiled(), {SPLIT: Outcome("RUNNING")}, "RUNNING")
    async with backend_of(endpoint) as backend:
        for _ in range(5):
            await backend.get_graph(run.id)
    assert sum(n for one, n in endpoint.cluster.asked.items() if SERVICE in one) == 1


@in_loop
async def test_neither_source_leaves_the_pipelines_shape_and_says_so() -> None:
    endpoint = Endpoint()
    endpoint.without = {SERVICE, "/apis/v1beta1/"}
    run = endpoint.add(compiled(), {SPLIT: Outcome("RUNNING")}, "RUNNING")
    graph = await endpoint.graph(run)
    assert SPLIT in graph.tasks
    assert len(graph.notes) == 2


@in_loop
async def test_nodes_that_argo_keeps_to_itself_are_said_to_be_missing() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), FAILED, "FAILED")
    assert run.workflow is not None
    del run.workflow["status"]["nodes"]
    run.workflow["status"]["offloadNodeStatusVersion"] = "fnv:1234"
    graph = await endpoint.graph(run)
    assert graph.tasks[SPLIT].state is State.FAILED
    assert graph.notes == [sources._OFFLOADED]


@in_loop
async def test_a_run_that_failed_before_its_first_task_says_why() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), {EXIT: Outcome("ABSENT"), "tell": Outcome("ABSENT")}, "FAILED")
    assert run.workflow is not None
    for node in run.workflow["status"]["nodes"].values():
        if node["displayName"] == "root-driver":
            node |= {"phase": "Error", "message": "ErrImagePull: no driver image"}
    graph = await endpoint.graph(run)
    assert graph.run.error == "ErrImagePull: no driver image"
    assert {status.state for status in graph.tasks.values()} == {State.SKIPPED}


@in_loop
async def test_the_store_is_asked_at_the_ui_servers_host() -> None:
    api, ui = Endpoint(), Endpoint()
    run = ui.add(compiled())
    api.cluster.runs[run.id] = run
    api.without, ui.without = {SERVICE}, {"/apis/"}
    async with serving(api.cluster) as host, serving(ui.cluster) as ui_host:
        more: dict[str, Any] = {"ui": Remote(ui_host)}
        backend = KubeflowBackend(host, **more)
        graph = await backend.get_graph(run.id)
        await backend.close()
        await more["ui"].close()
    assert graph.artifacts
    assert graph.notes == []
