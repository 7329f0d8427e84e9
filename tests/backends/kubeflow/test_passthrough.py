"""Kubeflow's own dialect through us: only its paths, nobody's cookies, no cut taken for an end."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import kfp_server_api.api
import pytest

from jupyterlab_pipelines.backends.base import ApiRequest
from jupyterlab_pipelines.backends.kubeflow import BearerToken, KubeflowBackend, failures
from jupyterlab_pipelines.backends.kubeflow.api_paths import verbs_of
from jupyterlab_pipelines.backends.kubeflow.passthrough import checked_path
from jupyterlab_pipelines.errors import BadUpstream, NotFound, SignInNeeded, UpstreamTimeout
from jupyterlab_pipelines.service import close_stream
from tests.async_tests import in_loop
from tests.backends.kubeflow.faults import fault_server, http, sends
from tests.kubeflow import Answer, Cluster, Request, serving

HOST = "https://kubeflow.example.com"


@pytest.mark.parametrize(
    "path",
    [
        "/apis/v2beta1/runs",
        "/apis/v2beta1/runs/0c7a:archive",
        "/apis/v2beta1/runs/0c7a%3Aarchive",
        "/apis/v1beta1/healthz",
        "/apis/v1alpha1/runs/a/nodes/b/log",
        "/apis/v2beta1/pipelines/names/my%20pipeline",
    ],
)
def test_the_apis_own_paths_pass(path: str) -> None:
    passed, verbs = checked_path(path)
    assert passed == path
    assert verbs


def test_whatever_the_official_client_can_call_passes() -> None:
    """But for the reports of Kubeflow's own agents, and services that it never registered."""
    calls = {
        (method, path)
        for module in Path(kfp_server_api.api.__path__[0]).glob("*_api.py")
        for path, method in re.findall(
            r"call_api\(\s*'(/apis/[^']+)', '([A-Z]+)'", module.read_text()
        )
    }
    refused = {
        path
        for method, path in calls
        if method not in verbs_of(re.sub(r"\{[^}]*\}", "some-id", path))
    }
    assert len(calls) > 35
    assert refused == {
        "/apis/v2beta1/auth",
        "/apis/v2beta1/filters",
        "/apis/v2beta1/scheduledworkflows",
        "/apis/v2beta1/visualizations/{namespace}",
        "/apis/v2beta1/workflows",
    }


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/healthz",
        "/apis/v2beta1",
        "/apis/v2beta1/../v3",
        "/apis/v2beta1/./runs",
        "/apis/v2beta1/%2e%2e/x",
        "/apis/v2beta1/%252e%252e/x",
        "/apis/v2beta1/%25252e%25252e/x",
        "/apis/v2beta1/..%2fx",
        "/apis/v2beta1/..%5cx",
        "/apis/v2beta1/a\\b",
        "/apis/v2beta1//runs",
        "/apis/v2beta1/runs\r\nHost: evil",
        "/apis/v2beta1/runs%0d%0aHost:%20evil",
        "/apis/v2beta1/runs%00",
        "/apis/v2beta1/a b",
        "/apis/v2beta1/runs?x=1",
        "/apis/v2beta1/runs#x",
        "/apis/v9/runs",
        "/apis/v2beta1/workflows",
        "/apis/v2beta1/scheduledworkflows",
        "/apis/v1alpha1/tasks",
        "/apis/v2beta1/runs/a/b",
        "/apis/v2beta1/runs/a:explode",
        "/apis/v2beta1/runs/a%2Fnodes",
        "/apis/v2beta1/%2572uns",
        "/apis/v2beta1/runs/",
        "/apis/v2beta1/anything",
        "@evil.example.org/apis/v2beta1/runs",
        "http://169.254.169.254/apis/v2beta1/runs",
        "/ml_metadata.MetadataStoreService/GetArtifacts",
    ],
)
def test_no_other_path_passes(path: str) -> None:
    with pytest.raises(NotFound):
        checked_path(path)


def _backend(handler: object) -> KubeflowBackend:
    transport = httpx.MockTransport(handler)  # type: ignore[arg-type]
    return KubeflowBackend(HOST, BearerToken("ours"), transport=transport)


