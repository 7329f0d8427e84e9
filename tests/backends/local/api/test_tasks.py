"""The task API, logs and artifacts of a run whose rows the engine's own code wrote."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.artifacts import media_type, safe_file
from jupyterlab_pipelines.backends.local.database import Database, to_json
from jupyterlab_pipelines.backends.local.records import ArtifactRecord, TaskRecord, Values
from jupyterlab_pipelines.backends.local.tasks import (
    AttemptRecord,
    artifact_uid,
    save_attempts,
    save_tasks,
    task_uid,
)
from jupyterlab_pipelines.models import State, TaskRef, TaskType

T0 = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)
RUN = "0a7c0ffe-0000-4000-8000-000000000001"
SPEC = {
    "pipelineInfo": {"name": "looping"},
    "schemaVersion": "2.1.0",
    "root": {
        "dag": {
            "tasks": {
                "load": {"componentRef": {"name": "comp-load"}},
                "for-loop-1": {
                    "componentRef": {"name": "comp-for-loop-1"},
                    "dependentTasks": ["load"],
                    "inputs": {
                        "artifacts": {
                            "data": {
                                "taskOutputArtifact": {
                                    "producerTask": "load",
                                    "outputArtifactKey": "data",
                                }
                            }
                        }
                    },
                    "parameterIterator": {"itemInput": "item", "items": {"raw": "[1, 2]"}},
                },
            }
        }
    },
    "components": {
        "comp-load": {
            "executorLabel": "exec-load",
            "outputDefinitions": {
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}}
            },
        },
        "comp-for-loop-1": {
            "inputDefinitions": {
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}},
                "parameters": {"item": {"parameterType": "NUMBER_INTEGER"}},
            },
            "dag": {
                "tasks": {
                    "train": {
                        "componentRef": {"name": "comp-train"},
                        "inputs": {
                            "artifacts": {"data": {"componentInputArtifact": "data"}},
                            "parameters": {
                                "depth": {"componentInputParameter": "item"},
                                "rate": {"runtimeValue": {"constant": 0.5}},
                            },
                        },
                    }
                }
            },
        },
        "comp-train": {
            "executorLabel": "exec-train",
            "inputDefinitions": {
                "artifacts": {"data": {"artifactType": {"schemaTitle": "system.Dataset"}}},
                "parameters": {
                    "depth": {"parameterType": "NUMBER_INTEGER"},
                    "rate": {"parameterType": "NUMBER_DOUBLE"},
                    "seed": {"parameterType": "NUMBER_INTEGER", "defaultValue": 7},
                },
            },
            "outputDefinitions": {
                "artifacts": {
                    "metrics": {"artifactType": {"schemaTitle": "system.Metrics"}},
                    "plan": {"artifactType": {"schemaTitle": "google.VertexModel"}},
                }
            },
        },
    },
    "deploymentSpec": {
        "executors": {
            "exec-load": {"container": {"image": "python:3.11"}},
            "exec-train": {"container": {"image": "python:3.11"}},
        }
    },
}


class WithFiles:
    """The engine's store, and its way to an artifact's file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = Database(root / "engine.sqlite")

    def artifact_file(self, run_id: str, artifact_id: str) -> tuple[Path, str]:
        [row] = self.database.read(
            "SELECT uri, type FROM artifacts WHERE run_id = ? AND artifact_id = ?",
            (run_id, artifact_id),
        )
        path = safe_file(row["uri"], self.root)
        return path, media_type(path, row["type"])


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    engine = WithFiles(tmp_path)
    yield engine
    engine.database.close()


