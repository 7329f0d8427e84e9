"""How requests are sent: by the environment's proxies, byte for byte, and never twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from jupyterlab_pipelines.backends.kubeflow.tls import default_context
from jupyterlab_pipelines.backends.kubeflow.transport import AiohttpTransport
from tests.async_tests import in_loop

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Heard:
    """A server that keeps what it hears, and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.address = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Two requests a connection; the second one is cut off instead of answered."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(OK)
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def heard() -> AsyncIterator[Heard]:
    there = Heard()
    server = await asyncio.start_server(there.answer, "127.0.0.1", 0)
    there.address = "http://127.0.0.1:{1}".format(*server.sockets[0].getsockname())
    try:
        yield there
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=AiohttpTransport(default_context())) as one:
        yield one


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
@pytest.mark.parametrize("scheme", ["http://", ""])
@in_loop
async def test_a_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
) -> None:
    async with heard() as proxy:
        monkeypatch.setenv(variable, scheme + proxy.address.removeprefix("http://"))
        async with client() as asking:
            answer = await asking.get("http://kubeflow.example.org/apis?a=1")
    assert answer.text == "ok"
    assert proxy.requests[0].startswith(b"GET http://kubeflow.example.org/apis?a=1 HTTP/1.1")


@in_loop
async def test_a_host_that_needs_no_proxy_is_asked_directly(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with heard() as proxy, heard() as host:
        monkeypatch.setenv("http_proxy", proxy.address)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with client() as asking:
            assert (await asking.get(host.address)).text == "ok"
    assert (len(proxy.requests), len(host.requests)) == (0, 1)


@in_loop
async def test_a_proxy_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with client() as asking:
        with pytest.raises(httpx.ProxyError):
            await asking.get("http://kubeflow.example.org/")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@in_loop
async def test_nothing_is_sent_twice(method: str) -> None:
    async with heard() as host, client() as asking:
        await asking.request(method, host.address)
        with pytest.raises(httpx.TransportError):
            await asking.request(method, host.address)
        assert len(host.requests) == 2


@in_loop
async def test_what_is_sent_is_what_was_asked() -> None:
    async with heard() as host, client() as asking:
        await asking.get(f"{host.address}/a%2Fb/..%2f?q=%7B%7D&r=a+b", headers={"X-A": "1"})
    line, *headers = host.requests[0].decode().split("\r\n")
    assert line == "GET /a%2Fb/..%2f?q=%7B%7D&r=a+b HTTP/1.1"
    assert "X-A: 1" in headers
    assert not [one for one in headers if "aiohttp" in one.lower()]


def upload(*pieces: bytes) -> Callable[[], AsyncIterator[bytes]]:
    async def pass_on() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    return pass_on


@pytest.mark.parametrize("length", [None, "4"])
@in_loop
async def test_a_body_in_pieces_goes_out_in_pieces(length: str | None) -> None:
    async with heard() as host, client() as asking:
        headers = {"Content-Length": length} if length else {}
        await asking.post(host.address, content=upload(b"ab", b"cd")(), headers=headers)
    head = host.requests[0].lower()
    assert (b"content-length: 4" in head) is bool(length)
    assert (b"transfer-encoding: chunked" in head) is not length
