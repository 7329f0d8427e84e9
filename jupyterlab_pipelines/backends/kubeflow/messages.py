"""Kubeflow's JSON to the vocabulary: runs, states, times."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TypeVar

from pydantic import TypeAdapter

from ...errors import BadUpstream
from ...models import Run, State
from ...pipeline_text import split

T = TypeVar("T")

#: What reading an answer fails with whose shape is not as expected.
UNREADABLE = (
    KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError,
)  # fmt: skip

_MOMENT = TypeAdapter(datetime)
#: An enumeration makes its own list of members anew for each who asks.
_STATES = {one.value: one for one in State}
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def understood(host: str, what: str, reading: Callable[[], T]) -> T:
    """What `reading` makes of an answer. Raises BadUpstream where its shape is not as expected."""
    try:
        return reading()
    except UNREADABLE as error:
        raise BadUpstream(
            f"{host} answered {what} that cannot be read ({type(error).__name__}).",
            next_step="Check that the host is a Kubeflow Pipelines API of version 2.",
        ) from error


def moment(text: Any) -> datetime | None:
    """A time in UTC; null where it is missing, none, or the zero that stands for that."""
    return _moment(text) if text else None


@functools.lru_cache(maxsize=1024)  # the tasks of a run began and ended together
def _moment(text: Any) -> datetime | None:
    try:
        value = _MOMENT.validate_python(text)
        value = value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value
        value = value.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
    return None if value <= _EPOCH else value


def state(text: Any) -> State:
    """A state; what has none yet is pending."""
    return _STATES.get(text, State.PENDING)


def error_text(error: Any) -> str | None:
    """The message of a google.rpc.Status; null where there is none."""
    if isinstance(error, Mapping):
        error = error.get("message")
    return str(error) if error else None


def run_from_json(content: Mapping[str, Any], namespace: str = "") -> Run:
    """A run as the API lists it."""
    reference = content.get("pipeline_version_reference") or {}
    spec, _ = split(content.get("pipeline_spec") or {})
    history = content.get("state_history") or []
    began = [one.get("update_time") for one in history if one.get("state") == "RUNNING"]
    final = state(content.get("state")).final
    created = moment(content.get("created_at")) or _EPOCH
    scheduled = moment(content.get("scheduled_at"))
    return Run(
        run_id=content["run_id"],
        display_name=content.get("display_name", ""),
        state=state(content.get("state")),
        description=content.get("description", ""),
        created_at=created,
        scheduled_at=scheduled if scheduled != created else None,  # it was simply started
        started_at=moment(began[0]) if began else None,
        finished_at=moment(content.get("finished_at")) if final else None,
        error=error_text(content.get("error")),
        experiment_id=content.get("experiment_id", ""),
        pipeline_name=(spec.get("pipelineInfo") or {}).get("name", ""),
        pipeline_id=reference.get("pipeline_id") or None,
        pipeline_version_id=reference.get("pipeline_version_id") or None,
        recurring_run_id=content.get("recurring_run_id") or None,
        namespace=content.get("namespace", namespace),
        archived=content.get("storage_state") == "ARCHIVED",
        parameters=(content.get("runtime_config") or {}).get("parameters") or {},
    )
