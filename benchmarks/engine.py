"""Times the embedded engine beside kfp.local: prints a table of medians, ratios and bars.

    python benchmarks/engine.py [--rounds 3] [--theirs 1] [--quick]

`--quick` leaves out what takes minutes: kfp.local, the packages and the run of 1,000 tasks. Other
work on the machine blurs wall times: the load before and after is printed, and processor seconds
(of everything a run starts) stand beside them. Annotations are evaluated here, as kfp reads them.
"""

import argparse
import asyncio
import io
import logging
import os
import resource
import shutil
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

warnings.simplefilter("ignore")

from kfp import compiler, dsl, local  # noqa: E402
from watching import server, watch  # noqa: E402

from jupyterlab_pipelines.backends.local.engine import Engine  # noqa: E402
from jupyterlab_pipelines.models import State  # noqa: E402

show = sys.stdout.write


@dsl.component
def nothing():
    """Does nothing."""


@dsl.component
def nap():
    """Sleeps a second."""
    import time

    time.sleep(1)


@dsl.component(packages_to_install=["colorama==0.4.6", "toolz==1.0.0"])
def with_packages():
    """Needs two small packages."""
    import colorama  # noqa: F401
    import toolz  # noqa: F401


@dsl.pipeline
def fifty_steps() -> None:
    """50 independent steps."""
    for _ in range(50):
        nothing()


@dsl.pipeline
def one_step() -> None:
    """The way from the submission to a first step's end."""
    nothing()


@dsl.pipeline
def ten_in_a_row() -> None:
    """10 steps, each after the one before."""
    task = nothing()
    for _ in range(9):
        task = nothing().after(task)


@dsl.pipeline
def sixteen_naps() -> None:
    """16 independent steps of a second."""
    for _ in range(16):
        nap()


@dsl.pipeline
def ten_layers() -> None:
    """10 layers of 10 steps; each step waits for two of the layer before."""
    before: list[Any] = []
    for _ in range(10):
        layer = [nothing() for _ in range(10)]
        for index, task in enumerate(layer):
            if before:
                task.after(before[index], before[(index + 1) % 10])
        before = layer


@dsl.pipeline
def two_packages() -> None:
    """A step that needs packages."""
    with_packages()


@dsl.pipeline
def thousand_steps() -> None:
    """1,000 independent steps."""
    with dsl.ParallelFor(list(range(1000))):
        nothing()


@dataclass
class Time:
    """What something took, in seconds: by the clock, and of all processors together."""

    wall: float
    cpu: float


@contextmanager
def timed() -> Iterator[Time]:
    """Times a block, with the child processes that have ended in it, and with what stands by."""
    before, start = worked(), time.perf_counter()
    taken = Time(0, 0)
    yield taken
    taken.wall = time.perf_counter() - start
    taken.cpu = worked() - before


def worked() -> float:
    """Processor seconds of ended children, and of what stands by and its ended children.

    It waits until no supervisor is left, whose own time would be missing.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = ended.ru_utime + ended.ru_stime
    for process in psutil.Process().children():
        if any(word.endswith("local.standby") for word in process.cmdline()):
            while process.children():
                time.sleep(0.005)
            seconds += sum(process.cpu_times()[:4])
    return seconds


def compiled(pipeline: Any) -> dict[str, Any]:
    """A pipeline's spec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
        return spec


def by_engine(engine: Engine, spec: dict[str, Any], caching: bool = False) -> Time:
    """What a run takes from its submission to its end."""
    start = time.perf_counter()
    with timed() as taken:
        run_id = engine.create_run(
            display_name="benchmark", pipeline_spec=spec, experiment_id="benchmark", caching=caching
        )
        while (run := engine.get_run(run_id)).finished_at is None:
            time.sleep(0.005)
        wall = time.perf_counter() - start
    if run.state is not State.SUCCEEDED:
        raise SystemExit(f"The run failed: {run.error}")
    return Time(wall, taken.cpu)


