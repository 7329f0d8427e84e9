"""Experiments, as the official client's user meets them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import kfp
import pytest
from kfp_server_api import ApiException

from jupyterlab_pipelines.backends.local.api import default_experiment
from jupyterlab_pipelines.backends.local.database import Database


def test_an_experiment_is_made_once_and_found_by_name_and_id(client: Any) -> None:
    made = client.create_experiment("digits", description="Handwriting.")
    assert client.create_experiment("digits").experiment_id == made.experiment_id
    for found in (
        client.get_experiment(experiment_name="digits"),
        client.get_experiment(experiment_id=made.experiment_id),
    ):
        assert (found.display_name, found.description) == ("digits", "Handwriting.")
        assert found.storage_state == "AVAILABLE"
        assert abs((datetime.now(timezone.utc) - found.created_at).total_seconds()) < 60
        assert found.last_run_created_at == datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_a_missing_name_is_said_by_the_client(client: Any) -> None:
    with pytest.raises(ValueError, match="No experiment is found with name nothing"):
        client.get_experiment(experiment_name="nothing")


def test_the_default_experiment_is_there_from_the_start(client: Any) -> None:
    [default] = client.list_experiments().experiments
    assert default.display_name == "Default"
    with pytest.raises(ApiException) as refused:
        client.delete_experiment(default.experiment_id)
    assert refused.value.status == 409
    assert "default experiment cannot be deleted" in refused.value.body


def test_the_default_experiment_is_made_once_by_many(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: default_experiment(database), range(16)))
    assert len(found) == 1
    assert len(database.read("SELECT * FROM experiments")) == 1


def test_pages_hold_every_experiment_once(client: Any) -> None:
    for name in ("c", "a", "b"):
        client.create_experiment(name)
    first = client.list_experiments(page_size=2, sort_by="display_name desc")
    assert [one.display_name for one in first.experiments] == ["Default", "c"]
    assert first.total_size == 4
    second = client.list_experiments(page_size=2, page_token=first.next_page_token)
    assert [one.display_name for one in second.experiments] == ["b", "a"]
    assert not second.next_page_token


def test_archiving_takes_the_runs_along_but_not_back(
    client: Any, add_run: Callable[..., str], database: Database
) -> None:
    experiment = client.create_experiment("old").experiment_id
    run = add_run(experiment_id=experiment)
    other = add_run()
    counter = "SELECT value FROM meta WHERE key = 'changed'"
    before = database.read(counter)[0][0]
    client.archive_experiment(experiment)
    assert client.get_experiment(experiment).storage_state == "ARCHIVED"
    assert client.get_run(run).storage_state == "ARCHIVED"
    assert client.get_run(other).storage_state == "AVAILABLE"
    [row] = database.read("SELECT changed, revision FROM runs WHERE run_id = ?", (run,))
    assert (row["changed"], row["revision"]) == (before + 1, 2)
    assert database.read(counter)[0][0] == before + 1

    with pytest.raises(ApiException) as refused:
        client.unarchive_run(run)
    assert refused.value.status == 400
    assert "Unarchive the experiment first" in refused.value.body

    client.unarchive_experiment(experiment)
    assert client.get_experiment(experiment).storage_state == "AVAILABLE"
    assert client.get_run(run).storage_state == "ARCHIVED"


def test_deleting_keeps_the_runs(client: Any, add_run: Callable[..., str]) -> None:
    experiment = client.create_experiment("gone").experiment_id
    run = add_run(experiment_id=experiment)
    client.delete_experiment(experiment)
    with pytest.raises(ApiException) as missing:
        client.get_experiment(experiment)
    assert missing.value.status == 404
    assert client.get_run(run).experiment_id == experiment


def test_what_is_wrong_with_a_new_experiment_is_said(call: Callable[..., Any]) -> None:
    path = "/apis/v2beta1/experiments"
    assert call("POST", path, body={"display_name": "a"})[0] == 200
    status, answer = call("POST", path, body={"display_name": "a"})
    assert (status, answer["code"]) == (409, 6)
    assert "already exists" in answer["message"]
    assert call("POST", path, body={})[1]["code"] == 3
    assert "cannot exceed 128" in call("POST", path, body={"display_name": "x" * 129})[1]["error"]
    status, answer = call("POST", path, body={"name": "v1 field"})
    assert status == 400
    assert "Unknown field 'name'" in answer["message"]


def test_of_many_with_one_name_one_is_made(call: Callable[..., Any]) -> None:
    def make(_: int) -> int:
        return int(call("POST", "/apis/v2beta1/experiments", body={"display_name": "one"})[0])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(make, range(8))) == [200] + [409] * 7


@pytest.mark.parametrize("verb", ["", ":archive", ":unarchive"])
def test_an_unknown_experiment_is_not_found(call: Callable[..., Any], verb: str) -> None:
    method = "POST" if verb else "GET"
    status, answer = call(method, f"/apis/v2beta1/experiments/nothing{verb}")
    assert status == 404
    assert answer["code"] == 5
    assert answer["details"][0]["code"] == 5
    assert "Experiment nothing not found" in answer["message"]


def test_the_clients_namespace_is_its_own_matter(
    client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one user: what a client's settings name is taken and makes no difference."""
    monkeypatch.setattr(client, "_context_setting", {"namespace": ""})
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    client.set_user_namespace("team")
    assert client.get_user_namespace() == "team"
    assert client.create_experiment("mine", namespace="team").namespace in ("", None)
    assert client.get_experiment(experiment_name="mine", namespace="team").display_name == "mine"


def test_every_call_of_the_official_client_is_tested() -> None:
    calls = {name for name, _ in inspect.getmembers(kfp.Client, inspect.isfunction)}
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    untested = {
        name for name in calls if not name.startswith("_") and f"client.{name}" not in tests
    }
    assert untested == set()
