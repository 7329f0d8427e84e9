"""Stops and deadlines: quick, complete, and even when the supervisor is dead."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyterlab_pipelines.backends.local import processes as process_module
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.errors import Conflict, NotFound
from jupyterlab_pipelines.models import Run, State
from tests.backends.local.steps import pipeline, step
from tests.backends.local.test_crashes import supervisors, unsupervised

Submit = Callable[..., str]
Finished = Callable[..., Run]
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on'); time.sleep(99)"


def running(engine: Engine, run_id: str, task_id: str, text: str = "on") -> Callable[[], bool]:
    return lambda: text in engine.read_log(run_id, task_id, None, 0, 99999).text


def test_stop_ends_everything_within_ten_seconds(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any
) -> None:
    # Its grandchild has a session of its own, ignores the stop too, and has shed its parent.
    daemon = (
        "import subprocess, sys, time\n"
        f"stubborn = [sys.executable, '-c', {STUBBORN!r}]\n"
        "call = f'import subprocess; subprocess.Popen({stubborn}, start_new_session=True)'\n"
        "subprocess.run([sys.executable, '-c', call], start_new_session=True)\n"
        "time.sleep(99)"
    )
    spec = pipeline(
        {
            "stubborn": step(STUBBORN),
            "daemon": step(daemon),
            "later": step("pass", after=["daemon"]),
        }
    )
    run_id = submit(spec)
    until(running(engine, run_id, "stubborn"))
    until(running(engine, run_id, "daemon"))
    with pytest.raises(Conflict) as refused:
        engine.delete(run_id)
    assert "Stop it first" in refused.value.next_step
    before = time.monotonic()
    engine.terminate(run_id)
    assert engine.get_run(run_id).state is State.CANCELING
    assert finished(run_id).state is State.CANCELED
    assert time.monotonic() - before < 10
    until(lambda: not processes(), timeout=2)
    assert {status.state for status in engine.graph(run_id).tasks.values()} == {State.CANCELED}
    with pytest.raises(Conflict, match="over"):
        engine.terminate(run_id)


def builds_slowly(processes: list[psutil.Process]) -> bool:
    """Whether the slow package below is being built, whatever else comes and goes."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if "sleep" in process.cmdline():
                return True
    return False


_SLOW_BACKEND = """
import subprocess, time
def get_requires_for_build_wheel(settings=None):
    subprocess.Popen(["sleep", "99"], start_new_session=True)
    time.sleep(99)
"""
_SLOW_PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


@pytest.fixture
def slow_package(tmp_path: Path) -> str:
    """A requirement whose build takes for ever, and leaves the session of pip."""
    folder = tmp_path / "slow"
    folder.mkdir()
    (folder / "backend.py").write_text(_SLOW_BACKEND)
    (folder / "pyproject.toml").write_text(_SLOW_PROJECT)
    return f"slow @ file://{folder}"


def test_stop_ends_an_installation_and_who_waits_for_it(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    slow_package: str,
) -> None:
    spec = pipeline({"one": step("pass", packages=[slow_package])})
    builds = submit(spec)
    until(running(engine, builds, "one", "Installing"))
    waits = submit(spec)
    until(lambda: builds_slowly(processes()))
    until(lambda: "one" in engine.graph(waits).tasks)
    for run_id in (waits, builds):
        before = time.monotonic()
        engine.terminate(run_id)
        run = finished(run_id)
        assert (run.state, run.error) == (State.CANCELED, None)
        assert time.monotonic() - before < 10
    until(lambda: not processes(), timeout=2)
    assert not [path for path in engine.layout.environments.iterdir() if path.is_dir()]


def test_stop_ends_an_installation_whose_supervisor_died(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    slow_package: str,
) -> None:
    run_id = submit(pipeline({"one": step("pass", packages=[slow_package])}))
    until(lambda: builds_slowly(processes()))
    for process in supervisors(processes()):
        process.kill()
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    until(lambda: not processes(), timeout=2)


def test_stop_works_without_a_supervisor(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any
) -> None:
    nap = "import time; print('on', flush=True); time.sleep(99)"
    run_id = submit(pipeline({"nap": step(nap)}))
    until(running(engine, run_id, "nap"))
    for process in supervisors(processes()):
        process.kill()
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    until(lambda: not processes(), timeout=2)
    engine.retry(run_id)
    until(lambda: len(engine.graph(run_id).tasks["nap"].attempts) == 2)
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED


def test_stop_before_anything_began(
    engine: Engine, submit: Submit, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_CRASH_AT", "before-commit")
    run_id = submit(pipeline({"one": step("pass")}))
    monkeypatch.delenv("JUPYTERLAB_PIPELINES_CRASH_AT")
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    engine.delete(run_id)
    with pytest.raises(NotFound):
        engine.terminate(run_id)


def test_a_run_whose_folder_is_gone_ends(
    engine: Engine, submit: Submit, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_CRASH_AT", "before-commit")
    stopped, resumed = (submit(pipeline({"one": step("pass")})) for _ in range(2))
    until(lambda: all(unsupervised(engine, run_id) for run_id in (stopped, resumed)))
    for run_id in (stopped, resumed):
        shutil.rmtree(engine.layout.run(run_id))
    engine.terminate(stopped)
    engine.reconcile()
    for run_id in (stopped, resumed):
        run = engine.get_run(run_id)
        assert (run.state, run.error) == (State.FAILED, "The run's folder is gone.")
        engine.delete(run_id)
    assert engine.active_runs() == 0


def test_a_step_and_a_run_have_deadlines(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    spec = pipeline({"slow": step("import time; time.sleep(99)")})
    platform = {"platforms": {"kubernetes": {}}}
    options = {"deploymentSpec": {"executors": {"exec-slow": {"activeDeadlineSeconds": 1}}}}
    platform["platforms"]["kubernetes"] = options
    run = finished(submit(spec, platform_spec=platform))
    assert run.state is State.FAILED
    assert run.error
    assert "longer than 1 s" in run.error
    platform["platforms"]["kubernetes"] = {"pipelineConfig": {"activeDeadlineSeconds": 1}}
    run = finished(submit(spec, platform_spec=platform))
    assert run.state is State.FAILED
    assert run.error
    assert "longer than 1 s" in run.error


def test_a_finished_supervisor_leaves_no_process(
    submit: Submit, finished: Finished, until: Any, processes: Any
) -> None:
    finished(submit(pipeline({"one": step("pass")})))
    until(lambda: not processes(), timeout=3)


def test_an_idle_supervisor_takes_little_time(
    engine: Engine, submit: Submit, until: Any, processes: Any
) -> None:
    engine.settings.change(lambda settings: settings.update(workers=1))
    nap = "import time; print('on', flush=True); time.sleep(99)"
    run_id = submit(pipeline({"nap": step(nap), "waiting": step(nap)}))
    until(running(engine, run_id, "nap"))
    (supervisor,) = supervisors(processes())
    time.sleep(0.3)
    before = sum(supervisor.cpu_times()[:2])
    time.sleep(2)
    assert sum(supervisor.cpu_times()[:2]) - before <= 0.04


def test_a_pid_of_another_process_is_not_killed(tmp_path: Any) -> None:
    ours = {"pid": os.getpid(), "start": "1", "group": os.getpgid(0), "group_start": "1"}
    told = {**ours, "boot": process_module.boot_identity()}
    process_module.ask_to_stop(told)
    old = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        assert process_module.kill_all(tmp_path, told)  # this test still runs
    finally:
        signal.signal(signal.SIGTERM, old)
