"""Many pages on one run: the endpoint is asked as if there were one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.websocket import WebSocketClientConnection

from jupyterlab_pipelines.models import NewConnection
from tests.kubeflow import Cluster, Run, in_thread

POD = "train-1"
SPEC = {
    "pipelineInfo": {"name": "train"},
    "schemaVersion": "2.1.0",
    "root": {
        "dag": {
            "tasks": {
                "train": {"taskInfo": {"name": "train"}, "componentRef": {"name": "comp-train"}}
            }
        }
    },
    "components": {"comp-train": {"executorLabel": "exec-train"}},
    "deploymentSpec": {"executors": {"exec-train": {"container": {"image": "python:3.12"}}}},
}
CHANGES = 2


class Viewer:
    """A page with the list of runs, one run and its log open, as the lab's own page asks."""

    def __init__(self, fetch: Any, socket: WebSocketClientConnection, run_id: str) -> None:
        self._fetch, self._socket, self._run_id = fetch, socket, run_id
        self.text, self._offset = "", 0
        self.states: list[str] = []

    async def open(self) -> None:
        for topic in ({"topic": "runs"}, {"topic": "run"}, {"topic": "log", "task_id": "train"}):
            order = {"action": "subscribe", "connection": "team", "run_id": self._run_id, **topic}
            await self._socket.write_message(json.dumps(order))
        await self._get("team/runs", page_size=20)
        await self._get(f"team/runs/{self._run_id}/graph")
        await self._get(f"team/runs/{self._run_id}/task", task="train")

    async def until(self, *, log: str, state: str) -> None:
        """Follows what the socket tells until this much of the log, and this state, is shown."""
        while self.text != log or self.states[-1:] != [state]:
            event = json.loads(await asyncio.wait_for(self._socket.read_message(), 30))
            assert event["stale"] is None
            if event["topic"] == "log" and event["log_size"] > self._offset:
                query = {"task": "train", "offset": self._offset, "limit": 1 << 18}
                piece = await self._get(f"team/runs/{self._run_id}/log", **query)
                self.text += piece["text"]
                self._offset = piece["next_offset"]
            elif event["topic"] == "run" and event["delta"]["tasks"]:
                self.states.append(event["delta"]["tasks"]["train"]["state"])

    async def _get(self, path: str, **params: Any) -> Any:
        answer = await self._fetch("pipelines", *path.split("/"), params=params)
        return json.loads(answer.body)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def host(cluster: Cluster) -> Iterator[str]:
    with in_thread(cluster) as url:
        yield url


def show(cluster: Cluster, run: Run, number: int) -> tuple[str, str]:
    """Changes the run: another state of its task, and some more lines. Returns both."""
    state = "PENDING" if number % 2 else "RUNNING"
    task = {"task_id": "t", "name": "train", "type": "RUNTIME", "state": state}
    run.tasks = [{**task, "pods": [{"name": POD, "type": "EXECUTOR"}]}]
    log = cluster.logs.get((run.id, POD), b"") + f"line {number}\n".encode() * 50
    cluster.logs[run.id, POD] = log
    return state, log.decode()


async def test_200_viewers_cost_no_more_than_one(
    cluster: Cluster, host: str, connections: Any, jp_fetch: Any, jp_ws_fetch: Any
) -> None:
    await connections.add(NewConnection(name="team", host=host))
    connections.service("team").backend.watch_interval = 0.3

    async def costs(viewers: int) -> tuple[int, int]:
        """How often the watcher looked, and what else the endpoint was asked meanwhile."""
        run = cluster.add_run("train", "RUNNING", spec=SPEC)
        show(cluster, run, 0)
        before = cluster.asked.copy()
        pages = [
            Viewer(jp_fetch, await jp_ws_fetch("pipelines", "events"), run.id)
            for _ in range(viewers)
        ]
        await asyncio.gather(*[page.open() for page in pages])
        for number in range(1, CHANGES + 1):
            state, log = show(cluster, run, number)
            await asyncio.gather(*[page.until(log=log, state=state) for page in pages])
        for page in pages:
            page._socket.close()
        asked = cluster.asked - before
        looks = asked.pop("GET /apis/v2beta1/runs") // 2
        run.state = "SUCCEEDED"
        await asyncio.sleep(0.5)  # the watcher rests
        return looks, sum(asked.values())

    one_looks, one = await costs(1)
    many_looks, many = await costs(200)
    # The watcher looks by the clock: what counts is what a look, and all after it, costs.
    assert many / many_looks <= one / one_looks + 1
