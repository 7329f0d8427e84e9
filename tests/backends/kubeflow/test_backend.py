"""Runs of an endpoint that has no task API, and how seldom it is asked."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, readings
from jupyterlab_pipelines.backends.kubeflow import changes as changes_module
from jupyterlab_pipelines.errors import BadInput, BadUpstream
from jupyterlab_pipelines.models import RunQuery, State, Submission, TaskType
from jupyterlab_pipelines.pipeline_text import read_pipeline
from tests.async_tests import in_loop

EXAMPLES = Path(__file__).parents[3] / "examples" / "pipelines"
SPEC = read_pipeline((EXAMPLES / "control_flow.yaml").read_text())


def run_json(run_id: str, state: str = "RUNNING", **more: Any) -> dict[str, Any]:
    """A run as Kubeflow lists it."""
    return {
        "run_id": run_id,
        "display_name": f"run {run_id}",
        "state": state,
        "created_at": "2026-08-01T10:00:00Z",
        "scheduled_at": "2026-08-01T10:00:00Z",
        "finished_at": "1970-01-01T00:00:00Z",
        "state_history": [
            {"update_time": "2026-08-01T10:00:00Z", "state": "PENDING"},
            {"update_time": "2026-08-01T10:00:07.123456789Z", "state": "RUNNING"},
        ],
        **more,
    }


class Cluster:
    """An API server in memory: runs by id, newest first, and a count of what it was asked."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        self.runs = {run["run_id"]: run for run in runs}
        self.asked: Counter[str] = Counter()
        self.bodies: list[Any] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked[path] += 1
        if path.startswith(("/ml_metadata.", "/apis/v1beta1/")):
            return httpx.Response(404, json={"code": 5, "message": "Not Found"})
        if request.method == "POST":
            self.bodies.append(json.loads(request.content or b"null"))
            return httpx.Response(200, json=run_json("new"))
        if path == "/apis/v2beta1/runs":
            return self._list(request.url.params)
        if path.startswith("/apis/v2beta1/pipelines/p/versions/"):
            return httpx.Response(200, json={"pipeline_spec": SPEC})
        run = self.runs.get(path.rpartition("/")[2])
        if run is None:
            return httpx.Response(404, json={"error": "gone", "code": 5, "message": "gone"})
        return httpx.Response(200, json=run)

    def _list(self, parameters: httpx.QueryParams) -> httpx.Response:
        runs = list(self.runs.values())
        for predicate in json.loads(unquote(parameters.get("filter", "{}"))).get("predicates", []):
            if predicate["key"] == "state":
                wanted = predicate["string_values"]["values"]
                runs = [run for run in runs if run["state"] in wanted]
        size = int(parameters.get("page_size", 20))
        start = int(parameters.get("page_token", "0"))
        token = str(start + size) if start + size < len(runs) else ""
        return httpx.Response(
            200,
            json={
                "runs": runs[start : start + size],
                "total_size": len(runs),
                "next_page_token": token,
            },
        )

    def backend(self) -> KubeflowBackend:
        return KubeflowBackend("https://kfp.example.com", transport=httpx.MockTransport(self))


def detail(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"display_name": name, "state": state, "create_time": "2026-08-01T10:00:08Z", **more}


# --- a graph of Argo's nodes --------------------------------------------------------------------


@in_loop
async def test_todays_kubeflow_gives_a_useful_graph() -> None:
    details = [
        detail("exit-handler-1", "RUNNING"),
        detail("draw", "SUCCEEDED", pod_name="pod-draw", start_time="2026-08-01T10:00:09Z"),
        detail("for-loop-5", "RUNNING"),
        detail("square", "SUCCEEDED"),
        detail("square", "FAILED", error={"message": "OOMKilled"}),
        detail("draw-driver", "SUCCEEDED"),
    ]
    cluster = Cluster(run_json("a", pipeline_spec=SPEC, run_details={"task_details": details}))
    graph = await cluster.backend().get_graph("a")
    by_name = {node.name: node for node in graph.topology.tasks}
    assert by_name["draw"].id == "exit-handler-1/draw"
    assert by_name["exit-handler-1"].type is TaskType.EXIT_HANDLER
    drawn = graph.tasks["exit-handler-1/draw"]
    assert (drawn.state, len(drawn.attempts)) == (State.SUCCEEDED, 1)
    loop = next(node for node in graph.topology.tasks if node.type is TaskType.LOOP)
    assert graph.tasks[loop.id].state in (State.RUNNING, State.PENDING)
    assert graph.tasks[by_name["total"].id].state is State.PENDING
    assert graph.run.started_at is not None
    assert graph.run.started_at.microsecond == 123456
    assert graph.run.finished_at is None
    assert graph.run.pipeline_name == "control-flow"


