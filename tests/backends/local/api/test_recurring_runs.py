"""Recurring runs by the official client and by hand: created, listed, switched, deleted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp_server_api import ApiException

from jupyterlab_pipelines.backends.local import supervision
from jupyterlab_pipelines.backends.local.controller import Controller
from jupyterlab_pipelines.backends.local.engine import Engine
from tests.backends.local.steps import pipeline, step

PATH = "/apis/v2beta1/recurringruns"
CRON = {"cron_schedule": {"cron": "0 0 * * * *"}}
HOURLY = {"periodic_schedule": {"interval_second": "3600"}}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A whole engine whose runs never start."""
    monkeypatch.setattr(supervision, "spawn", lambda *_: None)
    engine = Engine(tmp_path / "engine")
    yield engine
    engine.close()


@pytest.fixture
def spec() -> dict[str, Any]:
    """A pipeline with a text, a number and a list as parameters."""
    spec: dict[str, Any] = pipeline({"work": step("pass")}, name="recurs")
    spec["root"]["inputDefinitions"] = {
        "parameters": {
            "text": {"parameterType": "STRING", "defaultValue": "x", "isOptional": True},
            "number": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1, "isOptional": True},
            "many": {"parameterType": "LIST", "defaultValue": [], "isOptional": True},
        }
    }
    return spec


@pytest.fixture
def package(spec: dict[str, Any], tmp_path: Path) -> str:
    path = tmp_path / "recurs.yaml"
    path.write_text(yaml.safe_dump(spec))
    return str(path)


@pytest.fixture
def body(spec: dict[str, Any]) -> dict[str, Any]:
    """The smallest recurring run that is right."""
    return {
        "display_name": "Hourly Ünits",
        "pipeline_spec": spec,
        "max_concurrency": "1",
        "mode": "ENABLE",
        "trigger": CRON,
    }


