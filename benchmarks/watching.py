"""A Jupyter server of its own that watches a run as a lab does, and how late its loop becomes."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

_TOKEN = "benchmark"  # noqa: S105 - of a server that lives for a minute, on this machine
_IDLE = 3.0  # seconds without a run
_POLL = 1.0  # seconds between two graphs that a viewer reads anew


@dataclass(frozen=True)
class Delays:
    """What held the event loop up, in milliseconds, and what the lab was told meanwhile.

    Each of the first three is a median, what 99 % stay below, and the longest: how late the loop
    was by the clock before there was a run, and with it, and what its own thread worked at a
    stretch. Other work on the machine shows in the first.
    """

    idle: tuple[float, float, float]
    late: tuple[float, float, float]
    busy: tuple[float, float, float]
    events: int
    graphs: int


@contextmanager
def server(home: Path) -> Iterator[str]:
    """A server on the engine below `home`; its address."""
    runtime = home / "runtime"
    environment = {
        **os.environ,
        "JUPYTERLAB_PIPELINES_HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": str(Path(__file__).parent),
    }
    flags = ["--port=0", "--allow-root", "--no-browser", f"--IdentityProvider.token={_TOKEN}"]
    for extension in ("jupyterlab_pipelines", "loop_delay"):
        flags += ["--ServerApp.jpserver_extensions", f"{extension}=True"]
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *flags],
            env=environment,
            cwd=home,
            stderr=log,
        )
    try:
        yield _address(process, runtime)
    finally:
        process.terminate()
        process.wait()


def _address(process: subprocess.Popen[bytes], runtime: Path) -> str:
    while process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            with suppress(ValueError, KeyError, httpx.HTTPError):
                url: str = json.loads(file.read_bytes())["url"].replace("localhost", "127.0.0.1")
                httpx.get(f"{url}api", timeout=5).raise_for_status()
                return url
        time.sleep(0.05)
    raise SystemExit("The server did not start.")


async def watch(address: str, spec: dict[str, Any]) -> tuple[Delays, dict[str, Any]]:
    """Submits a run, watches it to its end, and gives the delays and the run as it ended."""
    headers = {"Authorization": f"token {_TOKEN}"}
    events = HTTPRequest(f"{address}pipelines/events".replace("http", "ws", 1), headers=headers)
    socket = await websocket_connect(events, max_message_size=1 << 26)
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as client:
        await _get(client, "loop-delays")
        await asyncio.sleep(_IDLE)
        idle = _three((await _get(client, "loop-delays"))["late"])
        body = {"pipeline": spec, "caching": False}
        answer = await client.post("pipelines/local/runs", json=body)
        run_id = answer.raise_for_status().json()["run_id"]
        for topic in ({"topic": "runs"}, {"topic": "run", "run_id": run_id}):
            order = {"action": "subscribe", "connection": "local", **topic}
            await socket.write_message(json.dumps(order))
        heard = asyncio.create_task(_hear(socket))
        graphs = 0
        while True:
            graph = await _get(client, f"pipelines/local/runs/{run_id}/graph")
            graphs += 1
            if graph["run"]["finished_at"]:
                break
            await asyncio.sleep(_POLL)
        delays = await _get(client, "loop-delays")
    socket.close()
    late, busy = _three(delays["late"]), _three(delays["busy"])
    return Delays(idle, late, busy, await heard, graphs), graph["run"]


def _three(values: list[float]) -> tuple[float, float, float]:
    return values[len(values) // 2], values[len(values) * 99 // 100], values[-1]


async def _get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    return answer.raise_for_status().json()


async def _hear(socket: WebSocketClientConnection) -> int:
    """How many events came until the socket was closed."""
    count = 0
    while await socket.read_message() is not None:
        count += 1
    return count
