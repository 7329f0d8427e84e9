"""Bodies in both directions: as fast as the slower side, and a cut is seen as a cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from jupyterlab_pipelines.backends.base import (
    ApiRequest,
    ApiResponse,
    ArtifactContent,
    Stream,
    Write,
)
from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.errors import BadUpstream, NotFound
from jupyterlab_pipelines.service import Service
from tests.routes.conftest import RUN_ID

MIB = 1 << 20
PIECE = bytes(64 << 10)


class Scripted:
    """A backend whose answers the test writes."""

    def __init__(self) -> None:
        self.requests: list[ApiRequest] = []
        self.answer: Callable[[ApiRequest], Awaitable[ApiResponse]] | None = None
        self.content: ArtifactContent | None = None

    async def api(self, request: ApiRequest) -> ApiResponse:
        self.requests.append(request)
        assert self.answer is not None
        return await self.answer(request)

    async def open_artifact(self, *_: Any) -> ArtifactContent:
        assert self.content is not None
        return self.content


class Line:
    """A connection of its own, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer."""
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:] if line)
        return int(lines[0].split()[1]), {name.lower(): text for name, text in headers.items()}


def hand_out(service: Service, connections: Connections, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every request answered by this service."""

    async def ready_service(name: str) -> Service:
        return service

    monkeypatch.setattr(connections, "ready_service", ready_service)


@pytest.fixture
def scripted(connections: Any, monkeypatch: pytest.MonkeyPatch) -> Scripted:
    backend = Scripted()
    hand_out(Service(backend, "local"), connections, monkeypatch)  # type: ignore[arg-type]
    return backend


@pytest.fixture
def dial(
    jp_serverapp: Any, http_server: Any, jp_http_port: int, jp_base_url: str, jp_asyncio_loop: Any
) -> Iterator[Callable[..., Awaitable[Line]]]:
    lines: list[Line] = []

    async def open_line(method: str, path: str, *headers: str, version: str = "1.1") -> Line:
        line = Line(*await asyncio.open_connection("127.0.0.1", jp_http_port))
        lines.append(line)
        token = f"Authorization: Bearer {jp_serverapp.identity_provider.token}"
        start = f"{method} {jp_base_url}pipelines/local/{path} HTTP/{version}"
        text = "\r\n".join([start, "Host: 127.0.0.1", token, *headers, "", ""])
        line.writer.write(text.encode())
        return line

    async def hang_up() -> None:
        for line in lines:
            line.writer.transport.abort()
        await asyncio.sleep(0)

    yield open_line
    jp_asyncio_loop.run_until_complete(hang_up())


def answers(
    body: Callable[[], AsyncIterator[bytes]] | bytes, status: int = 200, **headers: str
) -> Callable[[ApiRequest], Awaitable[ApiResponse]]:
    named = {name.replace("_", "-"): text for name, text in headers.items()}

    async def answer(request: ApiRequest) -> ApiResponse:
        return ApiResponse(status, named, body if isinstance(body, bytes) else body())

    return answer


async def broken() -> AsyncIterator[bytes]:
    yield b'{"runs": ['
    raise BadUpstream("The endpoint broke off its answer.")


async def never_began() -> AsyncIterator[bytes]:
    raise NotFound("It is gone.")
    yield b""


# --- towards the client -------------------------------------------------------------------------


