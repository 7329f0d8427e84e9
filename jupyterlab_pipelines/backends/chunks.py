"""A piece of a log as every engine hands it out: never a part of a character."""

from __future__ import annotations

from ..models import LogChunk


def log_chunk(data: bytes, offset: int, size: int, *, over: bool, attempt: int) -> LogChunk:
    """The piece at `offset` of a log of `size` bytes. `over`: nothing will be added any more."""
    if not (over and offset + len(data) >= size):
        data = data[: _whole_characters(data)]
    end = offset + len(data)
    return LogChunk(
        text=data.decode("utf-8", "replace"),
        offset=offset,
        next_offset=end,
        size=size,
        complete=over and end >= size,
        attempt=attempt,
    )


def _whole_characters(data: bytes) -> int:
    """How many bytes at the front end with a whole UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            return len(data)
        if byte >= 0xC0:  # a character begins here: is all of it there?
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if needed <= back else len(data) - back
    return len(data)