@pytest.fixture
def create(call: Callable[..., Any], body: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    def made(**changes: Any) -> dict[str, Any]:
        status, answer = call("POST", PATH, body={**body, **changes})
        assert status == 200, answer
        return dict(answer)

    return made


@pytest.fixture
def fire(engine: Engine) -> Callable[[float], None]:
    """Lets a controller look once, so many seconds from now."""

    def look(seconds: float) -> None:
        moment = datetime.now(timezone.utc).timestamp() + seconds
        controller = Controller(engine, lambda: moment)
        controller.tick()
        controller.close()

    return look


# --- the official client -----------------------------------------------------------------------


def test_the_clients_life_of_a_recurring_run(
    client: Any, package: str, fire: Any, engine: Engine
) -> None:
    experiment = client.create_experiment("nightly")
    made = client.create_recurring_run(
        experiment_id=experiment.experiment_id,
        job_name="every night",
        description="at three",
        cron_expression="0 0 3 * * *",
        start_time="2026-01-31T00:00:00Z",
        end_time="2099-01-31T00:00:00Z",
        max_concurrency=2,
        no_catchup=True,
        params={"text": "[[ScheduledTime.2006]]", "number": "[[Index]]", "many": ["[[Index]]"]},
        pipeline_package_path=package,
        enable_caching=False,
        service_account="me",
    )
    known = client.get_recurring_run(made.recurring_run_id)
    assert known == made
    assert (known.display_name, known.description) == ("every night", "at three")
    assert (known.mode, known.status, known.no_catchup) == ("ENABLE", "ENABLED", True)
    assert (known.max_concurrency, known.service_account) == ("2", "me")
    assert known.experiment_id == experiment.experiment_id
    assert known.trigger.cron_schedule.cron == "0 0 3 * * *"
    assert known.trigger.cron_schedule.start_time == datetime(2026, 1, 31, tzinfo=timezone.utc)
    assert known.trigger.cron_schedule.end_time == datetime(2099, 1, 31, tzinfo=timezone.utc)
    assert known.runtime_config.parameters["number"] == "[[Index]]"
    task = known.pipeline_spec["root"]["dag"]["tasks"]["work"]
    assert "enableCache" not in task["cachingOptions"]
    assert known.created_at == known.updated_at
    with engine.database.write() as connection:  # an hour passes
        connection.execute("UPDATE recurring_runs SET created_at = created_at - 3600000000")

    client.disable_recurring_run(made.recurring_run_id)
    disabled = client.get_recurring_run(made.recurring_run_id)
    assert (disabled.mode, disabled.status) == ("DISABLE", "DISABLED")
    assert disabled.updated_at > disabled.created_at
    fire(2 * 86400)
    assert client.list_runs().runs is None
    client.enable_recurring_run(made.recurring_run_id)
    assert client.get_recurring_run(made.recurring_run_id).status == "ENABLED"
    fire(2 * 86400)

    of_it = json.dumps(
        {
            "predicates": [
                {
                    "operation": "EQUALS",
                    "key": "recurring_run_id",
                    "stringValue": made.recurring_run_id,
                }
            ]
        }
    )
    (run,) = client.list_runs(filter=of_it).runs
    assert run.recurring_run_id == made.recurring_run_id
    assert (run.scheduled_at.hour, run.scheduled_at.minute, run.scheduled_at.second) == (3, 0, 0)
    assert run.runtime_config.parameters == {
        "text": str(run.scheduled_at.year),
        "number": 1,
        "many": ["1"],
    }
    assert re.fullmatch(r"everynight[a-z0-9]{5}-1-\d+", run.display_name)
    assert run.service_account == "me"
    again = client.get_experiment(experiment.experiment_id)
    assert again.last_run_created_at > experiment.created_at

    client.delete_recurring_run(made.recurring_run_id)
    with pytest.raises(ApiException) as missing:
        client.get_recurring_run(made.recurring_run_id)
    assert missing.value.status == 404
    assert client.get_run(run.run_id).recurring_run_id == made.recurring_run_id


def test_the_clients_older_names_do_the_same(client: Any, create: Any) -> None:
    made = create()["recurring_run_id"]
    for switch, mode in ((client.disable_job, "DISABLE"), (client.enable_job, "ENABLE")):
        with pytest.warns(DeprecationWarning, match="recurring_run"):
            switch(made)
        assert client.get_recurring_run(made).mode == mode
    with pytest.warns(DeprecationWarning, match="recurring_run"):
        client.delete_job(made)
    with pytest.raises(ApiException) as gone:
        client.get_recurring_run(made)
    assert gone.value.status == 404


def test_the_client_names_a_version_and_an_interval(client: Any, package: str, fire: Any) -> None:
    uploaded = client.upload_pipeline(package, "recurs")
    (version,) = client.list_pipeline_versions(uploaded.pipeline_id).pipeline_versions
    experiment = client.create_experiment("by version")
    made = client.create_recurring_run(
        experiment_id=experiment.experiment_id,
        job_name="hourly",
        interval_second=3600,
        pipeline_id=uploaded.pipeline_id,
        version_id=version.pipeline_version_id,
        enabled=False,
    )
    assert (made.status, made.no_catchup) == ("DISABLED", None)
    assert made.trigger.periodic_schedule.interval_second == "3600"
    assert made.trigger.cron_schedule is None
    reference = made.pipeline_version_reference
    assert reference.pipeline_version_id == version.pipeline_version_id
    assert reference.pipeline_id == uploaded.pipeline_id
    client.enable_recurring_run(made.recurring_run_id)
    # A recurring run keeps a copy of the version that it names.
    client.delete_pipeline_version(uploaded.pipeline_id, version.pipeline_version_id)
    client.delete_pipeline(uploaded.pipeline_id)
    fire(3601)
    (run,) = client.list_runs(experiment_id=experiment.experiment_id).runs
    assert run.pipeline_version_reference.pipeline_id == uploaded.pipeline_id
    assert client.get_recurring_run(made.recurring_run_id).error is None


def test_the_client_lists(client: Any, package: str) -> None:
    first, second = (client.create_experiment(name).experiment_id for name in ("one", "two"))
    for number in range(5):
        client.create_recurring_run(
            experiment_id=first if number < 4 else second,
            job_name=f"job {number}",
            interval_second=60,
            pipeline_package_path=package,
        )
    page = client.list_recurring_runs(page_size=2, sort_by="display_name desc")
    assert [one.display_name for one in page.recurring_runs] == ["job 4", "job 3"]
    assert page.total_size == 5
    rest = client.list_recurring_runs(page_token=page.next_page_token, page_size=9)
    assert [one.display_name for one in rest.recurring_runs] == ["job 2", "job 1", "job 0"]
    of_one = client.list_recurring_runs(experiment_id=second)
    assert [one.display_name for one in of_one.recurring_runs] == ["job 4"]
    like = {"predicates": [{"operation": 9, "key": "name", "string_value": "B 3"}]}
    found = client.list_recurring_runs(filter=json.dumps(like))
    assert [one.display_name for one in found.recurring_runs] == ["job 3"]
    for sort in ("id", "recurring_run_id", "name", "created_at", "updated_at desc", "description"):
        assert len(client.list_recurring_runs(sort_by=sort).recurring_runs) == 5
    with pytest.raises(ApiException, match="Invalid sorting field"):
        client.list_recurring_runs(sort_by="status")
    with pytest.raises(ApiException, match="no filtering by"):
        client.list_recurring_runs(filter=json.dumps(like).replace("name", "mode"))


# --- what goes in and out ------------------------------------------------------------------------


def test_the_answers_shape(create: Any, call: Any, body: dict[str, Any]) -> None:
    made = create()
    assert set(made) == {
        "recurring_run_id", "display_name", "max_concurrency", "trigger", "mode", "created_at",
        "updated_at", "status", "experiment_id", "pipeline_spec",
    }  # fmt: skip
    assert made["max_concurrency"] == "1"
    assert made["trigger"] == CRON
    assert made["pipeline_spec"] == body["pipeline_spec"]
    _, listed = call("GET", PATH)
    assert listed == {"recurringRuns": [made], "total_size": 1}
    assert call("GET", f"{PATH}/{made['recurring_run_id']}") == (200, made)
    assert call("POST", f"{PATH}/{made['recurring_run_id']}:disable") == (200, {})
    assert call("DELETE", f"{PATH}/{made['recurring_run_id']}") == (200, {})


def test_defaults(create: Any, call: Any) -> None:
    made = create(mode=None, trigger={"periodicSchedule": {"intervalSecond": 5}})
    assert (made["mode"], made["status"]) == ("DISABLE", "DISABLED")
    assert made["trigger"] == {"periodic_schedule": {"interval_second": "5"}}
    _, default = call("GET", "/apis/v2beta1/experiments", {"sort_by": "created_at"})
    assert made["experiment_id"] == default["experiments"][0]["experiment_id"]


def test_without_a_trigger_it_fires_once(create: Any, call: Any, fire: Any) -> None:
    made = create(trigger={})
    assert made["trigger"] == {}
    fire(1)
    fire(7200)
    assert call("GET", "/apis/v2beta1/runs")[1]["total_size"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"display_name": ""}, "name cannot be empty"),
        ({"max_concurrency": None}, "at least 1 and at most 10. Received 0"),
        ({"max_concurrency": "11"}, "at least 1 and at most 10. Received 11"),
        ({"max_concurrency": -1}, "at least 1 and at most 10. Received -1"),
        ({"max_concurrency": "two"}, "max_concurrency must be an integer"),
        ({"trigger": {"cron_schedule": {}}}, "not a supported format"),
        ({"trigger": {"cron_schedule": {"cron": "61 * * * * *"}}}, "above 59"),
        ({"trigger": {"cron_schedule": {"cron": "* * * *"}}}, "5 to 6 fields"),
        (
            {"trigger": {"cron_schedule": {"cron": "0 0 * * * *", "start_time": "now"}}},
            "start_time",
        ),
        ({"trigger": {"periodic_schedule": {}}}, "interval 0"),
        ({"trigger": {"periodic_schedule": {"interval_second": -5}}}, "interval -5"),
        ({"trigger": {"periodic_schedule": {"interval_second": 2**62}}}, "invalid period"),
        ({"trigger": {**CRON, **HOURLY}}, "takes one of cron_schedule, periodic_schedule"),
        ({"trigger": {"schedule": {}}}, "Unknown field 'trigger.schedule'"),
        ({"mode": "PAUSE"}, "mode must be one of"),
        ({"mode": ["ENABLE"]}, "mode must be one of"),
        ({"no_catchup": "yes"}, "no_catchup must be true or false"),
        ({"pipeline_spec": None}, "names no pipeline"),
        ({"pipeline_spec": {"a": 1}}, ""),
        ({"pipeline_version_reference": {"pipeline_id": "x"}}, "takes one of"),
        ({"runtime_config": {"parameters": {"number": "[[RunUUID]]"}}}, "number"),
        ({"runtime_config": {"parameters": {"other": 1}}}, "no parameter `other`"),
        ({"jobName": "x"}, "Unknown field 'jobName'"),
    ],
)
def test_what_is_refused(
    call: Any, body: dict[str, Any], changes: dict[str, Any], reason: str
) -> None:
    status, answer = call("POST", PATH, body={**body, **changes})
    assert (status, answer["code"]) == (400, 3), answer
    assert reason in answer["message"]
    assert set(answer) == {"error", "code", "message", "details"}
    assert call("GET", PATH)[1] == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/x"), ("DELETE", "/x"), ("POST", "/x:enable"), ("POST", "/x:disable")],
)
def test_unknown_ones(call: Any, method: str, path: str) -> None:
    status, answer = call(method, PATH + path)
    assert (status, answer["code"]) == (404, 5)
    assert "Recurring run x not found." in answer["message"]


