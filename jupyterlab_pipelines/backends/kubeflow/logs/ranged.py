"""A piece of a log from an endpoint that honours ranges, as the embedded engine's own does."""

from __future__ import annotations

import re
from urllib.parse import quote

from ..endpoint import Endpoint
from .sources import beginning

_TOTAL = re.compile(r"bytes (?:\*|\d+-\d+)/(\d+)")


async def ranged_piece(
    endpoint: Endpoint, run_id: str, node: str, offset: int, limit: int
) -> tuple[bytes, int, int] | None:
    """The bytes, where they begin and how many there are in all; null without ranges.

    Raises NotFound where there is no such log.
    """
    path = f"/apis/v1alpha1/runs/{run_id}/nodes/{quote(node, safe='')}/log"
    # One byte more than nothing: a range cannot be empty.
    headers = {"Range": f"bytes={offset}-{offset + max(limit, 1) - 1}"}
    async with endpoint.open("GET", path, headers=headers) as response:
        total = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code == 416:
            size = int(total.group(1)) if total else offset
            return b"", size, size
        if response.status_code >= 400:
            raise endpoint.refusal(response.status_code, await beginning(response))
        if response.status_code != 206 or total is None:
            return None
        data = b"".join([piece async for piece in response.aiter_bytes()])
        return data[:limit], offset, int(total.group(1))
