"""Firing recurring runs: on time, once, whatever dies, however many processes try."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.base import ApiRequest
from jupyterlab_pipelines.backends.local import supervision
from jupyterlab_pipelines.backends.local.api import Api
from jupyterlab_pipelines.backends.local.controller import Controller
from jupyterlab_pipelines.backends.local.crash import RUN_POINTS
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.errors import StoreBlocked
from jupyterlab_pipelines.models import State
from tests.backends.local.steps import pipeline, step

SECOND = 1_000_000
PATH = "/apis/v2beta1/recurringruns"
NOTHING = pipeline({"work": step("pass")}, name="recurs")

#: A process that fires without asking for the lock, whose runs end at once without having run.
RIVAL = """
import sys, time
from pathlib import Path
from jupyterlab_pipelines.backends.local import supervision
from jupyterlab_pipelines.backends.local.controller import Controller
from jupyterlab_pipelines.backends.local.engine import Engine

supervision.spawn = lambda *_: None
Controller._leads = lambda self: True
engine = Engine(Path(sys.argv[1]))
controller = Controller(engine)
print("ready", flush=True)
while True:
    controller.tick()
    with engine.database.write() as connection:
        connection.execute("UPDATE runs SET finished_at = 1 WHERE finished_at IS NULL")
"""
#: A process as a server is one: real lock, real runs.
SERVER = """
import sys, threading
from pathlib import Path
from jupyterlab_pipelines.backends.local.backend import LocalBackend

backend = LocalBackend(Path(sys.argv[1]))
print("ready", flush=True)
backend.fire_recurring_runs(threading.Event())
"""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are created, but nothing runs."""
    monkeypatch.setattr(supervision, "spawn", lambda *_: None)


@pytest.fixture
def clock() -> Clock:
    return Clock(float(int(time.time())))


@pytest.fixture
def controller(engine: Engine, clock: Clock) -> Iterator[Controller]:
    controller = Controller(engine, clock)
    yield controller
    controller.close()


@pytest.fixture
def create(engine: Engine) -> Callable[..., str]:
    """Makes a recurring run over the API; its id. `created` is in Unix seconds."""
    api = Api(engine)

    def made(trigger: dict[str, Any], created: int | None = None, **more: Any) -> str:
        body = {
            "display_name": "again",
            "pipeline_spec": NOTHING,
            "mode": "ENABLE",
            "max_concurrency": 10,
            "trigger": trigger,
            **more,
        }
        request = ApiRequest("POST", PATH, [], {}, json.dumps(body).encode())
        answer = asyncio.run(api.handle(request))
        assert isinstance(answer.body, bytes)
        assert answer.status == 200, answer.body
        found = str(json.loads(answer.body)["recurring_run_id"])
        if created is not None:
            with engine.database.write() as connection:
                connection.execute("UPDATE recurring_runs SET created_at = ?", (created * SECOND,))
        return found

    return made


def every(seconds: int, **more: Any) -> dict[str, Any]:
    return {"periodic_schedule": {"interval_second": seconds, **more}}


def cron(text: str) -> dict[str, Any]:
    return {"cron_schedule": {"cron": text}}


