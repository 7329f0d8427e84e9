"""The wheel holds all a user needs: the built extension, its settings, the server's switch."""

from __future__ import annotations

import configparser
import json
import zipfile
from pathlib import Path

import pytest

from tests.packaging import wheel

LAB_EXTENSION = "share/jupyter/labextensions/jupyterlab-pipelines/"


@pytest.fixture(scope="session")
def built() -> Path:
    return wheel.build()


@pytest.fixture
def archive(built: Path):
    with zipfile.ZipFile(built) as archive:
        yield archive


def data(archive: zipfile.ZipFile, folder: str) -> dict[str, str]:
    """Names of the shared data under `folder`, shortened to what follows it → name in the wheel."""
    marker = f".data/data/{folder}"
    names = archive.namelist()
    return {name.split(marker, 1)[1]: name for name in names if marker in name}


def test_lab_extension_is_built_for_production(archive: zipfile.ZipFile) -> None:
    files = data(archive, LAB_EXTENSION)
    package = json.loads(archive.read(files["package.json"]))
    entry = package["jupyterlab"]["_build"]["load"]
    assert entry in files
    assert "static/style.js" in files
    assert "install.json" in files
    assert [name for name in files if name.endswith(".map")] == []


def test_settings_of_every_plugin_are_there(archive: zipfile.ZipFile) -> None:
    files = data(archive, f"{LAB_EXTENSION}schemas/jupyterlab-pipelines/")
    schemas = {path.name for path in (wheel.ROOT / "schema").glob("*.json")}
    assert schemas <= set(files)


def test_server_extension_is_switched_on(archive: zipfile.ZipFile) -> None:
    files = data(archive, "etc/jupyter/jupyter_server_config.d/")
    config = json.loads(archive.read(files["jupyterlab_pipelines.json"]))
    assert config["ServerApp"]["jpserver_extensions"] == {"jupyterlab_pipelines": True}


def test_command_line_is_an_entry_point(archive: zipfile.ZipFile) -> None:
    name = next(n for n in archive.namelist() if n.endswith(".dist-info/entry_points.txt"))
    entries = configparser.ConfigParser()
    entries.read_string(archive.read(name).decode())
    assert entries["console_scripts"]["jupyter-pipelines"] == "jupyterlab_pipelines.cli:main"


def test_extension_is_packed_once_and_tests_never(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    assert [n for n in names if n.startswith("jupyterlab_pipelines/labextension")] == []
    assert [n for n in names if n.startswith(("tests/", "src/", "node_modules/"))] == []


def test_metadata_names_licence_and_pythons(archive: zipfile.ZipFile) -> None:
    name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = archive.read(name).decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert "Requires-Python: >=3.10" in metadata
