"""The dialect's door: finds the route, runs its handler, turns every error into Kubeflow's body."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ....errors import BadInput, NotFound, PipelinesError
from ...base import ApiRequest, ApiResponse
from . import (
    artifacts,
    experiments,
    health,
    logs,
    pipelines,
    recurring_runs,
    runs,
    tasks,
    uploads,
    versions,
)
from .packages import MAX_UPLOAD
from .protocol import Call, Query, Route, Unimplemented
from .render import error_content, json_response

if TYPE_CHECKING:
    from ..engine import Engine

logger = logging.getLogger(__name__)

#: The largest request body, in bytes: an upload and the multipart around it.
MAX_BODY = MAX_UPLOAD + 64 * 1024

ROUTES: Sequence[Route] = (
    *health.ROUTES,
    *experiments.ROUTES,
    *pipelines.ROUTES,
    *uploads.ROUTES,
    *versions.ROUTES,
    *runs.ROUTES,
    *tasks.ROUTES,
    *recurring_runs.ROUTES,
    *artifacts.ROUTES,
    *logs.ROUTES,
)

_VARIABLE = re.compile(r"\{(\w+)\}")


def _pattern(template: str) -> re.Pattern[str]:
    """A path template as a pattern; a variable is one segment, and ends before a `:verb`."""
    before, colon, verb = template.rpartition(":")
    if colon and "/" not in verb:
        return re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", before) + f"(?::|%3A){verb}")
    return re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", template))


#: Verbs and literal segments win over the variable that would swallow them.
_COMPILED = [
    (_pattern(route.template), route)
    for route in sorted(
        ROUTES, key=lambda route: ("{" in route.template, ":" not in route.template)
    )
]


class Api:
    """Kubeflow's v2beta1 API over the embedded engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle(self, request: ApiRequest) -> ApiResponse:
        """Answers any request; never raises. `request.path` is percent-encoded, from `/apis` on."""
        try:
            route, variables = _find(request.method.upper(), request.path)
            call = Call(
                engine=self._engine,
                path=variables,
                query=Query(request.query),
                headers=request.headers,
                body=await _gathered(request.body),
            )
            answer = await asyncio.to_thread(route.handler, call)
        except PipelinesError as error:
            return json_response(error_content(error), error.http_status)
        except UnicodeError:
            broken = BadInput("The request holds text that is not valid Unicode.")
            return json_response(error_content(broken), broken.http_status)
        except Exception:
            logger.exception("%s %s failed", request.method, request.path)
            internal = PipelinesError("Internal server error.")
            return json_response(error_content(internal), internal.http_status)
        return answer if isinstance(answer, ApiResponse) else json_response(answer)


def _find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and its variables, decoded. Raises NotFound, or Unimplemented on the method."""
    path = path.rstrip("/")
    known = False
    for pattern, route in _COMPILED:
        match = pattern.fullmatch(path)
        if match:
            known = True
            if route.method == method:
                return route, {name: unquote(text) for name, text in match.groupdict().items()}
    if known:
        raise Unimplemented(f"{method} is not a method of {path}.", next_step="")
    raise NotFound(f"There is nothing at {path}.", next_step="")


async def _gathered(body: bytes | AsyncIterator[bytes]) -> bytes:
    """The whole body. Raises BadInput once it is larger than any request may be."""
    if isinstance(body, bytes):
        pieces = [body]
        size = len(body)
    else:
        pieces, size = [], 0
        async for piece in body:
            size += len(piece)
            if size > MAX_BODY:
                break
            pieces.append(piece)
    if size > MAX_BODY:
        raise BadInput(
            f"The request is larger than {MAX_UPLOAD >> 20} MiB.",
            next_step="Move large embedded files or notebooks out of the pipeline.",
        )
    return b"".join(pieces)
