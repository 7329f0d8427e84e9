"""What every route shares: sign-in, permission, origin, JSON to models, and errors to statuses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, TypeVar, cast

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from pydantic import BaseModel, ValidationError
from tornado import web
from tornado.iostream import StreamClosedError

from ..connections import Connections
from ..errors import BadInput, Forbidden, PipelinesError
from ..models import ErrorBody, Problem
from ..service import Service
from .origin import foreign_origin

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=BaseModel)

#: What an authorizer is asked about, and what may be done to it.
RESOURCE = "pipelines"
Action = Literal["read", "write", "execute"]


def allowed(action: Action) -> Callable[[F], F]:
    """For signed-in users only, and only those whom the server's authorizer lets do `action`."""

    def decorate(method: F) -> F:
        checked: Any = authorized(action=action, resource=RESOURCE)
        return cast("F", web.authenticated(checked(method)))

    return decorate


@dataclass(frozen=True)
class Desk:
    """What the server extension hands to every route."""

    connections: Connections
    #: Origins of pages that may ask although they are not the server's own.
    trusted_origins: Sequence[str] = ()


class Door(ExtensionHandlerMixin, JupyterHandler):
    """Sign-in and XSRF are Jupyter's own; this adds origin, permission and error bodies."""

    auth_resource = RESOURCE
    #: Whether a link on a page of another origin may open this address.
    navigable = False

    desk: Desk

    def initialize(self, name: str, *args: Any, desk: Desk, **kwargs: Any) -> None:
        super().initialize(name, *args, **kwargs)
        self.desk = desk

    @property
    def connections(self) -> Connections:
        return self.desk.connections

    async def service(self, connection: str) -> Service:
        """The desk of a connection. Raises NotFound."""
        return await self.connections.ready_service(connection)

    # --- who may ask ---------------------------------------------------------------------------

    def check_origin(self, origin_to_satisfy_tornado: str = "") -> bool:
        """Raises Forbidden to a page of another origin, unless the request carries a token.

        Jupyter's own check is off where `allow_origin` is `*`, as in Kubeflow's notebooks.
        """
        if self.skip_check_origin():
            return True
        origin = foreign_origin(self.request.headers, self._is_trusted, navigation=self.navigable)
        if origin is not None:
            raise Forbidden(
                f"Requests of {_printable(origin)} are not accepted.",
                next_step="Open the lab's own page. Behind a proxy that changes the Host header,"
                " add the lab's address to PipelinesApp.trusted_origins.",
            )
        return True

    def _is_trusted(self, origin: str) -> bool:
        """An origin that the operator named; `*` names none."""
        if origin in self.desk.trusted_origins or origin == self.allow_origin != "*":
            return True
        pattern = self.allow_origin_pat
        return bool(pattern and re.fullmatch(pattern, origin))

    def set_cors_headers(self) -> None:
        """Lets other origins read only what was asked for with a token."""
        if self.allow_origin != "*" or self.token_authenticated:
            super().set_cors_headers()

    async def authorize(self, action: Action) -> None:
        """Asks the server's authorizer for an action that depends on the request."""
        user = self.current_user
        if not user or not await ensure_async(
            self.authorizer.is_authorized(self, user, action, RESOURCE)
        ):
            raise web.HTTPError(403, f"You may not {action} {RESOURCE}.")

    # --- errors --------------------------------------------------------------------------------

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answers every error, in the one place where errors meet HTTP."""
        error = (kwargs.get("exc_info") or (None, None, None))[1]
        if not isinstance(error, PipelinesError):
            error = _as_error(status_code, error)
        self.set_status(getattr(error, "status", None) or error.http_status)
        self.set_header("Content-Type", "application/json")
        self.finish(self.error_text(error))

    def error_text(self, error: PipelinesError) -> str:
        """The JSON of an error."""
        return error.body().model_dump_json()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Notes errors without addresses' queries and bodies, which may hold secrets."""
        place = f"{self.request.method} {self.request.path}"
        if isinstance(value, PipelinesError):
            self.log.info("%s: %s: %s", place, type(value).__name__, value.message)
        elif isinstance(value, web.HTTPError):
            self.log.info("%s: HTTP %d", place, value.status_code)
        elif not isinstance(value, StreamClosedError):
            self.log.error("%s failed", place, exc_info=(typ, value, tb))


class PipelinesHandler(Door, APIHandler):
    """A route that speaks JSON."""

    def body(self, model: type[M]) -> M:
        """The request's body as a model. Raises BadInput naming each field that does not fit."""
        try:
            return model.model_validate_json(self.request.body or b"{}")
        except ValidationError as error:
            raise _not_valid(error) from None

    def query(self, model: type[M], **lists: str) -> M:
        """The query's known parameters as a model; `lists` maps repeated ones to their field."""
        values: dict[str, Any] = {
            name: self.get_query_argument(name)
            for name in model.model_fields
            if name in self.request.query_arguments
        }
        for name, field in lists.items():
            if name in self.request.query_arguments:
                values[field] = self.get_query_arguments(name)
        try:
            return model.model_validate(values)
        except ValidationError as error:
            raise _not_valid(error) from None

    def answer(self, content: BaseModel | dict[str, Any], status: int = 200) -> None:
        """Ends the request with a model, or a dict of JSON values, as JSON."""
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.finish(content.model_dump_json() if isinstance(content, BaseModel) else content)


class _HttpError(PipelinesError):
    """An error that tornado or Jupyter raised."""

    def __init__(self, status: int, message: str, next_step: str) -> None:
        super().__init__(message, next_step=next_step)
        self.status = status

    def status_body(self) -> dict[str, object]:
        code = {400: 3, 401: 16, 403: 7, 404: 5, 501: 12, 503: 14}.get(self.status, 13)
        return {**super().status_body(), "code": code}

    def body(self) -> ErrorBody:
        code = re.sub(r"[^A-Za-z]", "", HTTPStatus(self.status).phrase.title())
        return ErrorBody(code=code, message=self.message, next_step=self.next_step)


def _as_error(status: int, error: BaseException | None) -> PipelinesError:
    if not isinstance(error, web.HTTPError):
        return PipelinesError("Something unexpected went wrong.")
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        status, phrase = 500, "Internal Server Error"
    message = error.log_message or error.reason or phrase
    if error.args:
        message = message % error.args
    next_step = "Reload the page and sign in again." if status in (401, 403) else ""
    return _HttpError(status, message, next_step)


def _not_valid(error: ValidationError) -> BadInput:
    """Names fields and reasons, never the values: one of them may be a token."""
    problems = [
        Problem(message=one["msg"], place=".".join(map(str, one["loc"])))
        for one in error.errors(include_url=False, include_input=False, include_context=False)
    ]
    first = problems[0]
    where = f"{first.place}: " if first.place else ""
    return BadInput(
        f"The request cannot be read: {where}{first.message}.",
        problems=problems,
        next_step="Correct it and try again.",
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:200])
