"""Recurring runs from a real Jupyter server: it fires them while it is up, and makes up for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.backends.local.conftest import kill
from tests.backends.local.steps import pipeline, step
from tests.test_app import Server

RECURRING = "local/apis/v2beta1/recurringruns"
RUNS = "local/apis/v2beta1/runs"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.kill()
        server.process.wait()
    server.client.close()
    kill(tmp_path)


def runs_of(server: Server) -> list[dict[str, Any]]:
    answer = server.client.get(RUNS, params={"sort_by": "scheduled_at", "page_size": 200})
    answer.raise_for_status()
    return list(answer.json().get("runs", []))


def wait_for_runs(server: Server, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(runs_of(server)) < count:
        assert time.monotonic() < deadline, "they were not fired in time"
        time.sleep(0.1)


def test_a_server_fires_and_the_next_one_catches_up(server: Server) -> None:
    server.start()
    body = {
        "display_name": "each second",
        "pipeline_spec": pipeline({"work": step("pass")}),
        "mode": "ENABLE",
        "max_concurrency": 2,
        "trigger": {"periodic_schedule": {"interval_second": 1}},
    }
    made = server.client.post(RECURRING, json=body).raise_for_status().json()
    wait_for_runs(server, 1)
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    server.start()
    wait_for_runs(server, 4)
    path = f"{RECURRING}/{made['recurring_run_id']}:disable"
    server.client.post(path).raise_for_status()
    runs = runs_of(server)
    times = [datetime.fromisoformat(run["scheduled_at"].rstrip("Z")) for run in runs]
    assert times == [times[0] + timedelta(seconds=index) for index in range(len(times))]
    indices = [int(run["display_name"].split("-")[-2]) for run in runs]
    assert indices == list(range(1, len(times) + 1))
    stopped = time.monotonic()
    server.process.terminate()
    server.process.wait(20)
    assert time.monotonic() - stopped < 8
