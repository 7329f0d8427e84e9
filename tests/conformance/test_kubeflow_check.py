"""The check of Kubeflow's compiled pipelines fails where it has checked nothing, or not enough."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from . import kubeflow, kubeflow_expectations


def spec(executor: dict[str, Any]) -> dict[str, Any]:
    """A pipeline of one task."""
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
        "pipelineInfo": {"name": "one-task"},
        "root": {
            "dag": {"tasks": {"a": {"taskInfo": {"name": "a"}, "componentRef": {"name": "comp-a"}}}}
        },
        "components": {
            "comp-a": {
                "executorLabel": "exec-a",
                "outputDefinitions": {
                    "artifacts": {
                        "artifact": {
                            "artifactType": {
                                "schemaTitle": "system.Artifact",
                                "schemaVersion": "0.0.1",
                            }
                        }
                    }
                },
            }
        },
        "deploymentSpec": {"executors": {"exec-a": executor}},
    }


CONTAINER = spec({"container": {"image": "alpine", "command": ["apk", "add", "curl"]}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of files; what the check writes lies beside it."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    files = tmp_path / "files"
    files.mkdir()
    return files


def add(folder: Path, stem: str, content: Any) -> None:
    (folder / f"{stem}.yaml").write_text(yaml.safe_dump(content))


def test_an_empty_folder_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kubeflow.main(folder, "") == 1
    assert "No file was found" in capsys.readouterr().out


def test_what_is_meant_to_be_refused_is_well_but_not_all_there_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(folder, "hello_world", CONTAINER)
    assert kubeflow.main(folder, "hello") == 0
    assert kubeflow.main(folder, "") == 1
    assert "At least 94 files" in capsys.readouterr().out


def test_a_refusal_that_is_not_meant_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(folder, "add_numbers", CONTAINER)
    assert kubeflow.main(folder, "add") == 1
    assert "WRONG" in capsys.readouterr().out


def test_a_refusal_for_another_reason_is_wrong(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(folder, "hello_world", {"root": {}})
    assert kubeflow.main(folder, "hello") == 1
    assert "WRONG" in capsys.readouterr().out


def test_what_runs_although_it_is_meant_to_be_refused_is_wrong(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    importer = {
        "artifactUri": {"constant": str(folder)},
        "typeSchema": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"},
    }
    add(folder, "takes_a_file", spec({"importer": importer}))
    assert kubeflow.main(folder, "takes") == 0
    monkeypatch.setitem(kubeflow_expectations.REFUSED, "takes_a_file", "a container")
    assert kubeflow.main(folder, "takes") == 1
    assert "It was not refused" in capsys.readouterr().out
