"""Times a Kubeflow run of 10,000 tasks from its endpoint's answers to the graph, and a refresh.

    python -m benchmarks.graphs [--tasks 10000]

The endpoint is the tests' own, in a process apart. Seconds by the clock, and of this process's
processor, which is what other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

_TYPE = {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}


def pipeline(tasks: int) -> dict[str, Any]:
    """Ten chains of steps, each step with an artifact for the next."""
    root: dict[str, Any] = {}
    for number in range(tasks):
        root[f"t{number}"] = task = {
            "taskInfo": {"name": f"t{number}"},
            "componentRef": {"name": "comp-step"},
        }
        if number >= 10:
            before = f"t{number - 10}"
            output = {"producerTask": before, "outputArtifactKey": "out"}
            task["dependentTasks"] = [before]  # type: ignore[assignment]
            task["inputs"] = {"artifacts": {"data": {"taskOutputArtifact": output}}}  # type: ignore[dict-item]
    component = {
        "executorLabel": "exec-step",
        "inputDefinitions": {"artifacts": {"data": {**_TYPE, "isOptional": True}}},
        "outputDefinitions": {"artifacts": {"out": _TYPE}},
    }
    return {
        "pipelineInfo": {"name": "chains"},
        "root": {"dag": {"tasks": root}},
        "components": {"comp-step": component},
        "deploymentSpec": {"executors": {"exec-step": {"container": {"image": "python:3.12"}}}},
        "schemaVersion": "2.1.0",
    }


def serve(tasks: int, without: frozenset[str], answers: Connection) -> None:
    """An endpoint with one active run; sends its address and the run's id."""
    from tests.backends.kubeflow.graphs import Endpoint
    from tests.kubeflow import in_thread

    endpoint = Endpoint()
    endpoint.without = set(without)
    spec = pipeline(tasks)
    run = endpoint.add(spec, {}, "RUNNING")
    # As on a real endpoint: the run names its version, which is asked for once.
    made = endpoint.cluster.add_pipeline("chains")
    version = endpoint.cluster.add_version(made.id, "1", spec)
    run.pipeline_id, run.version_id = made.id, version.id
    with in_thread(endpoint.cluster) as url:
        answers.send((url, run.id, len(json.dumps(run.workflow)) / 1e6))
        answers.recv()


async def measure(url: str, run_id: str) -> Mapping[str, tuple[float, float]]:
    """(seconds by the clock, of the processor) of the first graph and of a refresh."""
    from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend

    backend = KubeflowBackend(url)
    found = {}
    for name in ("first graph", "refresh, nothing new"):
        clock, processor = time.perf_counter(), time.process_time()
        graph = await backend.get_graph(run_id)
        found[name] = time.perf_counter() - clock, time.process_time() - processor
        assert graph.tasks
        await asyncio.sleep(1.1)
    await backend.close()
    return found


def main() -> None:
    """Prints a table: each source alone, and both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    tasks = parser.parse_args().tasks
    from tests.backends.kubeflow.graphs import HAVING

    for having, without in HAVING.items():
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(tasks, frozenset(without), theirs)
        )
        server.start()
        try:
            url, run_id, size = ours.recv()
            found = asyncio.run(measure(url, run_id))
        finally:
            ours.send(None)
            server.join()
        for name, (clock, processor) in found.items():
            sys.stdout.write(
                f"{having:12} {tasks} tasks, workflow of {size:.0f} MB: "
                f"{name} {clock:.2f} s by the clock, {processor:.2f} s of the processor\n"
            )


if __name__ == "__main__":
    main()
