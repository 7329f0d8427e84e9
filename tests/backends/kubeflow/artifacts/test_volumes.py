"""Files of volumes that are mounted here, and nothing beside them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.kubeflow.artifacts.place import read_place
from jupyterlab_pipelines.backends.kubeflow.artifacts.source import Wanted
from jupyterlab_pipelines.backends.kubeflow.artifacts.volumes import Volumes
from jupyterlab_pipelines.errors import NotFound, PipelinesError, UnsupportedFeature
from jupyterlab_pipelines.models import ObjectStore
from tests.async_tests import in_loop


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("canary")
    root = tmp_path / "data-vol"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "table.csv").write_text("a,b\n1,2\n")
    (root / "out").symlink_to("../secret.txt")
    (root / "up").symlink_to("..")
    (root / "inside").symlink_to("deep/table.csv")
    os.mkfifo(root / "pipe")
    return root


async def read(volumes: Volumes, uri: str, start: int = 0, end: int | None = None) -> bytes:
    content = await volumes.open(Wanted("it", uri), read_place(uri), start, end)
    return b"".join([piece async for piece in content.body])


@in_loop
async def test_files_and_folders_of_a_named_volume(mounted: Path) -> None:
    volumes = Volumes([ObjectStore(prefix="volume://data/", endpoint=str(mounted))])
    assert await read(volumes, "volume://data/deep/table.csv") == b"a,b\n1,2\n"
    assert await read(volumes, "volume://data/deep/table.csv", 2, 5) == b"b\n1"
    assert await read(volumes, "volume://data/inside", 0, 3) == b"a,b"
    assert (await read(volumes, "volume://data/deep"))[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    "key",
    ["../secret.txt", "out", "up/secret.txt", "deep/../../secret.txt", "//etc/passwd", "pipe",
     "%2e%2e/secret.txt", "none", "a\x00b", "deep/table.csv/x", "x" * 5000],
)  # fmt: skip
@in_loop
async def test_no_way_out_of_a_volume(mounted: Path, key: str) -> None:
    volumes = Volumes([ObjectStore(prefix="volume://data/", endpoint=str(mounted))])
    with pytest.raises((NotFound, UnsupportedFeature)) as refused:
        await read(volumes, f"volume://data/{key}")
    assert "canary" not in str(refused.value.body())


@in_loop
async def test_a_volume_that_is_not_mounted_says_how_to_name_it() -> None:
    with pytest.raises(PipelinesError) as unknown:
        await read(Volumes([]), "volume://serviceaccount/token")
    assert "prefix volume://serviceaccount/" in unknown.value.next_step