@pytest.fixture
def run(engine: WithFiles, add_run: Callable[..., str]) -> str:
    """A run that loaded data (cached) and failed in the second of two iterations."""
    root = engine.root / "runs" / RUN
    (root / "model").mkdir(parents=True)
    (root / "model" / "weights.bin").write_bytes(b"\x00\x01")
    (root / "data.csv").write_bytes(bytes(range(256)) * 4000)
    data = ArtifactRecord(
        "load:data", "data", "system.Dataset", str(root / "data.csv"),
        metadata={"rows": 3}, producer=TaskRef(run_id=RUN, task_id="load"),
    )  # fmt: skip

    def task(task_id: str, name: str, type_: TaskType, parent: str | None, **more: Any) -> Any:
        moment = T0 + timedelta(seconds=len(task_id))
        settings = {"state": State.SUCCEEDED, "created_at": moment, "started_at": moment,
                    "finished_at": moment + timedelta(milliseconds=1500), **more}  # fmt: skip
        component = f"comp-{name}"
        return TaskRecord(task_id, name, name, type_, parent, component, **settings)

    def trained(index: int, **more: Any) -> Any:
        task_id = f"for-loop-1[{index}]/train"
        mine = TaskRef(run_id=RUN, task_id=task_id)
        made = [
            ArtifactRecord(f"{task_id}:metrics", "metrics", "system.Metrics", "",
                           metadata={"accuracy": 0.5}, producer=mine),
            ArtifactRecord(f"{task_id}:plan", "plan", "google.VertexModel", str(root / "model"),
                           producer=mine),
        ]  # fmt: skip
        return task(
            task_id, "train", TaskType.RUNTIME, f"for-loop-1[{index}]", cache_key="k",
            inputs=Values({"depth": index + 1, "rate": 0.5, "seed": 7}, {"data": [data]}),
            outputs=Values({"Output": False}, {one.name: [one] for one in made}),
            **more,
        )  # fmt: skip

    def iteration(index: int, **more: Any) -> Any:
        task_id = f"for-loop-1[{index}]"
        return task(task_id, "for-loop-1", TaskType.LOOP_ITERATION, "for-loop-1",
                    iteration=index, **more)  # fmt: skip

    add_run(
        run_id=RUN, display_name="Looping", state="FAILED", error="for-loop-1: 1 of 2 failed",
        created_at=1_769_860_800_000_000,
        finished_at=None, pipeline_spec=to_json(SPEC),
        runtime_config=to_json({"parameters": {"seed": 7}}),
        state_history=to_json([{"state": "PENDING", "update_time": 1_769_860_800_000_000},
                               {"state": "FAILED", "update_time": 1, "error": "so"}]),
    )  # fmt: skip
    with engine.database.write() as connection:
        save_tasks(connection, RUN, [
            task("load", "load", TaskType.RUNTIME, None, state=State.CACHED,
                 cached_from=TaskRef(run_id="other", task_id="load"),
                 outputs=Values({}, {"data": [data]})),
            task("for-loop-1", "for-loop-1", TaskType.LOOP, None, state=State.FAILED,
                 inputs=Values({}, {"data": [data]})),
            iteration(0), trained(0),
            iteration(1, state=State.FAILED),
            trained(1, state=State.FAILED, error="ZeroDivisionError: division by zero"),
        ])  # fmt: skip
        attempts = []
        for number, log in ((1, b"first\n"), (2, "zweiter Versuch ü\n".encode())):
            folder = root / "attempts" / str(number)
            folder.mkdir(parents=True)
            (folder / "log.txt").write_bytes(log)
            attempts.append(
                AttemptRecord("for-loop-1[1]/train", number, 1, "FAILED", folder, "boot",
                              T0, T0, 1, "ZeroDivisionError")
            )  # fmt: skip
        save_attempts(connection, RUN, attempts)
    return RUN


@pytest.fixture
def tasks(call: Callable[..., Any], run: str) -> dict[str, Any]:
    """The run's tasks by scope path and iteration of their parents."""
    answer = call("GET", f"/apis/v2beta1/runs/{run}/tasks")[1]
    assert answer["total_size"] == 7
    return {task["task_id"]: task for task in answer["tasks"]}


def uid(task_id: str) -> str:
    return task_uid(RUN, task_id)


