"""Times the embedded engine beside kfp.local: prints a table of medians and their ratio.

    python benchmarks/engine.py [--rounds 3] [--quick]

`--quick` leaves out kfp.local, which takes minutes. Annotations are evaluated here, as kfp reads
them.
"""

import argparse
import io
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml

warnings.simplefilter("ignore")

from kfp import compiler, dsl, local  # noqa: E402

from jupyterlab_pipelines.backends.local.engine import Engine  # noqa: E402
from jupyterlab_pipelines.models import State  # noqa: E402


@dsl.component
def nothing():
    """Does nothing."""


@dsl.component
def nap():
    """Sleeps a second."""
    import time

    time.sleep(1)


@dsl.pipeline
def fifty_steps() -> None:
    """50 independent steps."""
    for _ in range(50):
        nothing()


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


def compiled(pipeline: Any) -> dict[str, Any]:
    """A pipeline's spec."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        spec: dict[str, Any] = next(yaml.safe_load_all(path.read_text()))
        return spec


def by_engine(engine: Engine, spec: dict[str, Any], caching: bool) -> float:
    """Seconds from the submission to the end of a run."""
    before = time.perf_counter()
    run_id = engine.create_run(
        display_name="benchmark", pipeline_spec=spec, experiment_id="benchmark", caching=caching
    )
    while (run := engine.get_run(run_id)).finished_at is None:
        time.sleep(0.005)
    took = time.perf_counter() - before
    if run.state is not State.SUCCEEDED:
        raise SystemExit(f"The run failed: {run.error}")
    return took


def by_kfp_local(pipeline: Callable[[], Any]) -> float:
    """Seconds that kfp.local takes, in its faster mode, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=folder)
        before = time.perf_counter()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            pipeline()
        return time.perf_counter() - before


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without kfp.local")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    show = sys.stdout.write
    show(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.rounds} rounds\n")
    show(f"{'':<18}{'engine, s':>12}{'kfp.local, s':>14}{'ratio':>8}\n")
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder))
        for pipeline in (fifty_steps, sixteen_naps, ten_layers):
            spec = compiled(pipeline)
            ours = statistics.median(by_engine(engine, spec, False) for _ in range(options.rounds))
            line = f"{pipeline.name:<18}{ours:>12.2f}"
            if not options.quick:
                theirs = by_kfp_local(pipeline)
                line += f"{theirs:>14.2f}{theirs / ours:>7.0f}x"
            show(line + "\n")
        spec = compiled(fifty_steps)
        by_engine(engine, spec, True)
        cached = statistics.median(by_engine(engine, spec, True) for _ in range(options.rounds))
        show(f"{'fifty, all cached':<18}{cached:>12.2f}\n")
        engine.close()


if __name__ == "__main__":
    main()
