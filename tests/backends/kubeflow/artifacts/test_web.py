"""Which web addresses are spoken to: those that the user listed, and nothing behind them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from jupyterlab_pipelines.backends.base import ArtifactContent
from jupyterlab_pipelines.backends.kubeflow.artifacts import web
from jupyterlab_pipelines.backends.kubeflow.artifacts.place import read_place
from jupyterlab_pipelines.backends.kubeflow.artifacts.source import Wanted
from jupyterlab_pipelines.backends.kubeflow.artifacts.web import WebHosts
from jupyterlab_pipelines.errors import (
    BadUpstream,
    Forbidden,
    NotFound,
    UnsupportedFeature,
    UpstreamError,
)
from tests.async_tests import in_loop
from tests.backends.kubeflow.sign_in.certificates import Authority
from tests.kubeflow.doors import tls

CONTENT = bytes(range(256)) * 100


class Listener(NamedTuple):
    """A real listener on every address of this machine, and what it was asked."""

    port: int
    requests: list[str]
    connections: list[str]


@contextlib.asynccontextmanager
async def listening(*answers: bytes) -> AsyncIterator[Listener]:
    """Answers one request after the other, the last answer again and again."""
    listener = Listener(0, [], [])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections.append(str(writer.get_extra_info("sockname")))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            listener.requests.append(head.decode())
            writer.write(answers[min(len(listener.requests), len(answers)) - 1])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    other = await asyncio.start_server(serve, "::1", port)
    try:
        yield listener._replace(port=port)
    finally:
        server.close()
        other.close()


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def opened(hosts: WebHosts, uri: str, start: int = 0, end: int | None = None) -> bytes:
    try:
        content: ArtifactContent = await hosts.open(Wanted("it", uri), read_place(uri), start, end)
        return b"".join([piece async for piece in content.body])
    finally:
        await hosts.close()


class Resolver:
    """Answers each question with the next address of its list, as a rebinding server does."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return [self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]]


HOSTILE = [
    # what no list can hold, or no reader may follow
    "file:///etc/passwd",
    "file://localhost/etc/passwd",
    "http:///x",
    "http://user@{listed}/x",
    "http://{listed}@127.0.0.1:{port}/x",
    "http://{listed}\\@127.0.0.1:{port}/x",
    "http://127.0.0.1:{port}\r\nX: y/x",
    "gopher://127.0.0.1:{port}/x",
    "ftp://127.0.0.1:{port}/x",
    # other hosts, however they are written
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}/x",
    "http://localhost:{port}/x",
    "http://[::1]:{port}/x",
    "http://[::ffff:127.0.0.1]:{port}/x",
    "http://[::ffff:7f00:1]:{port}/x",
    "http://2130706433:{port}/x",
    "http://0x7f000001:{port}/x",
    "http://0177.0.0.1:{port}/x",
    "http://127.1:{port}/x",
    "http://0:{port}/x",
    "http://0.0.0.0:{port}/x",
    "http://[::]:{port}/x",
    "http://127。0。0。1:{port}/x",
    "http://listed.example.com.evil.org:{port}/x",
    "http://evil-listed.example.com:{port}/x",
    "http://{listed}:99999/x",
    "https://127.0.0.1:{port}/x",
]


@pytest.mark.parametrize("uri", HOSTILE)
@in_loop
async def test_an_address_that_is_not_listed_is_never_asked(uri: str) -> None:
    async with listening(http(CONTENT)) as listener:
        listed = f"listed.example.com:{listener.port}"
        hosts = WebHosts([listed, "listed.example.com"], Resolver("127.0.0.1"))
        with pytest.raises((Forbidden, UnsupportedFeature)):
            await opened(hosts, uri.format(port=listener.port, listed=listed))
        assert (listener.requests, listener.connections) == ([], [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1",
        "fd00:ec2::254", "100.100.100.200", "224.0.0.1", "240.0.0.1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "2002:7f00:1::", "64:ff9b::7f00:1", "::127.0.0.1",
    ],
)  # fmt: skip
@in_loop
async def test_a_listed_name_may_not_lead_inside(address: str) -> None:
    """DNS says anything: what it says is checked, and nobody at such an address is spoken to."""
    async with listening(http(CONTENT)) as listener:
        hosts = WebHosts([f"data.example.com:{listener.port}"], Resolver(address))
        with pytest.raises(Forbidden, match="this machine"):
            await opened(hosts, f"http://data.example.com:{listener.port}/x")
        assert (listener.requests, listener.connections) == ([], [])