def test_what_it_names_must_exist(call: Any, body: dict[str, Any]) -> None:
    assert call("POST", PATH, body={**body, "experiment_id": "x"})[0] == 404
    assert call("GET", PATH, {"experiment_id": "x"})[0] == 404
    for reference in ({"pipeline_id": "x"}, {"pipeline_version_id": "x"}):
        named = {**body, "pipeline_spec": None, "pipeline_version_reference": reference}
        assert call("POST", PATH, body=named)[0] == 404


def test_a_pipeline_that_cannot_run_here_is_refused_at_once(
    call: Any, body: dict[str, Any], spec: dict[str, Any]
) -> None:
    container = {"image": "alpine", "command": ["echo", "hello"]}
    spec["deploymentSpec"]["executors"]["exec-work"]["container"] = container
    status, answer = call("POST", PATH, body={**body, "pipeline_spec": spec})
    assert status == 400
    assert "work" in answer["message"]


# --- the rules -----------------------------------------------------------------------------------


def test_the_newest_version_where_only_the_pipeline_is_named(
    client: Any, call: Any, create: Any, package: str, fire: Any, tmp_path: Path
) -> None:
    uploaded = client.upload_pipeline(package, "recurs")
    reference = {"pipeline_id": uploaded.pipeline_id}
    made = create(
        pipeline_spec=None, pipeline_version_reference=reference, trigger=HOURLY, max_concurrency=9
    )
    assert made["pipeline_version_reference"] == reference
    fire(3601)
    newer = client.upload_pipeline_version(package, "second", pipeline_id=uploaded.pipeline_id)
    fire(7201)
    _, listed = call("GET", "/apis/v2beta1/runs", {"sort_by": "scheduled_at desc"})
    newest, first = (run["pipeline_version_reference"] for run in listed["runs"])
    assert newest["pipeline_version_id"] == newer.pipeline_version_id
    assert first["pipeline_version_id"] != newer.pipeline_version_id

    # Without its pipeline it cannot fire; it says so, and misses nothing.
    call("DELETE", f"/apis/v2beta1/pipelines/{uploaded.pipeline_id}", {"cascade": "true"})
    fire(10_801)
    _, broken = call("GET", f"{PATH}/{made['recurring_run_id']}")
    assert broken["status"] == "ENABLED"
    assert broken["error"]["code"] == 5
    assert f"Pipeline {uploaded.pipeline_id} not found" in broken["error"]["message"]
    assert "delete the recurring run" in broken["error"]["message"]
    assert client.get_recurring_run(made["recurring_run_id"]).error.code == 5
    assert call("GET", "/apis/v2beta1/runs")[1]["total_size"] == 2


