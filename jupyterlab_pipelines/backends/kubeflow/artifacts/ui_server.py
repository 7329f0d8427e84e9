"""An artifact's bytes from Kubeflow's UI server, which has the credentials of its stores."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import httpx

from ....errors import (
    BadInput,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    UnsupportedFeature,
    UpstreamError,
)
from ...base import ArtifactContent
from ..endpoint import Endpoint
from .answers import content_of, range_header
from .place import Place, media_type
from .source import Wanted

#: What the UI server calls the places that it can read, by the URI's scheme.
_SOURCES = {
    "minio": "minio", "s3": "s3", "gs": "gcs", "http": "http", "https": "https",
    "volume": "volume",
}  # fmt: skip
#: Asked of a store that is read whole into memory, and changed, unless a beginning is asked for.
_EVERYTHING = str((1 << 53) - 1)
#: How the UI server begins a 404 of its own; another one means that it is not there.
_ITS_404 = (b"No objects found", b"Failed to open volume")
_REFUSALS: Mapping[int, type[PipelinesError]] = {400: BadInput, 403: Forbidden}


class UiServer:
    """The routes below `/artifacts` of the server at `endpoint`.

    They know neither ranges nor sizes: a part is cut out of what passes, and nothing more of it
    is asked for than its end.
    """

    title = "the UI server"

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def open(
        self, wanted: Wanted, place: Place, start: int, end: int | None
    ) -> ArtifactContent:
        """The bytes `[start, end)`; a folder of a store comes as a tar.gz."""
        path, query = _request(wanted, place, end)
        headers = {"Accept": "*/*", **range_header(start, end)}
        # It answers 500 to what cannot be: asking again and again would not help.
        opened = self._endpoint.open(
            "GET", path, query, headers, html=True, retries=1, download=end is None
        )
        response = await opened.__aenter__()
        try:
            await self._check(response, place)
        except BaseException as error:
            await opened.__aexit__(type(error), error, error.__traceback__)
            raise
        name = place.name or wanted.name
        kind = media_type(name)
        if response.headers.get("Content-Type", "").startswith("application/gzip"):
            name, kind = f"{name}.tar.gz", "application/gzip"
        return content_of(opened, response, start, end, media_type=kind, filename=name)

    async def close(self) -> None:
        """Nothing: the endpoint is the backend's."""

    async def _check(self, response: httpx.Response, place: Place) -> None:
        status, headers = response.status_code, response.headers
        page = headers.get("Content-Type", "").lower().startswith(("text/html", "application/xh"))
        if status < 400:
            # It gives artifacts no type, but for folders; a page is a login's or its own.
            if page:
                raise SignInNeeded(
                    f"{self._endpoint.host} answered with a page instead of the artifact.",
                    next_step="Sign in again, or check the connection's UI host.",
                )
            if place.scheme == "gs" and headers.get("Content-Length") == "0":
                # A file that is empty comes as a stream without a length.
                raise NotFound(f"There is nothing at {place.shown}.")
            return
        if status == 416:
            return
        text = await _beginning(response)
        if status == 404 and not text.startswith(_ITS_404):
            raise UnsupportedFeature(
                f"{self._endpoint.host} has no route for artifacts.",
                next_step="Give the connection the address of Kubeflow's UI server.",
            )
        said = ""
        if not page or b"<" not in text[:64]:
            said = self._endpoint.excerpt(text, 300, place.credentials)
        if status == 404 or b"NoSuchKey" in text or b"does not exist" in text:
            raise NotFound(f"There is nothing at {place.shown}.")
        kind = _REFUSALS.get(status, UpstreamError)
        raise kind(f"{self._endpoint.host} answered: {said or f'HTTP {status}'}")


def _request(wanted: Wanted, place: Place, end: int | None) -> tuple[str, list[tuple[str, str]]]:
    """The path and the query that ask for the first `end` bytes, or for all."""
    source = _SOURCES[place.scheme]
    query = []
    if wanted.namespace:
        query.append(("namespace", wanted.namespace))
    if wanted.session:
        query.append(("providerInfo", wanted.session))
    if end is not None:
        query.append(("peek", str(max(end, 1))))
    if source == "gcs":
        # Without `peek` it would join all that the name fits, as text.
        if end is None:
            query.append(("peek", _EVERYTHING))
        query += [("source", source), ("bucket", place.bucket), ("key", place.key)]
        return "/artifacts/get", query
    path = f"/artifacts/{source}/{quote(place.bucket, safe='')}/{quote(place.key, safe='/')}"
    return path, query


async def _beginning(response: httpx.Response) -> bytes:
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > 32 << 10:  # more than any token: a cut one is not masked
            break
    return bytes(content)
