"""A folder as one tar.gz that is made while it is read, from any of its bytes on."""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
import struct
import tarfile
import zlib
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

from ..errors import Conflict, UnsupportedFeature
from .base import ArtifactContent

MEDIA_TYPE = "application/gzip"
#: Bytes read of a file at once.
PIECE = 256 << 10
#: The most files and folders that one archive holds.
MOST_ENTRIES = 100_000
#: Bytes of the tar in one gzip member.
_MEMBER = 1 << 20
#: The longest block that deflate stores as it is.
_STORED = 0xFFFF
_RECORD = 512
# No name, no time: the same folder gives the same bytes.
_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


@dataclass(frozen=True)
class Entry:
    """Something in a folder. `name` is its path below the folder, with `/`; "" is the folder.

    `read(start)` gives its bytes from `start` on; null: it is a folder, or a link to `link`.
    """

    name: str
    size: int = 0
    mode: int = 0o644
    modified: int = 0
    link: str = ""
    read: Callable[[int], AsyncGenerator[bytes, None]] | None = field(default=None, compare=False)
    #: What changes with the content, where the source knows: it goes into the archive's tag.
    version: str = ""


class FolderArchive:
    """The archive of these entries, in their order, below the name `root`.

    It is stored, not squeezed, in many small gzip members: so its size is known before the first
    byte, and a download that was cut goes on in the middle without reading what came before.
    """

    def __init__(self, root: str, entries: Sequence[Entry]) -> None:
        if len(entries) > MOST_ENTRIES:
            raise UnsupportedFeature(
                f"The folder {root} has more than {MOST_ENTRIES:,} files.",
                next_step="Copy it from where it is stored.",
            )
        self._root = root
        self._entries = entries
        lengths = [len(self._header(one)) + _padded(one.size) for one in entries]
        self._starts = [0, *accumulate(lengths)]
        #: A tar ends with two empty records.
        self._tar_size = self._starts[-1] + 2 * _RECORD

    @property
    def filename(self) -> str:
        """What a download is called."""
        return f"{self._root}.tar.gz"

    @property
    def size(self) -> int:
        """The archive's size in bytes."""
        whole, rest = divmod(self._tar_size, _MEMBER)
        return whole * _member_size(_MEMBER) + (_member_size(rest) if rest else 0)

    @property
    def tag(self) -> str:
        """Different where a name, a size, a time or a version in the folder is."""
        digest = hashlib.sha256()
        for one in self._entries:
            digest.update(repr(replace(one, read=None)).encode())
        return digest.hexdigest()[:32]

    def content(self, start: int, end: int | None) -> ArtifactContent:
        """The bytes `[start, end)` as what an artifact is."""
        begin, stop = within(self.size, start, end)
        return ArtifactContent(
            body=self.read(begin, stop),
            media_type=MEDIA_TYPE,
            filename=self.filename,
            size=self.size,
            start=begin,
            end=stop,
            tag=self.tag,
        )

    async def read(self, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes `[start, end)`. Raises Conflict where a file has changed since the listing."""
        left = (self.size if end is None else min(end, self.size)) - start
        number, skip = divmod(start, _member_size(_MEMBER))
        kept = bytearray()
        if left <= 0:
            return
        async with aclosing(self._tar(number * _MEMBER)) as pieces:
            async for piece in pieces:
                kept += piece
                while kept and len(kept) >= (length := self._member_length(number)):
                    packed = _gzipped(bytes(kept[:length]))[skip : skip + left]
                    del kept[:length]
                    left, skip, number = left - len(packed), 0, number + 1
                    yield packed
                    if left <= 0:
                        return

    def _member_length(self, number: int) -> int:
        return min(_MEMBER, self._tar_size - number * _MEMBER)

    def _header(self, entry: Entry) -> bytes:
        info = tarfile.TarInfo(f"{self._root}/{entry.name}" if entry.name else self._root)
        info.mode, info.mtime, info.size = entry.mode, entry.modified, entry.size
        if entry.link:
            info.type, info.linkname = tarfile.SYMTYPE, entry.link
        elif entry.read is None:
            info.type = tarfile.DIRTYPE
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")

    async def _tar(self, start: int) -> AsyncGenerator[bytes, None]:
        """The tar's bytes from `start` on; what lies before is not read."""
        at = start
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self._entries)):
            entry, begin, next_begin = self._entries[index], *self._starts[index : index + 2]
            header = self._header(entry)
            body = begin + len(header)
            if at < body:
                yield header[at - begin :]
                at = body
            if entry.read is not None and at < body + entry.size:
                async with aclosing(entry.read(at - body)) as pieces:
                    async for piece in pieces:
                        at += len(piece)
                        if at > body + entry.size:
                            raise _changed(entry)
                        yield piece
                if at < body + entry.size:
                    raise _changed(entry)
            if at < next_begin:
                yield bytes(next_begin - at)
                at = next_begin
        yield bytes(self._tar_size - at)


