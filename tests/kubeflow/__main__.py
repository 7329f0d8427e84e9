"""`python -m tests.kubeflow`: the endpoint as a process; prints its address, then serves."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from .cluster import Cluster, Sized, new_id
from .records import Run
from .server import serving
from .v2beta1 import moment

EXAMPLES = Path(__file__).parents[2] / "examples" / "pipelines"
_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubeflow", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--prefix", default="", help="a path before all others: /pipeline")
    parser.add_argument("--runs", type=int, default=0, help="how many runs there are")
    parser.add_argument("--token", default="", help="ask for this bearer token")
    parser.add_argument(
        "--artifact",
        action="append",
        default=[],
        metavar="SOURCE/BUCKET/NAME=SIZE[@PACE]",
        help="an artifact of this size, sent at so many bytes a second, and a run of its name: "
        "minio/mlpipeline/big=1GiB@100MiB",
    )
    options = parser.parse_args()
    cluster = Cluster()
    if options.token:
        cluster.users[options.token] = "user@example.com"
    fill(cluster, options.runs)
    for text in options.artifact:
        place, _, size = text.rpartition("=")
        size, _, pace = size.partition("@")
        content = Sized(_bytes(size), _bytes(pace) if pace else None)
        make(cluster, *place.split("/"), content)
    asyncio.run(_serve(cluster, options.prefix, options.port))


def fill(cluster: Cluster, runs: int) -> None:
    """So many runs that have ended, a minute apart, as a notebook's user has them.

    Half of them are of one version, half were submitted with a pipeline of their own.
    """
    if not runs:
        return
    spec = yaml.safe_load((EXAMPLES / "digits.yaml").read_text())
    pipeline = cluster.add_pipeline("digits")
    version = cluster.add_version(pipeline.id, "digits v1", spec)
    reference = {"pipeline_id": pipeline.id, "version_id": version.id}
    start = cluster.now() - runs * 60
    for number in range(runs):
        run = cluster.add_run(
            f"digits {number:06}",
            "FAILED" if number % 10 == 0 else "SUCCEEDED",
            created_at=start + number * 60,
            finished_at=start + number * 60 + number % 3600,
            parameters={"depth": number % 50, "rate": 0.01},
            **(reference if number % 2 else {"spec": spec}),
        )
        run.task_details = _details(run)


def _details(run: Run) -> list[dict[str, Any]]:
    """What a list says of a run of three tasks, one of them cached: nodes of drivers too."""
    names = ["root-driver", "root", "load-driver", "load", "train-driver", "train", "plot"]
    return [
        {
            "run_id": run.id,
            "task_id": new_id(),
            "display_name": name,
            "create_time": moment(run.created_at),
            "start_time": moment(run.created_at + 2),
            "end_time": moment(run.finished_at),
            "state": run.state,
            "state_history": [{"update_time": moment(run.finished_at), "state": run.state}],
            "child_tasks": [{"pod_name": f"training-{run.id[:5]}-{child}"} for child in range(2)],
        }
        for name in names
    ]


def make(cluster: Cluster, source: str, bucket: str, name: str, content: Sized) -> None:
    """An artifact, and a run of its name with one task, `make`, that made it."""
    cluster.objects[source, bucket, name] = content
    artifact = {"artifact_id": name, "type": "Dataset", "uri": f"{source}://{bucket}/{name}"}
    task = {"task_id": "make", "name": "make", "type": "RUNTIME", "state": "SUCCEEDED"}
    outputs = {"artifacts": [{"artifact_key": name, "artifacts": [artifact]}]}
    spec = {
        "pipelineInfo": {"name": "make"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": {"make": {"componentRef": {"name": "comp-make"}}}}},
        "components": {
            "comp-make": {
                "executorLabel": "exec-make",
                "outputDefinitions": {
                    "artifacts": {name: {"artifactType": {"schemaTitle": "system.Dataset"}}}
                },
            }
        },
        "deploymentSpec": {"executors": {"exec-make": {"container": {"image": "python:3.12"}}}},
    }
    cluster.add_run(name, spec=spec, tasks=[{**task, "outputs": outputs}])


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)\s*([a-z]*)", text.strip().lower())
    if match is None or match.group(2) not in _UNITS:
        raise SystemExit(f"{text} is no size: write 5, 5KiB, 5MiB or 5GiB.")
    return int(match.group(1)) * _UNITS[match.group(2)]


async def _serve(cluster: Cluster, prefix: str, port: int) -> None:
    async with serving(cluster, prefix=prefix, port=port) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