@pytest.mark.parametrize("scheme", ["http", "https"])
@in_loop
async def test_the_address_that_was_checked_is_the_one_spoken_to(scheme: str) -> None:
    """A name that is bound to another address a moment later is not asked for again."""
    resolver = Resolver("192.0.2.1", "127.0.0.1")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(CONTENT))

    hosts = WebHosts(["data.example.com"], resolver, transport=httpx.MockTransport(answer))
    assert await opened(hosts, f"{scheme}://data.example.com/x") == CONTENT
    (request,) = seen
    assert request.url.host == "192.0.2.1"
    assert request.headers["Host"] == "data.example.com"
    # The certificate has to be the name's, not the address's.
    assert request.extensions["sni_hostname"] == "data.example.com"
    assert resolver.asked == ["data.example.com"]


@in_loop
async def test_a_certificate_is_the_names_not_the_addresss(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(web, "_is_inside", lambda address: False)  # it is here, all the same
    authority = Authority(tmp_path)
    async with listening(http(CONTENT)) as listener:
        plain = f"http://127.0.0.1:{listener.port}"
        for named, trusted in (("data.example.com", True), ("other.example.com", False)):
            async with tls(plain, authority.server(host=named), "data.example.com") as url:
                host = url.removeprefix("https://")
                hosts = WebHosts([host], Resolver("127.0.0.1"), ca_file=str(authority.file))
                if trusted:
                    assert await opened(hosts, f"{url}/x") == CONTENT
                else:
                    with pytest.raises(UpstreamError, match="certificate"):
                        await opened(hosts, f"{url}/x")


@in_loop
async def test_a_listed_host_is_read_by_range() -> None:
    part = http(CONTENT[5:10], f"Content-Range: bytes 5-9/{len(CONTENT)}", status="206 Partial")
    async with listening(http(CONTENT), part) as listener:
        listed = f"127.0.0.1:{listener.port}"
        uri = f"http://{listed}/data/größe%20a b.bin?version=1"
        assert await opened(WebHosts([listed]), uri) == CONTENT
        assert await opened(WebHosts([listed]), uri, 5, 10) == CONTENT[5:10]
        first, second = listener.requests
        assert first.startswith("GET /data/gr%C3%B6%C3%9Fe%20a%20b.bin?version=1 HTTP/1.1\r\n")
        assert f"Host: {listed}\r\n" in first
        assert "Range: bytes=5-9\r\n" in second


@in_loop
async def test_another_part_than_was_asked_for_is_refused() -> None:
    part = http(b"abc", "Content-Range: bytes 0-2/10", status="206 Partial Content")
    async with listening(part) as listener:
        listed = f"127.0.0.1:{listener.port}"
        with pytest.raises(BadUpstream, match="another part"):
            await opened(WebHosts([listed]), f"http://{listed}/x", 4, 7)


@pytest.mark.parametrize(
    ("location", "followed"),
    [
        ("/elsewhere", True),
        ("http://169.254.169.254/latest", False),
        ("http://[::1]:{port}/x", False),
        ("https://127.0.0.1:{port}/x", False),
        ("//evil.example.org/x", False),
        ("file:///etc/passwd", False),
        ("http://127.0.0.1:1/x", False),
    ],
)
@in_loop
async def test_only_a_redirect_that_stays_is_followed(location: str, followed: bool) -> None:
    async with listening(http(CONTENT)) as other:
        target = location.format(port=other.port)
        answers = http(b"", f"Location: {target}", status="302 Found"), http(CONTENT)
        async with listening(*answers) as listener:
            hosts = WebHosts([f"127.0.0.1:{listener.port}"])
            uri = f"http://127.0.0.1:{listener.port}/x"
            if followed:
                assert await opened(hosts, uri) == CONTENT
            else:
                with pytest.raises((Forbidden, UnsupportedFeature)):
                    await opened(hosts, uri)
            assert len(listener.requests) == 1 + followed
        assert other.connections == []


@in_loop
async def test_a_circle_ends_and_a_missing_file_is_missing() -> None:
    async with listening(http(b"", "Location: /x", status="302 Found")) as listener:
        with pytest.raises(UpstreamError, match="again and again"):
            await opened(
                WebHosts([f"127.0.0.1:{listener.port}"]), f"http://127.0.0.1:{listener.port}/x"
            )
        assert len(listener.requests) == 6
    async with listening(http(b"", status="404 Not Found")) as listener:
        with pytest.raises(NotFound):
            await opened(
                WebHosts([f"127.0.0.1:{listener.port}"]), f"http://127.0.0.1:{listener.port}/x"
            )
