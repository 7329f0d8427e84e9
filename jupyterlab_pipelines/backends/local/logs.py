"""Reads logs by byte offset, and finds in them why a task failed."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from ...errors import NotFound
from ...models import LogChunk
from ..chunks import log_chunk
from .processes import LOG_LIMIT
from .shim import LOG_MARKER

_TAIL = 64 * 1024
_LONGEST_REASON = 2000
_EXCEPTION = re.compile(
    r"^[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Iteration)?\b.*"
)


def read_chunk(path: Path, offset: int, limit: int, *, attempt: int, over: bool) -> LogChunk:
    """Up to `limit` bytes from `offset`, never a part of a character; `limit` 0 asks the size.

    `over`: nothing will be added any more. A log that does not exist yet is empty. Raises NotFound
    where the task has put a link in its place.
    """
    try:
        descriptor = _opened(path)
    except FileNotFoundError:
        return LogChunk(text="", offset=0, next_offset=0, size=0, complete=over, attempt=attempt)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise NotFound(
            "The log is not there: the step put a link in its place.",
            next_step="Look at what the step does with the files beside its work folder.",
        ) from error
    try:
        size = _size(descriptor)
        offset = min(max(offset, 0), size)
        data = os.pread(descriptor, min(max(limit, 0), size - offset), offset)
    finally:
        os.close(descriptor)
    return log_chunk(data, offset, size, over=over, attempt=attempt)


def _opened(path: Path) -> int:
    """The log's descriptor; a link in its place leads nowhere."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)


def _size(descriptor: int) -> int:
    """The log's size; what a shim is about to cut off does not count."""
    size = os.fstat(descriptor).st_size
    if size <= LOG_LIMIT:
        return size
    marked = os.pread(descriptor, len(LOG_MARKER), LOG_LIMIT) == LOG_MARKER
    return LOG_LIMIT + len(LOG_MARKER) if marked else LOG_LIMIT


def exception_in(path: Path) -> str:
    """The last exception of a log, as Python prints it below its traceback; "" if there is none."""
    try:
        with open(_opened(path), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    begins = [
        index
        for index, line in enumerate(lines)
        if line.startswith("Traceback (most recent call last):")
    ]
    if not begins:
        return ""
    after = lines[begins[-1] + 1 :]
    for index, line in enumerate(after):
        if line and not line[0].isspace() and _EXCEPTION.match(line):
            return "\n".join(_message(after[index:]))[:_LONGEST_REASON]
    return ""


def _message(lines: list[str]) -> list[str]:
    """An exception's line, and those of its message that follow it up to a blank one."""
    kept = lines[:1]
    for line in lines[1:4]:
        if not line.strip() or line.startswith("["):
            break
        kept.append(line)
    return kept
