"""Paths from ids and URIs: nothing leaves the engine's folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.local.artifacts import local_path, media_type, safe_file
from jupyterlab_pipelines.backends.local.layout import Layout
from jupyterlab_pipelines.errors import NotFound, UnsupportedFeature


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../x", "a/b", "%2e%2e", "a\x00b", "-x", "x" * 200, "a\n"]
)
def test_only_a_run_id_names_a_run(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(NotFound):
        Layout(tmp_path).run(run_id)


@pytest.mark.parametrize(
    "task_id", ["train", "for-loop-1[3]/train", "..", "a/../../b", "a//b", "x" * 500, "ä b", "/abs"]
)
def test_every_task_has_a_folder_of_its_own_below_its_run(tmp_path: Path, task_id: str) -> None:
    layout = Layout(tmp_path)
    folder = layout.attempt("run", task_id, 2)
    assert folder.resolve().is_relative_to(layout.run("run") / "tasks")
    assert all(len(part) < 255 for part in folder.parts)
    folder.mkdir(parents=True)
    assert folder != layout.attempt("run", task_id + "x", 2)


def test_only_files_below_the_root_are_served(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    (root / "a").mkdir(parents=True)
    (root / "a" / "file.csv").write_text("1")
    (tmp_path / "secret").write_text("2")
    (root / "a" / "link").symlink_to(tmp_path / "secret")
    (root / "a" / "folder").symlink_to(tmp_path)
    assert safe_file(str(root / "a" / "file.csv"), root).read_text() == "1"
    assert safe_file(f"file://{root}/a/file%2Ecsv", root).read_text() == "1"
    for uri in (
        str(root / "a" / "link"),
        str(root / "a" / "folder" / "secret"),
        f"{root}/../secret",
        f"file://{root}/%2e%2e/secret",
        "/etc/passwd",
        "file:///etc/passwd",
        "file://host/etc/passwd",
        "gs://bucket/x",
        "relative",
        f"{tmp_path}/runs-of-another",
    ):
        with pytest.raises(UnsupportedFeature):
            safe_file(uri, root)
    with pytest.raises(NotFound):
        safe_file(str(root / "a" / "missing"), root)


def test_uris_and_media_types() -> None:
    assert local_path("file:///a%20b") == Path("/a b")
    assert local_path("/a%20b") == Path("/a%20b")
    assert local_path("s3://a/b") is None
    assert media_type(Path("report"), "system.HTML") == "text/html"
    assert media_type(Path("table.csv"), "system.Dataset") == "text/csv"
    assert media_type(Path("model"), "system.Model") == "application/octet-stream"