def scheduled(engine: Engine) -> list[int]:
    """The times that were fired, in Unix seconds, in the order of the runs' indices."""
    rows = engine.database.read("SELECT display_name, scheduled_at FROM runs")
    ordered = sorted(rows, key=lambda row: int(row["display_name"].split("-")[-2]))
    return [row["scheduled_at"] // SECOND for row in ordered]


def finish(engine: Engine) -> None:
    with engine.database.write() as connection:
        connection.execute("UPDATE runs SET finished_at = 1 WHERE finished_at IS NULL")


def column(engine: Engine, name: str) -> Any:
    row = engine.database.one(f"SELECT {name} FROM recurring_runs")
    assert row
    return row[0]


# --- what fires -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("still")
def test_it_fires_when_it_is_due(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment)
    create(every(60), created=begin)
    assert controller.tick() <= 1
    clock.moment = begin + 59.75
    assert controller.tick() == pytest.approx(0.25)
    assert scheduled(engine) == []
    clock.moment = begin + 60
    controller.tick()
    controller.tick()
    assert scheduled(engine) == [begin + 60]
    row = engine.database.one("SELECT * FROM runs")
    assert row
    name = column(engine, "name")
    assert row["display_name"].startswith(f"{name}-1-")
    assert (row["state"], column(engine, "last_index")) == ("PENDING", 1)
    assert column(engine, "updated_at") == (begin + 60) * SECOND


@pytest.mark.usefixtures("still")
def test_missed_times_are_caught_up_on_within_the_concurrency(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment) // 60 * 60
    create(cron("30 * * * * *"), created=begin, max_concurrency=3)
    clock.moment = begin + 600  # the server was down for ten minutes
    controller.tick()
    controller.tick()
    expected = [begin + 30 + 60 * minute for minute in range(10)]
    assert scheduled(engine) == expected[:3]
    while engine.active_runs():
        finish(engine)
        controller.tick()
        assert engine.active_runs() <= 3
    assert scheduled(engine) == expected


@pytest.mark.usefixtures("still")
def test_without_catching_up_only_the_last_is_fired(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment) // 60 * 60
    create(cron("30 * * * * *"), created=begin, no_catchup=True)
    clock.moment = begin + 600
    controller.tick()
    clock.moment = begin + 640
    controller.tick()
    assert scheduled(engine) == [begin + 570, begin + 630]


@pytest.mark.usefixtures("still")
def test_a_clock_that_is_put_back_fires_nothing_twice(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment)
    create(every(60), created=begin)
    for moved, fired in ((60, 1), (-7200, 1), (119, 1), (120, 2), (59, 2), (180, 3)):
        clock.moment = begin + moved
        controller.tick()
        controller.tick()
        assert scheduled(engine) == [begin + 60 * (i + 1) for i in range(fired)]


@pytest.mark.usefixtures("still")
def test_a_failure_of_a_later_time_does_not_hold_up_one_whose_clock_was_put_back(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment)
    create(every(60), created=begin)
    clock.moment = begin + 60
    with engine.database.write() as connection:  # it failed while the clock was a day ahead
        later = (begin + 86_400) * SECOND
        connection.execute("UPDATE recurring_runs SET failures = 1, retry_at = ?", (later,))
    controller.tick()
    assert scheduled(engine) == [begin + 60]


@pytest.mark.usefixtures("still")
def test_a_disabled_one_never_fires(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment)
    create(every(1), created=begin)
    clock.moment = begin + 1
    controller.tick()
    with engine.database.write() as connection:
        connection.execute("UPDATE recurring_runs SET enabled = 0")
    clock.moment = begin + 5
    controller.tick()
    assert scheduled(engine) == [begin + 1]
    with engine.database.write() as connection:
        connection.execute("UPDATE recurring_runs SET enabled = 1")
    controller.tick()  # as Kubeflow does: the time while it was disabled counts as missed
    assert scheduled(engine) == [begin + second for second in range(1, 6)]


@pytest.mark.usefixtures("still")
def test_one_that_is_switched_off_while_it_is_fired(
    engine: Engine,
    controller: Controller,
    clock: Clock,
    create: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = int(clock.moment)
    create(every(1), created=begin)
    clock.moment = begin + 1
    create_run = engine.create_run

    def slow(**options: Any) -> str:
        with engine.database.write() as connection:
            connection.execute("UPDATE recurring_runs SET enabled = 0")
        return create_run(**options)

    monkeypatch.setattr(engine, "create_run", slow)
    controller.tick()
    assert scheduled(engine) == []
    assert list(engine.layout.runs.iterdir()) == []
    assert column(engine, "error") is None


@pytest.mark.usefixtures("still")
def test_one_that_fails_is_tried_again_later_and_blocks_no_other(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment)
    broken = create(every(60))
    with engine.database.write() as connection:
        connection.execute("UPDATE recurring_runs SET pipeline_spec = '{}'")
    working = create(every(60), created=begin)
    tries = []
    for second in range(60, 60 + 400):
        clock.moment = begin + second
        before = engine.database.one(
            "SELECT failures FROM recurring_runs WHERE recurring_run_id = ?", (broken,)
        )
        controller.tick()
        after = engine.database.one(
            "SELECT failures, error FROM recurring_runs WHERE recurring_run_id = ?", (broken,)
        )
        assert before
        assert after
        if after["failures"] > before["failures"]:
            tries.append(second - 60)
    assert tries == [0, 10, 30, 70, 150, 310]
    assert json.loads(after["error"])["code"] == 3
    fired = engine.database.read("SELECT DISTINCT recurring_run_id FROM runs")
    assert [row[0] for row in fired] == [working]
    with engine.database.write() as connection:
        connection.execute("UPDATE recurring_runs SET pipeline_spec = ?", (json.dumps(NOTHING),))
    clock.moment = begin + 60 + 630
    controller.tick()
    row = engine.database.one("SELECT * FROM recurring_runs WHERE recurring_run_id = ?", (broken,))
    assert row
    assert (row["failures"], row["error"], row["retry_at"]) == (0, None, None)
    count = engine.database.one("SELECT COUNT(*) FROM runs WHERE recurring_run_id = ?", (broken,))
    assert count
    assert count[0] == 10  # the times are not lost, the concurrency is kept


@pytest.mark.usefixtures("still")
def test_a_defect_is_kept_to_its_recurring_run(
    engine: Engine,
    controller: Controller,
    clock: Clock,
    create: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    create(every(1), created=int(clock.moment) - 5)

    def defect(**_: Any) -> str:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(engine, "create_run", defect)
    controller.tick()
    assert "Internal server error: ZeroDivisionError('oh')" in column(engine, "error")
    assert "could not fire" in caplog.text


@pytest.mark.usefixtures("still")
def test_a_blocked_store_is_said_once_and_waited_out(
    engine: Engine,
    clock: Clock,
    create: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("jupyterlab_pipelines.backends.local.controller._PAUSE", 0.01)
    begin = int(clock.moment)
    create(every(1), created=begin - 1)
    create_run = engine.create_run
    failures = 3

    def blocked(**options: Any) -> str:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreBlocked("The disk is full.")
        return create_run(**options)

    monkeypatch.setattr(engine, "create_run", blocked)
    stop = threading.Event()
    thread = threading.Thread(target=Controller(engine, clock).run, args=(stop,))
    with caplog.at_level(logging.WARNING):
        thread.start()
        while not scheduled(engine):
            time.sleep(0.01)
        stop.set()
        thread.join(5)
    assert scheduled(engine) == [begin]
    assert caplog.text.count("The disk is full.") == 1
    assert column(engine, "failures") == 0


def test_a_run_that_cannot_start_yet_is_started_later(
    engine: Engine,
    controller: Controller,
    clock: Clock,
    create: Any,
    finished: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = int(clock.moment)
    create(every(1), created=begin - 1)

    def no_memory(*_: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as patch:
        patch.setattr(supervision, "spawn", no_memory)
        controller.tick()
    row = engine.database.one("SELECT run_id, state FROM runs")
    assert row
    assert row["state"] == "PENDING"
    assert finished(row["run_id"]).state is State.SUCCEEDED


# --- one of many processes -----------------------------------------------------------------------


@pytest.mark.usefixtures("still")
def test_one_controller_fires_the_next_takes_over(
    engine: Engine, controller: Controller, clock: Clock, create: Any
) -> None:
    begin = int(clock.moment)
    create(every(1), created=begin)
    controller.tick()
    other = Controller(engine, clock)
    clock.moment = begin + 1
    other.tick()
    assert scheduled(engine) == []
    controller.close()
    other.tick()
    assert scheduled(engine) == [begin + 1]
    other.close()


def test_an_engine_that_was_never_used_stays_so(tmp_path: Path) -> None:
    controller = Controller(Engine(tmp_path / "none"))
    assert controller.tick() > 0
    assert not (tmp_path / "none").exists()


@contextlib.contextmanager
def started(script: str, root: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that runs `script` on the engine; it is killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(root)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def contiguous(engine: Engine, begin: int, interval: int = 1) -> None:
    """Every time from the beginning was fired once, and each under its own index."""
    times = scheduled(engine)
    assert times == [begin + interval * (i + 1) for i in range(len(times))]
    names = engine.database.read("SELECT display_name FROM runs")
    assert len({row["display_name"] for row in names}) == len(times)
    assert column(engine, "last_index") == len(times)


def test_rivals_without_a_lock_never_fire_a_time_twice(engine: Engine, create: Any) -> None:
    begin = int(time.time()) - 100_000
    create(every(1), created=begin)
    root = engine.layout.root
    with started(RIVAL, root), started(RIVAL, root), started(RIVAL, root):
        time.sleep(3)
    contiguous(engine, begin)
    assert len(scheduled(engine)) > 50


@pytest.mark.parametrize("point", RUN_POINTS)
def test_a_death_at_a_named_point(
    engine: Engine,
    controller: Controller,
    clock: Clock,
    create: Any,
    finished: Any,
    point: str,
) -> None:
    begin = int(clock.moment)
    create(every(3600), created=begin - 3600)
    environment = {"JUPYTERLAB_PIPELINES_CRASH_AT": point}
    with started(SERVER, engine.layout.root, **environment) as process:
        assert process.wait(20) == -signal.SIGKILL
    assert scheduled(engine) == ([begin] if point == "after-run-commit" else [])
    controller.tick()
    assert scheduled(engine) == [begin]
    row = engine.database.one("SELECT run_id FROM runs")
    assert row
    assert finished(row["run_id"]).state is State.SUCCEEDED


def kill_and_check(engine: Engine, create: Any, seed: int, kills: int) -> None:
    generator = random.Random(seed)
    begin = int(time.time()) - 1_000_000
    create(every(1), created=begin)
    for _ in range(kills):
        with started(RIVAL, engine.layout.root):
            time.sleep(generator.uniform(0, 0.4))
    contiguous(engine, begin)
    assert scheduled(engine)


def test_deaths_at_random_moments(engine: Engine, create: Any) -> None:
    kill_and_check(engine, create, seed=7, kills=8)


@pytest.mark.soak
def test_hundreds_of_deaths_at_random_moments(engine: Engine, create: Any) -> None:
    kill_and_check(engine, create, seed=random.randrange(2**32), kills=300)


def test_two_servers_fire_real_runs_each_second(engine: Engine, create: Any, finished: Any) -> None:
    with started(SERVER, engine.layout.root) as first, started(SERVER, engine.layout.root):
        begin = int(time.time())
        create(cron("* * * * * *"), created=begin)
        time.sleep(2.5)
        first.kill()  # perhaps the one that fires: the other one takes over
        first.wait()
        time.sleep(2.5)
        with engine.database.write() as connection:
            connection.execute("UPDATE recurring_runs SET enabled = 0")
    contiguous(engine, begin)
    assert 4 <= len(scheduled(engine)) <= 7
    for row in engine.database.read("SELECT run_id, created_at, scheduled_at FROM runs"):
        assert finished(row["run_id"]).state is State.SUCCEEDED
        assert row["created_at"] - row["scheduled_at"] < 2.5 * SECOND
