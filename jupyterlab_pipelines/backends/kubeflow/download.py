"""Asks for a body that may be large, and reads it off its own socket with next to no work.

What a gigabyte costs is its copies and its pieces. Here a mebibyte is read at once, into the same
memory each time, and chunks can be passed on as they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

import h11
import httpx

from .framing import Chunked, Counted, Framed, Framing, FramingError

T = TypeVar("T")

#: Bytes that are read at once, which is all that a download holds.
_MOST = 1 << 20
#: Of an answer's headers, in bytes: cookies of a sign-in are long.
_LONGEST_HEAD = 64 << 10


async def downloaded(request: httpx.Request) -> httpx.Response:
    """The answer to a GET without TLS, over a connection of its own that ends with the body.

    Where it comes in chunks, its extension `pass_on` is what `base.Stream` calls so. Raises
    httpx's errors only.
    """
    wait = request.extensions.get("timeout", {})
    connection = _Connection(await _connected(request.url, wait.get("connect")), wait.get("read"))
    try:
        head = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        answer = await _asked(request, head, connection)
        body = _Body(connection, _framing(answer), head.trailing_data[0])
    except BaseException:
        connection.close()
        raise
    return httpx.Response(
        answer.status_code,
        headers=list(answer.headers.raw_items()),
        stream=body,
        extensions={"pass_on": body.pass_on} if body.in_chunks else {},
    )


async def _asked(
    request: httpx.Request, head: h11.Connection, connection: _Connection
) -> h11.Response:
    given = [(name, value) for name, value in request.headers.raw if name.lower() != b"connection"]
    try:
        sent = head.send(
            h11.Request(
                method=request.method,
                target=request.url.raw_path,
                headers=[*given, (b"Connection", b"close")],
            )
        )
        head.send(h11.EndOfMessage())
    except h11.LocalProtocolError as error:
        raise httpx.LocalProtocolError("The request cannot be sent.") from error
    await connection.send(sent or b"")
    buffer = bytearray(_LONGEST_HEAD)
    try:
        while not isinstance(event := head.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                count = await connection.read(memoryview(buffer))
                head.receive_data(bytes(buffer[:count]))
            elif not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("The connection ended before an answer.")
    except h11.RemoteProtocolError as error:
        raise httpx.RemoteProtocolError("What is answered is not HTTP.") from error
    return event


def _framing(answer: h11.Response) -> Framing:
    headers = dict(answer.headers)
    if answer.status_code in (204, 304):
        return Counted(0)
    if b"transfer-encoding" in headers:  # chunked, or h11 had refused it
        return Chunked()
    length = headers.get(b"content-length")
    return Counted(None if length is None else int(length))


class _Body(httpx.AsyncByteStream):
    """The body as it comes and no faster than it is taken."""

    def __init__(self, connection: _Connection, framing: Framing, begun: bytes) -> None:
        self._connection = connection
        self._framing = framing
        self._begun = begun

    @property
    def in_chunks(self) -> bool:
        return isinstance(self._framing, Chunked)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async with contextlib.aclosing(self._read()) as read:
            async for data, framed in read:
                if piece := b"".join(data[start:stop] for start, stop in framed.content):
                    yield piece

    async def pass_on(self, write: Callable[[memoryview], Awaitable[object]]) -> None:
        """Writes each chunk as it came but for the last, empty one. What is written is lent."""
        begun = False
        async with contextlib.aclosing(self._read()) as read:
            async for data, framed in read:
                if framed.length:
                    await write(data[: framed.length])
                    begun = True
        if begun:
            await write(memoryview(b"\r\n"))

    async def aclose(self) -> None:
        self._connection.close()

    async def _read(self) -> AsyncGenerator[tuple[memoryview, Framed], None]:
        buffer, framing = bytearray(_MOST), self._framing
        data, size = memoryview(buffer), len(self._begun)
        data[:size], self._begun = self._begun, b""
        try:
            while True:
                framed = framing.take(buffer, size)
                yield data, framed
                if framed.ended:
                    return
                kept = size - framed.length
                data[:kept] = bytes(data[framed.length : size])
                count = await self._connection.read(data[kept:])
                if not count:
                    framing.cut()
                    return
                size = kept + count
        except FramingError as error:
            raise httpx.RemoteProtocolError(str(error)) from error


class _Connection:
    """A connected socket; the other side may keep silent for `idle` seconds."""

    def __init__(self, connected: socket.socket, idle: float | None) -> None:
        self._socket = connected
        self._idle = idle
        self._expired = False
        self._without_wait = 0
        self._loop = asyncio.get_running_loop()

    async def send(self, content: bytes) -> None:
        await self._in_time(self._loop.sock_sendall(self._socket, content))

    async def read(self, buffer: memoryview) -> int:
        """How many bytes were read; 0 at the end. Lets others have their turn."""
        if self._without_wait < _MOST:
            try:
                count = self._socket.recv_into(buffer)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                raise httpx.ReadError(str(error)) from error
            else:
                self._without_wait += count
                return count
        else:
            await asyncio.sleep(0)
        self._without_wait = 0
        return await self._in_time(self._loop.sock_recv_into(self._socket, buffer))

    def close(self) -> None:
        self._socket.close()

    async def _in_time(self, done: Awaitable[T]) -> T:
        # Ending what is waited for costs much less than asyncio's own limits, for each piece.
        limit = None if self._idle is None else self._loop.call_later(self._idle, self._expire)
        try:
            result = await done
        except OSError as error:
            if not self._expired:
                raise httpx.ReadError(str(error)) from error
        finally:
            if limit is not None:
                limit.cancel()
        if self._expired:
            raise httpx.ReadTimeout("No answer came in time.")
        return result

    def _expire(self) -> None:
        self._expired = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


async def _connected(url: httpx.URL, seconds: float | None) -> socket.socket:
    try:
        return await asyncio.wait_for(_first_of(url.raw_host.decode(), url.port or 80), seconds)
    except (TimeoutError, asyncio.TimeoutError) as error:
        raise httpx.ConnectTimeout("No connection was made in time.") from error
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        raise httpx.ConnectError("Connection refused" if refused else str(error)) from error


async def _first_of(host: str, port: int) -> socket.socket:
    """A connection to the first address of the host that takes one."""
    loop = asyncio.get_running_loop()
    failed: OSError | None = None
    for family, kind, protocol, _, address in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        one = socket.socket(family, kind, protocol)
        try:
            one.setblocking(False)
            await loop.sock_connect(one, address)
        except OSError as error:
            failed = error
            one.close()
        except BaseException:
            one.close()
            raise
        else:
            return one
    raise failed or OSError("The name has no address.")