def by_kfp_local(pipeline: Callable[[], Any], use_venv: bool = False) -> Time:
    """What kfp.local takes, by default in its faster mode, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        local.init(local.SubprocessRunner(use_venv=use_venv), pipeline_root=folder)
        with timed() as taken, redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            pipeline()
        return taken


def fork(engine: Engine, allowed: bool) -> None:
    """Lets tasks be forked, or have processes of their own."""
    engine.settings.change(lambda settings: settings.update(forks=allowed))


def row(name: str, ours: list[Time], theirs: Sequence[Time] = (), bar: str = "") -> None:
    """Prints medians, the quietest round, and how often the other one fits into ours."""
    median = statistics.median(one.wall for one in ours)
    cpu = statistics.median(one.cpu for one in ours)
    line = f"{name:<34}{median:>8.2f}{min(one.wall for one in ours):>8.2f}{cpu:>8.2f}"
    other = statistics.median(one.wall for one in theirs) if theirs else 0
    line += f"{other:>9.1f}{other / median:>7.0f}x" if theirs else " " * 17
    show(f"{line}  {bar}".rstrip() + "\n")
    sys.stdout.flush()


def small(engine: Engine, rounds: int, theirs: int) -> None:
    """The rows that kfp.local runs too, `theirs` times, and those of the cache."""

    def ours(spec: dict[str, Any], caching: bool = False) -> list[Time]:
        return [by_engine(engine, spec, caching) for _ in range(rounds)]

    def other(pipeline: Callable[[], Any]) -> list[Time]:
        return [by_kfp_local(pipeline) for _ in range(theirs)]

    row("one step", ours(compiled(one_step)), other(one_step))
    row("10 steps in a row", ours(compiled(ten_in_a_row)), other(ten_in_a_row))
    spec = compiled(fifty_steps)
    fifty = other(fifty_steps)
    row("50 steps, forked", ours(spec), fifty, "<= 1 s, >= 45x")
    fork(engine, False)
    row("50 steps, processes of their own", ours(spec), fifty, "<= 3 s")
    fork(engine, True)
    by_engine(engine, spec, True)
    row("50 steps, all cached", ours(spec, True), fifty, "<= 0.5 s")
    row("16 naps of a second", ours(compiled(sixteen_naps)), other(sixteen_naps), "<= 2 s")
    row("10 layers of 10 steps", ours(compiled(ten_layers)), other(ten_layers))


def packages(folder: Path, rounds: int) -> None:
    """Two packages, the first and the second time; kfp.local in the mode that keeps them apart."""
    spec = compiled(two_packages)
    first, again, theirs = [], [], []
    for number in range(rounds):
        engine = Engine(folder / str(number))
        first.append(by_engine(engine, spec))
        before = set(engine.layout.environments.rglob("*"))
        again.append(by_engine(engine, spec))
        changed = set(engine.layout.environments.rglob("*")) - before
        if any("__pycache__" not in path.parts for path in changed):
            raise SystemExit(f"The second run installed something: {sorted(changed)}")
        engine.close()
        theirs.append(by_kfp_local(two_packages, use_venv=True))
    row("two packages, first time", first, theirs)
    row("two packages, second time", again, theirs, "installs nothing: so it was")


def large(folder: Path) -> None:
    """A run of 1,000 steps that a lab watches: its time, its memory, and the server's delays."""
    spec = compiled(thousand_steps)
    folder.mkdir()
    with server(folder) as address, peak_memory() as peak:
        delays, run = asyncio.run(watch(address, spec))
    if run["state"] != "SUCCEEDED":
        raise SystemExit(f"The run failed: {run['error']}")
    times = (run["created_at"], run["finished_at"])
    began, ended = (datetime.fromisoformat(one.replace("Z", "+00:00")) for one in times)
    took = (ended - began).total_seconds()
    show(f"{'1,000 steps, forked, watched':<34}{took:>8.1f}\n")
    show(f"{'  MB of the engine':<34}{peak[0]:>8.0f}{'':>33}  <= 150\n")
    show(f"{'':<34}{'median':>8}{'99 %':>8}{'most':>8}\n")
    for name, values, bar in (
        ("  ms that the server is late, idle", delays.idle, ""),
        ("  and with the run", delays.late, "< 50"),
        ("  ms of its loop at a stretch", delays.busy, ""),
    ):
        show(f"{name:<34}{''.join(f'{value:>8.1f}' for value in values)}{'':>17}  {bar}\n")
    show(f"{'  told to the lab':<34}{delays.events:>8} events, {delays.graphs} graphs\n")


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """The most memory that any supervisor below this process has during a block, in MB."""
    most, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    if "jupyterlab_pipelines.backends.local.supervisor" in process.cmdline():
                        most[0] = max(most[0], process.memory_info().rss / 2**20)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield most
    finally:
        over.set()
        watcher.join()


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--theirs", type=int, default=1, help="rounds of kfp.local")
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    load = os.getloadavg()[0]
    show(f"{os.cpu_count()} cores, load {load:.1f} before, {options.rounds} rounds; seconds\n")
    show(f"{'':<34}{'median':>8}{'best':>8}{'cpu':>8}{'kfp.local':>10}{'ratio':>7}  bar\n")
    folder = Path(tempfile.mkdtemp())
    os.environ["JUPYTER_CONFIG_DIR"] = str(folder / "config")  # never the user's own settings
    try:
        engine = Engine(folder / "engine")
        small(engine, options.rounds, 0 if options.quick else options.theirs)
        engine.close()
        if not options.quick:
            packages(folder / "packages", options.theirs)
            large(folder / "watched")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show(f"load {os.getloadavg()[0]:.1f} after\n")


if __name__ == "__main__":
    main()
