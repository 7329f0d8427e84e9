"""What Argo packed is shown unpacked, by range; what is no such archive stays as it is."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import tracemalloc
from collections.abc import AsyncGenerator

import pytest

from jupyterlab_pipelines.backends.base import ArtifactContent
from jupyterlab_pipelines.backends.folders import within
from jupyterlab_pipelines.backends.kubeflow.artifacts.packed import open_packed
from jupyterlab_pipelines.backends.kubeflow.artifacts.place import read_place
from jupyterlab_pipelines.errors import BadUpstream
from tests.async_tests import in_loop

MIB = 1 << 20
PLACE = read_place("minio://mlpipeline/artifacts/run/pod/train-report.tgz")


class Raw:
    """Packed bytes at their place, and how many of them were asked for."""

    def __init__(self, data: bytes, *, sized: bool = True) -> None:
        self.data = data
        self.sized = sized
        self.sent = 0

    async def __call__(self, start: int, end: int | None) -> ArtifactContent:
        begin, stop = within(len(self.data), start, end)

        async def body() -> AsyncGenerator[bytes, None]:
            for at in range(begin, stop, 8192):
                piece = self.data[at : min(at + 8192, stop)]
                self.sent += len(piece)
                yield piece

        size = len(self.data) if self.sized else None
        return ArtifactContent(body(), "application/gzip", "x.tgz", size, begin, stop, "tag")


def tgz(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


async def read(raw: Raw, start: int = 0, end: int | None = None) -> tuple[ArtifactContent, bytes]:
    content = await open_packed(raw, PLACE, start, end)
    return content, b"".join([piece async for piece in content.body])


@pytest.mark.parametrize("name", ["report", "größe-" + "x" * 200])
@in_loop
async def test_the_file_inside_by_range(name: str) -> None:
    inside = os.urandom(3 * MIB)
    raw = Raw(tgz((member(name), inside)))
    for start, end in ((0, None), (0, 1000), (MIB, 2 * MIB), (5, None), (len(inside), None)):
        content, data = await read(raw, start, end)
        assert data == inside[start:end]
        assert (content.size, content.filename) == (len(inside), "train-report")
        assert content.tag


@in_loop
async def test_a_beginning_costs_a_beginning() -> None:
    raw = Raw(tgz((member("report"), b"line of a table\n" * 2_000_000)))
    _, data = await read(raw, 0, 256 << 10)
    assert data == (b"line of a table\n" * (16 << 10))
    assert raw.sent <= MIB
    raw = Raw(tgz((member("noise"), os.urandom(8 * MIB))))
    _, data = await read(raw, 0, 512 << 10)
    assert len(data) == 512 << 10
    assert raw.sent <= MIB


LONG = tgz((member("a", tarfile.DIRTYPE), b""), (member("a/b"), b"x" * 1000))


@pytest.mark.parametrize(
    "data",
    [
        LONG,
        tgz((member("a"), b"one"), (member("b"), b"two")),
        tgz((member("a"), bytes(MIB)), (member("b"), b"two")),
        tgz((member("x", tarfile.SYMTYPE, "/etc/passwd"), b"")),
        tgz((member("x", tarfile.LNKTYPE, "../../etc/passwd"), b"")),
        tgz((member("x", tarfile.CHRTYPE), b"")),
        tgz((member("x", tarfile.FIFOTYPE), b"")),
        gzip.compress(b"not a tar" * 1000),
        gzip.compress(b""),
        b"\x1f\x8b damaged",
        b"plain text that was never packed",
        b"",
        LONG[:30],
    ],
    ids=["folder", "two", "long", "symlink", "hardlink", "device", "fifo", "gzip", "none", "bad",
         "text", "empty", "cut"],
)  # fmt: skip
@in_loop
async def test_what_holds_no_single_file_is_served_as_it_is(data: bytes) -> None:
    content, served = await read(Raw(data))
    assert served == data
    assert content.size == len(data)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\nb", ".."])
@in_loop
async def test_a_hostile_name_inside_names_nothing(name: str) -> None:
    content, served = await read(Raw(tgz((member(name), b"harmless"))))
    assert (content.filename, served) == ("train-report", b"harmless")


@in_loop
async def test_a_bomb_is_unpacked_no_further_than_is_wanted() -> None:
    """1 GiB in 1 MiB: what it costs is what is read."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as packed:
        info = member("bomb")
        info.size = 1 << 30
        packed.write(info.tobuf())
        for _ in range(256):
            packed.write(bytes(MIB))
    raw = Raw(buffer.getvalue())
    tracemalloc.start()
    content, data = await read(raw, 0, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (data, content.size) == (bytes(1000), 1 << 30)
    assert peak < 4 * MIB
    with pytest.raises(BadUpstream, match="ends before"):
        await read(raw, (1 << 30) - 10)


@in_loop
async def test_a_file_too_large_to_unpack_is_served_packed() -> None:
    info = member("huge")
    info.size = (1 << 30) + 1
    data = gzip.compress(info.tobuf() + bytes(1000))
    content, served = await read(Raw(data))
    assert (served, content.filename) == (data, "x.tgz")


@in_loop
async def test_headers_without_end_are_not_followed() -> None:
    header = member("x", tarfile.XHDTYPE)
    header.size = 512
    data = gzip.compress((header.tobuf() + bytes(512)) * 100_000)
    raw = Raw(data)
    _, served = await read(raw, 0, 10)
    assert served == data[:10]
