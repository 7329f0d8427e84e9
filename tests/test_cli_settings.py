"""`jupyter pipelines settings | map | unmap`: what a user sets at a shell, what is never shown."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from jupyterlab_pipelines.backends.local.settings import SettingsFile
from jupyterlab_pipelines.cli import main
from tests.backends.local.steps import pipeline as steps
from tests.backends.local.steps import step

CANARY = "canary-4711"


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_HOME", str(tmp_path / "home"))


def say(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(words)
    told = capsys.readouterr()
    return code, told.out + told.err


def test_settings_are_shown_set_and_reset(capsys: pytest.CaptureFixture[str]) -> None:
    assert "(default)" in say(capsys, "settings", "workers")[1]
    assert say(capsys, "settings", "workers", "4") == (0, "workers     4\n")
    assert say(capsys, "settings", "forks", "off") == (0, "forks       off\n")
    code, text = say(capsys, "settings")
    assert code == 0
    assert [line.split()[:2] for line in text.splitlines()[:3]] == [
        ["workers", "4"],
        ["forks", "off"],
        ["containers", "off"],
    ]
    assert str(SettingsFile().path) in text
    say(capsys, "settings", "workers", "default")
    assert "(default)" in say(capsys, "settings", "workers")[1]
    code, text = say(capsys, "settings", "workers", "-3")
    assert code == 2
    assert "workers: Input should be greater than or equal to 1" in text
    assert "submit" not in text


def test_containers_that_cannot_be_used_yet_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, text = say(capsys, "settings", "containers", "podman")
    assert code == 0
    assert "It cannot be used yet: podman is not installed" in text
    program = tmp_path / "podman"
    program.write_text("#!/bin/sh\necho 'Error: no daemon' >&2\nexit 1\n")
    program.chmod(0o755)
    assert (
        "podman does not work: Error: no daemon"
        in say(capsys, "settings", "containers", "podman")[1]
    )
    program.write_text("#!/bin/sh\n")
    assert say(capsys, "settings", "containers", "podman") == (0, "containers  podman\n")
    assert say(capsys, "settings", "containers", "off") == (0, "containers  off\n")


def test_a_volume_is_mapped_to_a_folder_that_exists(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert say(capsys, "map", "pvc", "data", str(tmp_path / "none"))[0] == 2
    assert SettingsFile().load().volumes == {}
    assert say(capsys, "map", "pvc", "data", str(tmp_path))[0] == 0
    assert f"data: {tmp_path}" in say(capsys, "settings")[1]
    assert say(capsys, "unmap", "pvc", "data")[0] == 0
    code, text = say(capsys, "unmap", "pvc", "data")
    assert code == 2
    assert "No pvc named 'data' is mapped." in text


def test_volumes_that_pipelines_made_are_listed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    made = tmp_path / "home" / "local" / "volumes" / "models"
    made.mkdir(parents=True)
    assert f"models: {made} (made by a pipeline)" in say(capsys, "settings")[1]


def test_a_refused_pipeline_names_the_command_that_helps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = steps({"one": step("pass")})
    keys = {"keyToEnv": [{"secretKey": "token", "envVar": "T"}], "secretName": "registry"}
    executors = {"exec-one": {"secretAsEnv": [keys]}}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump_all([spec, platform]))
    code, text = say(capsys, "run", str(file))
    assert code == 2
    assert "Task `one` needs the secret `registry`, which is not mapped." in text
    assert "jupyter pipelines map secret registry token --prompt" in text


def test_a_secret_goes_in_by_a_pipe_and_never_comes_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{CANARY}\n"))
    code, text = say(capsys, "map", "secret", "db", "password", "--prompt")
    assert (code, text) == (0, "secret db: password (set)\n")
    (tmp_path / "user").write_text(CANARY)
    say(capsys, "map", "secret", "db", "user", "--file", str(tmp_path / "user"))
    say(capsys, "map", "secret", "db", "host", "--variable", "DB_HOST")
    mapped = SettingsFile().load().secrets["db"]
    assert mapped.read("password").decode() == mapped.read("user").decode() == CANARY
    text = say(capsys, "settings")[1]
    assert f"password (set), user (file {tmp_path / 'user'}), host (variable DB_HOST)" in text
    assert CANARY not in text
    say(capsys, "unmap", "secret", "db", "user")
    assert set(SettingsFile().load().secrets["db"].keys) == {"password", "host"}
    assert CANARY not in say(capsys, "unmap", "secret", "db")[1]
    assert SettingsFile().load().secrets == {}


def test_a_config_map_may_be_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "level").write_text("debug")
    assert say(capsys, "map", "config-map", "log", "--folder", str(tmp_path))[0] == 0
    assert say(capsys, "map", "config-map", "log", "format", "--value", "json")[0] == 0
    mapped = SettingsFile().load().config_maps["log"]
    assert [mapped.read("level"), mapped.read("format")] == [b"debug", b"json"]
    for words in (["log", "level", "--folder", str(tmp_path)], ["log", "--value", "x"]):
        assert say(capsys, "map", "config-map", *words)[0] == 2
    assert say(capsys, "map", "config-map", "log", "key", "--file", "/nowhere")[0] == 2
