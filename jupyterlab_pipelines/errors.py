"""Every error the product raises, each with its HTTP status and the user's next step.

PipelinesError
├── BadInput                     400  what was sent cannot be used; `problems` name the places
│   ├── InvalidPipeline          400  not IR YAML, an unknown component, a cycle …
│   ├── InvalidParameter         400  missing, unknown or of the wrong type
│   ├── UnsupportedFeature       400  valid, but this engine cannot run it; named, never ignored
│   └── InvalidCell              400  a selected cell cannot become a step
├── SignInNeeded                 401  the endpoint asks for credentials or refused them
├── Forbidden                    403  the endpoint knows the user and says no
├── NotFound                     404
├── Conflict                     409  already exists, or not possible in the present state
├── StoreBlocked                 507  the disk is full or the store cannot be written
└── UpstreamError                502  a remote endpoint failed
    ├── BadUpstream              502  it answered something that is not its protocol
    ├── Unreachable              503  no connection, name not found, TLS refused
    └── UpstreamTimeout          504
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from .models import ErrorBody, Problem


class PipelinesError(Exception):
    """Base of the tree. The message says what failed; `next_step` what the user can do."""

    http_status: ClassVar[int] = 500
    grpc_code: ClassVar[int] = 13
    next_step: str = "See the server's log."

    def __init__(
        self, message: str, *, next_step: str | None = None, problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.problems = list(problems)
        if next_step is not None:
            self.next_step = next_step

    def body(self) -> ErrorBody:
        """The error as our own routes answer it."""
        return ErrorBody(
            code=type(self).__name__,
            message=self.message,
            next_step=self.next_step,
            problems=self.problems,
        )

    def status_body(self) -> dict[str, object]:
        """The error as Kubeflow's API answers it (google.rpc.Status over grpc-gateway)."""
        text = f"{self.message} {self.next_step}".strip()
        return {"error": text, "code": self.grpc_code, "message": text, "details": []}


class BadInput(PipelinesError):
    """What was sent cannot be used."""

    http_status = 400
    grpc_code = 3
    next_step = "Correct it and submit again."


class InvalidPipeline(BadInput):
    """The pipeline is not valid IR."""

    next_step = "Compile the pipeline again with the kfp SDK and submit the new file."


class InvalidParameter(BadInput):
    """A parameter is missing, unknown or of the wrong type."""


class UnsupportedFeature(BadInput):
    """The pipeline is valid but this engine cannot run it."""

    next_step = "Submit it to a Kubeflow connection, or remove the named feature."


class InvalidCell(BadInput):
    """A selected cell cannot become a step."""

    next_step = "Correct the cell, then run it as a step again."


class SignInNeeded(PipelinesError):
    """The endpoint asks for credentials, or refused the ones it got."""

    http_status = 401
    grpc_code = 16
    next_step = "Renew the connection's token."


class Forbidden(PipelinesError):
    """The endpoint knows the user and says no."""

    http_status = 403
    grpc_code = 7
    next_step = "Ask the platform's administrator for access."


class NotFound(PipelinesError):
    """Nothing has this id or name."""

    http_status = 404
    grpc_code = 5
    next_step = "Refresh the list: it may have been deleted."


class Conflict(PipelinesError):
    """It already exists, or cannot be done in the present state."""

    http_status = 409
    grpc_code = 6
    next_step = "Refresh, then try again."


class StoreBlocked(PipelinesError):
    """The embedded engine's folder cannot be written."""

    http_status = 507
    grpc_code = 8
    next_step = "Free disk space; runs resume by themselves."


class UpstreamError(PipelinesError):
    """A remote endpoint failed."""

    http_status = 502
    grpc_code = 14
    next_step = "Check the endpoint, then try again."


class BadUpstream(UpstreamError):
    """The endpoint answered something that is not its protocol."""


class Unreachable(UpstreamError):
    """No connection could be made."""

    http_status = 503
    next_step = "Check the connection's host and that it is up."


class UpstreamTimeout(UpstreamError):
    """The endpoint did not answer in time."""

    http_status = 504
    grpc_code = 4