@in_loop
async def test_a_version_is_read_once_for_the_shape_of_its_runs() -> None:
    reference = {"pipeline_id": "p", "pipeline_version_id": "v"}
    cluster = Cluster(
        run_json("a", pipeline_version_reference=reference),
        run_json("b", pipeline_version_reference=reference),
    )
    backend = cluster.backend()
    first, second = await backend.get_graph("a"), await backend.get_graph("b")
    assert first.topology == second.topology
    assert first.run.pipeline_name == "control-flow"
    assert len(first.topology.tasks) > 8
    assert cluster.asked["/apis/v2beta1/pipelines/p/versions/v"] == 1


@pytest.mark.parametrize(
    "broken",
    [
        {"tasks": "many"},
        {"tasks": [{"no": "id"}]},
        {"state_history": 5},
        {"runtime_config": {"parameters": [1]}},
        {"run_details": {"task_details": [None]}},
        {"pipeline_spec": {"root": {"dag": {"tasks": {"a": {}}}}}},
        {"pipeline_spec": "text"},
        {"pipeline_version_reference": "v"},
    ],
    ids=str,
)
@in_loop
async def test_an_answer_of_another_shape_is_bad_upstream(broken: dict[str, Any]) -> None:
    cluster = Cluster(run_json("a", **broken))
    with pytest.raises(BadUpstream, match=r"https://kfp.example.com answered"):
        await cluster.backend().get_graph("a")


@pytest.mark.parametrize("time", ["yesterday", "0001-01-01T00:00:00+10:00"])
@in_loop
async def test_a_time_that_is_none_takes_nothing_else_away(time: Any) -> None:
    cluster = Cluster(
        run_json("a", tasks=[{"task_id": "1", "name": "x", "start_time": time}], finished_at=time)
    )
    graph = await cluster.backend().get_graph("a")
    assert [one.started_at for one in graph.tasks.values()] == [None]


# --- how often it is asked ----------------------------------------------------------------------


@in_loop
async def test_two_hundred_viewers_cost_one_request() -> None:
    cluster = Cluster(run_json("a", pipeline_spec=SPEC))
    backend = cluster.backend()
    graphs = await asyncio.gather(*(backend.get_graph("a") for _ in range(200)))
    assert all(graph is graphs[0] for graph in graphs)
    assert cluster.asked["/apis/v2beta1/runs/a"] == 1


