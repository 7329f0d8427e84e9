"""One unary call in gRPC-web: a message in a frame, the status in a second one."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import unquote

from google.protobuf.message import DecodeError, Message

from ....errors import (
    BadInput,
    BadUpstream,
    Conflict,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UnsupportedFeature,
    UpstreamError,
    UpstreamTimeout,
)
from ..endpoint import Endpoint

M = TypeVar("M", bound=Message)

#: The largest answer that is read, in bytes: a run of 10,000 tasks has about a quarter of it.
MOST = 64 << 20
_TRAILERS = 0x80
_BINARY = "application/grpc-web+proto"
_TEXT = "application/grpc-web-text"
#: gRPC's status codes; whatever else there is, is the server's own failure.
_ERRORS: Mapping[int, type[PipelinesError]] = {
    3: BadInput,
    4: UpstreamTimeout,
    5: NotFound,
    6: Conflict,
    7: Forbidden,
    12: UnsupportedFeature,
    14: Unreachable,
    16: SignInNeeded,
}


async def call(endpoint: Endpoint, method: str, request: Message, answer: type[M]) -> M:
    """Asks `/package.Service/Method`. Raises NotFound where the host has no such service."""
    headers = {
        "Content-Type": _BINARY,
        "Accept": f"{_BINARY},{_TEXT}",
        "X-Grpc-Web": "1",
    }
    body = frame(request.SerializeToString())
    async with endpoint.open("POST", method, headers=headers, content=body) as response:
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MOST:
                raise BadUpstream(f"{endpoint.host} answered more than {MOST >> 20} MiB.")
    if response.status_code >= 400:
        raise endpoint.refusal(response.status_code, bytes(content))
    media_type = response.headers.get("Content-Type", "").lower()
    if not media_type.startswith("application/grpc-web"):
        raise BadUpstream(f"{endpoint.host} answered something that is not gRPC-web.")
    try:
        message, trailers = unframe(bytes(content), text=media_type.startswith(_TEXT))
        _raise_status(endpoint.host, {**response.headers, **trailers})
        if message is None:
            raise ValueError("neither a message nor an error")
        found = answer()
        found.ParseFromString(message)
    except (ValueError, DecodeError) as error:
        raise BadUpstream(f"{endpoint.host} answered gRPC-web that cannot be read.") from error
    return found


def frame(message: bytes, flags: int = 0) -> bytes:
    """A frame: flags, length, content."""
    return struct.pack(">BI", flags, len(message)) + message


def unframe(content: bytes, *, text: bool) -> tuple[bytes | None, dict[str, str]]:
    """The message, null where there is none, and the trailers. Raises ValueError on other bytes."""
    if text:
        content = _from_base64(content)
    message: bytes | None = None
    trailers: dict[str, str] = {}
    at = 0
    while at < len(content):
        if at + 5 > len(content):
            raise ValueError("a frame breaks off")
        flags, length = struct.unpack_from(">BI", content, at)
        data = content[at + 5 : at + 5 + length]
        if len(data) < length:
            raise ValueError("a frame breaks off")
        at += 5 + length
        if flags & ~_TRAILERS:
            raise ValueError("a frame is compressed")  # which was not asked for
        if flags & _TRAILERS:
            for line in data.decode("utf-8", "replace").splitlines():
                name, _, value = line.partition(":")
                trailers[name.strip().lower()] = value.strip()
        elif message is not None:
            raise ValueError("more than one message")
        else:
            message = data
    return message, trailers


def _from_base64(content: bytes) -> bytes:
    """Base64 whose parts, one for each flush of the server, may each end in padding."""
    content = b"".join(content.split())
    parts = []
    start = 0
    while start < len(content):
        padding = content.find(b"=", start)
        # Four characters are a group; the padding fills up the last one of a part.
        end = len(content) if padding < 0 else start + ((padding - start) // 4 + 1) * 4
        try:
            parts.append(base64.b64decode(content[start:end], validate=True))
        except binascii.Error as error:
            raise ValueError("no base64") from error
        start = end
    return b"".join(parts)


def _raise_status(host: str, said: Mapping[str, str]) -> None:
    status = said.get("grpc-status", "")
    if not status.isdecimal():
        raise ValueError("no status")  # the answer was cut off before its trailers
    if status == "0":
        return
    reason = "".join(c for c in unquote(said.get("grpc-message", "")) if c.isprintable())[:600]
    kind = _ERRORS.get(int(status), UpstreamError)
    raise kind(f"{host} answered: {reason or f'gRPC status {status}'}")
