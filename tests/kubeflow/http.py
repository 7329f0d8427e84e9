"""Requests and answers without a server: what every route of the endpoint takes and gives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

#: gRPC's codes with the status that grpc-gateway gives each.
STATUS = {3: 400, 5: 404, 6: 409, 7: 403, 9: 400, 10: 409, 12: 501, 13: 500, 14: 503, 16: 401}
INVALID, NOT_FOUND, EXISTS, DENIED = 3, 5, 6, 7
PRECONDITION, ABORTED, UNIMPLEMENTED, INTERNAL, UNAUTHENTICATED = 9, 10, 12, 13, 16


@dataclass(frozen=True)
class Request:
    """A request; `path` is without prefix and as it was sent, header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    user: str = ""

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refusal."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError as error:
            raise Refusal(INVALID, f"invalid character in the request's body: {error}") from None
        if not isinstance(content, dict):
            raise Refusal(INVALID, "json: cannot unmarshal the request's body")
        return content


@dataclass(frozen=True)
class Answer:
    """An answer; a streamed body may say its length in a header."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, content: Any, status: int = 200) -> Answer:
        """JSON, as compact as Go writes it."""
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return cls(status, text.encode(), {"Content-Type": "application/json"})


class Refusal(Exception):
    """An error as the API server answers it: google.rpc.Status by grpc-gateway."""

    def __init__(self, code: int, message: str, external: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.external = code, message, external or message

    def answer(self) -> Answer:
        """The error's body; the details repeat what is meant for the user."""
        detail = {
            "@type": "type.googleapis.com/google.rpc.Status",
            "code": self.code,
            "message": self.external,
        }
        content = {"code": self.code, "message": self.message, "details": [detail]}
        return Answer.json(content, STATUS[self.code])


def not_found(kind: str, name: str) -> Refusal:
    """The store's answer to an id that there is not."""
    said = f"{kind} {name} not found"
    return Refusal(NOT_FOUND, f"ResourceNotFoundError: {said}", said)


def invalid(message: str) -> Refusal:
    """The answer to input that cannot be used."""
    return Refusal(INVALID, f"Invalid input error: {message}", message)


Router: TypeAlias = Callable[[Request], Awaitable["Answer | None"]]
