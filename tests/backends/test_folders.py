"""A folder's archive: whole, in part, the same each time, and never a wrong one."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends import folders
from jupyterlab_pipelines.backends.folders import Entry, FolderArchive, folder_entries
from jupyterlab_pipelines.errors import Conflict, UnsupportedFeature
from tests.async_tests import in_loop

MIB = 1 << 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    (root / "deep" / ("x" * 120)).mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "deep" / ("x" * 120) / "größe.bin").write_bytes(bytes(range(256)) * 9000)
    (root / "weights.bin").write_bytes(b"w" * (2 * MIB + 77))
    (root / "none").write_bytes(b"")
    (root / "latest").symlink_to("weights.bin")
    (root / "elsewhere").symlink_to("/etc")
    return root


async def read(archive: FolderArchive, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([piece async for piece in archive.read(start, end)])


def test_what_comes_out_is_what_went_in(folder: Path, tmp_path: Path) -> None:
    archive = FolderArchive("model", folder_entries(folder))
    packed = asyncio.run(read(archive))
    assert (archive.filename, len(packed)) == ("model.tar.gz", archive.size)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        names = tar.getnames()
        assert names[0] == "model"
        assert tar.getmember("model/elsewhere").linkname == "/etc"
        assert not any(name.startswith("model/elsewhere/") for name in names)
    out = tmp_path / "out"
    out.mkdir()
    (out / archive.filename).write_bytes(packed)
    subprocess.run(["tar", "xzf", archive.filename], cwd=out, check=True)
    compared = ["diff", "-r", "--no-dereference", str(folder), str(out / "model")]
    assert subprocess.run(compared, check=False).returncode == 0


@in_loop
async def test_any_part_is_the_part_of_the_whole(folder: Path) -> None:
    archive = FolderArchive("model", folder_entries(folder))
    whole = await read(archive)
    step = len(whole) // 37
    for start in [*range(0, len(whole), step), 1, MIB - 1, MIB, len(whole) - 1, len(whole)]:
        assert await read(archive, start) == whole[start:]
        assert await read(archive, start, start + 9999) == whole[start : start + 9999]
    assert await read(FolderArchive("model", folder_entries(folder))) == whole


@in_loop
async def test_what_lies_before_a_part_is_not_read() -> None:
    asked: list[tuple[str, int]] = []

    def entry(name: str) -> Entry:
        async def zeros(start: int) -> AsyncGenerator[bytes, None]:
            asked.append((name, start))
            for begin in range(start, 8 * MIB, MIB):
                yield bytes(min(MIB, 8 * MIB - begin))

        return Entry(name, size=8 * MIB, read=zeros)

    archive = FolderArchive("data", [entry("first"), entry("second")])
    await read(archive, archive.size - 2 * MIB)
    ((name, start),) = asked
    assert name == "second"
    assert start > 4 * MIB


@pytest.mark.parametrize("change", [-1, 1])
@in_loop
async def test_a_file_that_changed_is_an_error_and_no_archive(folder: Path, change: int) -> None:
    archive = FolderArchive("model", folder_entries(folder))
    weights = folder / "weights.bin"
    weights.write_bytes(bytes(weights.stat().st_size + change))
    with pytest.raises(Conflict, match=r"weights\.bin changed"):
        await read(archive)
    assert FolderArchive("model", folder_entries(folder)).tag != archive.tag


def test_a_folder_of_too_many_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST_ENTRIES", 3)
    with pytest.raises(UnsupportedFeature, match="more than 3 files"):
        FolderArchive("data", [Entry(str(number)) for number in range(4)])
