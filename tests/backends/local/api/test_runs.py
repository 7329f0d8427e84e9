"""Runs on the real engine, as the official client's user meets them."""

import base64
import json
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp_server_api import ApiException

from jupyterlab_pipelines.backends.local.engine import Engine
from tests.backends.local.steps import pipeline, step

RUNS = "/apis/v2beta1/runs"
WAIT = 120


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "engine")
    yield engine
    for row in engine.database.read("SELECT run_id FROM runs WHERE finished_at IS NULL"):
        engine.terminate(row["run_id"])
    deadline = time.monotonic() + 30
    while engine.active_runs() and time.monotonic() < deadline:
        time.sleep(0.1)
    engine.database.close()


@pytest.fixture
def compiled(tmp_path: Path) -> str:
    """A pipeline that adds, then writes a text and counts it; and sleeps if it is told to."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import compiler, dsl

        @dsl.component(base_image="python:3.11")
        def add(a: int, b: int, seconds: float) -> int:
            import time

            print(f"adding {a} and {b}", flush=True)  # noqa: T201
            time.sleep(seconds)
            return a + b

        @dsl.component(base_image="python:3.11")
        def write(number: int, text: dsl.Output[dsl.Dataset], metrics: dsl.Output[dsl.Metrics]):
            with open(text.path, "w") as file:  # noqa: PTH123
                file.write(f"number {number}\n")
            metrics.log_metric("number", number)

        @dsl.pipeline(name="adding")
        def adding(a: int, b: int = 2, seconds: float = 0.0):
            total = add(a=a, b=b, seconds=seconds)
            total.set_caching_options(False)
            write(number=total.output)

        path = str(tmp_path / "adding.yaml")
        compiler.Compiler().compile(adding, path)
    return path


def finished(client: Any, run_id: str) -> Any:
    return client.wait_for_run_completion(run_id, timeout=WAIT, sleep_duration=0.2)


def test_a_package_runs_to_its_end_and_its_results_are_read(
    client: Any, call: Callable[..., Any], raw: Callable[..., Any], compiled: str
) -> None:
    before = datetime.now(timezone.utc).replace(microsecond=0)
    started = client.create_run_from_pipeline_package(
        compiled, arguments={"a": 40}, run_name="Forty-two", experiment_name="sums"
    )
    run = started.run_info
    assert run.state in ("PENDING", "RUNNING")
    done = finished(client, run.run_id)
    assert done.state == "SUCCEEDED"
    assert done.display_name == "Forty-two"
    assert done.runtime_config.parameters["a"] == 40
    assert before <= done.created_at <= done.finished_at
    assert [entry.state for entry in done.state_history] == ["PENDING", "RUNNING", "SUCCEEDED"]
    assert {task.display_name: task.state for task in done.run_details.task_details} == {
        "Forty-two": "SUCCEEDED",
        "add": "SUCCEEDED",
        "write": "SUCCEEDED",
    }
    experiment = client.get_experiment(experiment_name="sums")
    assert experiment.experiment_id == done.experiment_id
    assert abs((experiment.last_run_created_at - done.created_at).total_seconds()) < 1

    tasks = call("GET", f"{RUNS}/{run.run_id}/tasks")[1]["tasks"]
    add, write = (next(t for t in tasks if t["name"] == name) for name in ("add", "write"))
    assert [(p["parameter_key"], p["value"]) for p in add["outputs"]["parameters"]] == [
        ("Output", 42)
    ]
    [number] = write["inputs"]["parameters"]
    assert (number["value"], number["type"]) == (42, "TASK_OUTPUT_INPUT")
    assert number["producer"] == {"task_name": "add"}
    outputs = {one["artifact_key"]: one["artifacts"][0] for one in write["outputs"]["artifacts"]}
    assert outputs["metrics"]["number_value"] == 42
    content = raw("GET", f"/apis/v2beta1/artifacts/{outputs['text']['artifact_id']}:read")
    assert content.body == b"number 42\n"
    log = raw("GET", f"/apis/v1alpha1/runs/{run.run_id}/nodes/{add['pods'][0]['name']}/log")
    assert b"adding 40 and 2" in log.body
    logs = f"{RUNS}/{run.run_id}/nodes/{add['task_id']}/artifacts/main-logs:read"
    assert b"adding 40 and 2" in base64.b64decode(call("GET", logs)[1]["data"])


def test_a_function_runs(client: Any, capsys: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import dsl

        @dsl.component(base_image="python:3.11")
        def nothing():
            """Does nothing."""

        @dsl.pipeline(name="of-a-function")
        def of_a_function():
            nothing()

        started = client.create_run_from_pipeline_func(of_a_function, enable_caching=False)
    assert started.wait_for_run_completion(WAIT).state == "SUCCEEDED"
    assert f"/#/runs/details/{started.run_id}" in capsys.readouterr().out


def test_an_uploaded_version_runs(
    client: Any, call: Callable[..., Any], compiled: str, pipelines: Path
) -> None:
    pipeline = client.upload_pipeline(str(pipelines / "digits.yaml")).pipeline_id
    version = client.upload_pipeline_version(compiled, "two", pipeline_id=pipeline)
    version_id = version.pipeline_version_id
    experiment = client.create_experiment("sums").experiment_id
    run = client.run_pipeline(
        experiment, "named", version_id=version_id, pipeline_id=pipeline, params={"a": 1}
    )
    done = finished(client, run.run_id)
    assert (done.state, done.pipeline_spec) == ("SUCCEEDED", None)
    assert done.pipeline_version_reference.pipeline_id == pipeline
    assert done.pipeline_version_reference.pipeline_version_id == version_id

    body = {"display_name": "latest", "runtime_config": {"parameters": {"a": 1}}}
    reference = {"pipeline_id": pipeline}
    latest = call("POST", RUNS, body={**body, "pipeline_version_reference": reference})[1]
    assert latest["pipeline_version_reference"]["pipeline_version_id"] == version_id
    other = client.upload_pipeline(compiled, pipeline_name="other").pipeline_id
    reference = {"pipeline_id": other, "pipeline_version_id": version_id}
    status, answer = call("POST", RUNS, body={**body, "pipelineVersionReference": reference})
    assert status == 400
    assert f"belongs to pipeline {pipeline}" in answer["message"]
    assert finished(client, latest["run_id"]).state == "SUCCEEDED"


def test_a_second_run_takes_what_the_first_has_made(
    client: Any, call: Callable[..., Any], compiled: str
) -> None:
    ids = []
    for _ in range(2):
        run = client.create_run_from_pipeline_package(compiled, {"a": 1}, enable_caching=True)
        assert finished(client, run.run_id).state == "SUCCEEDED"
        ids.append(run.run_id)
    first, second = (
        {task["name"]: task for task in call("GET", f"{RUNS}/{one}/tasks")[1]["tasks"]}
        for one in ids
    )
    assert (first["write"]["state"], second["write"]["state"]) == ("SUCCEEDED", "CACHED")
    source = second["write"]["status_metadata"]["custom_properties"]
    assert source["cached_from_run_id"] == ids[0]
    assert source["cached_from_task_id"] == first["write"]["task_id"]
    for task in (first["write"], second["write"]):
        for output in task["outputs"]["artifacts"]:
            [artifact] = output["artifacts"]
            shown = call("GET", f"/apis/v2beta1/artifacts/{artifact['artifact_id']}")[1]
            assert shown.pop("created_at")
            assert shown == artifact
    links = call("GET", "/apis/v2beta1/artifact_tasks", {"run_ids": ids[1]})[1]["artifact_tasks"]
    assert {(link["task_id"], link["key"]) for link in links} == {
        (second["write"]["task_id"], "text"),
        (second["write"]["task_id"], "metrics"),
    }


def test_an_imported_artifact_is_one_of_the_run(
    client: Any, call: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "data.csv").write_text("1,2,3")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import dsl

        @dsl.component(base_image="python:3.11")
        def take(data: dsl.Input[dsl.Dataset]):
            assert data.metadata["rows"] == 3

        @dsl.pipeline(name="importing")
        def importing():
            uri = (tmp_path / "data.csv").as_uri()
            given = dsl.importer(artifact_uri=uri, artifact_class=dsl.Dataset, metadata={"rows": 3})
            take(data=given.output)

        run = client.create_run_from_pipeline_func(importing).run_id
    done = finished(client, run)
    assert done.state == "SUCCEEDED", done.run_details
    tasks = {task["name"]: task for task in call("GET", f"{RUNS}/{run}/tasks")[1]["tasks"]}
    assert tasks["importer"]["type"] == "IMPORTER"
    [made] = tasks["importer"]["outputs"]["artifacts"][0]["artifacts"]
    [taken] = tasks["take"]["inputs"]["artifacts"][0]["artifacts"]
    assert made == taken
    assert call("GET", f"/apis/v2beta1/artifacts/{made['artifact_id']}")[1]["uri"] == made["uri"]
    links = call("GET", "/apis/v2beta1/artifact_tasks", {"run_ids": run})[1]["artifact_tasks"]
    assert [link["artifact_id"] for link in links] == [made["artifact_id"]] * 2


def test_a_failure_says_why(client: Any, pipelines: Path) -> None:
    run = client.create_run_from_pipeline_package(str(pipelines / "failing.yaml"))
    done = finished(client, run.run_id)
    assert done.state == "FAILED"
    errors = [task.error.message for task in done.run_details.task_details if task.error]
    assert any("ZeroDivisionError" in message for message in errors)
    assert done.error.message


def test_a_run_is_stopped_retried_archived_and_deleted(
    client: Any, call: Callable[..., Any], compiled: str
) -> None:
    run = client.create_run_from_pipeline_package(compiled, {"a": 1, "seconds": 60}).run_id
    with pytest.raises(ApiException) as early:
        client._run_api.run_service_retry_run(run)
    assert early.value.status == 409
    assert json.loads(early.value.body)["code"] == 10
    client.terminate_run(run)
    stopped = client.wait_for_run_completion(run, timeout=30, sleep_duration=0.2)
    assert stopped.state == "FAILED"
    assert [entry.state for entry in stopped.state_history][-2:] == ["CANCELING", "FAILED"]
    failed = {"predicates": [{"key": "state", "operation": "EQUALS", "string_value": "FAILED"}]}
    assert [one.run_id for one in client.list_runs(filter=json.dumps(failed)).runs] == [run]
    with pytest.raises(ApiException) as late:
        client.terminate_run(run)
    assert late.value.status == 400

    client._run_api.run_service_retry_run(run)
    assert client.get_run(run).state in ("PENDING", "RUNNING")
    client.archive_run(run)
    assert client.get_run(run).storage_state == "ARCHIVED"
    client.unarchive_run(run)
    assert client.get_run(run).storage_state == "AVAILABLE"
    client.delete_run(run)
    with pytest.raises(ApiException) as gone:
        client.get_run(run)
    assert gone.value.status == 404
    assert json.loads(gone.value.body)["code"] == 5
    for method, verb in (
        ("GET", ""), ("DELETE", ""), ("POST", ":archive"), ("POST", ":unarchive"),
        ("POST", ":terminate"), ("POST", ":retry"),
    ):  # fmt: skip
        assert call(method, f"{RUNS}/{run}{verb}")[0] == 404


def test_runs_are_listed_by_page_sort_and_filter(client: Any, add_run: Callable[..., str]) -> None:
    experiment = client.create_experiment("many").experiment_id
    for index in range(25):
        add_run(
            display_name=f"run {index:02d}",
            experiment_id=experiment if index % 2 else "other",
            state="FAILED" if index % 5 == 0 else "SUCCEEDED",
            created_at=1_700_000_000_000_000 + index * 1_000_000,
        )
    pages, token = [], ""
    while True:
        page = client.list_runs(page_token=token, page_size=10, sort_by="created_at desc")
        pages.append([run.display_name for run in page.runs])
        assert page.total_size == 25
        token = page.next_page_token
        if not token:
            break
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [name for page in pages for name in page] == [f"run {i:02d}" for i in range(24, -1, -1)]
    of_one = client.list_runs(experiment_id=experiment, page_size=100)
    assert [run.display_name for run in of_one.runs] == [f"run {i:02d}" for i in range(1, 25, 2)]
    predicates = [
        {"operation": "EQUALS", "key": "state", "stringValue": "FAILED"},
        {"operation": 9, "key": "name", "stringValue": "N 1"},
    ]
    found = client.list_runs(filter=json.dumps({"predicates": predicates}))
    assert [run.display_name for run in found.runs] == ["run 10", "run 15"]
    with pytest.raises(ApiException) as unknown:
        client.list_runs(experiment_id="nothing")
    assert unknown.value.status == 404


def test_what_cannot_run_is_refused_and_leaves_nothing(
    client: Any, call: Callable[..., Any], compiled: str
) -> None:
    spec = yaml.safe_load(Path(compiled).read_text())
    for change, message in (
        ({"runtime_config": {}}, "a"),
        ({"runtime_config": {"parameters": {"a": "x"}}}, "a"),
        ({"runtime_config": {"parameters": {"a": 1, "c": 1}}}, "c"),
        ({"experiment_id": "nothing"}, "Experiment nothing not found"),
        ({"pipeline_spec": {"pipelineInfo": {"name": "x"}}}, "root"),
        ({"pipeline_spec": None, "pipeline_version_reference": {"pipeline_id": "x"}}, "x"),
    ):
        body = {"display_name": "wrong", "pipeline_spec": spec, **change}
        status, answer = call("POST", RUNS, body=body)
        assert status in (400, 404), answer
        assert message in answer["message"]
    assert call("GET", RUNS) == (200, {})


def test_both_forms_of_json_start_a_run(
    call: Callable[..., Any], client: Any, compiled: str
) -> None:
    spec = yaml.safe_load(Path(compiled).read_text())
    for body in (
        {"display_name": "snake", "pipeline_spec": spec,
         "runtime_config": {"parameters": {"a": 1}, "pipeline_root": ""}},
        {"displayName": "camel", "pipelineSpec": {"pipeline_spec": spec},
         "runtimeConfig": {"parameters": {"a": 1}}},
    ):  # fmt: skip
        status, run = call("POST", RUNS, body=body)
        assert status == 200, run
        assert run["created_at"] == run["scheduled_at"]
        assert finished(client, run["run_id"]).state == "SUCCEEDED"
    default = client.get_experiment(experiment_name="Default").experiment_id
    assert {run.experiment_id for run in client.list_runs().runs} == {default}


def test_what_plugins_put_out_is_the_servers_to_write(
    call: Callable[..., Any], pipelines: Path
) -> None:
    body = {"display_name": "x", "plugins_output": {"tracker": {}}}
    status, answer = call("POST", RUNS, body=body)
    assert (status, answer["code"]) == (409, 10)
    assert call("GET", RUNS)[1] == {}


def test_times_are_whole_seconds(call: Callable[..., Any], add_run: Callable[..., str]) -> None:
    run = call("GET", f"{RUNS}/{add_run(created_at=1_700_000_000_654_321, finished_at=None)}")[1]
    assert run["created_at"] == run["scheduled_at"] == "2023-11-14T22:13:20Z"
    assert run["finished_at"] == "1970-01-01T00:00:00Z"


def test_parameters_are_answered_as_given_and_macros_filled_in(
    call: Callable[..., Any],
) -> None:
    spec = pipeline({"one": step("pass")})
    types = {
        "text": {"parameterType": "STRING"},
        "texts": {"parameterType": "LIST"},
        "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5},
    }
    spec["root"]["inputDefinitions"] = {"parameters": types}
    text = "[[RunUUID]] [[CurrentTime.2006]] [[Index]] [[ScheduledTime]]"
    given = {"text": text, "texts": ["[[RunUUID]]"]}
    body = {"display_name": "x", "pipeline_spec": spec, "runtime_config": {"parameters": given}}
    status, made = call("POST", RUNS, body=body)
    assert status == 200, made
    assert made["runtime_config"] == {"parameters": given}
    root = call("GET", f"{RUNS}/{made['run_id']}", {"view": "FULL"})[1]["tasks"][0]
    taken = {one["parameter_key"]: one["value"] for one in root["inputs"]["parameters"]}
    year = made["created_at"][:4]
    assert taken == {
        "text": f"{made['run_id']} {year} [[Index]] [[ScheduledTime]]",
        "texts": ["[[RunUUID]]"],
        "rate": 0.5,
    }