@in_loop
async def test_only_what_the_api_needs_is_sent_on() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    await _backend(handler).api(
        ApiRequest(
            "GET",
            "/apis/v2beta1/runs",
            query=[("filter", '{"a": "b c"}'), ("page_size", "2"), ("page_size", "3")],
            headers={
                "Authorization": "token of-the-browser",
                "Cookie": "session=secret",
                "X-Forwarded-For": "1.2.3.4",
                "kubeflow-userid": "someone@else",
                "Host": "evil.example.org",
                "Accept": "application/json",
            },
        )
    )
    (request,) = seen
    assert request.headers["Authorization"] == "Bearer ours"
    assert request.headers["Host"] == "kubeflow.example.com"
    assert not {"cookie", "x-forwarded-for", "kubeflow-userid"} & request.headers.keys()
    assert request.url.params.multi_items() == [
        ("filter", '{"a": "b c"}'), ("page_size", "2"), ("page_size", "3"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("TRACE", "/apis/v2beta1/runs", "GET, POST"),
        ("BREW", "/apis/v2beta1/healthz", "GET"),
        ("PUT", "/apis/v2beta1/pipelines/a", "DELETE, GET, PATCH"),
        ("DELETE", "/apis/v2beta1/runs", "GET, POST"),
        ("GET", "/apis/v2beta1/runs/a:terminate", "POST"),
        ("POST", "/apis/v2beta1/runs/a/nodes/b/artifacts/main-logs:read", "GET"),
    ],
)
@in_loop
async def test_no_other_verb_passes(verb: str, path: str, allowed: str) -> None:
    backend = _backend(lambda request: pytest.fail("must not be asked"))
    answer = await backend.api(ApiRequest(verb, path))
    assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["code"] == 12


@in_loop
async def test_a_visualization_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "IDLE_TIMEOUT", 0.3)
    cluster = Cluster()

    async def slowly(request: Request) -> Answer:
        await asyncio.sleep(1)
        return Answer.json({"html": "<p>"})

    cluster.routers.append(slowly)
    async with serving(cluster) as host:
        backend = KubeflowBackend(host)
        drawn = await backend.api(ApiRequest("POST", "/apis/v1beta1/visualizations/ns", body=b"{}"))
        assert drawn.status == 200
        await close_stream(drawn.body)
        with pytest.raises(UpstreamTimeout, match="not answered"):
            await backend.api(ApiRequest("POST", "/apis/v1beta1/runs", body=b"{}"))
        await backend.close()


@in_loop
async def test_a_login_page_is_no_answer() -> None:
    page = httpx.Response(200, html="<form>")
    with pytest.raises(SignInNeeded):
        await _backend(lambda request: page).api(ApiRequest("GET", "/apis/v2beta1/runs"))


@in_loop
async def test_a_body_is_streamed_to_the_endpoint() -> None:
    """The endpoint has the first piece before the second one exists."""
    arrived = asyncio.Event()
    received = bytearray()

    async def consume(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not received.endswith(b"0\r\n\r\n"):
            received.extend(await reader.read(1 << 16))
            if b"first" in received:
                arrived.set()
        writer.write(http(b"{}", "Content-Type: application/json"))
        await writer.drain()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.wait_for(arrived.wait(), 5)
        yield b"second"

    async with fault_server(consume) as (host, requests):
        backend = KubeflowBackend(host)
        answer = await backend.api(
            ApiRequest("POST", "/apis/v2beta1/pipelines/upload", body=pieces())
        )
        assert answer.status == 200
        assert not isinstance(answer.body, bytes)
        assert b"".join([piece async for piece in answer.body]) == b"{}"
        assert b"second" in received
        assert requests[0].startswith(b"POST /apis/v2beta1/pipelines/upload")
        await backend.close()


@in_loop
async def test_an_answer_that_breaks_off_raises_in_the_middle() -> None:
    cut = sends(http(b'{"runs": [', "Content-Type: application/json", length=1000))
    async with fault_server(cut) as (host, _):
        backend = KubeflowBackend(host)
        answer = await backend.api(ApiRequest("GET", "/apis/v2beta1/runs"))
        assert answer.headers["content-length"] == "1000"
        assert not isinstance(answer.body, bytes)
        assert await anext(answer.body) == b'{"runs": ['
        with pytest.raises(BadUpstream, match="broke off"):
            await anext(answer.body)
        await backend.close()
