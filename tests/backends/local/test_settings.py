"""The user's settings: one file for all processes, checked where written, silent on secrets."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.settings import Keys, Settings, SettingsFile, Unusable
from jupyterlab_pipelines.errors import BadInput

CANARY = "canary-4711"


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "config" / "settings.json")


def test_without_a_file_there_are_defaults(file: SettingsFile) -> None:
    settings = file.load()
    assert settings == Settings()
    assert settings.slots >= 16
    assert (settings.forks, settings.containers, settings.images) == (True, "off", "needed")


def test_what_one_process_sets_another_reads_and_nobody_else(file: SettingsFile) -> None:
    other = SettingsFile(file.path)
    assert other.load().workers is None
    file.change(lambda settings: settings.update(workers=4))
    assert other.load().slots == 4
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.path.chmod(0o644)
    file.change(lambda settings: settings.update(containers="podman"))
    assert other.load().model_dump(include={"workers", "containers"}) == {
        "workers": 4,
        "containers": "podman",
    }
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_no_change_is_lost_to_another_at_the_same_time(file: SettingsFile) -> None:
    def add(number: int) -> None:
        SettingsFile(file.path).change(
            lambda settings: settings.setdefault("volumes", {}).update({f"v{number}": "/tmp"})
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(16)))
    assert len(file.load().volumes) == 16


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"workers": 0}, "workers: Input should be greater than or equal to 1"),
        ({"workers": "many"}, "workers: Input should be a valid integer"),
        ({"containers": "lxc"}, "containers: Input should be 'off', 'docker' or 'podman'"),
        ({"color": "red"}, "color: Extra inputs are not permitted"),
        ({"volumes": {"My Data": "/tmp"}}, "'My Data' cannot be a name in Kubernetes"),
        ({"secrets": {"db": {"keys": {"..": {"value": CANARY}}}}}, "'..' cannot be a key"),
        ({"secrets": {"db": {"keys": {"a": CANARY}}}}, "secrets.db.keys.a: Input should be"),
        ({"secrets": {"db": {"keys": {"a": {"value": CANARY, "file": "/x"}}}}}, "give one of"),
        ({"secrets": {"db": {"keys": {"a": {"value": [CANARY]}}}}}, "a valid string"),
    ],
)
def test_what_cannot_be_set_is_named_and_changes_nothing(
    file: SettingsFile, settings: dict[str, Any], words: str
) -> None:
    file.change(lambda content: content.update(workers=3))
    with pytest.raises(BadInput) as caught:
        file.change(lambda content: content.update(settings))
    assert words in str(caught.value)
    assert CANARY not in repr(caught.value.body())
    assert file.load() == Settings(workers=3)


@pytest.mark.parametrize("text", ['{"secrets": {"db": "canary-4711', '{"secrets": "canary-4711"}'])
def test_a_damaged_file_is_named_without_what_it_holds(file: SettingsFile, text: str) -> None:
    file.change(lambda settings: settings.update(workers=3))
    assert file.load().workers == 3
    file.path.write_text(text)
    with pytest.raises(BadInput, match="is damaged") as caught:
        file.load()
    assert str(file.path) in str(caught.value)
    assert CANARY not in repr(caught.value.body())
    assert file.latest().workers == 3  # what a run that is at work goes on with


def test_a_value_is_read_from_where_it_is_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from a file")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "user").write_text("from a folder")
    (tmp_path / "keys" / "folder").mkdir()
    monkeypatch.setenv("THE_TOKEN", "from the environment")
    keys = Keys.model_validate(
        {
            "folder": str(tmp_path / "keys"),
            "keys": {
                "value": {"value": CANARY},
                "file": {"file": str(tmp_path / "token")},
                "variable": {"variable": "THE_TOKEN"},
                "gone": {"file": str(tmp_path / "gone")},
                "unset": {"variable": "NOT_SET_ANYWHERE"},
            },
        }
    )
    assert keys.names() == {"value", "file", "variable", "gone", "unset", "user"}
    read = [keys.read(key).decode() for key in ("value", "file", "variable", "user")]
    assert read == [CANARY, "from a file", "from the environment", "from a folder"]
    assert CANARY not in repr(keys)
    assert CANARY in json.dumps(keys.model_dump(mode="json"))
    for key, words in [
        ("gone", "cannot be read: No such file"),
        ("unset", "NOT_SET_ANYWHERE is not set"),
        ("../token", "no key"),
        ("other", "cannot be read"),
    ]:
        with pytest.raises(Unusable, match=words):
            keys.read(key)
