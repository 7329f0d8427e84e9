"""Times a Kubeflow endpoint through the Jupyter server beside the endpoint itself.

    python benchmarks/proxy.py [--rounds 7] [--lists 60] [--mib 1024]

Both ways are asked in turn, in one run: other work on the machine meets them alike, and the median
of the rounds is what counts. The endpoint is the tests' own, as a process of this machine; half of
its runs carry a pipeline of their own, as those that a notebook submits.

A download is timed twice: at the pace of a network (1 Gbit/s), and as fast as this machine copies
memory. The second one has no network in it: client, server and endpoint share the processors, and
each copy more is seen. The server's own processor time says what it costs on a machine at rest.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil

ROOT = Path(__file__).parents[1]
TOKEN = "benchmark"  # noqa: S105 (a server of this run alone)
MIB = 1 << 20
LIST = "/apis/v2beta1/runs?page_size=100&sort_by=created_at%20desc"
#: MiB of the download at a network's pace.
PACED = 238
show = sys.stdout.write


class Side:
    """One way to the endpoint: a kept connection, and how long each answer took."""

    def __init__(self, name: str, address: str, headers: dict[str, str]) -> None:
        self.name = name
        self._place = urlsplit(address)
        self._headers = headers
        self._connection = self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._place.hostname or "", self._place.port, timeout=60)

    def get(self, path: str) -> bytes:
        """A whole answer."""
        self._connection.request("GET", self._place.path.rstrip("/") + path, headers=self._headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{self.name} {path}: HTTP {answer.status} {content[:300]!r}")
        return content

    def seconds(self, path: str) -> float:
        """What a whole answer takes."""
        start = time.perf_counter()
        self.get(path)
        return time.perf_counter() - start

    def download(self, path: str, size: int) -> float:
        """Seconds that so many bytes take, which are counted and thrown away."""
        connection = self._connect()
        start, left, buffer = time.perf_counter(), size, bytearray(MIB)
        connection.request("GET", self._place.path.rstrip("/") + path, headers=self._headers)
        answer = connection.getresponse()
        while count := answer.readinto(buffer):
            left -= count
        connection.close()
        if left or answer.status != 200:
            raise SystemExit(f"{self.name} {path}: HTTP {answer.status}, {left} bytes are missing")
        return time.perf_counter() - start


class Memory:
    """The most memory that a process has had since this was made."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self.before = self.most = process.memory_info().rss
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)

    def grown(self) -> float:
        """MiB more than before; ends the watching."""
        self._stop.set()
        self._thread.join()
        return (self.most - self.before) / MIB


# --- the processes ------------------------------------------------------------------------------


