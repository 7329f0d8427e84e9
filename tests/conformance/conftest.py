"""Runs the suite's pipelines on one real engine, many at once, and hands each test its run.

A test says with `@pytest.mark.run(PIPELINE, **parameters)` which run it looks at. All such runs
start together before the first test; equal ones are one run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.engine import Engine
from tests.backends.local.conftest import kill
from tests.conformance.compile import PIPELINES
from tests.conformance.desk import Desk, Ended


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "run(pipeline, **parameters): the run of the conformance suite to look at"
    )


@pytest.fixture(scope="session")
def specs(request: pytest.FixtureRequest) -> Path:
    """The folder of compiled pipelines; compiled anew when one of them or kfp has changed."""
    sources = sorted(path for path in PIPELINES.rglob("*") if "__pycache__" not in path.parts)
    digest = sha256(f"{version('kfp')} {sys.version_info[:2]}".encode())
    for path in sources:
        if path.is_file():
            digest.update(path.read_bytes())
    cache = request.config.cache
    assert cache
    folder = cache.mkdir("conformance") / digest.hexdigest()[:16]
    if not folder.exists():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = [sys.executable, "-m", "tests.conformance.compile", str(draft)]
        subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
        try:
            draft.rename(folder)
        except OSError:  # another session was faster
            shutil.rmtree(draft)
    return folder


@pytest.fixture(scope="package")
def desk(
    request: pytest.FixtureRequest, specs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    """One engine for the whole suite, with every run that the tests name under way."""
    root = tmp_path_factory.mktemp("conformance")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_CONFIG_DIR", str(root / "config"))  # no settings of the user's
        engine = Engine(root / "engine")
        desk = Desk(engine, specs, files(root / "files"))
        for item in request.session.items:
            for marker in item.iter_markers("run"):
                desk.order(*marker.args, **marker.kwargs)
        yield desk
        desk.close()
        engine.close()
        kill(root)


def files(folder: Path) -> Path:
    """A folder of data on this machine, for what a pipeline imports."""
    folder.mkdir()
    (folder / "data.txt").write_text("imported", encoding="utf-8")
    return folder


@pytest.fixture
def run(request: pytest.FixtureRequest, desk: Desk) -> Ended:
    """The run that the test's marker names, at its end."""
    marker: Any = request.node.get_closest_marker("run")
    return desk.ended(*marker.args, **marker.kwargs)
