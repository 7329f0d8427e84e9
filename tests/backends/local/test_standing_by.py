"""Supervisors are forked off a process that stands by: nothing changes but the time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyterlab_pipelines.backends.local import forking, supervision
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.models import Run, State
from tests.backends.local.conftest import lives, standbys
from tests.backends.local.steps import pipeline, step
from tests.backends.local.test_crashes import counted, counts, supervisors

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

Submit = Callable[..., str]
Finished = Callable[..., Run]
Until = Callable[..., None]
Processes = Callable[[], list[psutil.Process]]

#: What a supervisor is given by whoever starts it.
GIVEN = ("cmdline", "cwd", "nice", "terminal", "num_threads")


@pytest.fixture
def one(
    engine: Engine, submit: Submit, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first run, so that something stands by."""
    monkeypatch.setenv("TAKEN_AWAY", "1")
    assert finished(submit(pipeline({"one": step("pass")}))).state is State.SUCCEEDED


@pytest.mark.usefixtures("one")
def test_a_forked_supervisor_is_as_one_that_was_started(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Until,
    processes: Processes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SET_LATER", "1")
    monkeypatch.delenv("TAKEN_AWAY")

    gate, environment = tmp_path / "gate", tmp_path / "environment"
    body = (
        "import json, os, pathlib, time\n"
        f"pathlib.Path({str(environment)!r}).write_text(json.dumps(dict(os.environ)))\n"
        f"while not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    )

    def given() -> dict[str, Any]:
        gate.unlink(missing_ok=True)
        environment.unlink(missing_ok=True)
        run_id = submit(pipeline({"wait": step(body)}))
        until(lambda: environment.exists() and environment.read_text())
        (supervisor,) = supervisors(processes())
        told = supervisor.as_dict(GIVEN)
        told["leads"] = os.getsid(supervisor.pid) == supervisor.pid
        folder = Path(f"/proc/{supervisor.pid}")
        told["umask"] = folder.joinpath("status").read_text().split("Umask:")[1].split()[0]
        told["signals"] = [
            line
            for line in folder.joinpath("status").read_text().splitlines()
            if line.startswith(("SigIgn", "SigCgt", "SigBlk"))
        ]
        told["streams"] = [str((folder / "fd" / str(number)).readlink()) for number in range(3)]
        told["locks"] = sum(
            path.readlink().name == "supervisor.lock" for path in (folder / "fd").iterdir()
        )
        told["environment"] = json.loads(environment.read_text())
        gate.touch()
        assert finished(run_id).state is State.SUCCEEDED
        told["cmdline"] = told["cmdline"][:5]  # what follows is a descriptor's number
        anywhere: dict[str, Any] = json.loads(json.dumps(told).replace(run_id, "RUN"))
        return anywhere

    forked = given()
    monkeypatch.setattr(forking, "CAN_FORK", False)
    assert forked == given()
    assert forked["cmdline"][-1] == "RUN"
    assert forked["environment"]["SET_LATER"] == "1"
    assert "TAKEN_AWAY" not in forked["environment"]


@pytest.mark.usefixtures("one")
def test_one_process_stands_by_for_all_runs(
    submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    before = standbys(tmp_path)
    runs = [submit(pipeline({"one": step("pass")})) for _ in range(4)]
    assert [finished(run_id).state for run_id in runs] == [State.SUCCEEDED] * 4
    assert standbys(tmp_path) == before
    assert len(before) == 1


@pytest.mark.usefixtures("one")
def test_a_standby_that_is_killed_takes_nothing_with_it(
    submit: Submit, finished: Finished, until: Until, processes: Processes, tmp_path: Path
) -> None:
    running = submit(pipeline({"a": step(counted(tmp_path, "a", 1))}))
    until(lambda: (tmp_path / "counts" / "a").exists())
    (standby,) = standbys(tmp_path)
    standby.kill()
    following = submit(pipeline({"b": step(counted(tmp_path, "b", 0))}))
    assert [finished(one).state for one in (running, following)] == [State.SUCCEEDED] * 2
    assert counts(tmp_path) == {"a": 1, "b": 1}
    assert standbys(tmp_path) != [standby]


@pytest.mark.usefixtures("one")
def test_a_run_that_it_has_not_come_to_is_begun_all_the_same(
    submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    (standby,) = standbys(tmp_path)
    standby.suspend()
    run_id = submit(pipeline({"a": step(counted(tmp_path, "a", 0))}))
    standby.kill()
    assert finished(run_id).state is State.SUCCEEDED
    assert counts(tmp_path) == {"a": 1}


@pytest.mark.usefixtures("one")
def test_it_goes_when_nothing_has_begun_for_long(
    engine: Engine, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    (standby,) = standbys(tmp_path)
    engine.reconcile()
    assert lives(standby)
    monkeypatch.setattr(supervision, "_IDLE", 0.0)
    engine.reconcile()
    until(lambda: not lives(standby), timeout=5)


@pytest.mark.usefixtures("one")
def test_it_goes_when_the_engine_is_closed(
    engine: Engine, finished: Finished, submit: Submit, tmp_path: Path, until: Until
) -> None:
    run_id = submit(pipeline({"a": step(counted(tmp_path, "a", 1))}))
    engine.close()
    until(lambda: not standbys(tmp_path), timeout=5)
    assert finished(run_id).state is State.SUCCEEDED
    assert counts(tmp_path) == {"a": 1}


def test_it_goes_with_its_owner_while_supervisors_stay(
    finished: Finished, until: Until, processes: Processes, tmp_path: Path
) -> None:
    body = counted(tmp_path, "a", 2)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from jupyterlab_pipelines.backends.local.engine import Engine\n"
        "from tests.backends.local.steps import pipeline, step\n"
        f"engine = Engine(Path({str(tmp_path / 'engine')!r}))\n"
        f"spec = pipeline({{'a': step({body!r})}})\n"
        "of = {'display_name': 'test', 'experiment_id': 'experiment'}\n"
        "print(engine.create_run(pipeline_spec=spec, **of), flush=True)\n"
        "time.sleep(99)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    run_id = owner.stdout.readline().strip()
    until(lambda: (tmp_path / "counts" / "a").exists())
    assert len(standbys(tmp_path)) == 1
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    until(lambda: not standbys(tmp_path), timeout=5)
    assert supervisors(processes())
    assert finished(run_id).state is State.SUCCEEDED
    assert counts(tmp_path) == {"a": 1}


def test_one_that_cannot_come_up_is_told_in_the_run(
    submit: Submit, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken" / "jupyterlab_pipelines"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('This installation is broken.')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    run = finished(submit(pipeline({"one": step("pass")})))
    assert run.state is State.FAILED
    assert "This installation is broken." in (run.error or "")
