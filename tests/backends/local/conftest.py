"""An engine in a temporary folder, pipelines compiled by the kfp SDK, and ways to wait for runs."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.models import Run


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the settings of whoever runs the tests out of them."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine whose supervisors and tasks are gone after the test."""
    engine = Engine(tmp_path / "engine")
    yield engine
    engine.close()
    kill(tmp_path)


def processes_of(root: Path) -> list[psutil.Process]:
    """Supervisors, shims and tasks of an engine below `root`."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            marked = process.environ().get("JUPYTERLAB_PIPELINES_ATTEMPT", "")
        except psutil.Error:
            continue
        if process.pid != os.getpid() and (
            any(str(root) in word for word in words) or str(root) in marked
        ):
            found.append(process)
    return found


def lives(process: psutil.Process) -> bool:
    """Whether it is there, and not just for its parent to collect."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def kill(root: Path) -> None:
    """Kills every process of the engines below `root`."""
    while processes := processes_of(root):
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=2)
        if not any(lives(process) for process in processes_of(root)):
            return


def standbys(root: Path) -> list[psutil.Process]:
    """The living processes that supervisors of engines below `root` are forked off."""
    found = []
    for process in processes_of(root):
        with contextlib.suppress(psutil.Error):
            stands_by = any(word.endswith("local.standby") for word in process.cmdline())
            if stands_by and lives(process):
                found.append(process)
    return found


@pytest.fixture
def processes(tmp_path: Path) -> Callable[[], list[psutil.Process]]:
    """The living processes of the test's engine, without what stands by for its next run."""

    def living() -> list[psutil.Process]:
        waiting = standbys(tmp_path)
        return [one for one in processes_of(tmp_path) if lives(one) and one not in waiting]

    return living


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[Any], dict[str, Any]]:
    """Compiles a kfp pipeline function; its pipeline spec."""

    def compile_(function: Any) -> dict[str, Any]:
        from kfp import compiler

        path = tmp_path / f"{function.name}.yaml"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiler.Compiler().compile(function, str(path))
        spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
        return spec

    return compile_


@pytest.fixture
def submit(engine: Engine) -> Callable[..., str]:
    """Starts a run of a pipeline spec; its id."""

    def start(spec: dict[str, Any], parameters: dict[str, Any] | None = None, **more: Any) -> str:
        return engine.create_run(
            display_name="test",
            pipeline_spec=spec,
            runtime_config={"parameters": parameters or {}},
            experiment_id="experiment",
            **more,
        )

    return start


@pytest.fixture
def finished(engine: Engine) -> Callable[..., Run]:
    """Waits for a run's end, starting supervisors again where they were killed."""

    def wait(run_id: str, timeout: float = 90.0) -> Run:
        deadline = time.monotonic() + timeout
        while (run := engine.get_run(run_id)).finished_at is None:
            if time.monotonic() > deadline:
                log = engine.layout.supervisor_log(run_id)
                raise AssertionError(f"{run!r}\n{log.read_text() if log.exists() else ''}")
            engine.reconcile()
            time.sleep(0.05)
        return run

    return wait


@pytest.fixture
def until() -> Callable[..., None]:
    """Waits until a condition holds."""

    def wait(condition: Callable[[], Any], timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, "It did not happen in time."
            time.sleep(0.02)

    return wait


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one package, `tinything` 1.0; pip looks nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "tinything-1.0.dist-info"
    with zipfile.ZipFile(folder / "tinything-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinything.py", "word = 'tiny'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(
            f"{info}/RECORD",
            f"tinything.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
        )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder
