"""A remote endpoint's faults as they reach a client of the Jupyter server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from jupyterlab_pipelines.backends.kubeflow import failures
from jupyterlab_pipelines.models import NewConnection
from tests.kubeflow import Cluster, Sized, serving
from tests.kubeflow.__main__ import make
from tests.kubeflow.faults import (
    Exchange,
    Fault,
    Proxy,
    cuts_body,
    cuts_last_chunk,
    fault_proxy,
    is_silent,
    passes,
    redirects,
    shows_login,
)

RUNS = "apis/v2beta1/runs"


@pytest.fixture
def remote(
    connections: Any,
    http_server: Any,
    jp_serverapp: Any,
    jp_http_port: int,
    jp_base_url: str,
) -> Callable[..., Any]:
    """A connection to an endpoint behind a fault proxy, and a client of the Jupyter server."""

    @contextlib.asynccontextmanager
    async def opened(cluster: Cluster) -> AsyncIterator[tuple[Proxy, httpx.AsyncClient]]:
        base = f"http://127.0.0.1:{jp_http_port}{jp_base_url}pipelines/team/"
        headers = {"Authorization": f"Bearer {jp_serverapp.identity_provider.token}"}
        async with serving(cluster) as url, fault_proxy(url) as proxy:
            await connections.add(NewConnection(name="team", host=proxy.url))
            async with httpx.AsyncClient(base_url=base, headers=headers, timeout=20) as client:
                proxy.requests.clear()
                yield proxy, client
            await connections.remove("team")

    return opened


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(shows_login, 401, 16), (redirects("https://dex.example.com"), 401, 16), (is_silent, 504, 4)],
)
async def test_a_failure_reads_as_an_error_of_the_api(
    remote: Any, monkeypatch: pytest.MonkeyPatch, fault: Fault, status: int, code: int
) -> None:
    monkeypatch.setattr(failures, "IDLE_TIMEOUT", 0.3)
    async with remote(Cluster()) as (proxy, client):
        proxy.script(fault)
        answer = await client.get(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert proxy.url in answer.json()["message"]
        assert "location" not in answer.headers


@pytest.mark.parametrize("fault", [cuts_body(200), cuts_body(200, reset=True)])
async def test_a_list_that_breaks_off_is_a_bad_answer(remote: Any, fault: Fault) -> None:
    async with remote(full()) as (proxy, client):
        assert len((await client.get(RUNS)).json()["runs"]) == 20
        proxy.script(fault)
        answer = await client.get(RUNS)
        assert (answer.status_code, answer.json()["code"]) == (502, 14)
        assert proxy.url in answer.json()["message"]


async def test_what_breaks_off_on_its_way_is_cut_for_the_client_too(remote: Any) -> None:
    async with remote(full()) as (proxy, client):
        proxy.script(cuts_last_chunk)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(RUNS)


def full() -> Cluster:
    """An endpoint with a page of runs."""
    cluster = Cluster()
    for number in range(20):
        cluster.add_run(f"run {number}")
    return cluster


async def test_a_cut_artifact_is_cut_for_the_client_too(remote: Any) -> None:
    cluster, size = Cluster(), 3_000_001
    make(cluster, "minio", "mlpipeline", "big", Sized(size))
    run_id = next(iter(cluster.runs))
    async with remote(cluster) as (proxy, client):
        path = f"runs/{run_id}/artifact?artifact=make:big"
        assert (await client.get(path)).content == await everything(Sized(size))
        proxy.script(cuts_body(1_500_000))
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(path)


async def everything(content: Sized) -> bytes:
    return b"".join([piece async for piece in content.pieces(0, None)])


async def test_nothing_but_chunks_is_passed_on(remote: Any) -> None:
    """What is no chunk could be read as an answer of this server's."""
    forged = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"

    async def forges(exchange: Exchange) -> None:
        body = f"3\r\nabc\r\n0\r\nX: y\r\n\r\n{forged}"
        await exchange.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}".encode())

    async def breaks_in(exchange: Exchange) -> None:
        body = f"3\r\nabc\r\n{forged}"
        await exchange.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}".encode())

    cluster = Cluster()
    make(cluster, "minio", "mlpipeline", "big", Sized(3))
    path = f"runs/{next(iter(cluster.runs))}/artifact?artifact=make:big"
    async with remote(cluster) as (proxy, client):
        assert len((await client.get(path)).content) == 3
        proxy.script(forges)
        answer = await client.get(path)
        assert (answer.content, "X" in answer.headers) == (b"abc", False)
        assert (await client.get("apis/v2beta1/healthz")).content != b"forged"
        proxy.script(breaks_in)
        assert (await client.get(path)).status_code == 502


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "apis/v2beta1/workflows", 404),
        ("GET", "apis/v2beta1/runs/%2e%2e/%2e%2e/metrics", 404),
        ("GET", "apis/v2beta1/runs/a%0d%0aHost:%20evil", 404),
        ("GET", "apis/v1/namespaces", 404),
        ("PUT", RUNS, 405),
        ("DELETE", RUNS, 405),
        ("PATCH", f"{RUNS}/a", 405),
    ],
)
async def test_what_is_not_the_api_is_not_asked_for(
    remote: Any, method: str, path: str, status: int
) -> None:
    async with remote(Cluster()) as (proxy, client):
        answer = await client.request(method, path, json={})
        assert answer.status_code == status
        assert json.loads(answer.content)["message"]
        await asyncio.sleep(0.05)
        assert proxy.requests == []
        proxy.script(passes)
        assert (await client.get(RUNS)).status_code == 200