def test_archiving_the_experiment_disables(client: Any, create: Any, call: Any, fire: Any) -> None:
    experiment_id = client.create_experiment("old").experiment_id
    inside, outside = create(experiment_id=experiment_id), create()
    client.archive_experiment(experiment_id)
    assert client.get_recurring_run(inside["recurring_run_id"]).status == "DISABLED"
    assert client.get_recurring_run(outside["recurring_run_id"]).status == "ENABLED"
    client.unarchive_experiment(experiment_id)
    assert client.get_recurring_run(inside["recurring_run_id"]).status == "DISABLED"


def test_a_deleted_experiment_is_said(client: Any, create: Any, call: Any, fire: Any) -> None:
    experiment_id = client.create_experiment("gone").experiment_id
    made = create(experiment_id=experiment_id)
    client.delete_experiment(experiment_id)
    fire(7200)
    _, broken = call("GET", f"{PATH}/{made['recurring_run_id']}")
    assert f"Experiment {experiment_id} not found" in broken["error"]["message"]
    # Switched on again it starts afresh.
    call("POST", f"{PATH}/{made['recurring_run_id']}:enable")
    assert "error" not in call("GET", f"{PATH}/{made['recurring_run_id']}")[1]


@pytest.mark.parametrize(
    ("policy", "stops"),
    [({}, False), ({"propagation_policy": "ORPHAN"}, False), ({"propagationPolicy": "1"}, True)],
)
def test_deleting_one_with_active_runs(
    engine: Engine, create: Any, call: Any, fire: Any, policy: dict[str, str], stops: bool
) -> None:
    made = create(trigger=HOURLY, max_concurrency=3)
    fire(2 * 3600 + 1)
    assert engine.active_runs() == 2
    assert call("DELETE", f"{PATH}/{made['recurring_run_id']}", policy)[0] == 200
    rows = engine.database.read("SELECT cancel_requested FROM runs")
    assert [bool(row[0]) for row in rows] == [stops, stops]
    fire(9 * 3600)
    assert engine.active_runs() == 2


def test_a_wrong_policy_deletes_nothing(create: Any, call: Any) -> None:
    made = create()
    path = f"{PATH}/{made['recurring_run_id']}"
    status, answer = call("DELETE", path, {"propagation_policy": "ALL"})
    assert status == 400
    assert "FOREGROUND" in answer["message"]
    assert call("GET", path)[0] == 200
