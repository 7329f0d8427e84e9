"""Kubeflow's API as it is: which paths and verbs pass, and bodies streamed both ways."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ...errors import BadInput, NotFound
from ..base import ApiRequest, ApiResponse
from .endpoint import Endpoint, opened_body

_VERBS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_API = re.compile(r"/apis/(?:v1beta1|v2beta1|v1alpha1)/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_REQUEST_HEADERS = ("accept", "content-type", "content-length", "range", "if-range")


async def pass_through(endpoint: Endpoint, request: ApiRequest) -> ApiResponse:
    """The endpoint's own answer, error bodies included. Raises NotFound on what is no API path."""
    method = request.method.upper()
    if method not in _VERBS:
        raise BadInput(f"{method} is not a verb of the API.", next_step="")
    path = checked_path(request.path)
    given = {name.lower(): value for name, value in request.headers.items()}
    headers = {name: given[name] for name in _REQUEST_HEADERS if name in given}
    opened = endpoint.open(method, path, request.query, headers, request.body)
    response = await opened.__aenter__()  # left when the body is closed
    return ApiResponse(
        response.status_code, dict(response.headers.items()), opened_body(opened, response)
    )


def checked_path(path: str) -> str:
    """The path, if it is one of the API's and means the same to everyone. Raises NotFound."""
    decoded = path
    for _ in range(4):
        if any(part in (".", "..") for part in decoded.split("/")) or re.search(
            r"[\x00-\x1f\x7f\\]", decoded
        ):
            break
        further = unquote(decoded)
        if further == decoded:
            if _API.fullmatch(path) and "//" not in path:
                return path
            break
        decoded = further
    raise NotFound("This is no path of the pipelines API.", next_step="")
