"""An HTTP answer as an artifact's content, whether or not its server honours ranges."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager

import httpx

from ...base import ArtifactContent
from ..endpoint import opened_body

_TOTAL = re.compile(r"bytes (?:\*|\d+-\d+)/(\d+)")


def range_header(start: int, end: int | None) -> dict[str, str]:
    """The header that asks for `[start, end)`; none where all is wanted."""
    if not start and end is None:
        return {}
    # A range cannot be empty: at least one byte is asked for, and cut off again below.
    return {"Range": f"bytes={start}-" + ("" if end is None else str(max(end - 1, start)))}


def content_of(
    opened: AbstractAsyncContextManager[httpx.Response],
    response: httpx.Response,
    start: int,
    end: int | None,
    *,
    media_type: str,
    filename: str,
) -> ArtifactContent:
    """What was asked for of an answer with status 200, 206 or 416."""
    status, headers = response.status_code, response.headers
    total = _TOTAL.fullmatch(headers.get("Content-Range", ""))
    length = headers.get("Content-Length", "")
    if total is not None:
        size: int | None = int(total.group(1))
    else:
        size = int(length) if status == 200 and length.isdecimal() else None
    begin = start if size is None else min(start, size)
    stop = end if size is None else size if end is None else max(begin, min(end, size))
    wanted = None if stop is None else stop - begin
    if status == 416:
        wanted = 0
    return ArtifactContent(
        body=opened_body(opened, response, start if status == 200 else 0, wanted),
        media_type=media_type,
        filename=filename,
        size=size,
        start=begin,
        end=stop,
        tag=headers.get("ETag", ""),
    )