def test_the_tree_of_tasks_hangs_on_the_root(tasks: dict[str, Any]) -> None:
    [root] = [task for task in tasks.values() if task["type"] == "ROOT"]
    assert (root["name"], root["display_name"], root["scope_path"]) == ("ROOT", "Looping", "root")
    assert "parent_task_id" not in root
    assert root["inputs"]["parameters"] == [
        {"type": "RUNTIME_VALUE_INPUT", "parameter_key": "seed", "value": 7}
    ]
    assert [child["name"] for child in root["child_tasks"]] == ["load", "for-loop-1"]
    loop = tasks[uid("for-loop-1")]
    assert (loop["type"], loop["type_attributes"]) == ("LOOP", {"iteration_count": "2"})
    assert loop["parent_task_id"] == root["task_id"]
    second = tasks[uid("for-loop-1[1]")]
    assert (second["type"], second["type_attributes"]) == ("DAG", {"iteration_index": "1"})
    assert second["scope_path"] == "root.for-loop-1"
    train = tasks[uid("for-loop-1[1]/train")]
    assert train["scope_path"] == "root.for-loop-1.train"
    assert train["parent_task_id"] == second["task_id"]


def test_a_task_says_when_why_and_with_what(tasks: dict[str, Any]) -> None:
    train = tasks[uid("for-loop-1[1]/train")]
    assert (train["type"], train["state"]) == ("RUNTIME", "FAILED")
    assert train["create_time"] == train["start_time"] == "2026-01-31T12:00:19Z"
    assert train["end_time"] == "2026-01-31T12:00:20Z"
    assert train["status_metadata"]["message"] == "ZeroDivisionError: division by zero"
    attempts = train["status_metadata"]["custom_properties"]["attempts"]
    assert [(a["number"], a["state"], a["exit_code"]) for a in attempts] == [
        (1, "FAILED", 1), (2, "FAILED", 1)
    ]  # fmt: skip
    assert [pod["name"] for pod in train["pods"]] == [a["pod_name"] for a in attempts]
    assert train["cache_fingerprint"] == "k"
    assert train["state_history"][-1]["error"]["message"].startswith("ZeroDivisionError")
    load = tasks[uid("load")]
    assert load["state"] == "CACHED"
    assert load["status_metadata"]["custom_properties"] == {
        "cached_from_run_id": "other",
        "cached_from_task_id": task_uid("other", "load"),
    }


def test_inputs_and_outputs_say_where_they_come_from(tasks: dict[str, Any]) -> None:
    train = tasks[uid("for-loop-1[0]/train")]
    assert train["inputs"]["parameters"] == [
        {"type": "COMPONENT_INPUT", "parameter_key": "depth", "value": 1},
        {"type": "RUNTIME_VALUE_INPUT", "parameter_key": "rate", "value": 0.5},
        {"type": "COMPONENT_DEFAULT_INPUT", "parameter_key": "seed", "value": 7},
    ]
    [data] = tasks[uid("for-loop-1")]["inputs"]["artifacts"]
    assert (data["type"], data["producer"]) == ("TASK_OUTPUT_INPUT", {"task_name": "load"})
    assert data["artifacts"][0]["artifact_id"] == artifact_uid(RUN, "load:data")
    [flag] = train["outputs"]["parameters"]
    assert (flag["parameter_key"], flag["value"]) == ("Output", False)
    metrics, plan = (one["artifacts"][0] for one in train["outputs"]["artifacts"])
    assert (metrics["type"], metrics["number_value"]) == ("Metric", 0.5)
    assert (plan["type"], plan["metadata"]) == (
        "Artifact", {"_kfp_schema_title": "google.VertexModel"}
    )  # fmt: skip


