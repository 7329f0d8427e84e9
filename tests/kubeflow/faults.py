"""A proxy between a client and a real endpoint that fails as networks and gateways do.

    async with fault_proxy(url, passes, cuts_body(100), passes) as proxy:
        ... proxy.url, proxy.requests

The first request meets the first fault, and so on; the last one stays. Each exchange has a
connection of its own on both sides, so that a cut is a cut of just that one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias
from urllib.parse import urlsplit

Fault: TypeAlias = Callable[["Exchange"], Awaitable[None]]
_PIECE = 16 << 10


class Exchange:
    """One request, and what the proxy may do with it."""

    def __init__(
        self,
        upstream: str,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.head = head
        self._upstream = urlsplit(upstream)
        self._reader = reader
        self._writer = writer
        self._writers = [writer]

    async def close(self) -> None:
        """Ends both sides, however far either has come."""
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def answer(self) -> AsyncIterator[bytes]:
        """The endpoint's own answer: the head with its empty line first, then pieces of the body.

        The body is framed as the endpoint framed it, with a length or in chunks.
        """
        place = self._upstream
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        self._writers.append(writer)
        sending = asyncio.create_task(self._pass_request(writer))
        try:
            yield await reader.readuntil(b"\r\n\r\n")
            while piece := await reader.read(_PIECE):
                yield piece
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()

    async def send(self, content: bytes) -> None:
        """Sends to the client, no faster than it reads."""
        self._writer.write(content)
        await self._writer.drain()

    def reset(self) -> None:
        """Cuts the connection with a reset instead of an end."""
        self._writer.transport.abort()

    def end_writing(self) -> None:
        """Half-closes: the client may still send, but hears no more."""
        self._writer.write_eof()

    async def _pass_request(self, writer: asyncio.StreamWriter) -> None:
        start, *lines = self.head.rstrip(b"\r\n").split(b"\r\n")
        kept = [line for line in lines if not line.lower().startswith((b"connection:", b"host:"))]
        host = f"Host: {self._upstream.netloc}".encode()
        writer.write(b"\r\n".join([start, host, *kept, b"Connection: close", b"", b""]))
        while piece := await self._reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()


class Proxy:
    """The running proxy: its address, and the heads of the requests that came."""

    def __init__(self, url: str, faults: tuple[Fault, ...]) -> None:
        self.url = url
        self.requests: list[bytes] = []
        self._faults = itertools.chain(faults[:-1], itertools.repeat(faults[-1]))

    def script(self, *faults: Fault) -> None:
        """The faults from now on."""
        self._faults = itertools.chain(faults[:-1], itertools.repeat(faults[-1]))

    def next_fault(self) -> Fault:
        """The fault of the next request."""
        return next(self._faults)


@contextlib.asynccontextmanager
async def fault_proxy(upstream: str, *faults: Fault) -> AsyncIterator[Proxy]:
    """Proxies to `upstream` (an address without a path) on a free port of this machine."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        # Cancelled where the test is over.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            exchange = Exchange(upstream, b"", reader, writer)
            try:
                exchange.head = await reader.readuntil(b"\r\n\r\n")
                proxy.requests.append(exchange.head)
                await proxy.next_fault()(exchange)
            finally:
                await exchange.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = Proxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", faults or (passes,))
    try:
        yield proxy
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        await server.wait_closed()


# --- faults -------------------------------------------------------------------------------------


async def passes(exchange: Exchange) -> None:
    """None at all."""
    async for piece in exchange.answer():
        await exchange.send(piece)


def delays(seconds: float) -> Fault:
    """Answers late."""

    async def fault(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await passes(exchange)

    return fault


def throttles(piece: int, pause: float) -> Fault:
    """So many bytes at a time, with a pause after each."""

    async def fault(exchange: Exchange) -> None:
        async for whole in exchange.answer():
            for start in range(0, len(whole), piece):
                await exchange.send(whole[start : start + piece])
                await asyncio.sleep(pause)

    return fault


async def is_silent(exchange: Exchange) -> None:
    """Takes the request and never says a word."""
    await asyncio.Event().wait()


async def half_closes(exchange: Exchange) -> None:
    """Ends its side without an answer, and keeps the connection."""
    exchange.end_writing()
    await asyncio.Event().wait()


async def resets(exchange: Exchange) -> None:
    """Cuts with a reset before any answer."""
    exchange.reset()


async def cuts_head(exchange: Exchange) -> None:
    """Ends in the middle of the headers."""
    async for head in exchange.answer():
        await exchange.send(head[: len(head) // 2])
        return


def cuts_body(after: int, *, reset: bool = False, stalls: bool = False) -> Fault:
    """Ends after so many bytes of the body, by an end, by a reset, or by silence."""

    async def fault(exchange: Exchange) -> None:
        answer = exchange.answer()
        await exchange.send(await anext(answer))
        left = after
        async for piece in answer:
            await exchange.send(piece[:left])
            left -= len(piece[:left])
            if left <= 0:
                break
        if stalls:
            await asyncio.Event().wait()
        if reset:
            exchange.reset()

    return fault


async def cuts_last_chunk(exchange: Exchange) -> None:
    """All of the body in chunks, but not the chunk of none that ends it."""
    answer = exchange.answer()
    head = await anext(answer)
    kept = [
        line
        for line in head.rstrip(b"\r\n").split(b"\r\n")
        if not line.lower().startswith((b"content-length:", b"transfer-encoding:"))
    ]
    if b"transfer-encoding: chunked" in head.lower():
        raise AssertionError("The endpoint's answer has chunks of its own.")
    await exchange.send(b"\r\n".join([*kept, b"Transfer-Encoding: chunked", b"", b""]))
    async for piece in answer:
        await exchange.send(b"%x\r\n%s\r\n" % (len(piece), piece))


def corrupts(seed: int, bytes_changed: int = 8) -> Fault:
    """Changes some bytes of the body, the same ones for the same seed."""

    async def fault(exchange: Exchange) -> None:
        chosen = random.Random(seed)
        answer = exchange.answer()
        await exchange.send(await anext(answer))
        async for piece in answer:
            changed = bytearray(piece)
            for _ in range(bytes_changed):
                changed[chosen.randrange(len(changed))] = chosen.randrange(256)
            await exchange.send(bytes(changed))

    return fault


def answers(status: str, body: bytes = b"", *headers: str) -> Fault:
    """Says this itself; the endpoint is not asked."""

    async def fault(exchange: Exchange) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
        await exchange.send("\r\n".join([*lines, *headers, "", ""]).encode() + body)

    return fault


def redirects(location: str) -> Fault:
    """Sends to somewhere else, as a gateway does whose session has ended."""
    return answers("302 Found", b"", f"Location: {location}")


#: The page of a sign-in, with the status of a good answer.
shows_login = answers(
    "200 OK", b"<!doctype html><form action=/dex/auth>", "Content-Type: text/html; charset=utf-8"
)


def is_busy(status: str, retry_after: int | None = None) -> Fault:
    """A 429 or a 5xx, with or without the time to wait."""
    said = [] if retry_after is None else [f"Retry-After: {retry_after}"]
    return answers(status, b'{"message": "no healthy upstream"}', *said)


def wants_token(current: Callable[[], str]) -> Fault:
    """Lets only the token of this moment in, and says 401 to any other."""

    async def fault(exchange: Exchange) -> None:
        wanted = f"authorization: bearer {current()}".encode().lower()
        if wanted in exchange.head.lower().split(b"\r\n"):
            await passes(exchange)
        else:
            await answers("401 Unauthorized", b"Jwt is expired")(exchange)

    return fault
