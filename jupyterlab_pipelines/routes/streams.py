"""Sends a body piece by piece, no faster than the client reads, and never a broken one as whole."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

from tornado import web
from tornado.iostream import StreamClosedError

from ..backends.base import Stream, Write
from ..service import close_stream

#: Types that a browser may show in place; everything else is a download.
_SHOWN = frozenset(
    {"text/plain", "text/csv", "application/json", "image/png", "image/jpeg", "image/gif",
     "image/webp"}
)  # fmt: skip
#: Up to here an answer is sent at once, in bytes: cheaper, and a broken one becomes an error.
SMALL = 1 << 20
#: For all that was made by a pipeline: it may run scripts, but as nobody and with nothing.
SANDBOX = "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def set_content_headers(
    handler: web.RequestHandler, media_type: str, filename: str = "", *, download: bool = False
) -> None:
    """Headers that let a browser show or store foreign bytes without trusting them."""
    handler.set_header("Content-Type", media_type)
    handler.set_header("X-Content-Type-Options", "nosniff")
    handler.set_header("Content-Security-Policy", SANDBOX)
    if download or media_type.partition(";")[0].strip().lower() not in _SHOWN:
        name = re.sub(r"[\x00-\x1f\x7f/\\]", "_", filename)[-200:] or "download"
        handler.set_header("Content-Disposition", f"attachment; filename*=utf-8''{quote(name)}")


async def gathered(body: AsyncIterator[bytes]) -> list[bytes]:
    """The pieces of a small body, one at least; what breaks is raised before anything was sent."""
    try:
        return [piece async for piece in body] or [b""]
    finally:
        await close_stream(body)


async def send(handler: web.RequestHandler, body: AsyncIterator[bytes]) -> None:
    """Writes the body and waits for the client at each piece; status and headers are set before.

    An error before the first piece is raised. A later one ends the connection, so that the client
    sees a cut and never takes a part for the whole.
    """
    # gzip would drop the length and with it the client's means to notice a cut.
    handler._transforms = []
    if isinstance(body, Stream) and body.pass_on is not None and _in_chunks(handler):
        await _pass_on(handler, body, body.pass_on)
        return
    try:
        piece = await anext(body, None)
        try:
            if piece is None:
                await handler.flush()
            while piece is not None:
                handler.write(piece)  # the first one leaves together with the headers
                await handler.flush()
                piece = await anext(body, None)
        except StreamClosedError:
            return
        except Exception as error:
            handler.log_exception(type(error), error, error.__traceback__)
            abort(handler)
    finally:
        await close_stream(body)


def _in_chunks(handler: web.RequestHandler) -> bool:
    """Whether the body will be sent in chunks."""
    request = handler.request
    return (
        request.version == "HTTP/1.1"
        and request.method == "GET"
        and "Content-Length" not in handler._headers
    )


async def _pass_on(
    handler: web.RequestHandler, body: Stream, pass_on: Callable[[Write], Awaitable[None]]
) -> None:
    """As `send`, but tornado's own chunks, which cost two copies, are left out."""
    connection: Any = handler.request.connection
    begun = False

    async def write(piece: memoryview) -> None:
        nonlocal begun
        if not begun:
            begun = True
            await handler.flush()
        await connection.stream.write(piece)

    try:
        await pass_on(write)
    except StreamClosedError:
        return
    except Exception as error:
        if not begun:
            raise
        handler.log_exception(type(error), error, error.__traceback__)
        abort(handler)
    finally:
        await close_stream(body)


def abort(handler: web.RequestHandler) -> None:
    """Cuts the connection, so that nothing that follows can end the answer as if it were whole."""
    connection: Any = handler.request.connection
    if connection is not None:
        connection.stream.close()


def entity_tag(*parts: object) -> str:
    """A strong tag of content that these values identify and that never changes."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def requested_range(header: str | None, size: int | None) -> tuple[int, int | None] | None:
    """`[start, end)` of a `Range` header with one range of bytes, else null: send all.

    `end` null means to the end. A start beyond `size` is returned as it is, for a 416.
    """
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (header or "").replace(" ", ""))
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if first:
        end = int(last) + 1 if last else None
        return (int(first), end) if end is None or end > int(first) else None
    if size is None:
        return None
    return max(0, size - int(last)), None
