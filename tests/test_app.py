"""The server extension as a whole: starting, staying alive, being killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from traitlets.config import Config

from jupyterlab_pipelines.app import PipelinesApp
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.models import State
from tests.backends.local.conftest import kill

TOKEN = "a-token"
RUN_WITH_MARKS = """
def mark(path: str, name: str, seconds: float):
    import time

    with open(path, "a") as file:
        file.write(f"{name} began\\n")
    time.sleep(seconds)
    with open(path, "a") as file:
        file.write(f"{name} ended\\n")
"""


class Server:
    """A Jupyter server process of its own, with the extension."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "JUPYTERLAB_PIPELINES_HOME": str(folder / "home"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

    def start(self) -> float:
        """Starts it; the seconds until it answered."""
        for stale in (self.folder / "runtime").glob("jpserver-*.json"):
            stale.unlink()
        started = time.monotonic()
        flags = ["--port=0", "--allow-root", "--no-browser", f"--IdentityProvider.token={TOKEN}"]
        extension = ("--ServerApp.jpserver_extensions", "jupyterlab_pipelines=True")
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", *flags, *extension],
                env=self.environment,
                cwd=self.folder,
                stderr=log,
            )
        while time.monotonic() - started < 60:
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            for file in (self.folder / "runtime").glob("jpserver-*.json"):
                with contextlib.suppress(ValueError, KeyError, httpx.HTTPError):
                    url = json.loads(file.read_bytes())["url"].replace("localhost", "127.0.0.1")
                    self.client.base_url = httpx.URL(f"{url}pipelines/")
                    self.client.get("connections").raise_for_status()
                    return time.monotonic() - started
            time.sleep(0.05)
        raise AssertionError("the server did not come up")

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def state(self, run_id: str) -> State:
        return State(self.client.get(f"local/runs/{run_id}").raise_for_status().json()["state"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    if server.process is not None and server.process.poll() is None:
        server.process.terminate()
        server.process.wait(20)
    server.client.close()
    kill(tmp_path)


def marks(path: Path, chain: int) -> dict[str, Any]:
    """A pipeline of steps in a row, each of which writes when it began and ended."""
    examples = Path(__file__).parent.parent / "examples" / "pipelines"
    from jupyterlab_pipelines.pipeline_text import read_pipeline

    failing = read_pipeline((examples / "failing.yaml").read_text())
    command = next(iter(failing["deploymentSpec"]["executors"].values()))["container"]["command"]
    types = {"path": "STRING", "name": "STRING", "seconds": "NUMBER_DOUBLE"}
    tasks = {}
    for index in range(chain):
        values = {"path": str(path), "name": f"step-{index}", "seconds": 1.0}
        tasks[f"step-{index}"] = {
            "taskInfo": {"name": f"step-{index}"},
            "componentRef": {"name": "comp-mark"},
            "dependentTasks": [f"step-{index - 1}"] if index else [],
            "inputs": {
                "parameters": {
                    key: {"runtimeValue": {"constant": value}} for key, value in values.items()
                }
            },
        }
    container = {
        "image": "python:3.12",
        "command": [*command[-4:-1], RUN_WITH_MARKS],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", "mark"],
    }
    return {
        "pipelineInfo": {"name": "marks"},
        "schemaVersion": "2.1.0",
        "sdkVersion": failing["sdkVersion"],
        "root": {"dag": {"tasks": tasks}},
        "components": {
            "comp-mark": {
                "executorLabel": "exec-mark",
                "inputDefinitions": {
                    "parameters": {key: {"parameterType": kind} for key, kind in types.items()}
                },
            }
        },
        "deploymentSpec": {"executors": {"exec-mark": {"container": container}}},
    }


def test_a_killed_server_loses_nothing_and_doubles_nothing(server: Server, tmp_path: Path) -> None:
    written = tmp_path / "marks.txt"
    server.start()
    body = {"pipeline": marks(written, 5), "caching": False}
    answer = server.client.post("local/runs", json=body)
    assert answer.status_code == 201, answer.text
    run_id = answer.json()["run_id"]
    for line in ("step-0 began", "step-1 ended"):
        deadline = time.monotonic() + 60
        while not (written.exists() and line in written.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        server.kill()
        time.sleep(0.3)  # the run goes on meanwhile
        server.start()
        asked = time.monotonic()
        assert server.state(run_id) in (State.RUNNING, State.SUCCEEDED)
        assert time.monotonic() - asked < 3
    deadline = time.monotonic() + 90
    while not server.state(run_id).final:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert server.state(run_id) is State.SUCCEEDED
    expected = [f"step-{index} {what}" for index in range(5) for what in ("began", "ended")]
    assert written.read_text().splitlines() == expected
    graph = server.client.get(f"local/runs/{run_id}/graph").json()
    assert [len(task["attempts"]) for task in graph["tasks"].values()] == [1] * 5


def test_a_run_whose_supervisor_died_with_the_server_is_taken_up_again(
    server: Server, tmp_path: Path
) -> None:
    written = tmp_path / "marks.txt"
    server.start()
    body = {"pipeline": marks(written, 3), "caching": False}
    run_id = server.client.post("local/runs", json=body).json()["run_id"]
    deadline = time.monotonic() + 60
    while not (written.exists() and "step-0 began" in written.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    server.kill()
    kill(tmp_path / "home")  # a machine that went down: supervisor, shim and task with it
    server.start()
    deadline = time.monotonic() + 60
    while not server.state(run_id).final:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # What step-0 did is not known: it is not run twice, and the user is told.
    assert server.state(run_id) is State.FAILED
    assert written.read_text().splitlines() == ["step-0 began"]


@pytest.mark.parametrize("home", ["/proc/nothing/here", "file"])
def test_a_server_starts_although_its_engine_cannot(server: Server, home: str) -> None:
    if home == "file":
        (server.folder / "file").write_text("")
        home = str(server.folder / "file")
    server.environment["JUPYTERLAB_PIPELINES_HOME"] = home
    server.start()
    (local,) = server.client.get("connections").json()["connections"]
    assert local["state"] == "unreachable"
    assert home in local["message"]
    answer = server.client.get("local/runs")
    assert answer.status_code == 507
    assert answer.json()["code"] == "StoreBlocked"
    assert "failed" not in (server.folder / "server.log").read_text().lower()


def test_importing_the_package_is_light() -> None:
    code = (
        "import sys, jupyterlab_pipelines; "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('kfp', 'pydantic', 'httpx', 'tornado', 'jupyter_server', 'IPython', 'yaml')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"


def test_the_servers_modules_do_not_load_kfp() -> None:
    code = "import sys, jupyterlab_pipelines.app; print('kfp' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


# --- keeping the server alive -------------------------------------------------------------------


class Running(PipelinesApp):
    """The extension beside a server that only has settings."""

    class _Server:
        class web_app:  # noqa: N801 (as Jupyter names it)
            settings: dict[str, Any]

    def __init__(self, home: Path) -> None:
        super().__init__(config=Config({"PipelinesApp": {"home": str(home)}}))
        self.connections = Connections(home)
        server: Any = self._Server()
        server.web_app.settings = {"last_activity_times": {}}
        self.times: dict[str, Any] = server.web_app.settings["last_activity_times"]
        object.__setattr__(self, "_fake_server", server)

    @property
    def serverapp(self) -> Any:
        return object.__getattribute__(self, "_fake_server")


def test_a_server_with_active_runs_is_not_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = 0
    monkeypatch.setattr(Engine, "active_runs", lambda self: active)
    app = Running(tmp_path)

    async def look() -> None:
        await app._look_after()

    asyncio.run(look())
    assert app.times == {}
    active = 1
    asyncio.run(look())
    assert app.times.keys() == {"jupyterlab_pipelines"}
    asyncio.run(app.connections.close())
