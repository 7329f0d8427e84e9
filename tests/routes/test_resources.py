"""What the browser gets of each resource, over real HTTP and a real engine."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.settings import SettingsFile
from jupyterlab_pipelines.models import Event, GraphDelta, RunGraph, State
from tests.backends.local.steps import pipeline as steps
from tests.backends.local.steps import step
from tests.routes.conftest import RUN_ID

EXAMPLES = Path(__file__).parents[2] / "examples" / "pipelines"
Fetch = Callable[..., Awaitable[Any]]


@pytest.fixture
def call(jp_fetch: Any) -> Fetch:
    """A request with the token; an error is returned as (status, body) like any answer."""

    async def fetch(
        path: str, method: str = "GET", body: Any = None, **options: Any
    ) -> tuple[int, Any]:
        if method == "POST":
            options["body"] = body if isinstance(body, bytes) else json.dumps(body or {})
        parts = path.split("/")
        answer = await jp_fetch("pipelines", *parts, method=method, raise_error=False, **options)
        text = answer.body.decode()
        return answer.code, json.loads(text) if text else None

    return fetch


async def submitted(call: Fetch, name: str, **fields: Any) -> str:
    pipeline = (EXAMPLES / f"{name}.yaml").read_text()
    status, run = await call("local/runs", "POST", {"pipeline": pipeline, **fields})
    assert status == 201, run
    run_id: str = run["run_id"]
    return run_id


# --- a run's whole story ------------------------------------------------------------------------


async def test_a_run_is_followed_from_submit_to_delete(
    call: Fetch, jp_fetch: Any, jp_ws_fetch: Any
) -> None:
    socket = await jp_ws_fetch("pipelines", "events")

    async def subscribe(**topic: Any) -> None:
        await socket.write_message(json.dumps({"action": "subscribe", **topic}))

    await subscribe(topic="runs", connection="local")
    await asyncio.sleep(0.5)
    run_id = await submitted(call, "failing", display_name="To follow")
    await subscribe(topic="run", connection="local", run_id=run_id)
    _, first = await call(f"local/runs/{run_id}/graph")
    await subscribe(topic="log", connection="local", run_id=run_id, task_id="divide")

    graph = RunGraph.model_validate(first)
    seq = 0
    listed: list[State] = []
    log_size = 0
    deadline = time.monotonic() + 60
    while graph.run.state is not State.FAILED or listed[-1:] != [State.FAILED] or not log_size:
        assert time.monotonic() < deadline, (graph, listed, log_size)
        event = Event.model_validate_json(await asyncio.wait_for(_next(socket), 30))
        seq += 1
        assert event.seq == seq
        assert event.stale is None
        listed += [run.state for run in event.runs if run.run_id == run_id]
        log_size = max(log_size, event.log_size or 0)
        if event.delta is not None:
            graph = await _applied(graph, event.delta, call)
    _, last = await call(f"local/runs/{run_id}/graph")
    assert graph.model_dump(mode="json") == last
    assert listed[0] in (State.PENDING, State.RUNNING)

    _, page = await call("local/runs", params={"name": "FOLLOW", "state": "FAILED"})
    assert [run["run_id"] for run in page["runs"]] == [run_id]
    _, detail = await call(f"local/runs/{run_id}/task", params={"task": "divide"})
    assert "ZeroDivisionError" in detail["status"]["error"]
    assert "def divide" in detail["source"]
    _, chunk = await call(f"local/runs/{run_id}/log", params={"task": "divide", "limit": "40"})
    assert chunk["next_offset"] <= 40 < chunk["size"]
    assert 0 < log_size <= chunk["size"]
    whole = await jp_fetch(
        "pipelines", "local", "runs", run_id, "log", params={"task": "divide", "download": "1"}
    )
    assert len(whole.body) == chunk["size"]
    assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert whole.headers["Content-Disposition"] == "attachment; filename*=utf-8''divide-1.log"
    status, body = await call(f"local/runs/{run_id}/terminate", "POST")
    assert (status, body["code"]) == (409, "Conflict")

    status, _ = await call(f"local/runs/{run_id}", "DELETE")
    assert status == 204
    gone: list[str] = []
    while run_id not in gone:
        gone += Event.model_validate_json(await asyncio.wait_for(_next(socket), 10)).deleted
    status, body = await call(f"local/runs/{run_id}")
    assert (status, body["code"]) == (404, "NotFound")
    socket.close()


async def _next(socket: Any) -> str:
    message = await socket.read_message()
    assert message is not None, socket.close_reason
    return str(message)


async def _applied(graph: RunGraph, delta: GraphDelta, call: Fetch) -> RunGraph:
    """What the page does with a delta."""
    if delta.revision <= graph.revision:
        return graph
    if delta.topology_key != graph.topology.key or delta.base_revision > graph.revision:
        _, fetched = await call(f"local/runs/{graph.run.run_id}/graph")
        return RunGraph.model_validate(fetched)
    return graph.model_copy(
        update={
            "run": delta.run,
            "revision": delta.revision,
            "tasks": graph.tasks | delta.tasks,
            "artifacts": graph.artifacts | delta.artifacts,
        }
    )


async def test_outputs_and_artifacts_of_the_example(call: Fetch, jp_fetch: Any) -> None:
    run_id = await submitted(call, "digits")
    deadline = time.monotonic() + 90
    while (await call(f"local/runs/{run_id}"))[1]["state"] not in ("SUCCEEDED", "FAILED"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.3)
    _, answer = await call(f"local/runs/{run_id}/outputs", params={"task": "evaluate"})
    kinds = {output["kind"] for output in answer["outputs"]}
    assert {"markdown", "roc", "confusion_matrix", "metrics", "html"} <= kinds

    async def artifact(name: str, **headers: str) -> Any:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        path = ("pipelines", "local", "runs", run_id, "artifact")
        params = {"artifact": name}
        return await jp_fetch(*path, params=params, headers=named, raise_error=False)

    whole = await artifact("evaluate:report")
    assert whole.code == 200
    assert whole.headers["Content-Length"] == str(len(whole.body))
    assert whole.headers["Accept-Ranges"] == "bytes"
    tag = whole.headers["ETag"]
    size = len(whole.body)
    for header, start, end in (
        ("bytes=3-9", 3, 10),
        ("bytes=3-", 3, size),
        ("bytes=-4", size - 4, size),
        (f"bytes=0-{size * 2}", 0, size),
    ):
        part = await artifact("evaluate:report", Range=header, If_Range=tag)
        assert part.code == 206
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.body == whole.body[start:end]
    assert (await artifact("evaluate:report", Range="bytes=3-9", If_Range='"x"')).code == 200
    assert (await artifact("evaluate:report", Range="bytes=9-3")).code == 200
    beyond = await artifact("evaluate:report", Range=f"bytes={size}-")
    assert (beyond.code, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    missing = await artifact("evaluate:../../etc/passwd")
    assert missing.code == 404

    page = await artifact("evaluate:figure")
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Content-Disposition"].startswith("attachment")
    for answer in (whole, beyond, missing, page):
        assert "sandbox allow-scripts" in answer.headers["Content-Security-Policy"]
        assert "allow-same-origin" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


# --- what is wrong with a request ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("local/runs", {}, "pipeline"),
        ("local/runs", {"pipeline": "x", "tpyo": 1}, "tpyo"),
        ("local/runs", {"pipeline": "x", "parameters": [1]}, "parameters"),
        ("local/cells/plan", {"selection": {"cells": [], "selected": []}}, "selection.selected"),
        ("cells/probe", {"names": "x"}, "names"),
        ("connections", {"name": "Not Valid", "host": "https://x"}, "name"),
        ("connections", {"name": "x", "host": "ftp://x"}, "host"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(
    call: Fetch, path: str, body: Any, place: str
) -> None:
    status, answer = await call(path, "POST", body)
    assert status == 400
    assert answer["code"] == "BadInput"
    assert place in [problem["place"] for problem in answer["problems"]]
    assert answer["next_step"]


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"text"', b"null"])
async def test_what_is_not_json_is_told(call: Fetch, body: bytes) -> None:
    status, answer = await call("local/runs", "POST", body)
    assert (status, answer["code"]) == (400, "BadInput")


@pytest.mark.parametrize(
    ("pipeline", "code", "said"),
    [
        ("root: [", "InvalidPipeline", r"line 2, column 1"),
        ("kind: Workflow\napiVersion: argoproj.io/v1alpha1", "InvalidPipeline", "kfp 1"),
        (
            (EXAMPLES / "digits.yaml").read_text().replace("comp-train\n", "comp-trian\n"),
            "InvalidPipeline",
            "comp-trian",
        ),
    ],
)
async def test_a_wrong_pipeline_names_the_place_and_leaves_nothing(
    call: Fetch, home: Path, pipeline: str, code: str, said: str
) -> None:
    for path in ("local/runs", "local/pipelines/describe"):
        status, answer = await call(path, "POST", {"pipeline": pipeline})
        assert (status, answer["code"]) == (400, code), answer
        assert re.search(said, json.dumps(answer))
    assert (await call("local/runs"))[1]["runs"] == []
    assert list((home / "local" / "runs").glob("*")) == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"regularization": "much"}, "regularization"), ({"typo": 1}, "typo")],
)
async def test_a_wrong_parameter_is_named(
    call: Fetch, parameters: dict[str, Any], named: str
) -> None:
    pipeline = (EXAMPLES / "digits.yaml").read_text()
    body = {"pipeline": pipeline, "parameters": parameters}
    status, answer = await call("local/runs", "POST", body)
    assert (status, answer["code"]) == (400, "InvalidParameter")
    assert named in json.dumps(answer)
    assert (await call("local/runs"))[1]["runs"] == []


@pytest.mark.parametrize(
    "path",
    [
        f"local/runs/{RUN_ID}",
        f"local/runs/{RUN_ID}/graph",
        f"local/runs/{RUN_ID}/outputs",
        "elsewhere/runs",
        "elsewhere/",
    ],
)
async def test_what_is_not_there_is_not_found(call: Fetch, path: str) -> None:
    status, answer = await call(path)
    assert (status, answer["code"]) == (404, "NotFound")
    assert answer["message"]
    assert answer["next_step"]


@pytest.mark.parametrize(
    "path", ["..%2f..", "%2e%2e", "a%2fb", "%252e%252e", "a%0d%0ab", "a.b", "%00", "x" * 200]
)
async def test_a_hostile_id_never_reaches_a_backend(
    ask: Fetch, jp_auth_header: dict[str, str], path: str
) -> None:
    for rest in ("", "/graph", "/log?task=x", "/artifact?artifact=x"):
        answer = await ask(f"local/runs/{path}{rest}", headers=jp_auth_header)
        assert answer.code == 404


@pytest.mark.parametrize(
    "query",
    [{"page_size": "0"}, {"page_size": "many"}, {"sort_by": "color"}, {"state": "DONE"}],
)
async def test_a_wrong_query_is_named(call: Fetch, query: dict[str, str]) -> None:
    status, answer = await call("local/runs", params=query)
    assert (status, answer["code"]) == (400, "BadInput")


async def test_what_jupyterlab_adds_to_a_query_is_ignored(call: Fetch) -> None:
    status, _ = await call("local/runs", params={"1732000000000": "", "no_track_activity": "1"})
    assert status == 200


async def test_a_surprise_is_told_without_its_text(
    call: Fetch, connections: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def surprise(run_id: str) -> None:
        raise RuntimeError("canary-secret")

    monkeypatch.setattr(connections.service("local").backend, "get_run", surprise)
    status, answer = await call(f"local/runs/{RUN_ID}")
    assert status == 500
    assert "canary" not in json.dumps(answer)
    assert answer["next_step"] == "See the server's log."


# --- connections, cells, links ------------------------------------------------------------------


async def test_connections_are_added_and_removed_and_keep_their_secret(
    call: Fetch, jp_ws_fetch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    socket = await jp_ws_fetch("pipelines", "events")
    await socket.write_message('{"action": "subscribe", "topic": "connections"}')
    first = Event.model_validate_json(await asyncio.wait_for(_next(socket), 10))
    assert [one.name for one in first.connections] == ["local"]

    new = {
        "name": "team",
        "host": "http://127.0.0.1:9/pipeline/",
        "sign_in": {"method": "token", "token": "canary-5d1c"},
    }
    status, added = await call("connections", "POST", new)
    assert status == 201
    assert (added["host"], added["state"]) == ("http://127.0.0.1:9/pipeline", "unreachable")
    status, answer = await call("connections", "POST", new)
    assert (status, answer["code"]) == (409, "Conflict")
    _, listed = await call("connections")
    assert [one["name"] for one in listed["connections"]] == ["local", "team"]
    told = Event.model_validate_json(await asyncio.wait_for(_next(socket), 10))
    assert [one.name for one in told.connections] == ["local", "team"]

    for path in ("team/runs", "team/apis/v2beta1/runs"):
        status, refused = await call(path)
        assert status == 503
        assert "http://127.0.0.1:9/pipeline cannot be reached" in json.dumps(refused)
        listed["seen"] = refused
    assert "canary" not in json.dumps([added, listed, told.model_dump(mode="json")])
    assert (await call("connections/team", "DELETE"))[0] == 204
    assert (await call("connections/team", "DELETE"))[0] == 404
    assert (await call("connections/local", "DELETE"))[0] == 409
    assert "canary" not in caplog.text
    socket.close()


async def test_a_pipeline_is_described(call: Fetch) -> None:
    pipeline = (EXAMPLES / "digits.yaml").read_text()
    status, answer = await call("local/pipelines/describe", "POST", {"pipeline": pipeline})
    assert status == 200
    assert answer["name"] == "digits"
    assert {one["name"] for one in answer["parameters"]} == {"regularization", "test_share"}
    assert answer["problems"] == []


async def test_what_a_pipeline_needs_of_a_cluster_is_told_until_it_is_mapped(call: Fetch) -> None:
    pairs = [{"secretKey": "password", "envVar": "PASSWORD"}]
    options = {"exec-one": {"secretAsEnv": [{"keyToEnv": pairs, "secretName": "db"}]}}
    pipeline = {
        "pipeline_spec": steps({"one": step("import os; assert os.environ['PASSWORD']")}),
        "platform_spec": {"platforms": {"kubernetes": {"deploymentSpec": {"executors": options}}}},
    }
    command = "jupyter pipelines map secret db password --prompt"
    _, answer = await call("local/pipelines/describe", "POST", {"pipeline": pipeline})
    (problem,) = answer["problems"]
    assert problem["place"] == "one"
    assert "needs the secret `db`, which is not mapped" in problem["message"]
    assert command in problem["next_step"]
    status, refused = await call("local/runs", "POST", {"pipeline": pipeline})
    assert (status, refused["code"]) == (400, "UnsupportedFeature")
    assert command in refused["next_step"]
    run = {"display_name": "x", "pipeline_spec": pipeline}
    status, refused = await call("local/apis/v2beta1/runs", "POST", run)
    assert status == 400
    assert command in refused["message"]

    mapped = {"db": {"keys": {"password": {"value": "canary-4711"}}}}
    SettingsFile().change(lambda settings: settings.update(secrets=mapped))
    _, answer = await call("local/pipelines/describe", "POST", {"pipeline": pipeline})
    assert answer["problems"] == []
    status, run = await call("local/runs", "POST", {"pipeline": pipeline})
    assert status == 201
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not run["finished_at"]:
        await asyncio.sleep(0.1)
        run = (await call(f"local/runs/{run['run_id']}"))[1]
    assert run["state"] == "SUCCEEDED"
    status, detail = await call(f"local/runs/{run['run_id']}/task", params={"task": "one"})
    assert status == 200
    assert "canary" not in json.dumps([run, detail])


async def test_cells_are_planned_and_run(call: Fetch, home: Path) -> None:
    selection = {
        "notebook": "work.ipynb",
        "cells": [
            {"id": "a", "source": "import math\nradius = 2"},
            {
                "id": "b",
                "source": "from IPython.display import Markdown\n"
                "Markdown(f'area {math.pi * radius ** 2}')",
            },
        ],
        "selected": ["b"],
    }
    status, plan = await call("local/cells/plan", "POST", {"selection": selection})
    assert status == 200
    assert "math.pi" in plan["code"]
    assert [one["name"] for one in plan["inputs"]] == ["radius"]
    _, probe = await call("cells/probe", "POST", {"names": ["radius"]})
    compile(probe["source"], "probe", "exec")

    status, run = await call("local/cells/run", "POST", {"selection": selection, "name": "area"})
    assert status == 201, run
    deadline = time.monotonic() + 90
    while True:
        _, graph = await call(f"local/runs/{run['run_id']}/graph")
        if State(graph["run"]["state"]).final:
            break
        assert time.monotonic() < deadline
        await asyncio.sleep(0.3)
    assert graph["run"]["state"] == "SUCCEEDED", graph["run"]["error"]
    task = graph["topology"]["tasks"][0]["id"]
    _, answer = await call(f"local/runs/{run['run_id']}/outputs", params={"task": task})
    assert "area 12.56" in json.dumps(answer)


async def test_a_cell_with_an_error_names_its_line(call: Fetch) -> None:
    selection = {"cells": [{"id": "a", "source": "x = 1\ny = = 2"}], "selected": ["a"]}
    status, answer = await call("local/cells/run", "POST", {"selection": selection})
    assert (status, answer["code"]) == (400, "InvalidCell")
    assert (answer["problems"][0]["cell"], answer["problems"][0]["line"]) == ("a", 2)
    assert (await call("local/runs"))[1]["runs"] == []


async def test_the_link_that_kfp_prints_opens_the_lab(jp_fetch: Any) -> None:
    for path in ("local", "local/"):
        page = await jp_fetch("pipelines", path)
        text = page.body.decode()
        assert 'const lab = "/a%40b/lab", connection = "local"' in text
        nonce = re.search(r'nonce="([^"]+)"', text)
        assert nonce is not None
        assert f"'nonce-{nonce.group(1)}'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "message", ["not json", '{"action": "subscribe"}', "[]", "x" * 20_000, '{"topic": 1}']
)
async def test_a_page_that_talks_nonsense_is_hung_up_on(jp_ws_fetch: Any, message: str) -> None:
    socket = await jp_ws_fetch("pipelines", "events")
    await socket.write_message(message)
    assert await asyncio.wait_for(socket.read_message(), 5) is None
    assert socket.close_code == 1008
    socket.close()


async def test_a_subscription_to_nothing_says_why(jp_ws_fetch: Any) -> None:
    socket = await jp_ws_fetch("pipelines", "events")
    order = {"action": "subscribe", "topic": "runs", "connection": "elsewhere"}
    await socket.write_message(json.dumps(order))
    event = Event.model_validate_json(await asyncio.wait_for(_next(socket), 5))
    assert "elsewhere" in (event.stale or "")
    order = {"action": "subscribe", "topic": "run", "connection": "local", "run_id": RUN_ID}
    await socket.write_message(json.dumps(order))
    event = Event.model_validate_json(await asyncio.wait_for(_next(socket), 5))
    assert event.deleted == [RUN_ID]
    socket.close()
