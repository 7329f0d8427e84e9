"""The lab as a Kubeflow notebook starts it: the user's runs are there with nothing configured."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.kubeflow import Cluster, in_thread

PREFIX = "/notebook/team-a/my-notebook"
API = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"


@contextlib.contextmanager
def notebook(folder: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """The lab, started with exactly the flags of Kubeflow's images."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    flags = [
        "--no-browser", "--allow-root", "--port-retries=0", f"--port={port}", "--ip=127.0.0.1",
        "--ServerApp.token=", "--ServerApp.password=", "--ServerApp.allow_origin=*",
        "--ServerApp.authenticate_prometheus=False", f"--ServerApp.base_url={PREFIX}",
    ]  # fmt: skip
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *flags],
            cwd=folder,
            env=os.environ | {"NB_PREFIX": PREFIX, "JUPYTER_CONFIG_PATH": ""} | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}{PREFIX}/", timeout=30, trust_env=False
            ) as client:
                _wait(client, process, folder)
                yield client
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "lab.log").read_text()[-2000:]
        with contextlib.suppress(httpx.HTTPError):
            if client.get("api").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError((folder / "lab.log").read_text()[-2000:])


def kubeflow(client: httpx.Client) -> dict[str, Any]:
    """The connections by name; the page's own XSRF cookie is kept."""
    answer = client.get("pipelines/connections")
    assert answer.status_code == 200
    return {one["name"]: one for one in answer.json()["connections"]}


@pytest.fixture
def team() -> Cluster:
    """A cluster of many users; this one may see one namespace, and is about to see another."""
    cluster = Cluster()
    cluster.multi_user = True
    cluster.users = {"projected-canary-1": "editor", "projected-canary-2": "editor"}
    for namespace in ("team-a", "team-b"):
        cluster.access.add(("editor", namespace))
        experiment = cluster.add_experiment("Default", namespace=namespace)
        cluster.add_run(f"train of {namespace}", experiment_id=experiment.id, namespace=namespace)
    cluster.add_experiment("Default", namespace="team-c")
    return cluster


def test_the_users_runs_are_there_with_nothing_configured(places: Path, team: Cluster) -> None:
    secrets = places / "secrets"
    for name, content in {
        "kubeflow/pipelines/token": "projected-canary-1",
        "kubernetes.io/serviceaccount/namespace": "team-a",
    }.items():
        (secrets / name).parent.mkdir(parents=True)
        (secrets / name).write_text(content)
    with in_thread(team) as address:
        environment = {
            "JUPYTERLAB_PIPELINES_POD_SECRETS": str(secrets),
            "KF_PIPELINES_SA_TOKEN_PATH": str(secrets / "kubeflow/pipelines/token"),
            "KUBERNETES_SERVICE_HOST": "10.0.0.1",
            # The names of a cluster's services mean something to the cluster alone.
            "HTTP_PROXY": address,
            "http_proxy": address,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        with notebook(places, environment) as client:
            _runs_are_there(client)
            _the_token_rotates(client, team, secrets / "kubeflow/pipelines/token")
            _the_namespace_is_switched(client, team)
        log = (places / "lab.log").read_text()
    assert "canary" not in log
    assert "Traceback" not in log


def _runs_are_there(client: httpx.Client) -> None:
    known = kubeflow(client)
    assert list(known) == ["local", "kubeflow"]
    one = known["kubeflow"]
    assert (one["host"], one["namespace"]) == (API, "team-a")
    assert (one["found"], one["preferred"], one["state"]) == ("pod", True, "ready"), one
    assert not known["local"]["preferred"]
    assert known["local"]["state"] == "ready"
    assert "ends with this notebook's pod" in known["local"]["notice"]
    assert not one["notice"]
    runs = client.get("pipelines/kubeflow/runs").json()["runs"]
    assert [run["display_name"] for run in runs] == ["train of team-a"]
    dialect = client.get("pipelines/kubeflow/apis/v2beta1/runs", params={"namespace": "team-a"})
    assert dialect.json()["total_size"] == 1


def _the_token_rotates(client: httpx.Client, team: Cluster, token: Path) -> None:
    del team.users["projected-canary-1"]
    token.write_text("projected-canary-2")
    query = {"namespace": "team-a"}
    assert client.get("pipelines/kubeflow/apis/v2beta1/runs", params=query).status_code == 200


def _the_namespace_is_switched(client: httpx.Client, team: Cluster) -> None:
    xsrf = {"X-XSRFToken": client.cookies["_xsrf"]}

    def choose(namespace: str, **headers: str) -> httpx.Response:
        body = {"namespace": namespace}
        return client.put("pipelines/kubeflow/namespace", json=body, headers={**xsrf, **headers})

    assert choose("team-b", Origin="https://evil.example.com").status_code == 403
    assert choose("team-b").json()["namespace"] == "team-b"
    runs = client.get("pipelines/kubeflow/runs").json()["runs"]
    assert [run["display_name"] for run in runs] == ["train of team-b"]
    answer = client.get("pipelines/kubeflow/namespaces").json()
    assert (answer["multi_user"], answer["current"]) == (True, "team-b")
    refused = choose("team-c").json()
    assert refused["state"] == "forbidden"
    assert "team-c" in refused["message"]
    answer = client.get("pipelines/kubeflow/runs")
    assert answer.status_code == 403
    assert choose("not/a/name").status_code == 400
    assert choose("team-a").json()["state"] == "ready"
