"""One suite for every backend: what the rooms above may rely on, whichever engine is below.

`kubeflow` speaks to a second process that serves the embedded engine's API behind a token, so
that both see the same runs and every answer can be compared with the engine's own.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jupyterlab_pipelines.backends.base import ApiRequest, ApiResponse, Backend
from jupyterlab_pipelines.backends.kubeflow import BearerToken, KubeflowBackend
from jupyterlab_pipelines.backends.local.backend import LocalBackend
from jupyterlab_pipelines.errors import BadInput, NotFound, PipelinesError
from jupyterlab_pipelines.models import ConnectionState, Run, RunQuery, State, Submission, TaskType
from jupyterlab_pipelines.pipeline_text import read_pipeline
from jupyterlab_pipelines.service import Service
from tests.async_tests import in_loop
from tests.backends.local.conftest import kill

EXAMPLES = Path(__file__).parents[2] / "examples" / "pipelines"


def _sleeper() -> dict[str, Any]:
    """A pipeline of one Python function that prints a line and sleeps."""
    pipeline = read_pipeline((EXAMPLES / "failing.yaml").read_text())
    executors = pipeline["deploymentSpec"]["executors"].values()
    command = [*next(iter(executors))["container"]["command"][-4:-1], _SLEEP]
    inputs = {"parameters": {"seconds": {"parameterType": "NUMBER_INTEGER"}}}
    task = {
        "taskInfo": {"name": "sleep"},
        "componentRef": {"name": "comp-sleep"},
        "inputs": {"parameters": {"seconds": {"componentInputParameter": "seconds"}}},
    }
    container = {
        "image": "python:3.12",
        "command": command,
        "args": ["--executor_input", "{{$}}", "--function_to_execute", "sleep"],
    }
    return {
        "pipelineInfo": {"name": "sleeper"},
        "schemaVersion": "2.1.0",
        "sdkVersion": pipeline["sdkVersion"],
        "root": {"dag": {"tasks": {"sleep": task}}, "inputDefinitions": inputs},
        "components": {"comp-sleep": {"executorLabel": "exec-sleep", "inputDefinitions": inputs}},
        "deploymentSpec": {"executors": {"exec-sleep": {"container": container}}},
    }


_SLEEP = """
def sleep(seconds: int):
    import time

    print("dozing", flush=True)
    time.sleep(seconds)
