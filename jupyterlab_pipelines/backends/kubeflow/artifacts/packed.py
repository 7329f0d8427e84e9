"""The file inside a tgz as Argo archives one, unpacked on the way and never onto a disk."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeAlias

from ....errors import BadUpstream
from ...base import ArtifactContent, Stream
from ...folders import within
from .place import Place, media_type

#: Opens `[start, end)` of the packed bytes.
Open: TypeAlias = Callable[[int, "int | None"], Awaitable[ArtifactContent]]

#: The largest file that is unpacked, in bytes; a larger one is served as it is stored.
MOST = 1 << 30
#: Bytes that are unpacked at once, whatever a small piece may swell to.
_PIECE = 256 << 10
#: Packed bytes that hold more than the headers before a file.
_HEADERS = 64 << 10
_RECORD = tarfile.BLOCKSIZE
#: Headers that say more of the file after them, and how long they may be.
_MORE = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME})
_MOST_HEADERS = 8
_GZIP = b"\x1f\x8b"


async def open_packed(open_raw: Open, place: Place, start: int, end: int | None) -> ArtifactContent:
    """The bytes `[start, end)` of the archive's file; the archive itself where it is a folder's.

    For a beginning, not much more of the packed bytes is asked for than are wanted.
    """
    size, raw_tag = await _inner(open_raw)
    if size is None:
        return await open_raw(start, end)
    begin, stop = within(size, start, end)
    # Packed bytes are seldom more than what they hold.
    first = None if end is None else stop + _HEADERS
    name = place.name.removesuffix(".tgz")
    pieces = _file(open_raw, first, begin, stop)
    return ArtifactContent(
        body=pieces,
        media_type=media_type(name),
        filename=name,
        size=size,
        start=begin,
        end=stop,
        tag=f"unpacked {raw_tag}" if raw_tag else "",
    )


async def _inner(open_raw: Open) -> tuple[int | None, str]:
    """The size of the one file in the archive, null where it is no such archive; and the tag."""
    raw = await open_raw(0, _HEADERS)
    try:
        async with aclosing(_unpacked(raw.body)) as pieces:
            tar = _Tar(pieces)
            header = await tar.header()
            several = header is not None and await tar.goes_on(header.size)
    except BadUpstream:
        return None, raw.tag
    finally:
        await _close(raw.body)
    if header is None or header.type not in tarfile.REGULAR_TYPES or header.size > MOST:
        return None, raw.tag
    if several:  # then Argo has not packed it
        return None, raw.tag
    return header.size, raw.tag


async def _file(
    open_raw: Open, first: int | None, begin: int, stop: int
) -> AsyncGenerator[bytes, None]:
    if begin >= stop:
        return
    async with aclosing(_all(open_raw, first)) as raw, aclosing(_unpacked(raw)) as pieces:
        tar = _Tar(pieces)
        await tar.header()
        position = 0
        async for piece in tar.rest():
            wanted = piece[max(0, begin - position) : stop - position]
            position += len(piece)
            if wanted:
                yield wanted
            if position >= stop:
                return
    raise BadUpstream("The archive of the artifact ends before its file does.")


async def _all(open_raw: Open, first: int | None) -> AsyncGenerator[bytes, None]:
    """The packed bytes: the first so many, and only then, where they were too few, the rest."""
    for start, end in ((0, first), (first, None)):
        if start is None:
            return
        raw = await open_raw(start, end)
        try:
            async for piece in raw.body:
                yield piece
        finally:
            await _close(raw.body)


async def _unpacked(raw: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """What the gzip holds, in pieces of a bounded size. Raises BadUpstream on what is none."""
    packed = zlib.decompressobj(31)
    async for piece in raw:
        rest = piece
        while rest:
            try:
                unpacked = packed.decompress(rest, _PIECE)
            except zlib.error:
                raise BadUpstream("The artifact's archive is damaged.") from None
            if unpacked:
                yield unpacked
            rest = packed.unconsumed_tail
            if packed.eof:  # another member may follow
                rest = packed.unused_data
                if rest[:2] != _GZIP[: len(rest)]:
                    return
                packed = zlib.decompressobj(31)


class _Tar:
    """Reads the first header of a tar, and then what lies behind it."""

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces
        self._kept = b""

    async def header(self) -> tarfile.TarInfo | None:
        """The first file or folder; null where this is no tar. Then its content comes."""
        for _ in range(_MOST_HEADERS):
            record = await self._exactly(_RECORD)
            try:
                info = tarfile.TarInfo.frombuf(record, "utf-8", "surrogateescape")
            except tarfile.HeaderError:
                return None
            if info.type not in _MORE:
                return info
            if info.size > _HEADERS:
                return None
            await self._exactly(-(-info.size // _RECORD) * _RECORD)
        return None

    async def rest(self) -> AsyncIterator[bytes]:
        """All that follows, piece by piece."""
        if self._kept:
            yield self._kept
        async for piece in self._pieces:
            yield piece

    async def goes_on(self, size: int) -> bool:
        """Whether another file follows the one of so many bytes, as far as the pieces show it."""
        left = -(-size // _RECORD) * _RECORD
        async for piece in self.rest():
            if left < len(piece):
                return piece[left] != 0  # a name; the end is zeros
            left -= len(piece)
        return False

    async def _exactly(self, length: int) -> bytes:
        while len(self._kept) < length:
            piece = await anext(self._pieces, None)
            if piece is None:
                raise BadUpstream("The artifact's archive ends too early.")
            self._kept += piece
        found, self._kept = self._kept[:length], self._kept[length:]
        return found


async def _close(body: AsyncIterator[bytes]) -> None:
    if isinstance(body, (Stream, AsyncGenerator)):
        await body.aclose()
