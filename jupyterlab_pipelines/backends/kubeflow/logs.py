"""A task's log by offset, from an endpoint that honours ranges and from one that does not."""

from __future__ import annotations

import re
from typing import Any

from ...errors import NotFound
from ...models import LogChunk
from .endpoint import Endpoint
from .graph import Record

#: The most of a log that is read where the endpoint sends it only as a whole, in bytes.
_MOST = 100 << 20
_TOTAL = re.compile(r"bytes (?:\*|\d+-\d+)/(\d+)")


async def read_log(
    endpoint: Endpoint, run_id: str, record: Record, attempt: int | None, offset: int, limit: int
) -> LogChunk:
    """Up to `limit` bytes from `offset`; empty where nothing has been printed yet.

    Raises NotFound on an attempt that there is not.
    """
    pods = [pod for pod in record.pods if attempt in (None, pod.attempt) and pod.name]
    over = record.status.state.final
    if not pods:
        if attempt is not None and record.pods:
            raise NotFound(f"Task {record.task_id!r} has no attempt {attempt}.")
        number = attempt or 1
        return LogChunk(text="", offset=0, next_offset=0, size=0, complete=over, attempt=number)
    pod = pods[-1]
    for one in record.status.attempts:
        if one.number == pod.attempt:
            over = one.state.final
    try:
        data, offset, size = await _bytes(endpoint, run_id, pod.name, max(offset, 0), limit)
    except NotFound:
        data, offset, size = b"", 0, 0  # the pod has not printed, or its log is gone
    if not (over and offset + len(data) >= size):
        data = data[: _whole_characters(data)]
    end = offset + len(data)
    return LogChunk(
        text=data.decode("utf-8", "replace"),
        offset=offset,
        next_offset=end,
        size=size,
        complete=over and end >= size,
        attempt=pod.attempt,
    )


async def _bytes(
    endpoint: Endpoint, run_id: str, node: str, offset: int, limit: int
) -> tuple[bytes, int, int]:
    """The bytes, where they begin and how many there are in all."""
    path = f"/apis/v1alpha1/runs/{run_id}/nodes/{node}/log"
    # One byte more than nothing: a range cannot be empty.
    headers = {"Range": f"bytes={offset}-{offset + max(limit, 1) - 1}"}
    async with endpoint.open("GET", path, headers=headers) as response:
        total = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code == 416:
            size = int(total.group(1)) if total else offset
            return b"", size, size
        if response.status_code >= 400:
            raise endpoint.refusal(response.status_code, await _few(response))
        if response.status_code == 206 and total is not None:
            data = b"".join([piece async for piece in response.aiter_bytes()])
            return data[:limit], offset, int(total.group(1))
        return await _sliced(response, offset, limit)


async def _sliced(response: Any, offset: int, limit: int) -> tuple[bytes, int, int]:
    """The endpoint sent the whole: what is asked for is cut out as it passes."""
    kept = bytearray()
    position = 0
    async for piece in response.aiter_bytes():
        begin = max(0, offset - position)
        kept += piece[begin : begin + max(0, limit - len(kept))]
        position += len(piece)
        if position > _MOST:
            break
    return bytes(kept), min(offset, position), position


async def _few(response: Any) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > 4096:
            break
    return bytes(content)


def _whole_characters(data: bytes) -> int:
    """How many bytes at the front end with a whole UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if needed <= back else len(data) - back
    return len(data)
