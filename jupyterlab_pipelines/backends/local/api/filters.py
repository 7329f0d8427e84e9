"""Kubeflow's filters: predicates from JSON, and the SQL that means the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote_plus

from ....errors import BadInput
from .messages import int64, seconds
from .protocol import snake_case

Value: TypeAlias = "str | int | list[str] | list[int]"

_OPERATIONS = {
    1: "EQUALS",
    2: "NOT_EQUALS",
    3: "GREATER_THAN",
    5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN",
    7: "LESS_THAN_EQUALS",
    8: "IN",
    9: "IS_SUBSTRING",
}
_COMPARISONS = {
    "EQUALS": "=",
    "NOT_EQUALS": "<>",
    "GREATER_THAN": ">",
    "GREATER_THAN_EQUALS": ">=",
    "LESS_THAN": "<",
    "LESS_THAN_EQUALS": "<=",
}
_SECOND = 1_000_000
_MAX_VALUES = 1000


@dataclass(frozen=True)
class Field:
    """A field that a list can be filtered and sorted by.

    `sql` is never null. A `time` is microseconds in the store and whole seconds in a filter, as
    Kubeflow keeps it. A `name` sorts without regard to case.
    """

    sql: str
    kind: Literal["text", "name", "time"] = "text"

    @property
    def order(self) -> str:
        """The expression to sort by."""
        return f"{self.sql} COLLATE NOCASE" if self.kind == "name" else self.sql


@dataclass(frozen=True)
class Predicate:
    """One condition; all of a filter's hold together."""

    key: str
    operation: str
    value: Value


def parse(text: str) -> list[Predicate]:
    """A list's `filter` parameter: JSON, or JSON URL-encoded once more. Raises BadInput."""
    if not text:
        return []
    try:
        content = _load(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The filter is not valid JSON: {error}.") from error
    content = _object(content, {"predicates"}, "filter")
    predicates = content.get("predicates") or []
    if not isinstance(predicates, list):
        raise BadInput("filter.predicates must be a list.")
    return [_predicate(one, f"filter.predicates[{i}]") for i, one in enumerate(predicates)]


def condition(predicate: Predicate, fields: Mapping[str, Field]) -> tuple[str, list[Any]]:
    """The SQL condition and its parameters. Raises BadInput on a key the list does not have."""
    field = fields.get(predicate.key)
    if field is None:
        if predicate.key.startswith("tags.") and "tags" in fields:
            return _tag(predicate, fields["tags"])
        known = ", ".join(sorted(name for name in fields if name != "tags"))
        raise BadInput(
            f"There is no filtering by {predicate.key!r}.", next_step=f"Filter by one of: {known}."
        )
    if field.kind == "time":
        return _time(predicate, field)
    if isinstance(predicate.value, list):
        marks = ", ".join("?" * len(predicate.value))
        return f"{field.sql} IN ({marks})", [str(value) for value in predicate.value]
    if predicate.operation == "IS_SUBSTRING":
        # Case does not matter, as in Kubeflow's MySQL; `%` and `_` mean themselves.
        return f"instr(lower({field.sql}), lower(?)) > 0", [predicate.value]
    return f"{field.sql} {_COMPARISONS[predicate.operation]} ?", [str(predicate.value)]


def _time(predicate: Predicate, field: Field) -> tuple[str, list[Any]]:
    """Whole seconds against microseconds, so that an index on the column still serves."""
    if predicate.operation == "IS_SUBSTRING":
        raise BadInput(f"{predicate.key!r} is a time: it has no substrings.")
    values = predicate.value if isinstance(predicate.value, list) else [predicate.value]
    starts = []
    for value in values:
        second = seconds(value, predicate.key) if isinstance(value, str) else value
        starts.append(max(min(second, 2**42), -(2**42)) * _SECOND)
    within = f"({field.sql} >= ? AND {field.sql} < ?)"
    if predicate.operation == "IN":
        bounds = [bound for start in starts for bound in (start, start + _SECOND)]
        return f"({' OR '.join([within] * len(starts)) or '0'})", bounds
    start, end = starts[0], starts[0] + _SECOND
    return {
        "EQUALS": (within, [start, end]),
        "NOT_EQUALS": (f"NOT {within}", [start, end]),
        "GREATER_THAN": (f"{field.sql} >= ?", [end]),
        "GREATER_THAN_EQUALS": (f"{field.sql} >= ?", [start]),
        "LESS_THAN": (f"{field.sql} < ?", [start]),
        "LESS_THAN_EQUALS": (f"{field.sql} < ?", [end]),
    }[predicate.operation]


def _tag(predicate: Predicate, field: Field) -> tuple[str, list[Any]]:
    if predicate.operation != "EQUALS" or not isinstance(predicate.value, str):
        raise BadInput(f"{predicate.key!r} can only be filtered by EQUALS and a string.")
    tag = predicate.key.removeprefix("tags.")
    found = f"EXISTS (SELECT 1 FROM json_each({field.sql}) WHERE key = ? AND value = ?)"  # noqa: S608
    return found, [tag, predicate.value]


def _load(text: str) -> Any:
    """The official client sends plain JSON, Kubeflow's pages JSON that is URL-encoded twice."""
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(unquote_plus(text))


def _object(content: Any, known: set[str], place: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise BadInput(f"{place} must be a JSON object.")
    found = {snake_case(name): value for name, value in content.items()}
    for name in found.keys() - known:
        raise BadInput(f"Unknown field {place}.{name}.")
    return {name: value for name, value in found.items() if value is not None}


def _predicate(content: Any, place: str) -> Predicate:
    content = _object(content, {"key", "operation", *_VALUES}, place)
    key = content.get("key", "")
    operation = content.get("operation")
    if isinstance(operation, int):
        operation = _OPERATIONS.get(operation)
    if not isinstance(operation, str) or operation not in _OPERATIONS.values():
        raise BadInput(f"{place}.operation must be one of {', '.join(_OPERATIONS.values())}.")
    if not isinstance(key, str) or not key:
        raise BadInput(f"{place}.key must not be empty.")
    given = [name for name in content if name in _VALUES]
    if len(given) != 1:
        raise BadInput(f"{place} needs one value: {', '.join(_VALUES)}.")
    name = given[0]
    value = _VALUES[name](content[name], f"{place}.{name}")
    if (operation == "IN") != isinstance(value, list):
        raise BadInput(f"{place}: {operation} does not take {name}.")
    if operation == "IS_SUBSTRING" and not isinstance(value, str):
        raise BadInput(f"{place}: IS_SUBSTRING takes string_value.")
    return Predicate(key, operation, value)


def _string(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{place} must be a string.")
    return value


def _list_of(item: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    """Reads the `values` of an array value."""

    def read(content: Any, place: str) -> list[Any]:
        values = _object(content, {"values"}, place).get("values", [])
        if not isinstance(values, list) or len(values) > _MAX_VALUES:
            raise BadInput(f"{place}.values must be a list of at most {_MAX_VALUES}.")
        return [item(value, f"{place}.values[{i}]") for i, value in enumerate(values)]

    return read


#: The kinds of value a predicate may carry, and how each is read.
_VALUES: Mapping[str, Callable[[Any, str], Any]] = {
    "string_value": _string,
    "int_value": int64,
    "long_value": int64,
    "timestamp_value": seconds,
    "string_values": _list_of(_string),
    "int_values": _list_of(int64),
    "long_values": _list_of(int64),
}
