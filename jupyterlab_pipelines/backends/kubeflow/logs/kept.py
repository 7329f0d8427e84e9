"""What was read of a log so far: it only grows, whatever its sources forget."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
import weakref
from collections.abc import AsyncIterator, Iterator

from ....errors import StoreBlocked
from .executor import StepsOwn

#: The most that is kept of a log, in bytes.
LIMIT = 100 << 20
CUT = b"\n[The log reached 100 MiB and ends here; the step went on.]\n"
ROTATED = b"[The node rotated this log: lines may be missing here.]\n"
GONE = b"[The log is gone: its pod was removed, and nothing kept the log.]\n"
#: Bytes that are compared at once.
_PIECE = 1 << 20
#: Bytes by which the same place is found in two texts, and how many places are tried.
_ANCHOR = 256
_TAIL = 64 << 10
_PLACES = 1000
_BY_CHANCE = 64


class Text:
    """Bytes in a temporary file without a name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the object
        weakref.finalize(self, self._file.close)
        self.size = 0

    def append(self, data: bytes) -> None:
        """Adds to the end. Raises StoreBlocked where the disk is full."""
        try:
            while data:
                written = os.pwrite(self._file.fileno(), data, self.size)
                data, self.size = data[written:], self.size + written
        except OSError as error:
            raise StoreBlocked(
                f"The log cannot be kept: {error.strerror}.",
                next_step="Free space in the folder for temporary files.",
            ) from None

    def read(self, start: int, length: int) -> bytes:
        """Up to so many bytes from `start`."""
        return os.pread(self._file.fileno(), max(0, min(length, self.size - start)), start)

    @contextlib.contextmanager
    def searchable(self) -> Iterator[mmap.mmap | bytes]:
        """The bytes as something that has `find` and `rfind`."""
        if not self.size:
            yield b""
            return
        with mmap.mmap(self._file.fileno(), self.size, access=mmap.ACCESS_READ) as mapped:
            yield mapped


async def collected(pieces: AsyncIterator[bytes], *, over: bool = True) -> Text:
    """The step's own words in a source, no further than what can be kept.

    Unless it is `over`, an end that may yet become the executor's is left out.
    """
    text, own = Text(), StepsOwn()
    async for piece in pieces:
        text.append(own.passed(piece))
        if text.size > LIMIT:
            return text
    if over:
        text.append(own.rest())
    return text


class KeptLog:
    """A log that grows by whole readings, none of which says where in the log it begins."""

    def __init__(self) -> None:
        self._text = Text()
        #: Where in it the present text of the sources begins.
        self._begin = 0
        #: Nothing can be added any more.
        self.full = False

    @property
    def size(self) -> int:
        """Its bytes so far."""
        return self._text.size

    def read(self, offset: int, limit: int) -> bytes:
        """Up to `limit` bytes from `offset`: always the same ones."""
        return self._text.read(offset, limit)

    def take(self, reading: Text) -> None:
        """Adds what is new in a reading: no line twice, and a mark where some may be missing."""
        if self.full:
            return
        known = self.size - self._begin
        same = self._same(reading, self._begin)
        if same == known:
            self._append(reading, known)
        elif same < reading.size:
            self._take_another(reading)
        # Else it is a beginning of what is known: a source that lags behind.

    def end_with(self, mark: bytes) -> None:
        """Says why nothing follows."""
        if not self.full:
            self._text.append(self._on_its_own_line(mark))
            self.full = True

    def _take_another(self, reading: Text) -> None:
        """The reading is no continuation: it begins later, or earlier, than what is known."""
        start = self._overlap(reading)
        behind = self._behind(reading) if start is None else self.size - start
        if start is not None:
            self._begin = start
        elif behind is None:
            self._text.append(self._on_its_own_line(ROTATED))
            self._begin = self.size
        self._append(reading, behind or 0)

    def _append(self, reading: Text, start: int) -> None:
        while start < reading.size and not self.full:
            piece = reading.read(start, min(_PIECE, LIMIT - self.size))
            if not piece:
                self.end_with(CUT)
                return
            self._text.append(piece)
            start += len(piece)

    def _same(self, reading: Text, begin: int) -> int:
        """How many bytes of the reading are what is known from `begin` on."""
        same = 0
        while piece := reading.read(same, _PIECE):
            equal = _common(piece, self._text.read(begin + same, len(piece)))
            same += equal
            if equal < len(piece):
                break
        return same

    def _overlap(self, reading: Text) -> int | None:
        """Where in what is known the reading begins, so that it goes on behind its end.

        A line or two may be the same by chance: that is not enough.
        """
        line = reading.read(0, _ANCHOR).splitlines(keepends=True)[0]
        with self._text.searchable() as text:
            at = max(self._begin, self.size - reading.size)
            for _ in range(_PLACES):
                at = text.find(line, at)
                if at < 0 or self.size - at < _BY_CHANCE:
                    return None
                begins = at == self._begin or text[at - 1 : at] == b"\n"
                if begins and self._same(reading, at) == self.size - at:
                    return at
                at += 1
        return None

    def _behind(self, reading: Text) -> int | None:
        """Where in the reading what is known ends: it holds also what was rotated away."""
        tail = self._text.read(max(self._begin, self.size - _TAIL), _TAIL)
        if len(tail) < _BY_CHANCE:
            return None
        with reading.searchable() as text:
            at = text.rfind(tail)
        return None if at < 0 else at + len(tail)

    def _on_its_own_line(self, mark: bytes) -> bytes:
        ended = not self.size or self._text.read(self.size - 1, 1) == b"\n"
        return mark if ended else b"\n" + mark.lstrip(b"\n")


def _common(one: bytes, other: bytes) -> int:
    """How many bytes at the front are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