@contextlib.contextmanager
def process(command: list[str], **more: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is ended with the block."""
    environment = {**os.environ, **more}
    running = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    try:
        yield running
    finally:
        running.terminate()
        running.wait(20)


def free_port() -> int:
    """A port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextlib.contextmanager
def jupyter_server(endpoint: str, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A Jupyter server that has found the endpoint in its environment."""
    port = free_port()
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root",
        "--ServerApp.jpserver_extensions=jupyterlab_pipelines=True",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
        f"--IdentityProvider.token={TOKEN}", f"--PipelinesApp.home={folder / 'home'}",
        "--ServerApp.log_level=ERROR",
    ]  # fmt: skip
    homes = {"HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    with process(command, KF_PIPELINES_ENDPOINT=endpoint, **homes) as running:
        address = f"http://127.0.0.1:{port}"
        side = Side("server", address, {"Authorization": f"token {TOKEN}"})
        deadline = time.monotonic() + 60
        while True:
            try:
                side.get("/pipelines/kubeflow" + LIST)
                break
            except (OSError, http.client.HTTPException):
                if time.monotonic() > deadline or running.poll() is not None:
                    raise SystemExit("The Jupyter server has not started.") from None
                side = Side("server", address, {"Authorization": f"token {TOKEN}"})
                time.sleep(0.2)
        yield address, psutil.Process(running.pid)


# --- the rows -----------------------------------------------------------------------------------


def row(name: str, direct: float, through: float, unit: str, bar: str) -> None:
    """Prints both ways and their ratio."""
    ratio = through / direct if direct else 0
    show(f"{name:<40}{direct:>10.1f}{through:>10.1f} {unit:<6}{ratio:>6.2f}x  {bar}\n")
    sys.stdout.flush()


def alone(name: str, value: float, unit: str, bar: str = "") -> None:
    """Prints what only the way through the server has."""
    show(f"  {name:<48}{value:>10.1f} {unit:<6}{'':>7}  {bar}".rstrip() + "\n")
    sys.stdout.flush()


def lists(direct: Side, through: Side, server: psutil.Process, count: int) -> None:
    """p50 and p95 of a list; both ways are asked in turn, one after the other."""
    taken: dict[Side, list[float]] = {direct: [], through: []}
    name = f"list of 100 runs ({len(direct.get(LIST)) // 1024} KiB)"
    for number in range(count):
        for side in (direct, through) if number % 2 else (through, direct):
            taken[side].append(side.seconds(LIST) * 1000)
    before = processor(server)
    for _ in range(count):
        through.get(LIST)
    spent = (processor(server) - before) * 1000 / count
    ours, theirs = sorted(taken[through]), sorted(taken[direct])
    row(f"{name}, p50", statistics.median(theirs), statistics.median(ours), "ms", "<= 1.3x")
    row(f"{name}, p95", theirs[int(count * 0.95)], ours[int(count * 0.95)], "ms", "")
    alone("processor time of the server, each", spent, "ms")


def processor(process: psutil.Process) -> float:
    """Seconds of processor time that a process has used."""
    times = process.cpu_times()
    seconds: float = times.user + times.system
    return seconds


def downloads(
    name: str, direct: Side, through: Side, server: psutil.Process, rounds: int, mib: int
) -> None:
    """Throughput of both ways, and the server's memory."""
    predicate = {"key": "name", "operation": "EQUALS", "string_value": name}
    query = quote(quote(json.dumps({"predicates": [predicate]})))
    run_id = json.loads(direct.get(f"{LIST}&filter={query}"))["runs"][0]["run_id"]

    def one() -> tuple[float, float]:
        size = mib * MIB
        return (
            direct.download(f"/artifacts/minio/mlpipeline/{name}", size),
            through.download(f"/runs/{run_id}/artifact?artifact=make:{name}", size),
        )

    one()  # what is loaded once is loaded
    memory, before = Memory(server), processor(server)
    pairs = [one() for _ in range(rounds)]
    spent, grown = processor(server) - before, memory.grown()
    theirs, ours = (statistics.median(mib / one[way] for one in pairs) for way in (0, 1))
    row(f"download of {mib} MiB, {name}", theirs, ours, "MiB/s", ">= 0.8x")
    alone("processor time of the server, each", spent / rounds, "s")
    alone("more memory of the server", grown, "MiB", "<= 32 MiB")


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--lists", type=int, default=60, help="lists a round and way")
    parser.add_argument("--mib", type=int, default=1024, help="the size of the download")
    options = parser.parse_args()
    folder = tempfile.TemporaryDirectory()
    upstream = [sys.executable, "-m", "tests.kubeflow", "--runs", "100"]
    upstream += ["--artifact", f"minio/mlpipeline/unpaced={options.mib}MiB"]
    upstream += ["--artifact", f"minio/mlpipeline/paced={PACED}MiB@119MiB"]
    with folder as name, process(upstream) as running:
        assert running.stdout is not None
        endpoint = running.stdout.readline().strip()
        with jupyter_server(endpoint, Path(name)) as (address, server):
            headers = {"Authorization": f"token {TOKEN}"}
            direct = Side("direct", endpoint, {})
            through = Side("through", f"{address}/pipelines/kubeflow", headers)
            show(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before\n")
            show(f"{'':<40}{'direct':>10}{'through':>10} {'':<6}{'ratio':>7}  bar\n")
            lists(direct, through, server, options.rounds * options.lists)
            downloads("paced", direct, through, server, 2, PACED)
            downloads("unpaced", direct, through, server, options.rounds, options.mib)
            show(f"load {os.getloadavg()[0]:.1f} after\n")


if __name__ == "__main__":
    main()
