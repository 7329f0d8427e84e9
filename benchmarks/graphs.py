"""Times a Kubeflow run of 10,000 tasks from its endpoint's answers to the graph, and a refresh.

    python -m benchmarks.graphs [--tasks 10000]

The endpoint is the tests' own, in a process apart. It has made its answers before it is asked:
what is timed is to fetch them over HTTP and to read them. Each source has a new process, as a
server that has just begun. Seconds by the clock, and of that process's processor, which is what
other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))

if TYPE_CHECKING:
    from tests.kubeflow import Answer, Cluster, Request, Router

_SPAWN = multiprocessing.get_context("spawn")
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


def serve(tasks: int, source: str, answers: Connection) -> None:
    """An endpoint with one active run; sends its address, the run's id and its workflow's MB."""
    from tests.backends.kubeflow.graphs import endpoint_with
    from tests.kubeflow import Cluster, in_thread

    endpoint = endpoint_with(source)
    spec = pipeline(tasks)
    run = endpoint.add(spec, {}, "RUNNING")
    # As on a real endpoint: the run names its version, which is asked for once.
    made = endpoint.cluster.add_pipeline("chains")
    version = endpoint.cluster.add_version(made.id, "1", spec)
    run.pipeline_id, run.version_id = made.id, version.id
    ready = Cluster()
    ready.routers.append(_made_before(endpoint.cluster))
    with in_thread(ready) as url:
        asyncio.run(measure(url, run.id))
        answers.send((url, run.id, len(json.dumps(run.workflow)) / 1e6))
        answers.recv()


def _made_before(cluster: Cluster) -> Router:
    """Gives the cluster's answers, and to each request that comes again the very same."""
    from tests.kubeflow.server import Endpoint

    endpoint = Endpoint(cluster)
    made: dict[tuple[object, ...], Answer] = {}

    async def router(request: Request) -> Answer:
        key = (request.method, request.path, *request.query.items(), request.body)
        if key not in made:
            made[key] = await endpoint.answer(request)
        return made[key]

    return router


@dataclass
class Took:
    """Seconds of one thing, by the clock and of the processor."""

    what: str
    clock: float = 0.0
    processor: float = 0.0


@contextmanager
def _timed(what: str) -> Iterator[Took]:
    took = Took(what)
    clock, processor = time.perf_counter(), time.process_time()
    yield took
    took.clock = time.perf_counter() - clock
    took.processor = time.process_time() - processor


async def measure(url: str, run_id: str) -> list[Took]:
    """The first graph, the same as JSON, and a refresh."""
    from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend

    backend = KubeflowBackend(url)
    with _timed("first graph") as first:
        graph = await backend.get_graph(run_id)
    with _timed("as JSON for the browser") as encoded:
        text = graph.model_dump_json()
    await asyncio.sleep(1.1)  # until the graph is read anew
    with _timed("refresh, nothing new") as refresh:
        again = await backend.get_graph(run_id)
    await backend.close()
    assert graph.tasks
    assert again is graph
    assert graph.topology.key in text
    return [first, encoded, refresh]


def measure_once(url: str, run_id: str) -> tuple[list[Took], float]:
    """The same in a process of its own, and the most memory that it took, in MB."""
    found = asyncio.run(measure(url, run_id))
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Prints a table: each source alone, and both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    tasks = parser.parse_args().tasks
    from tests.backends.kubeflow.graphs import TELLING

    for source in TELLING:
        ours, theirs = _SPAWN.Pipe()
        server = _SPAWN.Process(target=serve, args=(tasks, source, theirs))
        server.start()
        try:
            url, run_id, size = ours.recv()
            with ProcessPoolExecutor(1, _SPAWN) as apart:
                found, memory = apart.submit(measure_once, url, run_id).result()
        finally:
            ours.send(None)
            server.join()
        sys.stdout.write(
            f"{source}: {tasks} tasks, workflow of {size:.0f} MB, {memory:.0f} MB at most\n"
        )
        for took in found:
            sys.stdout.write(
                f"  {took.what:24} {took.clock:5.2f} s by the clock, "
                f"{took.processor:5.2f} s of the processor\n"
            )


if __name__ == "__main__":
    main()