async def test_a_small_answer_that_breaks_off_is_an_error(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(broken, Content_Type="application/json", Content_Length="1000")
    line = await dial("GET", "apis/v2beta1/runs")
    status, headers = await line.head()
    assert status == 502
    body = json.loads(await line.reader.readexactly(int(headers["content-length"])))
    assert "broke off" in body["message"]


async def test_a_packed_answer_says_that_it_is(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(b"packed", Content_Type="application/json", Content_Encoding="gzip")
    line = await dial("GET", "apis/v2beta1/runs")
    status, headers = await line.head()
    assert (status, headers["content-encoding"]) == (200, "gzip")


async def test_a_cut_answer_of_known_length_is_cut(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(broken, Content_Type="application/json", Content_Length=str(4 * MIB))
    line = await dial("GET", "apis/v2beta1/runs")
    status, headers = await line.head()
    assert (status, headers["content-length"]) == (200, str(4 * MIB))
    assert await asyncio.wait_for(line.reader.read(), 5) == b'{"runs": ['


async def test_a_cut_answer_of_unknown_length_has_no_end(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(broken, Content_Type="application/json")
    line = await dial("GET", "apis/v2beta1/runs")
    status, headers = await line.head()
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    rest = await asyncio.wait_for(line.reader.read(), 5)
    assert b'{"runs": [' in rest
    assert b"\r\n0\r\n" not in rest


async def test_a_cut_artifact_is_cut(scripted: Scripted, dial: Any) -> None:
    scripted.content = ArtifactContent(broken(), "text/plain", "x.txt", 1000, 0, 1000)
    line = await dial("GET", f"runs/{RUN_ID}/artifact?artifact=a:b")
    assert (await line.head())[1]["content-length"] == "1000"
    assert await asyncio.wait_for(line.reader.read(), 5) == b'{"runs": ['


async def by_pieces() -> AsyncGenerator[bytes, None]:
    yield b"by "
    yield b"pieces"


@pytest.fixture
def passing(scripted: Scripted) -> Callable[..., asyncio.Event]:
    """Lays out an artifact that comes in chunks; what is given back is set when it is closed."""

    def lay_out(
        pass_on: Callable[[Write], Awaitable[None]], size: int | None = None
    ) -> asyncio.Event:
        closed = asyncio.Event()
        body = Stream(by_pieces(), closed.set, pass_on)
        scripted.content = ArtifactContent(body, "text/plain", "x.txt", size, 0, size)
        return closed

    return lay_out


async def two_chunks(write: Write) -> None:
    await write(memoryview(b"3\r\nabc\r\n"))
    await write(memoryview(b"04\r\ndefg\r\n"))


async def test_chunks_go_out_as_they_came(passing: Any, dial: Any) -> None:
    closed = passing(two_chunks)
    line = await dial("GET", f"runs/{RUN_ID}/artifact?artifact=a:b", "Connection: close")
    status, headers = await line.head()
    assert (status, headers["transfer-encoding"]) == (200, "chunked")
    assert "content-length" not in headers
    rest = await asyncio.wait_for(line.reader.read(), 5)
    assert rest == b"3\r\nabc\r\n04\r\ndefg\r\n0\r\n\r\n"
    assert closed.is_set()


async def test_the_connection_serves_on_after_chunks(passing: Any, fetch: Any, dial: Any) -> None:
    passing(two_chunks)
    assert (await fetch()).body == b"abcdefg"
    line = await dial("GET", f"runs/{RUN_ID}/artifact?artifact=a:b")
    await line.head()
    await line.reader.readuntil(b"\r\n0\r\n\r\n")
    line.writer.write(b"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert (await line.head())[0] in (302, 404)


async def test_no_chunk_at_all_is_an_empty_answer(passing: Any, fetch: Any) -> None:
    async def none(write: Write) -> None:
        """Writes nothing."""

    passing(none)
    answer = await fetch()
    assert (answer.code, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("method", "version", "size", "content"),
    [
        ("GET", "1.0", None, b"by pieces"),
        ("GET", "1.1", 9, b"by pieces"),
        ("HEAD", "1.1", None, b""),
    ],
)
async def test_who_takes_no_chunks_gets_pieces(
    passing: Any, dial: Any, method: str, version: str, size: int | None, content: bytes
) -> None:
    async def never(write: Write) -> None:
        raise AssertionError("Nobody asked for chunks.")

    closed = passing(never, size)
    path = f"runs/{RUN_ID}/artifact?artifact=a:b"
    line = await dial(method, path, "Connection: close", version=version)
    assert (await line.head())[0] == 200
    assert await asyncio.wait_for(line.reader.read(), 5) == content
    assert closed.is_set()


async def test_an_error_before_the_first_chunk_is_an_error(passing: Any, fetch: Any) -> None:
    async def gone(write: Write) -> None:
        raise NotFound("It is gone.")

    closed = passing(gone)
    answer = await fetch()
    assert (answer.code, json.loads(answer.body)["code"]) == (404, "NotFound")
    assert closed.is_set()


async def test_chunks_that_break_off_have_no_end(passing: Any, dial: Any) -> None:
    async def breaks(write: Write) -> None:
        await write(memoryview(b"3\r\nabc"))
        raise BadUpstream("The endpoint broke off its answer.")

    closed = passing(breaks)
    line = await dial("GET", f"runs/{RUN_ID}/artifact?artifact=a:b")
    assert (await line.head())[0] == 200
    assert await asyncio.wait_for(line.reader.read(), 5) == b"3\r\nabc"
    assert closed.is_set()


async def test_who_leaves_chunks_is_written_no_more(passing: Any, dial: Any) -> None:
    async def endless(write: Write) -> None:
        while True:
            await write(memoryview(b"10000\r\n" + PIECE + b"\r\n"))

    closed = passing(endless)
    line = await dial("GET", f"runs/{RUN_ID}/artifact?artifact=a:b")
    await line.head()
    line.writer.transport.abort()
    await asyncio.wait_for(closed.wait(), 5)


class Shelf(Scripted):
    """A backend whose artifact is `data`, of a size and a tag that its store may not tell."""

    data = bytes(range(256)) * 40
    size: int | None = len(data)
    tag = "first"

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        piece = self.data[start:end]

        async def body() -> AsyncIterator[bytes]:
            if piece:
                yield piece

        stop = end if self.size is None else start + len(piece)
        return ArtifactContent(body(), "text/plain", "x", self.size, start, stop, self.tag)


@pytest.fixture
def shelf(connections: Any, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    backend = Shelf()
    hand_out(Service(backend, "local"), connections, monkeypatch)  # type: ignore[arg-type]
    return backend


@pytest.fixture
def fetch(ask: Any, jp_serverapp: Any) -> Callable[..., Awaitable[Any]]:
    token = {"Authorization": f"Bearer {jp_serverapp.identity_provider.token}"}
    return lambda method="GET", **headers: ask(
        f"local/{ARTIFACT}",
        method,
        headers=token | {name.replace("_", "-"): text for name, text in headers.items()},
    )


ARTIFACT = f"runs/{RUN_ID}/artifact?artifact=a:b"


async def test_a_download_is_gone_on_with_while_it_is_the_same(shelf: Shelf, fetch: Any) -> None:
    head = await fetch("HEAD")
    assert (head.code, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(shelf.data))
    assert head.headers["Accept-Ranges"] == "bytes"
    resume = {"Range": "bytes=100-", "If_Range": head.headers["ETag"]}
    part = await fetch(**resume)
    assert (part.code, part.body) == (206, shelf.data[100:])
    shelf.tag = "second"  # the same size, other bytes
    whole = await fetch(**resume)
    assert (whole.code, whole.body) == (200, shelf.data)
    assert whole.headers["ETag"] != head.headers["ETag"]


async def test_a_part_of_what_has_no_known_size_is_the_whole(shelf: Shelf, fetch: Any) -> None:
    """Without the size no part can be named, and a part must never pass for the whole."""
    shelf.size = None
    answer = await fetch(Range="bytes=100-")
    assert (answer.code, answer.body) == (200, shelf.data)
    assert "Content-Range" not in answer.headers
    assert "Accept-Ranges" not in answer.headers
    head = await fetch("HEAD")
    assert (head.code, head.headers.get("Content-Length")) == (200, None)


async def test_an_error_before_the_first_piece_is_an_error(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(never_began, Content_Length="1000")
    line = await dial("GET", "apis/v2beta1/runs", "Connection: close")
    status, headers = await line.head()
    assert status == 404
    body = json.loads(await line.reader.readexactly(int(headers["content-length"])))
    assert (body["code"], body["message"][:11]) == (5, "It is gone.")


async def test_a_slow_reader_holds_the_backend_back(scripted: Scripted, dial: Any) -> None:
    """Of 1 GiB, only what fits between here and there is ever made."""
    made = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal made
        while made < 1024 * MIB:
            made += len(PIECE)
            yield PIECE

    scripted.answer = answers(endless, Content_Length=str(1024 * MIB))
    line = await dial("GET", "apis/v2beta1/artifacts/x:read")
    await line.head()
    line.reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(1)
    settled = made
    assert settled < 32 * MIB
    await asyncio.sleep(0.3)
    assert made == settled
    line.reader._transport.resume_reading()  # type: ignore[attr-defined]
    got = 0
    while got < 64 * MIB:
        got += len(await line.reader.read(MIB))
    assert made > settled


async def test_what_a_client_leaves_is_closed(scripted: Scripted, dial: Any) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield PIECE
        finally:
            closed.set()

    scripted.answer = answers(endless)
    line = await dial("GET", "apis/v2beta1/artifacts/x:read")
    await line.head()
    line.writer.transport.abort()
    await asyncio.wait_for(closed.wait(), 5)


async def test_only_harmless_headers_come_back(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(
        b"<script>alert(1)</script>",
        Content_Type="text/html",
        Set_Cookie="session=stolen",
        Content_Security_Policy="default-src *",
        Access_Control_Allow_Origin="*",
        Location="https://evil.example.org",
        Retry_After="3",
    )
    line = await dial("GET", "apis/v2beta1/runs")
    _, headers = await line.head()
    assert headers["content-type"] == "text/html"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["retry-after"] == "3"
    assert "session" not in headers.get("set-cookie", "")
    assert headers.get("access-control-allow-origin") != "*"
    assert "location" not in headers


# --- towards the backend ------------------------------------------------------------------------


async def test_a_backend_reads_what_has_come_so_far(scripted: Scripted, dial: Any) -> None:
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def reading(request: ApiRequest) -> ApiResponse:
        assert not isinstance(request.body, bytes)
        async for piece in request.body:
            await pieces.put(piece)
        return ApiResponse(200, {}, b"{}")

    scripted.answer = reading
    line = await dial("POST", "apis/v2beta1/pipelines/upload?name=x", "Content-Length: 11")
    line.writer.write(b"first")
    assert await asyncio.wait_for(pieces.get(), 5) == b"first"
    line.writer.write(b"second")
    assert await asyncio.wait_for(pieces.get(), 5) == b"second"
    assert (await line.head())[0] == 200
    (request,) = scripted.requests
    assert (request.method, request.path) == ("POST", "/apis/v2beta1/pipelines/upload")
    assert list(request.query) == [("name", "x")]


async def test_a_slow_backend_holds_the_client_back(scripted: Scripted, dial: Any) -> None:
    release = asyncio.Event()
    received = 0

    async def reading(request: ApiRequest) -> ApiResponse:
        nonlocal received
        await release.wait()
        assert not isinstance(request.body, bytes)
        async for piece in request.body:
            received += len(piece)
        return ApiResponse(200, {}, b"{}")

    scripted.answer = reading
    size = 64 * MIB
    line = await dial("POST", "apis/v2beta1/pipelines/upload", f"Content-Length: {size}")
    sent = 0

    async def pour() -> None:
        nonlocal sent
        while sent < size:
            line.writer.write(PIECE)
            await line.writer.drain()
            sent += len(PIECE)

    pouring = asyncio.create_task(pour())
    await asyncio.sleep(1)
    assert 0 < sent < 32 * MIB
    release.set()
    await asyncio.wait_for(pouring, 30)
    assert (await line.head())[0] == 200
    assert received == size


async def test_an_answer_may_come_before_the_body_is_read(scripted: Scripted, dial: Any) -> None:
    scripted.answer = answers(b'{"error": "too large"}', status=400)
    line = await dial("POST", "apis/v2beta1/pipelines/upload", f"Content-Length: {8 * MIB}")
    for _ in range(8 * MIB // len(PIECE)):
        line.writer.write(PIECE)
        await line.writer.drain()
    assert (await asyncio.wait_for(line.head(), 10))[0] == 400


async def test_one_who_hangs_up_takes_the_request_back(scripted: Scripted, dial: Any) -> None:
    cancelled = asyncio.Event()

    async def reading(request: ApiRequest) -> ApiResponse:
        try:
            assert not isinstance(request.body, bytes)
            async for _ in request.body:
                pass
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return ApiResponse(200, {}, b"{}")

    scripted.answer = reading
    line = await dial("POST", "apis/v2beta1/pipelines/upload", "Content-Length: 100")
    line.writer.write(b"some")
    await line.writer.drain()
    await asyncio.sleep(0.2)
    line.writer.transport.abort()
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_a_backend_never_sees_the_browsers_secrets(
    scripted: Scripted, dial: Any, jp_serverapp: Any
) -> None:
    scripted.answer = answers(b"{}")
    secrets = ("Cookie: _xsrf=canary; session=canary", "X-XSRFToken: canary", "X-Api-Key: canary")
    query = f"token={jp_serverapp.identity_provider.token}&_xsrf=canary&page_size=3"
    line = await dial("GET", f"apis/v2beta1/runs?{query}", *secrets, "Accept: a/b")
    assert (await line.head())[0] == 200
    (request,) = scripted.requests
    assert dict(request.headers) == {"Accept": "a/b"}
    assert list(request.query) == [("page_size", "3")]


async def test_no_backend_hears_of_what_is_refused(
    scripted: Scripted, ask: Any, jp_serverapp: Any
) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await ask("local/apis/v2beta1/runs", "POST", headers=headers, body=b"x" * MIB)
        assert answer.code == 403
        assert json.loads(answer.body)["code"] == 7
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("apis/v2beta1/runs", "execute"),
        ("apis/v2beta1/%72uns", "execute"),
        ("apis/v1beta1/%6Aobs", "execute"),
        ("apis/v2beta1/runs/a%3Aretry", "execute"),
        ("apis/v2beta1/experiments", "write"),
    ],
)
async def test_starting_a_run_needs_the_right_to_execute_however_it_is_written(
    scripted: Scripted,
    ask: Any,
    jp_serverapp: Any,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    action: str,
) -> None:
    asked = []

    def allow(handler: Any, user: Any, wanted: str, resource: str) -> bool:
        asked.append(wanted)
        return True

    monkeypatch.setattr(jp_serverapp.authorizer, "is_authorized", allow)
    scripted.answer = answers(b"{}")
    token = {"Authorization": f"Bearer {jp_serverapp.identity_provider.token}"}
    assert (await ask(f"local/{path}", "POST", headers=token)).code == 200
    assert asked == [action]