def test_tasks_come_in_pages_by_parent_and_alone(call: Callable[..., Any], run: str) -> None:
    path = f"/apis/v2beta1/runs/{run}/tasks"
    seen, token = [], ""
    while True:
        answer = call("GET", path, {"page_size": 2, "page_token": token})[1]
        seen += [task["task_id"] for task in answer["tasks"]]
        token = answer.get("next_page_token", "")
        if not token:
            break
    assert len(seen) == len(set(seen)) == 7
    children = call("GET", path, {"parent_id": uid("for-loop-1"), "order_by": "task_id"})[1]
    assert {t["task_id"] for t in children["tasks"]} == {
        uid("for-loop-1[0]"), uid("for-loop-1[1]")
    }  # fmt: skip
    top = call("GET", path, {"parent_id": seen[0]})[1]
    assert {t["name"] for t in top["tasks"]} == {"load", "for-loop-1"}
    assert call("GET", path, {"parent_id": "nothing"}) == (200, {})
    one = call("GET", f"{path}/{uid('load')}")[1]
    assert one["name"] == "load"
    assert call("GET", f"{path}/nothing")[0] == 404
    assert call("GET", "/apis/v2beta1/runs/nothing/tasks")[0] == 404


def test_a_run_holds_its_tasks_in_both_shapes(
    call: Callable[..., Any], client: Any, run: str
) -> None:
    path = f"/apis/v2beta1/runs/{run}"
    plain = call("GET", path)[1]
    assert plain["task_count"] == 7
    assert "tasks" not in plain
    full = call("GET", path, {"view": "FULL"})[1]
    assert [task["name"] for task in full["tasks"]][:3] == ["ROOT", "load", "for-loop-1"]
    listed = call("GET", "/apis/v2beta1/runs", {"view": "FULL"})[1]["runs"][0]
    assert listed["tasks"] == full["tasks"]
    assert call("GET", path, {"view": "HALF"})[0] == 400

    details = {task.task_id: task for task in client.get_run(run).run_details.task_details}
    assert details[uid("load")].state == "SKIPPED"
    train = details[uid("for-loop-1[1]/train")]
    assert (train.display_name, train.state) == ("train", "FAILED")
    assert train.error.message == "ZeroDivisionError: division by zero"
    assert train.end_time - train.start_time == timedelta(seconds=1)
    assert train.parent_task_id == uid("for-loop-1[1]")


def test_logs_are_read_by_attempt_and_from_where_one_was(raw: Callable[..., Any], run: str) -> None:
    train = uid("for-loop-1[1]/train")

    def log(node: str, **headers: str) -> Any:
        return raw("GET", f"/apis/v1alpha1/runs/{run}/nodes/{node}/log", headers=headers)

    whole = log(train)
    assert whole.body.decode() == "zweiter Versuch ü\n"
    assert whole.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert log(f"{train}-1").body == b"first\n"
    rest = log(f"{train}-2", Range="bytes=8-")
    assert (rest.status, rest.body.decode()) == (206, "Versuch ü\n")
    size = len(whole.body)
    assert rest.headers["Content-Range"] == f"bytes 8-{size - 1}/{size}"
    beyond = log(train, Range=f"bytes={size}-")
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{size}")
    for missing in (f"{train}-3", uid("load"), "nothing", "nothing-1"):
        assert log(missing).status == 404


