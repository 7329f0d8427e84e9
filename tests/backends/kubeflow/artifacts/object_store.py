"""A real S3 server process, its requests counted by what passes between it and a client."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import boto3

KEYS = {"aws_access_key_id": "minio", "aws_secret_access_key": "minio123"}


class S3Server:
    """moto's S3 at `url`; what `put` lays down is there for every client."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: Any = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **KEYS)

    def put(self, bucket: str, **objects: bytes) -> None:
        """Objects by key, in a bucket that is made where it is missing; `__` stands for `/`."""
        self.client.create_bucket(Bucket=bucket)
        for key, content in objects.items():
            self.client.put_object(Bucket=bucket, Key=key.replace("__", "/"), Body=content)


@contextlib.contextmanager
def s3_server() -> Iterator[S3Server]:
    """Runs the server until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert time.monotonic() < deadline, "The S3 server has not started."
            time.sleep(0.05)
        yield S3Server(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


class Meter:
    """What has passed from a server to its clients, in bytes, and the requests towards it."""

    def __init__(self) -> None:
        self.url = ""
        self.sent = 0
        self.requests: list[str] = []


@contextlib.asynccontextmanager
async def metered(url: str) -> AsyncIterator[Meter]:
    """A way to the server at `url` that counts, with small buffers on both sides."""
    host, port = url.removeprefix("http://").split(":")
    meter = Meter()

    async def pour(
        source: asyncio.StreamReader, target: asyncio.StreamWriter, *, down: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(64 << 10):
                if down:
                    meter.sent += len(piece)
                else:
                    meter.requests += re.findall(r"(?:GET|HEAD) \S+", piece.decode("latin-1"))
                target.write(piece)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port), limit=64 << 10)
        await asyncio.gather(pour(reader, back, down=False), pour(there, writer, down=True))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=64 << 10)
    meter.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield meter
    finally:
        server.close()
