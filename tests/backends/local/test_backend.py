"""The engine as a backend: through the protocol's async methods."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.base import ApiRequest, Backend
from jupyterlab_pipelines.backends.local.backend import LocalBackend
from jupyterlab_pipelines.errors import Conflict, NotFound, UnsupportedFeature
from jupyterlab_pipelines.models import ConnectionState, RunQuery, State, Submission
from tests.backends.local.conftest import kill
from tests.backends.local.sdk_pipelines import contained, numbers
from tests.backends.local.steps import pipeline, step

Test = Callable[[LocalBackend], Awaitable[None]]


@pytest.fixture
def with_backend(tmp_path: Path) -> Any:
    """Runs a coroutine function on a backend of an engine of its own."""

    def run(test: Test) -> None:
        async def go() -> None:
            backend = LocalBackend(tmp_path / "engine")
            try:
                await asyncio.wait_for(test(backend), 60)
            finally:
                await backend.close()

        asyncio.run(go())

    yield run
    kill(tmp_path)


async def done(backend: Backend, run_id: str) -> Any:
    """The run, once it is over; it is looked at as a watcher does."""
    while (run := await backend.get_run(run_id)).finished_at is None:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    return run


async def content(backend: Backend, run_id: str, artifact_id: str, *bounds: int) -> bytes:
    artifact = await backend.open_artifact(run_id, artifact_id, *bounds)
    return b"".join([chunk async for chunk in artifact.body])


def test_a_run_from_submission_to_deletion(with_backend: Any, compiled: Any) -> None:
    spec = compiled(numbers)

    async def test(backend: LocalBackend) -> None:
        assert (await backend.health()).state is ConnectionState.READY
        cursor = (await backend.changes(None)).cursor
        run = await backend.submit(
            Submission(pipeline=spec, display_name="mine", parameters={"start": 3})
        )
        assert (await done(backend, run.run_id)).state is State.SUCCEEDED
        changes = await backend.changes(cursor)
        assert [one.display_name for one in changes.runs] == ["mine"]
        listed = await backend.list_runs(RunQuery(name="MIN"))
        assert [one.run_id for one in listed.runs] == [run.run_id]
        assert (await backend.get_graph(run.run_id)).run.state is State.SUCCEEDED
        assert (await backend.get_task(run.run_id, "read")).outputs.parameters["Output"] == "6 6"
        assert "doubling" in (await backend.read_log(run.run_id, "double", None, 0, 9999)).text
        assert await content(backend, run.run_id, "double:table") == b"6\n"
        assert await content(backend, run.run_id, "double:table", 0, 1) == b"6"
        assert await content(backend, run.run_id, "double:table", 1) == b"\n"
        with pytest.raises(NotFound):
            await backend.open_artifact(run.run_id, "double:nothing")
        answer = await backend.api(ApiRequest("GET", f"/apis/v2beta1/runs/{run.run_id}"))
        assert answer.status == 200
        with pytest.raises(Conflict):
            await backend.terminate(run.run_id)
        with pytest.raises(Conflict):
            await backend.retry(run.run_id)
        await backend.delete(run.run_id)
        assert list((await backend.changes(changes.cursor)).deleted) == [run.run_id]

    with_backend(test)


def test_what_cannot_run_is_named_before(with_backend: Any, compiled: Any) -> None:
    spec = compiled(contained)

    async def test(backend: LocalBackend) -> None:
        problems = await backend.preflight(spec)
        assert [problem.place for problem in problems] == ["shell"]
        with pytest.raises(UnsupportedFeature, match="shell"):
            await backend.submit(Submission(pipeline=spec))
        assert (await backend.list_runs(RunQuery())).runs == []

    with_backend(test)


def test_a_folder_is_served_packed(with_backend: Any) -> None:
    spec = pipeline({"make": step("pass")})
    component = spec["components"]["comp-make"]
    component["outputDefinitions"] = {
        "artifacts": {"out": {"artifactType": {"schemaTitle": "system.Model"}}}
    }
    command = spec["deploymentSpec"]["executors"]["exec-make"]["container"]["command"]
    command[-1] = (
        "\nfrom kfp import dsl\n\ndef work(out: dsl.Output[dsl.Model]):\n"
        "    import os\n    os.makedirs(out.path)\n"
        "    open(os.path.join(out.path, 'weights'), 'w').write('heavy')\n"
    )

    async def test(backend: LocalBackend) -> None:
        run = await backend.submit(Submission(pipeline=spec))
        assert (await done(backend, run.run_id)).error is None
        artifact = await backend.open_artifact(run.run_id, "make:out")
        assert (artifact.filename, artifact.media_type) == ("out.tar.gz", "application/gzip")
        data = b"".join([chunk async for chunk in artifact.body])
        assert artifact.size == len(data)
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert archive.getnames() == ["out", "out/weights"]

    with_backend(test)


def test_a_store_that_cannot_be_used_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    backend = LocalBackend(tmp_path / "file" / "engine")
    health = asyncio.run(backend.health())
    assert health.state is ConnectionState.UNREACHABLE
    assert "cannot be made" in health.message
