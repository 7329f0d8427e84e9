"""An artifact's bytes: by the endpoint's own route, or from Kubeflow's UI server beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.message import Message
from urllib.parse import urlsplit

from ...errors import NotFound, UnsupportedFeature
from ..base import ArtifactContent
from .endpoint import Endpoint, opened_body

_TOTAL = re.compile(r"bytes (?:\*|\d+-\d+)/(\d+)")
#: What Kubeflow's UI server calls the places it can read, by the URI's scheme.
_SOURCES = {"minio": "minio", "s3": "s3", "gs": "gcs", "gcs": "gcs"}


async def open_artifact(
    endpoint: Endpoint,
    *,
    uid: str,
    uri: str,
    name: str,
    html: bool,
    namespace: str,
    start: int,
    end: int | None,
) -> ArtifactContent:
    """The bytes `[start, end)`. Raises NotFound, and UnsupportedFeature on an unknown place."""
    if uid:
        path = f"/apis/v2beta1/artifacts/{uid}:read"
        try:
            return await _open(endpoint, path, {}, name, start, end, html=True)
        except (NotFound, UnsupportedFeature):
            if urlsplit(uri).scheme not in _SOURCES:
                raise
    place = urlsplit(uri)
    source = _SOURCES.get(place.scheme)
    if source is None:
        raise UnsupportedFeature(
            f"The artifact {name} lies at a place that cannot be read from here.",
            next_step="Open it where it is stored.",
        )
    query = {"source": source, "bucket": place.netloc, "key": place.path.lstrip("/")}
    if namespace:
        query["namespace"] = namespace
    return await _open(endpoint, "/artifacts/get", query, name, start, end, html=html)


async def _open(
    endpoint: Endpoint,
    path: str,
    query: Mapping[str, str],
    name: str,
    start: int,
    end: int | None,
    *,
    html: bool,
) -> ArtifactContent:
    headers = {"Accept": "*/*"}
    if start or end is not None:
        # A range cannot be empty: at least one byte is asked for, and cut off again below.
        headers["Range"] = f"bytes={start}-" + ("" if end is None else str(max(end - 1, start)))
    opened = endpoint.open("GET", path, list(query.items()), headers, html=html)
    response = await opened.__aenter__()
    try:
        status = response.status_code
        total = _TOTAL.fullmatch(response.headers.get("Content-Range", ""))
        length = response.headers.get("Content-Length", "")
        if status >= 400 and status != 416:
            raise endpoint.refusal(status, await response.aread())
    except BaseException as error:
        await opened.__aexit__(type(error), error, error.__traceback__)
        raise
    if total is not None:
        size: int | None = int(total.group(1))
    else:
        size = int(length) if status == 200 and length.isdecimal() else None
    begin = start if size is None else min(start, size)
    stop = end if size is None else size if end is None else max(begin, min(end, size))
    skipped = start if status == 200 else 0
    wanted = None if stop is None else stop - begin
    if status == 416:
        wanted = 0
    return ArtifactContent(
        body=opened_body(opened, response, skipped, wanted),
        media_type=response.headers.get("Content-Type", "application/octet-stream"),
        filename=_filename(response.headers.get("Content-Disposition", "")) or name,
        size=size,
        start=begin,
        end=stop,
    )


def _filename(disposition: str) -> str:
    message = Message()
    message["Content-Disposition"] = disposition
    return message.get_filename() or ""
