"""What a handler receives and returns, and the errors only Kubeflow's dialect knows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from ....errors import BadInput, Conflict, PipelinesError
from ...base import ApiResponse

if TYPE_CHECKING:
    from ..engine import Engine

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class FailedPrecondition(BadInput):
    """The request is right, but something else must be done first."""

    grpc_code = 9
    next_step = ""


class Aborted(Conflict):
    """Not allowed on this very object, or not as it stands."""

    grpc_code = 10
    next_step = ""


class Unimplemented(PipelinesError):
    """Kubeflow has it, this engine has not."""

    http_status: ClassVar[int] = 501
    grpc_code: ClassVar[int] = 12
    next_step = "Use a Kubeflow connection for it."


def snake_case(name: str) -> str:
    """The proto name of a field given by its proto or its JSON name."""
    return _CAPITAL.sub(r"_\1", name).lower()


class Query:
    """A request's query: proto and JSON names are the same, unknown names are ignored."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(snake_case(name), []).append(value)

    def text(self, name: str) -> str:
        """The parameter's last value; empty where it is missing."""
        return self._values.get(name, [""])[-1]

    def many(self, name: str) -> list[str]:
        """Every value of a repeated parameter."""
        return [value for value in self._values.get(name, []) if value]

    def integer(self, name: str) -> int:
        """An int32; 0 where it is missing. Raises BadInput."""
        text = self.text(name) or "0"
        if not re.fullmatch(r"[+-]?[0-9]{1,10}", text):
            raise BadInput(f"The query parameter {name} must be an integer, not {text!r}.")
        return int(text)

    def flag(self, name: str) -> bool:
        """A boolean; false where it is missing. Raises BadInput."""
        text = self.text(name).lower()
        if text in ("true", "1", "t"):
            return True
        if text in ("", "false", "0", "f"):
            return False
        raise BadInput(f"The query parameter {name} must be true or false, not {text!r}.")


@dataclass(frozen=True)
class Call:
    """One matched request. `path` holds the template's variables, decoded."""

    engine: Engine
    path: Mapping[str, str]
    query: Query
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """A header by its name in any case; empty where it is missing."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")

    def json(self) -> Any:
        """The body as JSON; null where it is empty. Raises BadInput."""
        if not self.body.strip():
            return None
        try:
            return json.loads(self.body, parse_constant=_no_constant, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"The request's body is not valid JSON: {error}.") from error


Handler: TypeAlias = Callable[[Call], "dict[str, Any] | ApiResponse"]


@dataclass(frozen=True)
class Route:
    """`template` is a path with `{variables}`, each one segment, and perhaps a `:verb`."""

    method: str
    template: str
    handler: Handler


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number
