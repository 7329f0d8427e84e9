"""Large bodies as they are read off a socket: whole or an error, and no faster than they go out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from jupyterlab_pipelines.backends.kubeflow.tls import default_context
from jupyterlab_pipelines.backends.kubeflow.transport import AiohttpTransport
from tests.async_tests import in_loop

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


class Host:
    """A server that says what the test has written, and keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.url = ""
        self.gone = asyncio.Event()


@contextlib.asynccontextmanager
async def host(*answer: bytes, reset: bool = False, stays: bool = False) -> AsyncIterator[Host]:
    """Each piece is sent by itself; `stays`: then nothing more comes, and no end."""
    there = Host()

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there.heard.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in answer:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            if stays:
                await reader.read()
        except OSError:
            pass
        finally:
            there.gone.set()
            if reset:
                writer.transport.abort()
            writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    there.url = "http://127.0.0.1:{1}/a%2Fb?c=d".format(*server.sockets[0].getsockname())
    try:
        yield there
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def opened(
    url: str, headers: dict[str, str] | None = None, seconds: float = 5
) -> AsyncIterator[httpx.Response]:
    """The answer whose body is still to be read."""
    transport = AiohttpTransport(default_context())
    async with httpx.AsyncClient(transport=transport, timeout=seconds) as client:
        request = client.build_request("GET", url, headers=headers, extensions={"download": True})
        response = await client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()


async def whole(response: httpx.Response) -> bytes:
    return b"".join([piece async for piece in response.aiter_raw()])


async def passed_on(response: httpx.Response) -> bytes:
    """All that is written, in chunks, with the last one that whoever writes adds."""
    written = bytearray()

    async def write(piece: memoryview) -> None:
        written.extend(piece)
        await asyncio.sleep(0)

    await response.extensions["pass_on"](write)
    return bytes(written) + b"0\r\n\r\n"


