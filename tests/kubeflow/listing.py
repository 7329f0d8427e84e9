"""A page of rows as Kubeflow's list package cuts it: sort, filter, size, token."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import unquote_plus

from .http import Request, invalid

Row = TypeVar("Row")
Field = Callable[[Any], Any]

DEFAULT_SIZE, LARGEST = 20, 200
_OPERATIONS = {
    1: "EQUALS", 2: "NOT_EQUALS", 3: "GREATER_THAN", 5: "GREATER_THAN_EQUALS",
    6: "LESS_THAN", 7: "LESS_THAN_EQUALS", 8: "IN", 9: "IS_SUBSTRING",
}  # fmt: skip
_VALUES = {
    "intValue": "int_value", "longValue": "long_value", "stringValue": "string_value",
    "timestampValue": "timestamp_value", "intValues": "int_values", "longValues": "long_values",
    "stringValues": "string_values",
}  # fmt: skip
#: What most rows can be sorted and filtered by.
NAMED = {
    "id": lambda row: row.id,
    "name": lambda row: row.name,
    "created_at": lambda row: row.created_at,
    "description": lambda row: row.description,
}
Predicate = tuple[str, str, Any]


def page(
    request: Request,
    rows: Iterable[Row],
    fields: Mapping[str, Field],
    *,
    operation: str = "operation",
    kind: str = "Run",
) -> tuple[list[Row], int, str]:
    """The page's rows, how many match in all, and the next page's token.

    `fields` has what may be sorted and filtered by, `operation` is how this version of the API
    spells a predicate's. Raises Refusal.
    """
    size = _size(request.query.get("page_size", ""))
    token = request.query.get("page_token", "")
    sort_by, filtered = request.query.get("sort_by", ""), request.query.get("filter", "")
    after: list[Any] | None = None
    if token:
        sort, predicates, after = _read_token(token)
        if (sort_by and _sort(sort_by, fields, kind) != sort) or (
            filtered and _predicates(filtered, fields, operation) != predicates
        ):
            raise invalid(
                "page token does not match the supplied sort by and/or filtering criteria. Either "
                "specify the same criteria or leave the latter empty if page token is specified"
            )
    else:
        sort = _sort(sort_by, fields, kind)
        predicates = _predicates(filtered, fields, operation)
    matching = [row for row in rows if all(_holds(row, fields, one) for one in predicates)]
    name, descending = sort

    def place(row: Any) -> list[Any]:
        return [_collated(fields[name](row)), row.id]

    matching.sort(key=place, reverse=descending)
    first = 0
    if after is not None:
        while first < len(matching) and (
            place(matching[first]) > after if descending else place(matching[first]) < after
        ):
            first += 1
    shown = matching[first : first + size]
    further = matching[first + size : first + size + 1]
    following = _make_token(sort, predicates, place(further[0])) if further else ""
    return shown, len(matching), following


def listed(
    name: str, found: tuple[list[Row], int, str], write: Callable[[Row], Any]
) -> dict[str, Any]:
    """A page as every list is answered: nothing that is empty."""
    shown, total, token = found
    parts = {name: [write(row) for row in shown], "total_size": total, "next_page_token": token}
    return {key: part for key, part in parts.items() if part}


def _size(text: str) -> int:
    try:
        size = int(text or 0)
    except ValueError:
        raise invalid(f'parsing field "page_size": strconv.ParseInt: parsing "{text}"') from None
    if size < 0:
        raise invalid(f"The page size should be greater than 0. Got {size}")
    return min(size or DEFAULT_SIZE, LARGEST)


def _sort(text: str, fields: Mapping[str, Field], kind: str) -> tuple[str, bool]:
    words = text.lower().split()
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
        raise invalid(
            f'Received invalid sort by format "{text}". Supported format: "field_name", '
            '"field_name desc", or "field_name asc"'
        )
    name = words[0] if words else "created_at"
    if name not in fields:
        raise invalid(f'Invalid sorting field: "{name}" on listable type {kind}')
    return name, words[1:] == ["desc"]


def _predicates(text: str, fields: Mapping[str, Field], operation: str) -> list[Predicate]:
    """The filter is URL-encoded once more inside the query: Kubeflow decodes it twice."""
    if not text:
        return []
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise invalid(f'failed to parse valid filter from "{text}": invalid URL escape')
    try:
        content = json.loads(unquote_plus(text))
        if not isinstance(content, dict) or content.keys() - {"predicates"}:
            raise ValueError
        read = [_predicate(one, operation) for one in content.get("predicates") or []]
    except (ValueError, TypeError, AttributeError):
        raise invalid(f'failed to parse valid filter from "{text}": proto: syntax error') from None
    for key, _, _ in read:
        if key not in fields:
            raise invalid(f'no support for filtering on unrecognized field "{key}"')
    return read


def _predicate(one: dict[str, Any], operation: str) -> Predicate:
    named = {_VALUES.get(name, name): value for name, value in one.items()}
    kind = named.pop(operation, 0)
    kind = _OPERATIONS.get(kind, kind)
    key = named.pop("key", "")
    if not key or len(named) != 1 or kind not in _OPERATIONS.values():
        raise ValueError
    ((name, value),) = named.items()
    if name not in _VALUES.values():
        raise ValueError
    if name == "timestamp_value":
        value = int(datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp())
    elif name.endswith("values"):
        value = value.get("values", [])
    elif name in ("int_value", "long_value"):
        value = int(value)
    if kind == "IN" and not isinstance(value, list):
        raise invalid(f"cannot use IN operator with scalar type {type(value).__name__}")
    if kind == "IS_SUBSTRING" and not isinstance(value, str):
        raise invalid(f"cannot use non string value type with operator {kind}")
    if kind not in ("IN", "IS_SUBSTRING") and isinstance(value, list):
        raise invalid(f"cannot use scalar operator {kind} on array type")
    return key, kind, value


def _holds(row: Any, fields: Mapping[str, Field], predicate: Predicate) -> bool:
    key, kind, wanted = predicate
    value = _collated(fields[key](row))
    if kind == "IN":
        return value in [_collated(one) for one in wanted]
    if kind == "IS_SUBSTRING":  # a LIKE, whose wildcards are not escaped
        pattern = re.escape(_collated(wanted)).replace("%", ".*").replace("_", ".")
        return re.search(pattern, str(value), re.DOTALL) is not None
    wanted = _collated(wanted)
    if isinstance(value, int) != isinstance(wanted, int):
        value, wanted = str(value), str(wanted)
    return {
        "EQUALS": value == wanted,
        "NOT_EQUALS": value != wanted,
        "GREATER_THAN": value > wanted,
        "GREATER_THAN_EQUALS": value >= wanted,
        "LESS_THAN": value < wanted,
        "LESS_THAN_EQUALS": value <= wanted,
    }[kind]


def _collated(value: Any) -> Any:
    """MySQL compares text without regard to case."""
    return value.casefold() if isinstance(value, str) else value


def _make_token(sort: tuple[str, bool], predicates: list[Predicate], after: list[Any]) -> str:
    return base64.b64encode(json.dumps([sort, predicates, after]).encode()).decode()


def _read_token(token: str) -> tuple[tuple[str, bool], list[Predicate], list[Any]]:
    try:
        sort, predicates, after = json.loads(base64.b64decode(token, validate=True))
        return tuple(sort), [tuple(one) for one in predicates], after  # type: ignore[return-value]
    except (ValueError, TypeError):
        raise invalid("Invalid page token") from None