@in_loop
async def test_one_who_gives_up_does_not_take_the_answer_from_the_others() -> None:
    backend = Cluster(run_json("a", pipeline_spec=SPEC)).backend()
    impatient = asyncio.create_task(backend.get_graph("a"))
    patient = asyncio.create_task(backend.get_graph("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).run.run_id == "a"


@in_loop
async def test_a_revision_grows_with_a_difference_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "_FRESH", 0)
    cluster = Cluster(run_json("a", pipeline_spec=SPEC))
    backend = cluster.backend()
    first = await backend.get_graph("a")
    assert (await backend.get_graph("a")).revision == first.revision
    cluster.runs["a"]["run_details"] = {"task_details": [detail("draw", "RUNNING")]}
    second = await backend.get_graph("a")
    assert second.revision > first.revision
    assert second.topology.key == first.topology.key


@in_loop
async def test_what_was_done_is_seen_at_once() -> None:
    cluster = Cluster(run_json("a", pipeline_spec=SPEC))
    backend = cluster.backend()
    await backend.get_graph("a")
    cluster.runs["a"]["state"] = "CANCELING"
    await backend.terminate("a")
    assert (await backend.get_graph("a")).run.state is State.CANCELING


# --- changes ------------------------------------------------------------------------------------


@in_loop
async def test_changes_are_what_looks_different() -> None:
    cluster = Cluster(run_json("a"), run_json("b", "SUCCEEDED"))
    backend = cluster.backend()
    changes = await backend.changes((await backend.changes(None)).cursor)
    assert (list(changes.runs), list(changes.deleted)) == ([], [])
    assert list(changes.unsure) == ["a"]

    cluster.runs["a"]["state"] = "SUCCEEDED"
    del cluster.runs["b"]
    cluster.runs["c"] = run_json("c", "PENDING")
    changes = await backend.changes(changes.cursor)
    assert {run.run_id for run in changes.runs} == {"a", "c"}
    assert list(changes.deleted) == ["b"]
    assert list(changes.unsure) == ["c"]
    with pytest.raises(BadInput):
        await backend.changes("never given")


@in_loop
async def test_every_active_run_is_watched_over_as_many_pages_as_they_fill() -> None:
    ended = {f"e{i}": run_json(f"e{i}", "SUCCEEDED") for i in range(150)}
    active = {f"a{i}": run_json(f"a{i}") for i in range(450)}
    cluster = Cluster(*ended.values(), *active.values())
    backend = cluster.backend()
    first = await backend.changes(None)
    assert set(first.unsure) == set(active)
    active["a449"]["display_name"] = "renamed"
    changes = await backend.changes(first.cursor)
    assert [run.display_name for run in changes.runs] == ["renamed"]


@in_loop
async def test_more_active_runs_than_are_watched_are_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(changes_module, "_PAGES", 2)
    cluster = Cluster(*(run_json(f"a{i}") for i in range(401)))
    backend = cluster.backend()
    first = await backend.changes(None)
    assert len(first.unsure) == 400
    await backend.changes(first.cursor)
    said = [one.getMessage() for one in caplog.records if "active runs" in one.getMessage()]
    assert len(said) == 1
    assert "more than 400 active runs" in said[0]


@in_loop
async def test_a_run_pushed_out_by_newer_ones_is_not_deleted() -> None:
    old = run_json("old", "SUCCEEDED", created_at="2026-01-01T00:00:00Z")
    slow = run_json("slow", "RUNNING", created_at="2026-01-01T00:00:00Z")
    cluster = Cluster(old, slow)
    backend = cluster.backend()
    cursor = (await backend.changes(None)).cursor
    newer = {f"n{i}": run_json(f"n{i}", "SUCCEEDED") for i in range(150)}
    slow["state"] = "FAILED"
    cluster.runs = {**newer, "old": old, "slow": slow}
    changes = await backend.changes(cursor)
    assert list(changes.deleted) == []
    assert "slow" in {run.run_id for run in changes.runs}
    assert "old" not in {run.run_id for run in changes.runs}


# --- lists and submissions ----------------------------------------------------------------------


@in_loop
async def test_what_kubeflow_cannot_sort_is_sorted_and_paged_here() -> None:
    runs = [
        run_json(f"r{i}", "SUCCEEDED", finished_at=f"2026-08-01T10:{(i * 7) % 30 + 1:02}:00Z")
        for i in range(30)
    ]
    backend = Cluster(*runs).backend()
    query = RunQuery(sort_by="duration", page_size=7)
    seen = []
    while True:
        page = await backend.list_runs(query)
        seen += page.runs
        if not page.next_page_token:
            break
        query = query.model_copy(update={"page_token": page.next_page_token})
    assert len({run.run_id for run in seen}) == 30
    ends = [run.finished_at for run in seen if run.finished_at]
    assert ends == sorted(ends, reverse=True)


@pytest.mark.parametrize("caching", [True, False, None])
@in_loop
async def test_a_submission_keeps_the_pipeline_but_for_its_caching(caching: bool | None) -> None:
    cluster = Cluster()
    before = json.dumps(SPEC)
    submission = Submission(pipeline=SPEC, caching=caching, parameters={"seed": 1})
    await cluster.backend().submit(submission)
    (body,) = cluster.bodies
    assert body["runtime_config"] == {"parameters": {"seed": 1}}
    assert body["display_name"].startswith("control-flow ")
    sent = body["pipeline_spec"]
    tasks = sent["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    enabled = {task.get("cachingOptions", {}).get("enableCache", False) for task in tasks.values()}
    if caching is None:
        assert sent == SPEC
    else:
        assert enabled == {caching}
    assert json.dumps(SPEC) == before


@in_loop
async def test_platform_settings_travel_beside_the_spec() -> None:
    cluster = Cluster()
    platform = {"platforms": {"kubernetes": {}}}
    both = {"pipeline_spec": SPEC, "platform_spec": platform}
    await cluster.backend().submit(Submission(pipeline=both, display_name="x"))
    assert cluster.bodies[0]["pipeline_spec"] == both