"""
SLEEPER = _sleeper()


@dataclass(frozen=True)
class World:
    """An engine's folder with three runs that have ended, and the address of its API."""

    root: Path
    url: str
    token_file: Path
    runs: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("contract")
    root, token_file = folder / "local", folder / "token"
    runs = asyncio.run(_three_runs(root))
    command = [sys.executable, "-m", "jupyterlab_pipelines.loopback"]
    server = subprocess.Popen(
        [*command, "--root", str(root), "--token-file", str(token_file)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        with server.stdout:
            yield World(root, server.stdout.readline().strip(), token_file, runs)
    finally:
        server.terminate()
        server.wait(10)
        kill(folder)


async def _three_runs(root: Path) -> dict[str, str]:
    backend = LocalBackend(root)
    runs = {}
    for name in ("digits", "control_flow", "failing"):
        pipeline = read_pipeline((EXAMPLES / f"{name}.yaml").read_text())
        run = await backend.submit(Submission(pipeline=pipeline, display_name=f"Run of {name}"))
        runs[name] = run.run_id
    for run_id in runs.values():
        await ended(backend, run_id)
    again = Submission(pipeline=read_pipeline((EXAMPLES / "digits.yaml").read_text()))
    runs["cached"] = (await backend.submit(again)).run_id
    await ended(backend, runs["cached"])
    await backend.close()
    return runs


@pytest.fixture(params=["local", "kubeflow"])
def backend(request: pytest.FixtureRequest, world: World) -> Backend:
    if request.param == "local":
        return LocalBackend(world.root)
    return KubeflowBackend(world.url, BearerToken(file=str(world.token_file)))


async def ended(backend: Backend, run_id: str, seconds: float = 90) -> Run:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run = await backend.get_run(run_id)
        if run.state.final:
            return run
        await asyncio.sleep(0.2)
    raise AssertionError(f"{run_id} has not ended: {await backend.get_graph(run_id)}")


async def read(body: AsyncIterator[bytes] | bytes) -> bytes:
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


async def ask(backend: Backend, method: str, path: str, body: object = None) -> ApiResponse:
    content = b"" if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    return await backend.api(ApiRequest(method, path, headers=headers, body=content))


def seen_from_afar(model: BaseModel) -> Any:
    """A model's content with its times in whole seconds, which is all that Kubeflow's API says."""
    text = json.dumps(model.model_dump(mode="json"))
    return json.loads(re.sub(r'(\d\d:\d\d:\d\d)\.\d+Z"', r'\1Z"', text))


# --- looking ------------------------------------------------------------------------------------


@in_loop
async def test_it_is_ready(backend: Backend) -> None:
    health = await backend.health()
    assert (health.state, health.message) == (ConnectionState.READY, "")


@in_loop
async def test_a_run_reads_as_the_engine_has_it(backend: Backend, world: World) -> None:
    own = LocalBackend(world.root)
    for name, state in (
        ("digits", State.SUCCEEDED),
        ("failing", State.FAILED),
        ("control_flow", State.SUCCEEDED),
    ):
        run = await backend.get_run(world.runs[name])
        expected = (await own.get_run(world.runs[name])).model_copy(update={"progress": None})
        assert run.state is state, run.error
        # Kubeflow's API says the parameters that were given, the engine also the defaults.
        assert run.parameters.items() <= expected.parameters.items()
        same = {"progress": None, "parameters": expected.parameters}
        assert seen_from_afar(run.model_copy(update=same)) == seen_from_afar(expected)
    await own.close()


@in_loop
async def test_the_list_filters_sorts_and_pages(backend: Backend, world: World) -> None:
    async def names(**criteria: object) -> list[str]:
        page = await backend.list_runs(RunQuery.model_validate(criteria))
        return [run.display_name for run in page.runs if run.run_id in world.runs.values()]

    assert await names(name="RUN OF F") == ["Run of failing"]
    assert await names(states=["FAILED"]) == ["Run of failing"]
    assert set(await names(pipeline_name="digits")) == {"Run of digits", "digits"}
    assert await names(archived=True) == []
    ordered = await names(sort_by="display_name", descending=False, name="Run of")
    assert ordered == ["Run of control_flow", "Run of digits", "Run of failing"]
    times = [
        run.finished_at - (run.started_at or run.created_at)
        for run in (await backend.list_runs(RunQuery(sort_by="duration"))).runs
        if run.finished_at
    ]
    assert times == sorted(times, reverse=True)

    seen: list[str] = []
    query = RunQuery(page_size=1, name="Run of")
    while True:
        page = await backend.list_runs(query)
        assert len(page.runs) == 1
        assert page.total_size == 3
        seen += [run.run_id for run in page.runs]
        if not page.next_page_token:
            break
        query = query.model_copy(update={"page_token": page.next_page_token})
    assert len(set(seen)) == len(seen) == 3

    token = (await backend.list_runs(RunQuery(page_size=1))).next_page_token
    with pytest.raises(BadInput):
        await backend.list_runs(RunQuery(page_size=1, name="Run", page_token=token))
    with pytest.raises(BadInput):
        await backend.list_runs(RunQuery(page_token="bm9uc2Vuc2U="))


@pytest.mark.parametrize("name", ["digits", "control_flow", "failing", "cached"])
@in_loop
async def test_a_graph_reads_as_the_engine_has_it(
    backend: Backend, world: World, name: str
) -> None:
    own = LocalBackend(world.root)
    expected = await own.get_graph(world.runs[name])
    graph = await backend.get_graph(world.runs[name])
    assert {node.id: node for node in graph.topology.tasks} == {
        node.id: node for node in expected.topology.tasks
    }
    assert {node.id: node for node in graph.topology.artifacts} == {
        node.id: node for node in expected.topology.artifacts
    }
    edges = {(edge.source, edge.target, edge.kind, edge.label) for edge in graph.topology.edges}
    assert edges == {
        (edge.source, edge.target, edge.kind, edge.label) for edge in expected.topology.edges
    }
    assert {key: seen_from_afar(task) for key, task in graph.tasks.items()} == {
        key: seen_from_afar(task) for key, task in expected.tasks.items()
    }
    assert graph.artifacts.keys() == expected.artifacts.keys()
    for key, artifact in graph.artifacts.items():
        other = expected.artifacts[key]
        assert (artifact.uri, artifact.metadata) == (other.uri, other.metadata)
    assert graph.run.progress == expected.run.progress
    again = await backend.get_graph(world.runs[name])
    assert (again.topology.key, again.revision) == (graph.topology.key, graph.revision)
    await own.close()


@in_loop
async def test_every_kind_of_group_is_told_apart(backend: Backend, world: World) -> None:
    graph = await backend.get_graph(world.runs["control_flow"])
    kinds = {node.type for node in graph.topology.tasks}
    assert {TaskType.LOOP, TaskType.LOOP_ITERATION, TaskType.EXIT_HANDLER} <= kinds
    retried = [status for status in graph.tasks.values() if len(status.attempts) > 1]
    assert [attempt.state for attempt in retried[0].attempts] == [State.FAILED, State.SUCCEEDED]


@in_loop
async def test_a_task_reads_as_the_engine_has_it(backend: Backend, world: World) -> None:
    own = LocalBackend(world.root)
    for name in ("digits", "control_flow", "failing", "cached"):
        run_id = world.runs[name]
        for node in (await own.get_graph(run_id)).topology.tasks:
            expected = await own.get_task(run_id, node.id)
            detail = await backend.get_task(run_id, node.id)
            if not expected.cache_key:  # it never came to that: what the pipeline asks for counts
                expected.caching = detail.caching
            assert seen_from_afar(detail) == seen_from_afar(expected)
    with pytest.raises(NotFound):
        await backend.get_task(world.runs["digits"], "no-such-task")
    await own.close()


@in_loop
async def test_a_log_reads_whole_and_in_pieces(backend: Backend, world: World) -> None:
    run_id = world.runs["digits"]
    whole = await backend.read_log(run_id, "train", None, 0, 1 << 20)
    assert "Trained on 1347 digits." in whole.text
    assert whole.complete
    assert (whole.offset, whole.next_offset) == (0, whole.size)

    offset, text = 0, ""
    while offset < whole.size:
        piece = await backend.read_log(run_id, "train", 1, offset, 300)
        assert (piece.offset, piece.attempt) == (offset, 1)
        assert 0 < piece.next_offset - offset <= 300
        offset, text = piece.next_offset, text + piece.text
    assert text == whole.text

    size = await backend.read_log(run_id, "train", None, 1 << 62, 0)
    assert (size.size, size.text, size.complete) == (whole.size, "", True)
    first = await backend.read_log(run_id, "train", None, 0, 0)
    assert (first.size, first.text, first.complete) == (whole.size, "", False)
    with pytest.raises(NotFound):
        await backend.read_log(run_id, "train", 7, 0, 100)
    with pytest.raises(NotFound):
        await backend.read_log(run_id, "no-such-task", None, 0, 100)


@in_loop
async def test_an_artifact_reads_whole_and_in_part(backend: Backend, world: World) -> None:
    run_id = world.runs["digits"]
    artifact_id = "evaluate:report"
    whole = await backend.open_artifact(run_id, artifact_id)
    content = await read(whole.body)
    assert whole.size == len(content) > 20
    assert (whole.start, whole.end) == (0, whole.size)
    assert whole.filename

    part = await backend.open_artifact(run_id, artifact_id, 5, 12)
    assert (part.start, part.end, part.size) == (5, 12, len(content))
    assert await read(part.body) == content[5:12]
    rest = await backend.open_artifact(run_id, artifact_id, 5)
    assert await read(rest.body) == content[5:]
    nothing = await backend.open_artifact(run_id, artifact_id, 0, 0)
    assert (await read(nothing.body), nothing.size) == (b"", len(content))
    beyond = await backend.open_artifact(run_id, artifact_id, len(content) + 5)
    assert (await read(beyond.body), beyond.size) == (b"", len(content))
    with pytest.raises(NotFound):
        await backend.open_artifact(run_id, "evaluate:nothing")


@in_loop
async def test_outputs_are_shown(backend: Backend, world: World) -> None:
    service = Service(backend, "any")
    outputs = await service.outputs(world.runs["digits"])
    kinds = {output.kind for output in outputs}
    assert {"markdown", "roc", "confusion_matrix", "metrics", "html"} <= kinds
    assert not [output.error for output in outputs if output.error]
    assert all(output.task_id for output in outputs)
    of_one = await service.outputs(world.runs["digits"], "evaluate")
    assert {output.id for output in of_one} <= {output.id for output in outputs}


@pytest.mark.parametrize("run_id", ["00000000-0000-0000-0000-000000000000", "..", "a/b", "%2e%2e"])
@in_loop
async def test_what_is_not_there_is_not_found(backend: Backend, run_id: str) -> None:
    for question in (
        backend.get_run(run_id),
        backend.get_graph(run_id),
        backend.get_task(run_id, "train"),
        backend.read_log(run_id, "train", None, 0, 10),
        backend.open_artifact(run_id, "train:model"),
        backend.terminate(run_id),
        backend.retry(run_id),
        backend.delete(run_id),
    ):
        with pytest.raises(NotFound):
            await question


# --- changing -----------------------------------------------------------------------------------


@in_loop
async def test_a_run_is_submitted_stopped_retried_and_deleted(backend: Backend) -> None:
    cursor = (await backend.changes(None)).cursor
    assert not (await backend.changes(cursor)).runs
    submission = Submission(pipeline=SLEEPER, display_name="Nap", parameters={"seconds": 60})
    run = await backend.submit(submission)
    assert run.display_name == "Nap"
    assert run.parameters == {"seconds": 60}

    changes = await backend.changes(cursor)
    assert run.run_id in [one.run_id for one in changes.runs]
    await _dozing(backend, run.run_id)
    await backend.terminate(run.run_id)
    stopped = await ended(backend, run.run_id, 30)
    # Kubeflow says of a stopped run that it has failed.
    assert stopped.state in (State.CANCELED, State.FAILED)
    changes = await backend.changes(changes.cursor)
    assert [one.state for one in changes.runs if one.run_id == run.run_id] == [stopped.state]

    await backend.retry(run.run_id)
    assert not (await backend.get_run(run.run_id)).state.final
    await backend.terminate(run.run_id)
    await ended(backend, run.run_id, 30)
    changes = await backend.changes(changes.cursor)
    await backend.delete(run.run_id)
    changes = await backend.changes(changes.cursor)
    assert list(changes.deleted) == [run.run_id]
    with pytest.raises(NotFound):
        await backend.get_run(run.run_id)


async def _dozing(backend: Backend, run_id: str) -> None:
    """Waits for the first line of a log that grows; it must not be told as complete."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        chunk = await backend.read_log(run_id, "sleep", None, 0, 10_000)
        assert not chunk.complete
        if "dozing\n" in chunk.text:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was printed")


@pytest.mark.parametrize("parameters", [{}, {"seconds": "many"}, {"seconds": 1, "other": 2}])
@in_loop
async def test_wrong_parameters_leave_nothing_behind(
    backend: Backend, parameters: dict[str, object]
) -> None:
    before = (await backend.list_runs(RunQuery())).total_size
    submission = Submission.model_validate({"pipeline": SLEEPER, "parameters": parameters})
    with pytest.raises(BadInput, match=r"seconds|other"):
        await backend.submit(submission)
    assert (await backend.list_runs(RunQuery())).total_size == before


@in_loop
async def test_preflight_accepts_what_runs(backend: Backend) -> None:
    assert list(await backend.preflight(SLEEPER)) == []


# --- Kubeflow's dialect -------------------------------------------------------------------------


@in_loop
async def test_the_dialect_answers_in_json(backend: Backend, world: World) -> None:
    answer = await ask(backend, "GET", f"/apis/v2beta1/runs/{world.runs['digits']}")
    assert answer.status == 200
    assert json.loads(await read(answer.body))["state"] == "SUCCEEDED"
    made = await ask(
        backend, "POST", "/apis/v2beta1/experiments", {"display_name": f"e {time.time_ns()}"}
    )
    assert made.status == 200
    assert json.loads(await read(made.body))["experiment_id"]


@in_loop
async def test_the_dialect_answers_errors_as_kubeflow_does(backend: Backend) -> None:
    answer = await ask(backend, "GET", "/apis/v2beta1/runs/nothing")
    assert answer.status == 404
    body = json.loads(await read(answer.body))
    assert body.keys() == {"error", "code", "message", "details"}
    assert body["code"] == 5


@pytest.mark.parametrize(
    "path", ["/apis/v2beta1/../../etc", "/apis/v2beta1/%2e%2e/x", "/apis/v9/runs", "/apis/"]
)
@in_loop
async def test_other_paths_are_no_part_of_the_dialect(backend: Backend, path: str) -> None:
    try:
        status = (await ask(backend, "GET", path)).status
    except PipelinesError as error:
        status = error.http_status
    assert status == 404