@in_loop
async def test_what_is_asked_is_what_was_meant() -> None:
    async with (
        host(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as there,
        opened(there.url, {"Authorization": "Bearer secret", "X-A": "1"}) as got,
    ):
        assert await whole(got) == b"ok"
    line, *headers = there.heard[0].decode().rstrip("\r\n").split("\r\n")
    assert line == "GET /a%2Fb?c=d HTTP/1.1"
    assert "Authorization: Bearer secret" in headers
    assert [one for one in headers if one.lower().startswith("connection")] == ["Connection: close"]
    assert [one for one in headers if one.lower().startswith("host")] == [
        "Host: " + there.url.split("/")[2]
    ]


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcdef", b"abc"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", b"to the end"),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + CHUNKED + b"2\r\nok\r\n0\r\n\r\n",
            b"ok",
        ),
        (CHUNKED + b"0\r\n\r\n", b""),
        (CHUNKED + b"1\r\na\r\n2\r\nbc\r\n0\r\nTrailer: x\r\n\r\n", b"abc"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
@in_loop
async def test_a_body_is_whole(answer: bytes, content: bytes, at_once: bool) -> None:
    pieces = [answer] if at_once else [answer[at : at + 1] for at in range(len(answer))]
    async with host(*pieces) as there, opened(there.url) as got:
        assert await whole(got) == content


@in_loop
async def test_a_server_that_does_not_hang_up_is_not_waited_for() -> None:
    async with host(CHUNKED + b"2\r\nok\r\n0\r\n\r\n", stays=True) as there:
        async with opened(there.url, seconds=60) as got:
            assert await asyncio.wait_for(whole(got), 5) == b"ok"
        await asyncio.wait_for(there.gone.wait(), 5)


@in_loop
async def test_chunks_are_passed_on_as_they_came() -> None:
    chance = random.Random(1)
    chunks = [chance.randbytes(chance.choice([1, 100, 65536, 3 * MIB])) for _ in range(12)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"
    pieces = [body[at : at + 100_001] for at in range(0, len(body), 100_001)]
    async with host(CHUNKED, *pieces) as there:
        async with opened(there.url) as got:
            written = await passed_on(got)
        async with opened(there.url) as got:
            content = await whole(got)
    assert hashlib.sha256(written).digest() == hashlib.sha256(body).digest()
    assert hashlib.sha256(content).digest() == hashlib.sha256(b"".join(chunks)).digest()


@in_loop
async def test_only_chunks_can_be_passed_on() -> None:
    async with (
        host(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as there,
        opened(there.url) as got,
    ):
        assert "pass_on" not in got.extensions


@in_loop
async def test_no_chunk_at_all_is_passed_on_as_none() -> None:
    async with host(CHUNKED + b"0\r\n\r\n") as there, opened(there.url) as got:
        assert await passed_on(got) == b"0\r\n\r\n"


READS: list[Callable[[httpx.Response], Awaitable[bytes]]] = [whole, passed_on]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "body",
    [b"", b"3", b"3\r\n", b"3\r\nab", b"3\r\nabc", b"3\r\nabc\r\n", b"3\r\nabc\r\n0", b"x\r\n"],
)
@in_loop
async def test_a_body_that_breaks_off_is_an_error(
    body: bytes, read: Callable[[httpx.Response], Awaitable[bytes]]
) -> None:
    async with host(CHUNKED + body) as there, opened(there.url) as got:
        with pytest.raises(httpx.RemoteProtocolError):
            await read(got)


@pytest.mark.parametrize("read", READS)
@in_loop
async def test_a_reset_is_an_error(read: Callable[[httpx.Response], Awaitable[bytes]]) -> None:
    async with host(CHUNKED + b"5\r\nab", reset=True) as there, opened(there.url) as got:
        with pytest.raises(httpx.TransportError):
            await read(got)


@pytest.mark.parametrize("read", READS)
@in_loop
async def test_silence_has_a_limit(read: Callable[[httpx.Response], Awaitable[bytes]]) -> None:
    async with host(CHUNKED + b"5\r\nab", stays=True) as there:
        async with opened(there.url, seconds=0.3) as got:
            with pytest.raises(httpx.ReadTimeout):
                await read(got)
        await asyncio.wait_for(there.gone.wait(), 5)
    async with host(stays=True) as there:
        with pytest.raises(httpx.ReadTimeout):
            async with opened(there.url, seconds=0.3):
                pass
        await asyncio.wait_for(there.gone.wait(), 5)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01" * 10,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
@in_loop
async def test_what_is_no_answer_is_an_error(answer: bytes) -> None:
    async with host(answer) as there:
        with pytest.raises(httpx.RemoteProtocolError):
            async with opened(there.url):
                pass
        await asyncio.wait_for(there.gone.wait(), 5)


@in_loop
async def test_a_header_that_cannot_be_sent_is_an_error() -> None:
    async with host() as there:
        with pytest.raises(httpx.LocalProtocolError):
            async with opened(there.url, {"Authorization": "Bearer a\nb"}):
                pass
    assert there.heard == []


@in_loop
async def test_a_host_that_is_not_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(httpx.ConnectError, match="refused"):
        async with opened(f"http://127.0.0.1:{port}/"):
            pass
    with pytest.raises(httpx.ConnectError):
        async with opened("http://no.such.invalid/"):
            pass


@in_loop
async def test_no_connection_in_time_is_an_error() -> None:
    with socket.socket() as full:  # its queue takes one, and nobody takes it out
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(httpx.ConnectTimeout):
            async with opened("http://127.0.0.1:{1}/".format(*full.getsockname()), seconds=0.3):
                pass
        for one in waiting:
            one.close()


@in_loop
async def test_a_proxy_of_the_environment_is_on_the_way() -> None:
    async with host(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as proxy:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("http_proxy", proxy.url.partition("/a")[0])
            async with opened("http://kubeflow.example.org/x") as got:
                assert await whole(got) == b"ok"
    assert proxy.heard[0].startswith(b"GET http://kubeflow.example.org/x HTTP/1.1")


@in_loop
async def test_a_slow_reader_holds_the_host_back() -> None:
    sent = 0

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        with contextlib.suppress(OSError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(CHUNKED)
            while sent < 1024 * MIB:
                writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                await writer.drain()
                sent += 65536
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    address = "http://127.0.0.1:{1}/".format(*server.sockets[0].getsockname())
    taking, goes_on, more = asyncio.Event(), asyncio.Event(), asyncio.Event()
    taken = 0

    async def write(piece: memoryview) -> None:
        nonlocal taken
        taking.set()
        await goes_on.wait()
        taken += len(piece)
        if taken > 128 * MIB:
            more.set()

    async with server, opened(address) as got:
        reading = asyncio.create_task(got.extensions["pass_on"](write))
        await taking.wait()
        await asyncio.sleep(1)
        settled = sent
        assert settled < 64 * MIB
        await asyncio.sleep(0.3)
        assert sent == settled
        goes_on.set()
        await asyncio.wait_for(more.wait(), 30)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@in_loop
async def test_others_have_their_turn() -> None:
    """Where neither side has to be waited for, too."""
    chunk = b"100000\r\n" + bytes(MIB) + b"\r\n"
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def write(piece: memoryview) -> None:
        """Is always done at once."""

    async with host(CHUNKED, *[chunk] * 24, b"0\r\n\r\n") as there, opened(there.url) as got:
        await asyncio.sleep(0.5)  # what the sockets hold is there
        counting = asyncio.create_task(count())
        await got.extensions["pass_on"](write)
        counting.cancel()
    assert turns >= 12
