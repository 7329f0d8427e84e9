"""Where the content of a body lies in the bytes of its connection, as HTTP/1.1 frames it."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
#: What ends a chunk, the size of the next one, and what ends that.
_LONGEST_SIZE = 2 + 15 + 2


class FramingError(ValueError):
    """What came is not the framing that was announced."""


class Framed(NamedTuple):
    """What of some bytes is understood: the first `length`, with content at each `[start, stop)`.

    `ended`: nothing more belongs to the body.
    """

    length: int
    content: list[tuple[int, int]]
    ended: bool


class Framing(Protocol):
    """Reads a body from its beginning on."""

    def take(self, data: bytearray, size: int) -> Framed:
        """What the first `size` bytes hold; the ones not understood are to be given again, with
        more behind them. Raises FramingError."""
        ...

    def cut(self) -> None:
        """The connection has ended. Raises FramingError where the body had not."""
        ...


class Counted:
    """A body of so many bytes; null: to the end of the connection."""

    def __init__(self, length: int | None) -> None:
        self._left = length

    def take(self, data: bytearray, size: int) -> Framed:
        if self._left is not None:
            size = min(size, self._left)
            self._left -= size
        return Framed(size, [(0, size)], ended=self._left == 0)

    def cut(self) -> None:
        if self._left is not None:
            raise FramingError("The body ends too early.")


class Chunked:
    """Chunks; the empty one at the end is not among what is understood.

    Extensions of a chunk, which nobody sends, are refused: what is understood holds nothing but
    sizes and content, and can be passed on.
    """

    def __init__(self) -> None:
        self._left = 0
        #: What stands before the next size: the end of the chunk before it.
        self._before = b""
        #: The last size with what is around it, and what it says: the next one is seldom another.
        self._last, self._last_size = b"", 0

    def take(self, data: bytearray, size: int) -> Framed:
        content, at, left = [], 0, self._left
        while True:
            if left:
                stop = at + left
                if stop > size:
                    content.append((at, size))
                    self._left = stop - size
                    return Framed(size, content, ended=False)
                content.append((at, stop))
                at = stop
            begin = self._next(data, at, size)
            if begin is None:
                self._left = 0
                return Framed(at, content, ended=False)
            left = self._last_size
            if not left:  # only trailers would follow, which nobody asked for
                return Framed(at, content, ended=True)
            at = begin

    def cut(self) -> None:
        raise FramingError("The chunks end too early.")

    def _next(self, data: bytearray, at: int, size: int) -> int | None:
        """Where the next chunk begins; null: too little is there to say."""
        begin = at + len(self._last)
        if self._last and begin <= size and data.startswith(self._last, at):
            return begin
        start = at + len(self._before)
        end = data.find(b"\r\n", start, min(size, at + _LONGEST_SIZE))
        if end < 0 and size - at < _LONGEST_SIZE:
            return None
        digits = bytes(data[start:end])
        if end < 0 or data[at:start] != self._before or not _SIZE.fullmatch(digits):
            raise FramingError("A chunk has no size.")
        self._before = b"\r\n"
        self._last, self._last_size = b"\r\n%b\r\n" % digits, int(digits, 16)
        return end + 2
