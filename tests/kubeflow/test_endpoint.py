"""The test endpoint itself: what the tests that stand on it rely on."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.kubeflow import Cluster, Sized, in_thread
from tests.kubeflow.http import Answer, Request

SPEC = {"pipelineInfo": {"name": "train"}, "schemaVersion": "2.1.0", "root": {"dag": {}}}
RUNS = "/apis/v2beta1/runs"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[httpx.Client]:
    with in_thread(cluster, prefix="/pipeline") as url, httpx.Client(base_url=url) as client:
        yield client


def test_pages_follow_their_token_and_hold_at_most_200(
    cluster: Cluster, client: httpx.Client
) -> None:
    for number in range(205):
        cluster.add_run(f"run {number:03}", created_at=1000 + number)
    query = {"page_size": 1000, "sort_by": "created_at desc"}
    first = client.get(RUNS, params=query).json()
    assert (len(first["runs"]), first["total_size"]) == (200, 205)
    assert first["runs"][0]["display_name"] == "run 204"
    following = {"page_token": first["next_page_token"]}
    second = client.get(RUNS, params=following).json()
    names = [run["display_name"] for run in second["runs"]]
    assert names == ["run 004", "run 003", "run 002", "run 001", "run 000"]
    assert "next_page_token" not in second
    mismatch = client.get(RUNS, params={**following, "sort_by": "name"})
    assert mismatch.status_code == 400
    assert "page token does not match" in mismatch.json()["message"]


@pytest.mark.parametrize(
    "predicate",
    [
        {"key": "display_name", "operation": "EQUALS", "string_value": "100% of it"},
        {"key": "name", "operation": 1, "stringValue": "100% OF IT"},
        {"key": "created_at", "operation": 3, "timestamp_value": "2026-08-01T00:00:00Z"},
        {"key": "state", "operation": "IN", "string_values": {"values": ["RUNNING"]}},
        {"key": "display_name", "operation": "IS_SUBSTRING", "string_value": "OF"},
    ],
)
def test_filters_in_both_spellings(
    cluster: Cluster, client: httpx.Client, predicate: dict[str, object]
) -> None:
    cluster.add_run("another", created_at=1000)
    cluster.add_run("100% of it", "RUNNING", created_at=1_800_000_000)
    text = quote(json.dumps({"predicates": [predicate]}))
    answer = client.get(RUNS, params={"filter": text}).json()
    assert [run["display_name"] for run in answer["runs"]] == ["100% of it"]


def test_a_filter_is_decoded_twice(client: httpx.Client) -> None:
    predicate = {"key": "name", "operation": "EQUALS", "string_value": "100% of it"}
    answer = client.get(RUNS, params={"filter": json.dumps({"predicates": [predicate]})})
    assert answer.status_code == 400
    assert answer.json()["code"] == 3


def test_a_run_reads_in_both_versions(cluster: Cluster, client: httpx.Client) -> None:
    workflow = {
        "metadata": {"creationTimestamp": "2026-08-01T10:00:00Z"},
        "status": {
            "nodes": {
                "train-1": {
                    "id": "train-1",
                    "displayName": "train",
                    "phase": "Error",
                    "startedAt": "2026-08-01T10:00:01Z",
                    "children": ["train-2"],
                    "message": "OOMKilled",
                }
            }
        },
    }
    run = cluster.add_run("train", "FAILED", spec=SPEC, workflow=workflow)
    second = client.get(f"{RUNS}/{run.id}").json()
    (task,) = second["run_details"]["task_details"]
    assert (task["display_name"], task["state"]) == ("train", "FAILED")
    assert task["child_tasks"] == [{"pod_name": "train-2"}]
    assert not {"pod_name", "error", "executor_detail"} & task.keys()
    assert second["pipeline_spec"] == SPEC
    first = client.get(f"/apis/v1beta1/runs/{run.id}").json()
    assert first["run"]["status"] == "Failed"
    assert json.loads(first["pipeline_runtime"]["workflow_manifest"]) == workflow
    assert client.get(f"{RUNS}/{run.id}/tasks").status_code == 404


def test_errors_are_those_of_the_gateway(client: httpx.Client) -> None:
    answer = client.get(f"{RUNS}/nowhere")
    assert (answer.status_code, answer.json()["code"]) == (404, 5)
    assert answer.json()["details"][0]["message"] == "Run nowhere not found"
    assert client.put(RUNS).status_code == 501


def test_only_members_see_a_namespace(cluster: Cluster, client: httpx.Client) -> None:
    cluster.multi_user = True
    cluster.users["t"] = "ann@example.com"
    cluster.access = {("ann@example.com", "ann")}
    run = cluster.add_run("hers", namespace="ann")
    other = cluster.add_run("his", namespace="bob")
    ann = {"Authorization": "Bearer t"}
    listed = client.get(RUNS, params={"namespace": "ann"}, headers=ann).json()
    assert [one["run_id"] for one in listed["runs"]] == [run.id]
    assert client.get(f"{RUNS}/{other.id}", headers=ann).status_code == 403
    assert client.get(RUNS, headers=ann).status_code == 400
    assert client.get(f"{RUNS}/{run.id}").status_code == 401
    mesh = {"kubeflow-userid": "ann@example.com"}
    assert client.get(f"{RUNS}/{run.id}", headers=mesh).status_code == 200


def test_logs_artifacts_and_further_protocols(cluster: Cluster, client: httpx.Client) -> None:
    cluster.logs["r", "n"] = b"line\n"
    cluster.declared["r", "n", "main-logs"] = b"archived"
    cluster.objects["minio", "bucket", "a/b"] = b"content"
    cluster.objects["minio", "bucket", "big"] = Sized(1_000_003)
    cluster.pods["team", "pod"] = b"printed"

    async def further(request: Request) -> Answer | None:
        return Answer(200, request.body) if request.path == "/ml_metadata.X/Get" else None

    cluster.routers.append(further)
    assert client.get("/apis/v1alpha1/runs/r/nodes/n/log").content == b"line\n"
    read = client.get(f"{RUNS}/r/nodes/n/artifacts/main-logs:read").json()
    assert base64.b64decode(read["data"]) == b"archived"
    place = {"source": "minio", "bucket": "bucket", "key": "a/b"}
    assert client.get("/artifacts/get", params={**place, "peek": 4}).content == b"cont"
    assert client.get("/artifacts/minio/bucket/a/b").content == b"content"
    assert len(client.get("/artifacts/minio/bucket/big").content) == 1_000_003
    pod = {"podname": "pod", "podnamespace": "team"}
    assert client.get("/k8s/pod/logs", params=pod).content == b"printed"
    assert client.post("/ml_metadata.X/Get", content=b"x").content == b"x"
    assert cluster.asked["POST /ml_metadata.X/Get"] == 1


def test_it_runs_as_a_process() -> None:
    command = [sys.executable, "-m", "tests.kubeflow", "--runs", "3", "--token", "t"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    try:
        assert process.stdout is not None
        with process.stdout:
            url = process.stdout.readline().strip()
        assert httpx.get(url + RUNS).status_code == 401
        answer = httpx.get(url + RUNS, headers={"Authorization": "Bearer t"})
        assert answer.json()["total_size"] == 3
    finally:
        process.terminate()
        process.wait(10)
