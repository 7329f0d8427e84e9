"""Sorts and filters that Kubeflow lacks, over all of an endpoint's runs and not only the newest."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, run_index
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.models import RunPage, RunQuery
from tests.async_tests import in_loop
from tests.kubeflow import Cluster, serving
from tests.kubeflow.faults import fault_proxy, is_busy, passes

LONGEST = RunQuery(sort_by="duration", descending=True, page_size=3)


def fill(cluster: Cluster, count: int) -> None:
    """Runs of three pipelines, of a random length, in a random order of creation."""
    chosen = random.Random(7)
    for number in range(count):
        created = 1_700_000_000 + chosen.randrange(10_000_000)
        cluster.add_run(
            f"run {number:05}",
            chosen.choice(["SUCCEEDED", "FAILED"]),
            created_at=created,
            finished_at=created + 1 + number,
            spec={"pipelineInfo": {"name": f"pipeline-{number % 3}"}},
            archived=number % 10 == 0,
            # The attempt began when the run was created: its length is its number.
            state_history=[{"update_time": created, "state": "RUNNING"}],
        )


@contextlib.asynccontextmanager
async def endpoint(count: int) -> AsyncIterator[tuple[Cluster, KubeflowBackend]]:
    cluster = Cluster()
    fill(cluster, count)
    async with serving(cluster) as url:
        backend = KubeflowBackend(url)
        yield cluster, backend
        await backend.close()


def names(page: RunPage) -> list[str]:
    return [run.display_name for run in page.runs]


@in_loop
async def test_the_longest_of_all_runs_come_first_page_by_page() -> None:
    async with endpoint(1003) as (_, backend):
        first = await backend.list_runs(LONGEST)
        assert names(first) == ["run 01002", "run 01001", "run 00999"]
        assert (first.total_size, first.note) == (902, "")
        second = await backend.list_runs(
            LONGEST.model_copy(update={"page_token": first.next_page_token})
        )
        assert names(second) == ["run 00998", "run 00997", "run 00996"]


@in_loop
async def test_runs_of_a_pipeline_are_found_wherever_they_are() -> None:
    async with endpoint(1003) as (_, backend):
        query = RunQuery(pipeline_name="pipeline-2", sort_by="display_name", descending=False)
        page = await backend.list_runs(query.model_copy(update={"page_size": 4}))
        assert names(page) == ["run 00002", "run 00005", "run 00008", "run 00011"]
        both = query.model_copy(update={"name": "RUN 0100", "states": []})
        assert names(await backend.list_runs(both)) == ["run 01001"]
        archived = query.model_copy(update={"archived": True})
        assert names(await backend.list_runs(archived))[:2] == ["run 00020", "run 00050"]


@in_loop
async def test_what_was_read_once_is_not_read_again() -> None:
    async with endpoint(1003) as (cluster, backend):
        await backend.list_runs(LONGEST)
        before = cluster.asked["GET /apis/v2beta1/runs"]
        for descending in (True, False):
            await backend.list_runs(LONGEST.model_copy(update={"descending": descending}))
        assert cluster.asked["GET /apis/v2beta1/runs"] - before <= 4


@in_loop
async def test_what_is_new_ended_renamed_or_deleted_is_seen() -> None:
    async with endpoint(300) as (cluster, backend):
        running = cluster.add_run("goes on", "RUNNING", created_at=1_600_000_000)
        assert names(await backend.list_runs(LONGEST))[0] == "goes on"
        cluster.turn(running, "SUCCEEDED", 1_600_000_001)
        assert names(await backend.list_runs(LONGEST))[0] == "run 00299"
        by_name = {run.display_name: run for run in cluster.runs.values()}
        del cluster.runs[by_name["run 00299"].id]
        by_name["run 00298"].archived = True
        for number in range(250):
            cluster.add_run(f"new {number}", created_at=1_800_000_000 + number, finished_at=0)
        longest = by_name["run 00297"]
        longest.display_name = "renamed"
        new = cluster.add_run("longest", created_at=1_800_001_000, finished_at=1_900_000_000)
        page = await backend.list_runs(LONGEST)
        assert names(page)[:2] == ["longest", "renamed"]
        assert page.runs[0].run_id == new.id


@in_loop
async def test_a_part_is_never_shown_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "PATIENCE", 0.001)
    async with endpoint(1003) as (_, backend):
        page = await backend.list_runs(LONGEST)
        seen = 0
        while page.note:
            seen += 1
            assert "newest" in page.note
            assert page.total_size is None
            await asyncio.sleep(0.05)
            page = await backend.list_runs(LONGEST)
        assert seen
        assert names(page) == ["run 01002", "run 01001", "run 00999"]


@in_loop
async def test_a_reading_that_breaks_off_goes_on_where_it_was() -> None:
    cluster = Cluster()
    fill(cluster, 1003)
    async with serving(cluster) as url:
        busy = is_busy("503 Service Unavailable", 3600)
        async with fault_proxy(url, passes, passes, busy) as proxy:
            backend = KubeflowBackend(proxy.url)
            with pytest.raises(PipelinesError):
                await backend.list_runs(LONGEST)
            proxy.script(passes)
            assert names(await backend.list_runs(LONGEST))[0] == "run 01002"
            assert cluster.asked["GET /apis/v2beta1/runs"] <= 6 + 2 + 1
            await backend.close()


@in_loop
async def test_runs_of_a_version_have_their_pipelines_name() -> None:
    """The list says only which pipeline; each is asked for once, however many runs it has."""
    async with endpoint(30) as (cluster, backend):
        pipeline = cluster.add_pipeline("nightly", display_name="Nightly training")
        version = cluster.add_version(pipeline.id, "v1", {"pipelineInfo": {"name": "train"}})
        reference = {"pipeline_id": pipeline.id, "version_id": version.id}
        for number in range(5):
            cluster.add_run(f"of it {number}", created_at=1_800_000_000 + number, **reference)
        lost = cluster.add_run("of one deleted", pipeline_id="gone", version_id=version.id)
        cursor = (await backend.changes(None)).cursor
        for query in (RunQuery(), RunQuery(pipeline_name="Nightly training"), RunQuery()):
            page = await backend.list_runs(query)
            found = {run.display_name: run.pipeline_name for run in page.runs}
            assert {found[f"of it {number}"] for number in range(5)} == {"Nightly training"}
            assert found.get("of one deleted", "") == ""
        assert cluster.asked[f"GET /apis/v2beta1/pipelines/{pipeline.id}"] == 1
        assert cluster.asked["GET /apis/v2beta1/pipelines/gone"] == 1
        cluster.turn(next(one for one in cluster.runs.values() if one is not lost), "FAILED")
        run = cluster.add_run("new", **reference)
        changed = {one.run_id: one for one in (await backend.changes(cursor)).runs}
        assert changed[run.id].pipeline_name == "Nightly training"
