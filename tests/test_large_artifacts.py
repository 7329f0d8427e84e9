"""A large artifact through a lab's server: what it costs the server while a slow reader reads."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.backends.kubeflow.artifacts.object_store import S3Server, s3_server
from tests.kubeflow import Cluster, Sized, in_thread
from tests.test_app import Server, server

__all__ = ["server"]

MIB = 1 << 20
#: What the server may grow by, whatever the artifact's size.
BAR = 32 * MIB


class Watch:
    """The most memory that a process takes while the block runs, in bytes."""

    def __init__(self, process: int) -> None:
        self._process = psutil.Process(process)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.peak = self.now()

    def now(self) -> int:
        return int(self._process.memory_info().rss)

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, self.now())

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as store:
        store.put("mlpipeline", small=b"small")
        yield store


def add_run(cluster: Cluster, uri: str) -> str:
    """A run that has made one artifact, there; the run's id."""
    made = {"artifact_id": "a", "name": "big", "type": "Artifact", "uri": uri}
    outputs = {"artifacts": [{"artifact_key": "big", "artifacts": [made]}]}
    task = {"task_id": "t", "name": "make", "type": "RUNTIME", "state": "SUCCEEDED"}
    return cluster.add_run("big", tasks=[{**task, "outputs": outputs}]).id


def laid_down(s3: S3Server, size: int, folder: Path) -> str:
    """So many bytes in the store, no two mebibytes alike; their digest."""
    digest, block = hashlib.sha256(), bytes(range(256)) * 4096
    with (folder / "big").open("wb") as file:
        for number in range(size // MIB):
            piece = number.to_bytes(8, "big") + block[8:]
            file.write(piece)
            digest.update(piece)
    s3.client.upload_file(str(folder / "big"), "mlpipeline", "big")
    (folder / "big").unlink()
    return digest.hexdigest()


async def digest_of(content: Sized) -> str:
    """Of what the UI server's routes give for it."""
    digest = hashlib.sha256()
    async for piece in content.pieces():
        digest.update(piece)
    return digest.hexdigest()


def download(server: Server, address: str, *, slow: bool, start: int = 0) -> tuple[str, int]:
    """The digest and the size of what came; a slow reader holds back first, then goes on."""
    digest, size = hashlib.sha256(), 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    query = {"artifact": "make:big", "download": "1"}
    with server.client.stream("GET", address, params=query, headers=headers) as answer:
        assert answer.status_code == (206 if start else 200), answer.read()
        if slow:
            time.sleep(1)
        for piece in answer.iter_raw(256 << 10):
            digest.update(piece)
            size += len(piece)
            if slow and size % (16 * MIB) < len(piece):
                time.sleep(0.05)
    return digest.hexdigest(), size


@pytest.mark.parametrize(
    "size", [64 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.soak)], ids=["64MiB", "1GiB"]
)
def test_a_large_artifact_costs_the_server_little(
    size: int, s3: S3Server, server: Server, tmp_path: Path
) -> None:
    cluster = Cluster()
    cluster.objects["minio", "mlpipeline", "big"] = sized = Sized(size)
    cluster.objects["minio", "mlpipeline", "small"] = b"small"
    digests = {"store": laid_down(s3, size, tmp_path), "ui": asyncio.run(digest_of(sized))}
    store = {"endpoint": s3.url, "access_key": "minio", "secret_key": "minio123"}
    with in_thread(cluster) as url:
        small = add_run(cluster, "minio://mlpipeline/small")
        big = add_run(cluster, "minio://mlpipeline/big")
        server.start()
        assert server.process is not None
        for name, stores in (("store", [{"prefix": "minio://mlpipeline/", **store}]), ("ui", [])):
            connection = {"name": name, "host": url, "stores": stores}
            server.client.post("connections", json=connection).raise_for_status()
            download(server, f"{name}/runs/{small}/artifact", slow=False)  # loads what it takes
            with Watch(server.process.pid) as watch:
                before = watch.now()
                came, length = download(server, f"{name}/runs/{big}/artifact", slow=True)
            grown = watch.peak - before
            assert length == size
            assert grown <= BAR, f"{grown / MIB:.1f} MiB through {name}"
            assert came == digests[name]
        part = download(server, f"store/runs/{big}/artifact", slow=False, start=size - 1000)
        assert part == (hashlib.sha256((bytes(range(256)) * 4)[-1000:]).hexdigest(), 1000)
