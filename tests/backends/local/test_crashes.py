"""The kill tests: whatever dies, no task is lost and none runs twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyterlab_pipelines.backends.base import ApiRequest
from jupyterlab_pipelines.backends.local import crash
from jupyterlab_pipelines.backends.local import processes as process_module
from jupyterlab_pipelines.backends.local.api import Api
from jupyterlab_pipelines.backends.local.crash import POINTS, RUN_POINTS, SHIM_POINTS
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.errors import InvalidPipeline
from jupyterlab_pipelines.models import Run, RunQuery, State
from tests.backends.local.conftest import standbys
from tests.backends.local.steps import pipeline, step

Submit = Callable[..., str]
Finished = Callable[..., Run]


def counted(tmp_path: Path, name: str, seconds: float = 0.3) -> str:
    """A step's body that leaves one line each time it runs."""
    path = tmp_path / "counts" / name
    path.parent.mkdir(exist_ok=True)
    return f"import time\nopen({str(path)!r}, 'a').write('x')\ntime.sleep({seconds})"


def counts(tmp_path: Path) -> dict[str, int]:
    return {path.name: len(path.read_text()) for path in (tmp_path / "counts").iterdir()}


def diamond(tmp_path: Path, seconds: float = 0.3) -> Any:
    bodies = {name: counted(tmp_path, name, seconds) for name in "abcd"}
    return pipeline(
        {
            "a": step(bodies["a"]),
            "b": step(bodies["b"], after=["a"]),
            "c": step(bodies["c"], after=["a"]),
            "d": step(bodies["d"], after=["b", "c"]),
        }
    )


