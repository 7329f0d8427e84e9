"""An artifact's bytes by the API's own route, where the endpoint has one."""

from __future__ import annotations

from email.message import Message
from urllib.parse import quote

from ...base import ArtifactContent
from ..endpoint import Endpoint
from .answers import content_of, range_header
from .source import Wanted


async def open_by_id(
    endpoint: Endpoint, wanted: Wanted, start: int, end: int | None
) -> ArtifactContent:
    """The bytes `[start, end)` of the artifact with the endpoint's id `wanted.uid`."""
    path = f"/apis/v2beta1/artifacts/{quote(wanted.uid, safe='')}:read"
    headers = {"Accept": "*/*", **range_header(start, end)}
    opened = endpoint.open("GET", path, (), headers, html=True)
    response = await opened.__aenter__()
    try:
        if response.status_code >= 400 and response.status_code != 416:
            raise endpoint.refusal(response.status_code, await response.aread())
    except BaseException as error:
        await opened.__aexit__(type(error), error, error.__traceback__)
        raise
    return content_of(
        opened,
        response,
        start,
        end,
        media_type=response.headers.get("Content-Type", "application/octet-stream"),
        filename=_filename(response.headers.get("Content-Disposition", "")) or wanted.name,
    )


def _filename(disposition: str) -> str:
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_filename() or ""
