"""What a run of kfp 1 left: logs of each attempt and artifacts, all of them in Argo's archive."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import AsyncIterator

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend
from jupyterlab_pipelines.service import Service
from tests.async_tests import in_loop
from tests.kubeflow import Cluster, Run, serving
from tests.kubeflow.argo_v1 import container, dag, run_workflow, task
from tests.kubeflow.steps import Outcome

TEMPLATES = [
    dag("train-all", task("train")),
    container("train", outputs=("mlpipeline-metrics", "train-model"), retries=2),
]
METRICS = {"metrics": [{"name": "accuracy", "numberValue": 0.93, "format": "PERCENTAGE"}]}


def tgz(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@contextlib.asynccontextmanager
async def finished_run() -> AsyncIterator[tuple[Cluster, Run, KubeflowBackend]]:
    """A step that failed once and then succeeded; its pods are gone, its archive is there."""
    cluster = Cluster()
    went = {"train": Outcome(failures=("OOMKilled (exit code 137)",))}
    workflow = run_workflow("train-x7k2p", TEMPLATES, went)
    spec = {key: workflow[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    run = cluster.add_run("train", spec=spec, task_details=[], workflow=workflow)
    pods = [node for node in workflow["status"]["nodes"].values() if node["type"] == "Pod"]
    for number, node in enumerate(sorted(pods, key=lambda one: str(one["name"])), 1):
        for one in node["outputs"]["artifacts"]:
            content = {
                "main-logs": f"attempt {number}\n".encode(),
                "mlpipeline-metrics": tgz("data", json.dumps(METRICS).encode()),
                "train-model": tgz("model", b"weights" * 1000),
            }[one["name"]]
            cluster.objects["minio", one["s3"]["bucket"], one["s3"]["key"]] = content
    async with serving(cluster) as url:
        backend = KubeflowBackend(url)
        try:
            yield cluster, run, backend
        finally:
            await backend.close()


@in_loop
async def test_the_log_of_each_attempt_is_in_the_archive() -> None:
    async with finished_run() as (_, run, backend):
        for attempt, text in ((1, "attempt 1\n"), (2, "attempt 2\n"), (None, "attempt 2\n")):
            chunk = await backend.read_log(run.id, "train", attempt, 0, 1000)
            assert (chunk.text, chunk.complete, chunk.attempt) == (text, True, attempt or 2)


@in_loop
async def test_its_metrics_and_files_are_shown_unpacked() -> None:
    async with finished_run() as (_, run, backend):
        outputs = await Service(backend, "remote").outputs(run.id, "train")
        assert not [one.error for one in outputs if one.error]
        assert "93" in str([one.bundle for one in outputs])
        model = await backend.open_artifact(run.id, "train:train-model")
        data = b"".join([piece async for piece in model.body])
        assert (data, model.size, model.filename) == (b"weights" * 1000, 7000, "train-model")
