"""Kubeflow's API as it is: which paths and verbs pass, and bodies streamed both ways."""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

from ...errors import NotFound
from ..base import ApiRequest, ApiResponse
from .api_paths import verbs_of
from .endpoint import Endpoint, opened_body

_PLAIN = re.compile(r"/apis/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_VISUALIZATIONS = "/apis/v1beta1/visualizations/"
#: Seconds that a visualization may take: the server's own limit is 100.
_DRAWING = 110.0
_REQUEST_HEADERS = ("accept", "content-type", "content-length", "range", "if-range")


async def pass_through(endpoint: Endpoint, request: ApiRequest) -> ApiResponse:
    """The endpoint's own answer, error bodies included.

    Raises NotFound on what is no path of the API; another verb than the path's is answered 405.
    Neither is told to the endpoint.
    """
    method = request.method.upper()
    path, verbs = checked_path(request.path)
    if method not in verbs:
        return _not_allowed(method, verbs)
    given = {name.lower(): value for name, value in request.headers.items()}
    headers = {name: given[name] for name in _REQUEST_HEADERS if name in given}
    idle = _DRAWING if path.startswith(_VISUALIZATIONS) else None
    opened = endpoint.open(method, path, request.query, headers, request.body, idle=idle)
    response = await opened.__aenter__()  # left when the body is closed
    return ApiResponse(
        response.status_code, dict(response.headers.items()), opened_body(opened, response)
    )


def checked_path(path: str) -> tuple[str, frozenset[str]]:
    """The path and its verbs, if it is the API's and means the same to everyone on its way.

    Kubeflow looks at a path that is decoded once; a gateway before it may look at less or more, so
    no further decoding may find a folder or a control character in it. Raises NotFound.
    """
    decoded = path
    for _ in range(4):
        if any(part in (".", "..") for part in decoded.split("/")) or re.search(
            r"[\x00-\x1f\x7f\\]", decoded
        ):
            break
        further = unquote(decoded)
        if further == decoded:
            verbs = verbs_of(unquote(path))
            if verbs and _PLAIN.fullmatch(path):
                return path, verbs
            break
        decoded = further
    raise NotFound("This is no path of the pipelines API.", next_step="")


def _not_allowed(method: str, verbs: frozenset[str]) -> ApiResponse:
    """What Kubeflow's gateway says of it too (12 is gRPC's Unimplemented), with HTTP's status."""
    said = f"{method} is not a verb of this path."
    body = {"error": said, "code": 12, "message": said, "details": []}
    headers = {"Content-Type": "application/json", "Allow": ", ".join(sorted(verbs))}
    return ApiResponse(405, headers, json.dumps(body).encode())
