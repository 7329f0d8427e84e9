"""The connection that is there by itself: in a notebook pod, by environment, and by kubeconfig."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterlab_pipelines import client
from jupyterlab_pipelines.connections import Connections, discovery
from jupyterlab_pipelines.connections.discovery import find_connection
from jupyterlab_pipelines.models import Connection, ConnectionState, RunQuery
from tests.async_tests import in_loop
from tests.backends.kubeflow.sign_in.certificates import Authority
from tests.kubeflow import Answer, Cluster, Request, serving
from tests.kubeflow.doors import tls
from tests.kubeflow.server import Endpoint

API = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
UI = "http://ml-pipeline-ui.kubeflow.svc.cluster.local"


@pytest.fixture
def pod(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Kubeflow notebook's pod: what is mounted, and where."""
    secrets = places / "secrets"
    token = secrets / "kubeflow/pipelines/token"
    token.parent.mkdir(parents=True)
    token.write_text("projected")
    account = secrets / "kubernetes.io/serviceaccount"
    account.mkdir(parents=True)
    (account / "namespace").write_text("team-a\n")
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_POD_SECRETS", str(secrets))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    return token


KUBECONFIG = Path("~/.kube/config")


def write(file: Path, content: str) -> None:
    file = file.expanduser()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)


def gone(file: Path) -> None:
    file.unlink()


def context(content: object) -> None:
    """What `kfp.Client` was told to keep."""
    text = content if isinstance(content, str) else json.dumps(content)
    write(Path("~/.config/kfp/context.json"), text)


async def found(connections: Connections) -> Connection | None:
    listed = await connections.list()
    await connections.close()
    return next((one for one in listed if one.name == "kubeflow"), None)


# --- a notebook's pod ---------------------------------------------------------------------------


@in_loop
async def test_a_notebooks_pod_needs_nothing(pod: Path) -> None:
    one = await found(Connections())
    assert one is not None
    assert (one.host, one.ui_host, one.namespace) == (API, UI, "team-a")
    assert (one.found, one.preferred, one.sign_in) == ("pod", True, "token")
    assert not one.removable


