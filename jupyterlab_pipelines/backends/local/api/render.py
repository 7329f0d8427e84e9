"""The dialect's JSON as Kubeflow's gateway writes it: proto names, defaults left out."""

from __future__ import annotations

import json
from typing import Any

from ....errors import PipelinesError
from ...base import ApiResponse
from ..database import from_micros

_UNSET = "1970-01-01T00:00:00Z"
JSON_TYPE = "application/json"


def message(**fields: Any) -> dict[str, Any]:
    """A message's JSON without its unset and default-valued fields."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value is not False and value not in ("", 0, [], {})
    }


def timestamp(micros: int | None) -> str | None:
    """RFC 3339 in UTC with `Z`, to the second, as Kubeflow keeps times; null stays null."""
    moment = from_micros(micros)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def required_timestamp(micros: int | None) -> str:
    """As `timestamp`, but unset is 1970: Kubeflow always sends some of its times."""
    return timestamp(micros) or _UNSET


def status(code: int, text: str) -> dict[str, Any]:
    """A google.rpc.Status inside a message."""
    return {"code": code, "message": text}


def json_response(content: Any, http_status: int = 200) -> ApiResponse:
    """`content` as a JSON answer."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return ApiResponse(
        http_status, {"Content-Type": JSON_TYPE}, text.encode("utf-8", "surrogatepass")
    )


def error_content(error: PipelinesError) -> dict[str, Any]:
    """An error's body: the message names every place, then the next step."""
    lines = [error.message]
    for problem in error.problems:
        line = f"{problem.place}: {problem.message}" if problem.place else problem.message
        if line not in error.message:
            lines.append(line)
    text = "\n".join(lines)
    text = f"{text} {error.next_step}".strip()
    detail = {
        "@type": "type.googleapis.com/google.rpc.Status",
        **status(error.grpc_code, text),
    }
    return {"error": text, "code": error.grpc_code, "message": text, "details": [detail]}
