"""Two servers, a kernel and the command line on one folder, all at once."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.models import State
from tests.backends.local.conftest import kill
from tests.backends.local.steps import pipeline, step
from tests.test_app import Server

RUNS = "local/apis/v2beta1/runs"
RECURRING = "local/apis/v2beta1/recurringruns"
IN_A_KERNEL = """
import json
from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.models import Submission

connections = Connections()
for path in {paths}:
    body = Submission(pipeline=json.load(open(path)), caching=False)
    await connections.service("local").submit(body)
await connections.close()
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def servers(tmp_path: Path, home: Path) -> Iterator[list[Server]]:
    """Two servers, not yet started, with one home."""
    servers = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        servers.append(Server(tmp_path / name, JUPYTERLAB_PIPELINES_HOME=str(home)))
    yield servers
    for server in servers:
        if server.process is not None and server.process.poll() is None:
            server.kill()
        server.client.close()
    kill(tmp_path)


def counted(tmp_path: Path, name: str) -> dict[str, Any]:
    """Two steps in a row, each of which leaves one line each time it runs."""
    folder = tmp_path / "counts"
    folder.mkdir(exist_ok=True)

    def body(task: str) -> str:
        return f"import time\nopen({str(folder / f'{name}-{task}')!r}, 'a').write('x')\n"

    again = "time.sleep(0.5)"
    return dict(pipeline({"a": step(body("a") + again), "b": step(body("b"), after=["a"])}))


@contextlib.contextmanager
def most_supervisors(home: Path) -> Iterator[Counter[str]]:
    """The most supervisors that any run had at one moment, by run."""
    most: Counter[str] = Counter()
    over = threading.Event()

    def look() -> None:
        nonlocal most
        while not over.wait(0.05):
            found: dict[int, tuple[str, int]] = {}
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error):
                    match process.cmdline():
                        case [_, "-m", module, root, run, *_] if module.endswith(
                            ".supervisor"
                        ) and root.startswith(str(home)):
                            found[process.pid] = run, process.ppid()
            # What a supervisor starts looks like it for a moment.
            most |= Counter(run for run, parent in found.values() if parent not in found)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def until_over(server: Server) -> dict[str, str]:
    """Every run's state, once all of them are over."""
    deadline = time.monotonic() + 60
    while True:
        answer = server.client.get(RUNS, params={"page_size": 200}).raise_for_status().json()
        states = {run["run_id"]: run["state"] for run in answer["runs"]}
        if all(State(state).final for state in states.values()):
            return states
        assert time.monotonic() < deadline, states
        time.sleep(0.1)


def test_all_of_them_work_on_one_folder(
    servers: list[Server], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in servers[0].environment.items():
        if name.startswith("JUPYTER"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_CRASH_AT", "before-commit")
    engine = Engine(home / "local")
    broken = engine.create_run(
        display_name="broken", pipeline_spec=counted(tmp_path, "none"), experiment_id="e"
    )
    monkeypatch.delenv("JUPYTERLAB_PIPELINES_CRASH_AT")
    with engine.database.write() as connection:
        connection.execute("UPDATE runs SET pipeline_spec = '{'")

    def submit(server: Server, name: str) -> None:
        body = {"pipeline": counted(tmp_path, name), "caching": False}
        server.client.post("local/runs", json=body).raise_for_status()

    def at_the_command_line(name: str) -> None:
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(counted(tmp_path, name)))
        command = [sys.executable, "-m", "jupyterlab_pipelines.cli", "run", str(path), "--no-wait"]
        subprocess.run(command, check=True, timeout=60, capture_output=True)

    def in_a_kernel(*names: str) -> None:
        paths = [str(tmp_path / f"{name}.json") for name in names]
        for name, path in zip(names, paths, strict=True):
            Path(path).write_text(json.dumps(counted(tmp_path, name)))
        cell = nbformat.v4.new_code_cell(IN_A_KERNEL.format(paths=paths))
        notebook = tmp_path / "notebook.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)
        execute = "from nbclient.cli import main; main()"
        command = [sys.executable, "-c", execute, str(notebook), "--kernel_name=python3"]
        subprocess.run(command, check=True, timeout=60, capture_output=True)

    with most_supervisors(home) as most, ThreadPoolExecutor(8) as pool:
        list(pool.map(Server.start, servers))
        trigger = {"periodic_schedule": {"interval_second": 1}}
        recurring = {
            "display_name": "each second",
            "pipeline_spec": pipeline({"work": step("pass")}),
            "mode": "ENABLE",
            "max_concurrency": 10,
            "trigger": trigger,
        }
        made = servers[0].client.post(RECURRING, json=recurring).raise_for_status().json()
        work = [pool.submit(submit, servers[i % 2], f"server-{i}") for i in range(4)]
        work += [pool.submit(at_the_command_line, f"line-{i}") for i in range(2)]
        work += [pool.submit(in_a_kernel, "kernel-0", "kernel-1")]
        for one in work[:4]:
            one.result()
        servers[0].kill()  # perhaps the one that fires, with runs of both at work
        for one in work:
            one.result()
        servers[0].start()
        time.sleep(1.5)
        path = f"{RECURRING}/{made['recurring_run_id']}:disable"
        servers[1].client.post(path).raise_for_status()
        states = until_over(servers[1])
        assert until_over(servers[0]) == states

    assert states.pop(broken) == "FAILED"
    assert "cannot be worked off" in (engine.get_run(broken).error or "")
    assert set(states.values()) == {"SUCCEEDED"}
    counts = {path.name: path.read_text() for path in (tmp_path / "counts").iterdir()}
    names = [f"server-{i}" for i in range(4)] + ["line-0", "line-1", "kernel-0", "kernel-1"]
    assert counts == {f"{name}-{task}": "x" for name in names for task in "ab"}
    lasting = engine.database.read("SELECT run_id FROM runs WHERE recurring_run_id IS NULL")
    assert most.keys() >= {row["run_id"] for row in lasting} - {broken}  # others end at once
    assert set(most.values()) == {1}

    fired = engine.database.read(
        "SELECT scheduled_at FROM runs WHERE recurring_run_id NOT NULL ORDER BY scheduled_at"
    )
    times = [row["scheduled_at"] // 1_000_000 for row in fired]
    assert len(times) >= 3
    assert times == list(range(times[0], times[0] + len(times)))
    engine.close()