def folder_entries(path: Path) -> list[Entry]:
    """What a folder of this machine holds, sorted; links stay links, special files are left out.

    Raises OSError where it cannot be read.
    """
    entries = [_entry(path, "", path.lstat())]
    for place, folders, files in os.walk(path, onerror=_raise):
        folders.sort()
        here = Path(place)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted({*folders, *files}):
            one = here / name
            state = one.lstat()
            if stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode) or one.is_symlink():
                entries.append(_entry(one, one.relative_to(path).as_posix(), state))
        folders[:] = [name for name in folders if name not in links]
        if len(entries) > MOST_ENTRIES:
            break
    return entries


def open_path(
    path: Path, media_type: str, start: int = 0, end: int | None = None
) -> ArtifactContent:
    """The bytes `[start, end)` of a file of this machine, or of a folder's archive.

    Raises OSError where it cannot be read.
    """
    if path.is_dir():
        return FolderArchive(path.name, folder_entries(path)).content(start, end)
    with path.open("rb"):  # opened again when it is read: it may never be
        state = path.stat()
    begin, stop = within(state.st_size, start, end)
    return ArtifactContent(
        body=read_file(path, begin, stop),
        media_type=media_type,
        filename=path.name,
        size=state.st_size,
        start=begin,
        end=stop,
        tag=f"{state.st_mtime_ns:x}-{state.st_size:x}",
    )


def within(size: int, start: int, end: int | None) -> tuple[int, int]:
    """The part of so many bytes that `[start, end)` names; behind the end it is empty."""
    begin = min(max(start, 0), size)
    return begin, size if end is None else max(begin, min(end, size))


async def read_file(
    path: Path, start: int = 0, end: int | None = None
) -> AsyncGenerator[bytes, None]:
    """A file's bytes `[start, end)`, read in threads. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, start)
        left = float("inf") if end is None else end - start
        while left > 0:
            piece = await asyncio.to_thread(file.read, int(min(left, PIECE)))
            if not piece:
                return
            left -= len(piece)
            yield piece
    finally:
        file.close()


def _entry(path: Path, name: str, state: os.stat_result) -> Entry:
    mode, modified = stat.S_IMODE(state.st_mode), int(state.st_mtime)
    if stat.S_ISLNK(state.st_mode):
        return Entry(name, mode=mode, modified=modified, link=str(path.readlink()))
    if stat.S_ISDIR(state.st_mode):
        return Entry(name, mode=mode, modified=modified)
    return Entry(
        name,
        size=state.st_size,
        mode=mode,
        modified=modified,
        read=lambda start: read_file(path, start),
    )


def _raise(error: OSError) -> None:
    raise error


def _changed(entry: Entry) -> Conflict:
    return Conflict(
        f"{entry.name} changed while the folder was packed.", next_step="Download it again."
    )


def _padded(size: int) -> int:
    return -(-size // _RECORD) * _RECORD


# --- gzip without squeezing ---------------------------------------------------------------------


def _member_size(length: int) -> int:
    """The size of the gzip member that stores so many bytes."""
    blocks = -(-length // _STORED)
    return len(_HEAD) + 5 * blocks + length + 8


def _gzipped(data: bytes) -> bytes:
    """One gzip member that stores the data as it is."""
    parts = [_HEAD]
    for start in range(0, len(data), _STORED):
        block = data[start : start + _STORED]
        last = start + _STORED >= len(data)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF))
    return b"".join(parts)
