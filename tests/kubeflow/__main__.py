"""`python -m tests.kubeflow`: the endpoint as a process; prints its address, then serves."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys

from .cluster import Cluster, Sized
from .server import serving

_UNITS = {"": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(prog="python -m tests.kubeflow", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--prefix", default="", help="a path before all others: /pipeline")
    parser.add_argument("--runs", type=int, default=0, help="how many runs there are")
    parser.add_argument("--token", default="", help="ask for this bearer token")
    parser.add_argument(
        "--object",
        action="append",
        default=[],
        metavar="SOURCE/BUCKET/KEY=SIZE",
        help="an artifact of this size: minio/mlpipeline/big=1GiB",
    )
    options = parser.parse_args()
    cluster = Cluster()
    if options.token:
        cluster.users[options.token] = "user@example.com"
    for text in options.object:
        place, _, size = text.rpartition("=")
        source, bucket, key = place.split("/", 2)
        cluster.objects[source, bucket, key] = Sized(_bytes(size))
    fill(cluster, options.runs)
    asyncio.run(_serve(cluster, options.prefix, options.port))


def fill(cluster: Cluster, runs: int) -> None:
    """So many runs that have ended, of one version, a minute apart."""
    if not runs:
        return
    pipeline = cluster.add_pipeline("training")
    spec = {"pipelineInfo": {"name": "training"}, "schemaVersion": "2.1.0", "root": {"dag": {}}}
    version = cluster.add_version(pipeline.id, "training v1", spec)
    start = cluster.now() - runs * 60
    for number in range(runs):
        cluster.add_run(
            f"training {number:06}",
            "FAILED" if number % 10 == 0 else "SUCCEEDED",
            created_at=start + number * 60,
            finished_at=start + number * 60 + number % 3600,
            pipeline_id=pipeline.id,
            version_id=version.id,
            parameters={"epochs": number % 50, "rate": 0.01},
        )


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