def supervisors(living: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in living:
        with contextlib.suppress(psutil.Error):
            if any("local.supervisor" in word for word in process.cmdline()):
                found.append(process)
    return found


def unsupervised(engine: Engine, run_id: str) -> bool:
    """Whether nobody has the run's lock: no supervisor, and none that is being forked."""
    lock = process_module.try_lock(engine.layout.supervisor_lock(run_id))
    if lock is not None:
        os.close(lock)
    return lock is not None


def forkers(living: list[psutil.Process]) -> list[psutil.Process]:
    """What tasks are forked off. Shims and tasks look like it, but for the marker of an attempt."""
    found = {}
    for process in living:
        with contextlib.suppress(psutil.Error):
            scripts = ("forker.py", "preloaded.py")
            forked = any(word.endswith(scripts) for word in process.cmdline())
            marker = process.environ().get(process_module.MARKER, "")  # none, as it ends
            if forked and marker.endswith(".."):
                found[process.pid] = (process, process.ppid())
    return [process for process, parent in found.values() if parent not in found]


def test_every_crash_point_has_a_name_here() -> None:
    """Each named point is one that a test below, or `test_recurring`, has a process die at."""
    placed: list[str] = []
    for source in Path(crash.__file__).parent.rglob("*.py"):
        placed += re.findall(r'crash_point\("([^"]+)"\)', source.read_text())
    assert sorted(placed) == sorted([*POINTS, *SHIM_POINTS, *RUN_POINTS])


@pytest.mark.parametrize("point", POINTS)
def test_a_supervisor_killed_at_a_named_point(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_CRASH_AT", point)
    run_id = submit(diamond(tmp_path))
    until(lambda: unsupervised(engine, run_id))
    assert engine.get_run(run_id).finished_at is None
    monkeypatch.delenv("JUPYTERLAB_PIPELINES_CRASH_AT")
    assert finished(run_id).state is State.SUCCEEDED
    assert counts(tmp_path) == dict.fromkeys("abcd", 1)
    attempts = [one.attempts for one in engine.graph(run_id).tasks.values()]
    assert [len(one) for one in attempts] == [1] * 4


def named_kills(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    """One supervisor after another dies at a named point, the first, second or third time there."""
    chance = random.Random(seed)
    point = "JUPYTERLAB_PIPELINES_CRASH_AT"
    monkeypatch.setenv(point, f"{chance.choice(POINTS)}:{chance.randint(1, 3)}")
    run_id = submit(diamond(tmp_path, seconds=0.2))
    for _ in range(6):
        until(lambda: unsupervised(engine, run_id))
        monkeypatch.setenv(point, f"{chance.choice(POINTS)}:{chance.randint(1, 3)}")
        engine.reconcile()
    monkeypatch.delenv(point)
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert counts(tmp_path) == dict.fromkeys("abcd", 1)
    assert [len(one.attempts) for one in engine.graph(run_id).tasks.values()] == [1] * 4


@pytest.mark.parametrize("seed", [3])
def test_named_kills_one_after_another(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    named_kills(engine, submit, finished, until, processes, tmp_path, monkeypatch, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(30))
def test_hundreds_of_named_kills(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    named_kills(engine, submit, finished, until, processes, tmp_path, monkeypatch, seed)


@pytest.mark.parametrize("point", SHIM_POINTS)
def test_a_shim_killed_at_a_named_point(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    processes: Any,
    until: Any,
    tmp_path: Path,
    point: str,
) -> None:
    spec = pipeline({"a": step(counted(tmp_path, "a"))})
    container = spec["deploymentSpec"]["executors"]["exec-a"]["container"]
    container["env"] = [{"name": "JUPYTERLAB_PIPELINES_CRASH_AT", "value": point}]
    run_id = submit(spec)
    run = finished(run_id)
    assert run.state is State.FAILED
    assert run.error
    ran = counts(tmp_path).get("a", 0)
    if point in ("shim-after-lock", "shim-after-claim"):
        assert "could not be started" in run.error
        assert ran == 0
    else:
        assert "outcome is unknown" in run.error
        assert ran <= 1
    until(lambda: not processes(), timeout=3)


def kill_at_random(
    engine: Engine, run_id: str, processes: Any, chance: random.Random, rounds: int
) -> int:
    """Kills the run's supervisor again and again, and starts it again; how often.

    Now and then what tasks or supervisors are forked off is killed a moment earlier.
    """
    kills = 0
    deadline = time.monotonic() + 60
    while kills < rounds and engine.get_run(run_id).finished_at is None:
        assert time.monotonic() < deadline
        engine.reconcile()
        time.sleep(chance.uniform(0, 0.9))
        living = processes()
        victims = supervisors(living)
        kills += len(victims)
        if chance.random() < 0.5:
            victims = forkers(living) + victims
        if chance.random() < 0.3:
            victims = standbys(engine.layout.root) + victims
        for process in victims:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            time.sleep(chance.choice([0, 0, 0.02]))
    return kills


def random_kills(
    engine: Engine, submit: Submit, finished: Finished, processes: Any, tmp_path: Path, seed: int
) -> None:
    engine.settings.change(lambda settings: settings.update(forks=bool(seed % 2)))
    run_id = submit(diamond(tmp_path, seconds=0.4))
    assert kill_at_random(engine, run_id, processes, random.Random(seed), rounds=5) > 0
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert counts(tmp_path) == dict.fromkeys("abcd", 1)


@pytest.mark.parametrize("seed", [1, 2])
def test_random_kills(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    processes: Any,
    tmp_path: Path,
    seed: int,
) -> None:
    random_kills(engine, submit, finished, processes, tmp_path, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(60))
def test_hundreds_of_kills_with_fixed_seeds(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    processes: Any,
    tmp_path: Path,
    seed: int,
) -> None:
    random_kills(engine, submit, finished, processes, tmp_path, seed)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
def test_hundreds_of_kills_with_seeds_of_the_day(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    processes: Any,
    tmp_path: Path,
    number: int,
) -> None:
    seed = random.SystemRandom().randrange(10**9)
    print("seed", seed)  # noqa: T201 - to repeat a failure
    random_kills(engine, submit, finished, processes, tmp_path, seed)


def test_a_running_step_is_adopted(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any, tmp_path: Path
) -> None:
    run_id = submit(pipeline({"a": step(counted(tmp_path, "a", 2))}))
    until(lambda: (tmp_path / "counts" / "a").exists())
    for process in supervisors(processes()):
        process.kill()
    before = time.monotonic()
    until(lambda: engine.reconcile() == 1)
    until(lambda: supervisors(processes()))
    assert time.monotonic() - before < 3
    assert engine.reconcile() == 0
    assert finished(run_id).state is State.SUCCEEDED
    assert counts(tmp_path) == {"a": 1}


@pytest.mark.parametrize(
    ("boot", "reason"),
    [("other/1", "The machine was restarted"), ("{same}/1", "The pod or container")],
)
def test_a_restart_fails_what_ran_and_its_policy_tries_again(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    tmp_path: Path,
    boot: str,
    reason: str,
) -> None:
    spec = pipeline(
        {
            "first": step("pass"),
            "a": step(counted(tmp_path, "a", 99), after=["first"]),
            "b": step(
                counted(tmp_path, "b", 1),
                after=["first"],
                retryPolicy={"maxRetryCount": 1},
            ),
        }
    )
    run_id = submit(spec)
    until(lambda: len(list((tmp_path / "counts").glob("?"))) == 2)
    while living := processes():
        for process in living:
            process.kill()
    same = process_module.boot_identity().partition("/")[0]
    other = boot.format(same=same)
    with engine.database.write() as connection:
        connection.execute("UPDATE attempts SET boot = ? WHERE state = 'LAUNCHING'", (other,))
    for start in engine.layout.run(run_id).glob("tasks/*/*/start.json"):
        start.write_text(json.dumps({**json.loads(start.read_text()), "boot": other}))
    run = finished(run_id)
    assert run.state is State.FAILED
    graph = engine.graph(run_id)
    assert graph.tasks["first"].state is State.SUCCEEDED
    assert (graph.tasks["a"].error or "").startswith(reason)
    attempts = graph.tasks["b"].attempts
    assert [one.state for one in attempts] == [State.FAILED, State.SUCCEEDED]
    assert (attempts[0].error or "").startswith(reason)


def test_a_log_is_whole_whoever_is_killed(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any
) -> None:
    body = "import time\nfor i in range(200):\n    print('line', i)\n    time.sleep(0.01)"
    run_id = submit(pipeline({"talk": step(body)}))
    read, offset = "", 0
    chance = random.Random(5)
    for _ in range(6):
        time.sleep(chance.uniform(0.1, 0.4))
        for process in supervisors(processes()):
            process.kill()
        engine.reconcile()
        chunk = engine.read_log(run_id, "talk", None, offset, 1000)
        read, offset = read + chunk.text, chunk.next_offset
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    while not (chunk := engine.read_log(run_id, "talk", None, offset, 1000)).complete:
        read, offset = read + chunk.text, chunk.next_offset
    lines = [line for line in (read + chunk.text).splitlines() if line.startswith("line")]
    assert lines == [f"line {i}" for i in range(200)]


def test_a_retry_after_a_restart_keeps_what_was_finished(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any, tmp_path: Path
) -> None:
    log = tmp_path / "counts" / "slow"
    slow = counted(tmp_path, "slow", 0) + f"\nif open({str(log)!r}).read() == 'x': time.sleep(99)"
    spec = pipeline(
        {
            "first": step(counted(tmp_path, "first", 0)),
            "slow": step(slow, after=["first"]),
            "last": step(counted(tmp_path, "last", 0), after=["slow"]),
        }
    )
    run_id = submit(spec)
    until(log.exists)
    while living := processes():  # the pod goes, and every process with it
        for process in living:
            process.kill()
    same = process_module.boot_identity().partition("/")[0]
    with engine.database.write() as connection:
        connection.execute("UPDATE attempts SET boot = ?", (f"{same}/1",))
    for start in engine.layout.run(run_id).glob("tasks/*/*/start.json"):
        start.write_text(json.dumps({**json.loads(start.read_text()), "boot": f"{same}/1"}))
    run = finished(run_id)
    assert run.error == (
        "slow: The pod or container of the notebook server was restarted while the step ran."
    )
    engine.retry(run_id)
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert counts(tmp_path) == {"first": 1, "slow": 2, "last": 1}
    attempts = engine.graph(run_id).tasks["slow"].attempts
    assert [one.state for one in attempts] == [State.FAILED, State.SUCCEEDED]


@pytest.mark.parametrize("column", ["pipeline_spec", "runtime_config", "state_history"])
def test_a_damaged_run_is_put_aside_and_hides_no_other(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    monkeypatch: pytest.MonkeyPatch,
    column: str,
) -> None:
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_CRASH_AT", "before-commit")
    broken = submit(pipeline({"one": step("pass")}))
    good = submit(pipeline({"one": step("pass")}))
    monkeypatch.delenv("JUPYTERLAB_PIPELINES_CRASH_AT")
    with engine.database.write() as connection:
        connection.execute(f"UPDATE runs SET {column} = '{{' WHERE run_id = ?", (broken,))
    assert finished(good).state is State.SUCCEEDED
    run = finished(broken)
    if column == "state_history":  # which nobody needs for the work
        assert run.state is State.SUCCEEDED
    else:
        assert run.state is State.FAILED
        assert "cannot be worked off" in (run.error or "")
    assert {one.run_id for one in engine.list_runs(RunQuery()).runs} == {broken, good}
    assert {one.run_id for one in engine.changes("0").runs} == {broken, good}
    for path in ("/apis/v2beta1/runs", f"/apis/v2beta1/runs/{broken}"):
        request = ApiRequest(method="GET", path=path, query=[], headers={}, body=b"")
        assert asyncio.run(Api(engine).handle(request)).status == 200
    if column == "pipeline_spec":
        with pytest.raises(InvalidPipeline, match="damaged"):
            engine.graph(broken)