def test_a_token_elsewhere_is_the_one(pod: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", "/elsewhere/token")
    there = find_connection()
    assert there is not None
    assert there.settings.sign_in.model_dump()["file"] == "/elsewhere/token"


@in_loop
async def test_a_pod_without_the_token_shows_only_what_answers(pod: Path) -> None:
    gone(pod)
    there = find_connection()
    assert there is not None
    assert (there.place, there.guessed) == ("pod", True)
    assert await found(Connections()) is None


@in_loop
async def test_a_pod_of_a_cluster_without_pipelines_has_kubeconfigs(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone(pod)
    kubeconfig("https://kubernetes.example.com", {"token": "x"})
    monkeypatch.setattr(discovery, "_API", "http://127.0.0.1:9")
    there = find_connection()
    assert there is not None
    assert there.place == "kubeconfig"
    async with serving(Cluster()) as url:
        monkeypatch.setattr(discovery, "_API", url)
        there = find_connection()
        assert there is not None
        assert there.place == "pod"


@in_loop
async def test_the_projected_token_reaches_the_api_and_is_read_for_each_request(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster()
    cluster.multi_user = True
    cluster.users = {"projected": "team-a-editor", "rotated": "team-a-editor"}
    cluster.access.add(("team-a-editor", "team-a"))
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(pod))
    async with serving(cluster) as url:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", url)
        connections = Connections()
        one = (await connections.list())[1]
        assert (one.state, one.namespace) == (ConnectionState.READY, "team-a")
        del cluster.users["projected"]
        write(pod, "rotated")
        await connections.service("kubeflow").list_runs(RunQuery())
        assert {
            request.query.get("namespace") for request in cluster.seen if "/runs" in request.path
        } == {"team-a"}
        await connections.close()


# --- the environment ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://kubeflow.example.com/pipeline/", "https://kubeflow.example.com/pipeline"),
        ("kubeflow.example.com/pipeline", "https://kubeflow.example.com/pipeline"),
        ("https://h.example.com/pipeline/#/runs", "https://h.example.com/pipeline"),
        ("ml-pipeline.ns.svc:8888", "http://ml-pipeline.ns.svc:8888"),
        ("ml-pipeline.ns.svc.cluster.local:8888", "http://ml-pipeline.ns.svc.cluster.local:8888"),
    ],
)
def test_the_endpoint_of_the_environment(
    endpoint: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", endpoint)
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", "https://ui.example.com")
    there = find_connection()
    assert there is not None
    assert (there.place, there.settings.host) == ("environment", host)
    assert there.settings.ui_host == "https://ui.example.com"


@pytest.mark.parametrize("endpoint", ["user:secret@host", "ftp://host", "https://", "a b"])
def test_an_endpoint_that_is_none_is_passed_over(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    discovery._left_out.cache_clear()
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", endpoint)
    for _ in range(3):
        assert find_connection() is None
    (said,) = caplog.messages
    assert said.startswith("KF_PIPELINES_ENDPOINT is left out")
    assert "secret" not in said
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://kubeflow.example.com")
    monkeypatch.setenv("KF_PIPELINES_UI_ENDPOINT", endpoint)
    there = find_connection()
    assert there is not None
    assert there.settings.ui_host == ""
    assert "KF_PIPELINES_UI_ENDPOINT is left out" in caplog.messages[-1]


def test_the_pods_token_is_not_sent_to_another_place(
    pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for endpoint, method in (
        ("https://kubeflow.example.com", "none"),
        ("https://svc.cluster.local.evil.example.com", "none"),
        ("http://kubeflow.example.com", "none"),
        ("http://93.184.216.34", "none"),
        ("http://ml-pipeline.kubeflow.svc:8888", "token"),
        ("http://ml-pipeline.kubeflow.svc.corp.internal:8888", "token"),
        ("http://ml-pipeline:8888", "token"),
        ("http://10.1.2.3:8888", "token"),
    ):
        monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(pod))  # as the PodDefault does
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", endpoint)
        there = find_connection()
        assert there is not None
        assert (endpoint, there.settings.sign_in.method) == (endpoint, method)


def test_what_kfp_was_told_to_use_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", "https://kubeflow.example.com/pipeline")
    context({"namespace": "mine", "client_authentication_cookie": "session=canary"})
    there = find_connection()
    assert there is not None
    assert there.settings.namespace == "mine"
    assert there.settings.sign_in.method == "cookie"
    assert "canary" not in repr(there)
    pair = {"header_name": "x-user", "header_value": "ada"}
    context({"namespace": "", **{f"client_authentication_{k}": v for k, v in pair.items()}})
    there = find_connection()
    assert there is not None
    assert there.settings.sign_in.model_dump()["header"] == "x-user"
    for damaged in ("{", "[]", '{"namespace": 3}', "[" * 100_000):
        context(damaged)
        there = find_connection()
        assert there is not None
        assert (there.settings.namespace, there.settings.sign_in.method) == ("", "none")


# --- kubeconfig ---------------------------------------------------------------------------------


class KubernetesApi:
    """An API server's proxy to services, asked with a token or a client certificate."""

    def __init__(self, pipelines: Cluster, token: str, path: str = "") -> None:
        self.token, self.path = token, path
        self.outside = Cluster()
        self.outside.routers.append(self.answer)
        self._inner = Endpoint(pipelines)

    async def answer(self, request: Request) -> Answer:
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return Answer.json({"kind": "Status", "message": "Unauthorized"}, 401)
        for name in ("ml-pipeline", "ml-pipeline-ui"):
            prefix = f"{self.path}/api/v1/namespaces/kubeflow/services/{name}:http/proxy"
            if request.path.startswith(prefix):
                inside = Request(
                    request.method, request.path[len(prefix) :], request.query, {}, request.body
                )
                return await self._inner.answer(inside)
        if request.path == f"{self.path}/api/v1/namespaces":
            items = [{"metadata": {"name": name}} for name in ("default", "kubeflow")]
            return Answer.json({"kind": "NamespaceList", "items": items})
        return Answer.json({"kind": "Status", "message": "not found"}, 404)


def kubeconfig(server: str, user: dict[str, Any], **cluster: Any) -> None:
    """The file of kubectl with one context."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user}],
    }
    write(KUBECONFIG, yaml.safe_dump(content))


def pipelines_with_a_run() -> Cluster:
    cluster = Cluster()
    cluster.add_run("train")
    return cluster


@pytest.mark.parametrize("width", [None, 64], ids=["one line", "several lines"])
@in_loop
async def test_kubeconfigs_cluster_is_asked_through_its_api_server(
    width: int | None, places: Path
) -> None:
    authority = Authority(places)
    api = KubernetesApi(pipelines_with_a_run(), "canary-kube")
    async with serving(api.outside) as plain, tls(plain, authority.server()) as url:
        ca = base64.b64encode(authority.file.read_bytes()).decode()
        if width is not None:
            ca = "\n".join(ca[begin : begin + width] for begin in range(0, len(ca), width)) + "\n"
        kubeconfig(url, {"token": "canary-kube"}, **{"certificate-authority-data": ca})
        connections = Connections()
        one = (await connections.list())[1]
        assert (one.found, one.state, one.preferred) == ("kubeconfig", ConnectionState.READY, True)
        assert one.sign_in == "kubeconfig"
        assert one.host.endswith("/api/v1/namespaces/kubeflow/services/ml-pipeline:http/proxy")
        page = await connections.service("kubeflow").list_runs(RunQuery())
        assert [run.display_name for run in page.runs] == ["train"]
        assert "canary-kube" not in one.model_dump_json()
        await connections.close()


@in_loop
async def test_a_plugin_of_kubeconfig_is_run_again_when_its_token_is_refused(
    places: Path,
) -> None:
    api = KubernetesApi(pipelines_with_a_run(), "token-1")
    script, counter = places / "plugin.py", places / "counter"
    counter.write_text("0")
    script.write_text(
        f"import json, pathlib; f = pathlib.Path({str(counter)!r}); n = int(f.read_text()) + 1\n"
        "f.write_text(str(n))\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1',"
        " 'kind': 'ExecCredential', 'status': {'token': f'token-{n}'}}))"
    )
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
        "args": [str(script)], "interactiveMode": "Never",
    }  # fmt: skip
    async with serving(api.outside) as url:
        kubeconfig(url, {"exec": plugin})
        connections = Connections()
        connections.service("kubeflow")
        assert (await connections.list())[1].state is ConnectionState.READY
        api.token = f"token-{int(counter.read_text()) + 1}"
        page = await connections.service("kubeflow").list_runs(RunQuery())
        assert len(page.runs) == 1
        await connections.close()


@in_loop
async def test_a_client_certificate_of_kubeconfig_signs_in(places: Path) -> None:
    authority = Authority(places)
    api = KubernetesApi(pipelines_with_a_run(), "")
    async with serving(api.outside) as plain, tls(plain, authority.server_for_clients()) as url:
        certificate, key = (
            base64.b64encode(file.read_bytes()).decode() for file in authority.pair("ada")
        )
        kubeconfig(
            url,
            {"client-certificate-data": certificate, "client-key-data": key},
            **{"certificate-authority": str(authority.file)},
        )
        one = await found(Connections())
        assert one is not None
        assert one.state is ConnectionState.READY


@pytest.mark.parametrize("shown", ["token", "certificate"])
@in_loop
async def test_the_official_client_goes_through_the_api_server_too(
    places: Path, shown: str
) -> None:
    authority = Authority(places)
    api = KubernetesApi(pipelines_with_a_run(), "canary-kube" if shown == "token" else "")
    side = authority.server() if shown == "token" else authority.server_for_clients()

    def data(file: Path) -> str:
        return base64.b64encode(file.read_bytes()).decode()

    async with serving(api.outside) as plain, tls(plain, side) as url:
        user: dict[str, Any] = {"token": "canary-kube"}
        if shown == "certificate":
            certificate, key = authority.pair("ada")
            user = {"client-certificate-data": data(certificate), "client-key-data": data(key)}
        kubeconfig(url, user, **{"certificate-authority-data": data(authority.file)})
        runs = await asyncio.to_thread(lambda: client("kubeflow").list_runs(page_size=5).runs)
        assert [run.display_name for run in runs] == ["train"]


@in_loop
async def test_a_server_below_a_path_lists_its_namespaces_there() -> None:
    pipelines = Cluster()
    pipelines.multi_user = True
    api = KubernetesApi(pipelines, "x", "/k8s/clusters/c-1")
    async with serving(api.outside) as url:
        kubeconfig(f"{url}/k8s/clusters/c-1", {"token": "x"})
        connections = Connections()
        assert (await connections.namespaces("kubeflow")).namespaces == ["default", "kubeflow"]
        await connections.close()


@in_loop
async def test_a_cluster_without_pipelines_is_not_shown(places: Path) -> None:
    kubeconfig("https://127.0.0.1:9", {"token": "x"})
    assert await found(Connections()) is None
    kubeconfig("https://127.0.0.1:9", {}, **{"certificate-authority": "/gone/ca.crt"})
    assert await found(Connections()) is None

    async def nothing(request: Request) -> Answer:
        return Answer.json({"kind": "Status", "message": 'services "ml-pipeline" not found'}, 404)

    cluster = Cluster()
    cluster.routers.append(nothing)
    async with serving(cluster) as url:
        kubeconfig(url, {"token": "x"})
        assert await found(Connections()) is None


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "current-context: x", "clusters: 3\ncontexts: 4", "\x00"]
)
@in_loop
async def test_a_kubeconfig_to_nowhere_is_passed_over(content: str) -> None:
    write(KUBECONFIG, content)
    connections = Connections()
    assert [one.name for one in await connections.list()] == ["local"]
    await connections.close()


@in_loop
async def test_where_nothing_is_found_nothing_is_said(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("INFO")
    connections = Connections()
    (local,) = await connections.list()
    assert (local.name, local.state, local.preferred) == ("local", ConnectionState.READY, False)
    assert local.message == ""
    await connections.close()
    output = capfd.readouterr()
    assert not [record for record in caplog.records if record.name.startswith("jupyterlab")]
    assert output.out + output.err == ""


# --- finding is cheap ---------------------------------------------------------------------------


def test_finding_contacts_nobody_and_loads_nothing_heavy(pod: Path) -> None:
    kubeconfig("https://10.255.255.1", {"token": "x"})
    before = set(sys.modules)
    for _ in range(20):
        assert find_connection() is not None
    pod.unlink()
    (pod.parent.parent.parent / "kubernetes.io/serviceaccount/namespace").unlink()
    for _ in range(20):
        there = find_connection()
        assert there is not None
        assert there.place == "kubeconfig"
    assert not {
        name for name in set(sys.modules) - before if name.startswith(("kubernetes", "kfp"))
    }
