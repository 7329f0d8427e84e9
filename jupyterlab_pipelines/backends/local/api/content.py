"""Files and folders as HTTP answers: streamed, in part where a Range asks for a part."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from ...base import ApiResponse
from ...folders import MEDIA_TYPE, FolderArchive, folder_entries, read_file

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def file_response(
    path: Path,
    media_type: str,
    range_header: str = "",
    if_range: str = "",
    *,
    size: int | None = None,
    attachment: bool = False,
) -> ApiResponse:
    """A file's bytes: all, or those that `range_header` names (one range of bytes) unless
    `if_range` names another state of the file.

    `size` stands for the file's where only its beginning counts. With `attachment` a browser saves
    it: what a pipeline wrote must not run as a page of this server. Raises OSError where the file
    cannot be opened.
    """
    with path.open("rb"):  # opened again when the answer is read: it may never be
        state = path.stat()
    size = state.st_size if size is None else size
    tag = f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
    if if_range and if_range != tag:
        range_header = ""
    response = _response(
        partial(read_file, path), size, media_type, path.name, range_header, attachment
    )
    return replace(response, headers={**response.headers, "ETag": tag})


def folder_response(path: Path, range_header: str = "", if_range: str = "") -> ApiResponse:
    """A folder as a tar.gz of its own name, links kept as links; by range as a file is."""
    archive = FolderArchive(path.name, folder_entries(path))
    tag = f'"{archive.tag}"'
    if if_range and if_range != tag:
        range_header = ""
    response = _response(
        archive.read, archive.size, MEDIA_TYPE, archive.filename, range_header, True
    )
    return replace(response, headers={**response.headers, "ETag": tag})


def _response(
    read: Callable[[int, int], AsyncIterator[bytes]],
    size: int,
    media_type: str,
    name: str,
    range_header: str,
    attachment: bool,
) -> ApiResponse:
    headers = {
        "Content-Type": media_type,
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache, private",
        "X-Content-Type-Options": "nosniff",
    }
    if attachment:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
        headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    status, start, end = _part(range_header, size)
    if status == 416:
        headers["Content-Range"] = f"bytes */{size}"
        return ApiResponse(416, {**headers, "Content-Length": "0"}, b"")
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    return ApiResponse(status, headers, read(start, end))


def _part(range_header: str, size: int) -> tuple[int, int, int]:
    """The status, start and end (exclusive) of what is served; a Range not understood is none."""
    match = _RANGE.fullmatch(range_header.strip())
    if match is None or match.groups() == ("", ""):
        return 200, 0, size
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return 200, 0, size
    return (206, start, end) if start < end else (416, 0, 0)
