"""The messages clients send, read as strictly as Kubeflow's gateway reads them.

A field may come by its proto name or its JSON name; null is unset; an unknown field or a wrong
type is an error that names the place. What is read comes back under its proto name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias

from ....errors import BadInput
from .protocol import snake_case

Kind: TypeAlias = Literal["string", "time", "struct", "strings", "int64", "bool", "any"]
Shape: TypeAlias = "Mapping[str, Kind | Mapping[str, Any] | frozenset[str]]"

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

_EXPECTED: Mapping[str, tuple[type, str]] = {
    "string": (str, "a string"),
    "struct": (dict, "a JSON object"),
    "bool": (bool, "true or false"),
}
_STORAGE_STATES = frozenset({"STORAGE_STATE_UNSPECIFIED", "AVAILABLE", "ARCHIVED"})
_VERSION_REFERENCE: Shape = {"pipeline_id": "string", "pipeline_version_id": "string"}
_RUNTIME_CONFIG: Shape = {"parameters": "struct", "pipeline_root": "string"}
_SOURCE: dict[str, Any] = {
    "pipeline_version_id": "string",
    "pipeline_spec": "struct",
    "pipeline_version_reference": _VERSION_REFERENCE,
    "runtime_config": _RUNTIME_CONFIG,
}

EXPERIMENT: Shape = {
    "experiment_id": "string",
    "display_name": "string",
    "description": "string",
    "created_at": "time",
    "namespace": "string",
    "storage_state": _STORAGE_STATES,
    "last_run_created_at": "time",
}
PIPELINE: Shape = {
    "pipeline_id": "string",
    "display_name": "string",
    "name": "string",
    "description": "string",
    "created_at": "time",
    "namespace": "string",
    "error": "any",
    "tags": "strings",
}
PIPELINE_VERSION: Shape = {
    "pipeline_id": "string",
    "pipeline_version_id": "string",
    "display_name": "string",
    "name": "string",
    "description": "string",
    "created_at": "time",
    "package_url": {"pipeline_url": "string"},
    "code_source_url": "string",
    "pipeline_spec": "struct",
    "error": "any",
    "tags": "strings",
}
PIPELINE_AND_VERSION: Shape = {"pipeline": PIPELINE, "pipeline_version": PIPELINE_VERSION}
#: What the server alone writes is accepted, as protobuf does, and ignored.
RUN: Shape = {
    **_SOURCE,
    "experiment_id": "string",
    "run_id": "string",
    "display_name": "string",
    "storage_state": _STORAGE_STATES,
    "description": "string",
    "service_account": "string",
    "created_at": "time",
    "scheduled_at": "time",
    "finished_at": "time",
    "state": "any",
    "error": "any",
    "run_details": "any",
    "recurring_run_id": "string",
    "state_history": "any",
    "plugins_input": "any",
    "plugins_output": "any",
}
RECURRING_RUN: Shape = {
    **_SOURCE,
    "recurring_run_id": "string",
    "display_name": "string",
    "description": "string",
    "service_account": "string",
    "max_concurrency": "int64",
    "trigger": {
        "cron_schedule": {"start_time": "time", "end_time": "time", "cron": "string"},
        "periodic_schedule": {
            "start_time": "time",
            "end_time": "time",
            "interval_second": "int64",
        },
    },
    "mode": frozenset({"MODE_UNSPECIFIED", "ENABLE", "DISABLE"}),
    "created_at": "time",
    "updated_at": "time",
    "status": "any",
    "error": "any",
    "no_catchup": "bool",
    "namespace": "string",
    "experiment_id": "string",
    "plugins_input": "any",
}


def read(shape: Shape, content: Any, place: str = "") -> dict[str, Any]:
    """`content` as the message `shape`, under proto names; null is the empty message.

    Raises BadInput naming the field.
    """
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise BadInput(f"{place or 'The body'} must be a JSON object, not {_named(content)}.")
    found: dict[str, Any] = {}
    for key, value in content.items():
        name = key if key in shape else snake_case(key)
        where = f"{place}.{key}" if place else key
        kind = shape.get(name)
        if kind is None:
            raise BadInput(f"Unknown field {where!r}.", next_step="Remove it, then send again.")
        if name in found:
            raise BadInput(f"The field {where!r} is given twice.")
        if value is not None:
            found[name] = _value(kind, value, where)
    return found


def one_of(content: Mapping[str, Any], names: tuple[str, ...], place: str) -> str:
    """The one name of a oneof that is set; empty where none is. Raises BadInput on two."""
    given = [name for name in names if name in content]
    if len(given) > 1:
        raise BadInput(f"{place} takes one of {', '.join(names)}, not {' and '.join(given)}.")
    return given[0] if given else ""


def seconds(text: Any, place: str) -> int:
    """An RFC 3339 time as whole seconds since 1970, as Kubeflow keeps it. Raises BadInput."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match:
        date, clock, _, zone = match.groups()
        try:
            zone = "+00:00" if zone in "Zz" else zone
            moment = datetime.fromisoformat(f"{date}T{clock}{zone}")
        except ValueError:
            pass
        else:
            return int((moment - _EPOCH).total_seconds())
    raise BadInput(f"{place} must be a time like 2026-01-31T12:00:00Z, not {_named(text)}.")


def int64(value: Any, place: str) -> int:
    """A JSON integer, or one in a string as protobuf writes int64. Raises BadInput."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise BadInput(f"{place} must be an integer, not {_named(value)}.")
    return value


def check_length(field: str, text: str, longest: int) -> None:
    """Raises BadInput on a text of more bytes than Kubeflow's tables hold."""
    if len(text.encode("utf-8", "surrogatepass")) > longest:
        raise BadInput(f"{field} length cannot exceed {longest}.")


def _value(kind: Kind | Mapping[str, Any] | frozenset[str], value: Any, place: str) -> Any:
    if isinstance(kind, Mapping):
        return read(kind, value, place)
    if isinstance(kind, frozenset):
        if not isinstance(value, str) or value not in kind:
            raise BadInput(f"{place} must be one of {', '.join(sorted(kind))}.")
        return value
    if kind == "time":
        return seconds(value, place)
    if kind == "int64":
        return int64(value, place)
    if kind == "strings":
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise BadInput(f"{place} must map names to strings.")
        return value
    expected, noun = _EXPECTED.get(kind, (object, ""))
    if not isinstance(value, expected):
        raise BadInput(f"{place} must be {noun}, not {_named(value)}.")
    return value


def _named(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