def test_artifacts_are_listed_and_read(
    call: Callable[..., Any], raw: Callable[..., Any], run: str, engine: WithFiles
) -> None:
    listed = call("GET", "/apis/v2beta1/artifacts", {"sort_by": "name"})[1]
    assert listed["total_size"] == 5
    data = artifact_uid(run, "load:data")
    path = f"/apis/v2beta1/artifacts/{data}"
    shown = call("GET", path)[1]
    assert (shown["name"], shown["type"], shown["metadata"]) == ("data", "Dataset", {"rows": 3})
    content = bytes(range(256)) * 4000
    whole = raw("GET", f"{path}:read")
    assert whole.body == content
    assert whole.headers["Content-Length"] == str(len(content))
    assert whole.headers["Content-Disposition"].startswith("attachment")
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    for asked, start, end in (
        ("bytes=0-9", 0, 10), ("bytes=1000000-", 1000000, None), ("bytes=-7", -7, None),
        ("bytes=10-99999999", 10, None),
    ):  # fmt: skip
        part = raw("GET", f"{path}:read", headers={"range": asked})
        assert (part.status, part.body) == (206, content[start:end]), asked
    tag = whole.headers["ETag"]
    for if_range, status in ((tag, 206), ('"other"', 200)):
        asked = {"Range": "bytes=5-", "If-Range": if_range}
        assert raw("GET", f"{path}:read", headers=asked).status == status
    for odd in ("bytes=5-1", "bytes=1-2,4-5", "lines=1-2", "bytes=-"):
        assert raw("GET", f"{path}:read", headers={"Range": odd}).status == 200
    plan = artifact_uid(run, "for-loop-1[0]/train:plan")
    folder = raw("GET", f"/apis/v2beta1/artifacts/{plan}:read")
    assert folder.headers["Content-Type"] == "application/gzip"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(folder.body))) as archive:
        assert archive.getnames() == ["model", "model/weights.bin"]
    (engine.root / "runs" / RUN / "data.csv").unlink()
    assert call("GET", f"{path}:read")[0] == 404
    assert call("GET", "/apis/v2beta1/artifacts/nothing:read")[0] == 404


def test_a_file_outside_the_engine_is_never_read(
    call: Callable[..., Any], run: str, engine: WithFiles
) -> None:
    with engine.database.write() as connection:
        connection.execute("UPDATE artifacts SET uri = '/etc/passwd'")
    data = artifact_uid(run, "load:data")
    status, answer = call("GET", f"/apis/v2beta1/artifacts/{data}:read")
    assert status == 400
    assert "outside" in answer["message"]


def test_artifacts_are_linked_to_the_tasks_that_made_and_took_them(
    call: Callable[..., Any], run: str
) -> None:
    path = "/apis/v2beta1/artifact_tasks"
    data = artifact_uid(run, "load:data")
    links = call("GET", path, {"artifact_ids": data})[1]["artifact_tasks"]
    assert {(link["task_id"], link["type"]) for link in links} == {
        (uid("load"), "OUTPUT"),
        (uid("for-loop-1"), "TASK_OUTPUT_INPUT"),
        (uid("for-loop-1[0]/train"), "TASK_OUTPUT_INPUT"),
        (uid("for-loop-1[1]/train"), "TASK_OUTPUT_INPUT"),
    }
    assert all(link["producer"] == {"task_name": "load"} for link in links)
    made = call("GET", path, {"run_ids": run, "type": "OUTPUT", "page_size": 3})[1]
    assert (made["total_size"], len(made["artifact_tasks"])) == (5, 3)
    query = [("task_ids", uid("load")), ("task_ids", uid("for-loop-1")),
             ("page_token", made["next_page_token"])]  # fmt: skip
    assert call("GET", path, query)[0] == 200
    assert call("GET", path)[0] == 400


def test_a_nodes_artifact_comes_as_base64(call: Callable[..., Any], run: str) -> None:
    def data(node: str, name: str) -> tuple[int, Any]:
        return call("GET", f"/apis/v2beta1/runs/{run}/nodes/{node}/artifacts/{name}:read")

    status, answer = data(uid("for-loop-1[1]/train"), "main-logs")
    assert (status, base64.b64decode(answer["data"]).decode()) == (200, "zweiter Versuch ü\n")
    status, answer = data(uid("load"), "data")
    assert base64.b64decode(answer["data"]) == bytes(range(256)) * 4000
    assert data(uid("load"), "nothing")[0] == 404
    assert data(uid("for-loop-1[0]/train"), "plan")[0] == 400
    assert json.dumps(answer)


def test_a_run_says_its_history_and_error(client: Any, run: str) -> None:
    found = client.get_run(run)
    assert found.error.message == "for-loop-1: 1 of 2 failed"
    assert [entry.state for entry in found.state_history] == ["PENDING", "FAILED"]
    assert found.state_history[0].update_time == T0
    assert found.finished_at == datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert found.runtime_config.parameters == {"seed": 7}
    assert found.pipeline_spec == SPEC
