"""Every list of the dialect: filter, sort and pages, as one SQL query each.

A page token is the base64 of the next row's sort value and key with the list's name, sort and
filter. Later pages may leave sort and filter out; other ones than the token's are an error.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ....errors import BadInput
from ..database import Database
from .filters import Field, Predicate, condition, parse
from .protocol import Query

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 200


@dataclass(frozen=True)
class Page:
    """The rows of one page, whole; an empty token means the last page."""

    rows: list[Mapping[str, Any]]
    next_page_token: str
    total_size: int


@dataclass(frozen=True)
class Listing:
    """A table, or a query in brackets, that can be listed by its unique `key`.

    `fields` maps the API's names to columns.
    """

    table: str
    key: str
    fields: Mapping[str, Field]
    default_sort: str = "created_at"

    @property
    def name(self) -> str:
        """What its page tokens carry."""
        return self.key.removesuffix("_id")

    def page(
        self,
        database: Database,
        query: Query,
        scope: Sequence[tuple[str, Any]] = (),
        sort_parameter: str = "sort_by",
    ) -> Page:
        """The page that `query` asks for, among the rows where each `(condition, value)` holds.

        Raises BadInput on a bad size, sort, filter or token.
        """
        size = _page_size(query.integer("page_size"))
        criteria, start = self._criteria(query, sort_parameter)
        where, values = self._where(criteria.predicates, scope)
        order = self.fields[criteria.sort].order
        if values:  # few may be left: reading in order would read every large row
            order = f"+{order}"
        direction = "DESC" if criteria.descending else "ASC"
        from_start = ""
        if start is not None:
            compare = "<=" if criteria.descending else ">="
            from_start = f" AND ({order}, {self.key}) {compare} (?, ?)"
        keys = (
            f"SELECT {self.key} FROM {self.table} WHERE {where}{from_start}"  # noqa: S608
            f" ORDER BY {order} {direction}, {self.key} {direction} LIMIT ?"
        )
        with database.snapshot() as connection:
            found = connection.execute(keys, [*values, *(start or ()), size + 1]).fetchall()
            total = connection.execute(
                f"SELECT COUNT(*) FROM {self.table} WHERE {where}",  # noqa: S608
                values,
            ).fetchone()[0]
            marks = ", ".join("?" * len(found))
            rows = found and connection.execute(
                f"SELECT *, {order} AS sort_value FROM {self.table}"  # noqa: S608
                f" WHERE {self.key} IN ({marks})",
                [row[0] for row in found],
            )
            by_key = {row[self.key]: dict(row) for row in rows}
        ordered: list[Mapping[str, Any]] = [by_key[row[0]] for row in found]
        token = ""
        if len(ordered) > size:
            after = ordered.pop()
            token = criteria.token(self.name, after["sort_value"], after[self.key])
        return Page(ordered, token, total)

    def _criteria(self, query: Query, sort_parameter: str) -> tuple[_Criteria, Any]:
        sort_by, filter_ = query.text(sort_parameter), query.text("filter")
        token = query.text("page_token")
        if not token:
            return self._given(sort_by, filter_), None
        criteria, start = self._from_token(token)
        if (sort_by or filter_) and self._given(sort_by, filter_) != criteria:
            raise BadInput(
                "The page token belongs to another sort or filter.",
                next_step="Send the same ones, or none, with the token.",
            )
        return criteria, start

    def _given(self, sort_by: str, filter_: str) -> _Criteria:
        words = sort_by.lower().split()
        if len(words) > 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise BadInput(
                f"Received invalid sort by format {sort_by!r}.",
                next_step='Use "field_name", "field_name desc" or "field_name asc".',
            )
        sort = words[0] if words else self.default_sort
        if sort not in self.fields or sort == "tags":
            known = ", ".join(sorted(name for name in self.fields if name != "tags"))
            raise BadInput(f"Invalid sorting field: {sort!r}.", next_step=f"Sort by: {known}.")
        return _Criteria(sort, words[1:] == ["desc"], tuple(parse(filter_)))

    def _from_token(self, token: str) -> tuple[_Criteria, tuple[Any, str]]:
        """Everything in a token is checked as if a stranger had written it."""
        try:
            content = json.loads(base64.b64decode(token, validate=True))
            if content["list"] != self.name:
                raise ValueError("it belongs to another list")
            criteria = _Criteria(
                content["sort"],
                content["descending"] is True,
                tuple(Predicate(**predicate) for predicate in content["predicates"]),
            )
            value, key = content["value"], content["key"]
            expected = int if self.fields[criteria.sort].kind == "time" else str
            if not isinstance(value, expected) or not isinstance(key, str):
                raise TypeError("its start is of the wrong type")
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ValueError("its start is out of range")
            # Its filter must read as one that a client could have sent.
            for predicate in criteria.predicates:
                if parse(json.dumps({"predicates": [_as_sent(predicate)]})) != [predicate]:
                    raise ValueError("its filter is not one")
        except (binascii.Error, ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadInput("Invalid page token.", next_step="List from the first page.") from error
        return criteria, (value, key)

    def _where(
        self, predicates: Sequence[Predicate], scope: Sequence[tuple[str, Any]]
    ) -> tuple[str, list[Any]]:
        parts, values = ["1"], []
        for sql, value in scope:
            parts.append(sql)
            values.extend(value if isinstance(value, list) else [value])
        for predicate in predicates:
            sql, more = condition(predicate, self.fields)
            parts.append(sql)
            values.extend(more)
        return " AND ".join(parts), values


@dataclass(frozen=True)
class _Criteria:
    sort: str
    descending: bool
    predicates: tuple[Predicate, ...]

    def token(self, name: str, value: Any, key: str) -> str:
        content = {
            "list": name,
            "sort": self.sort,
            "descending": self.descending,
            "predicates": [asdict(predicate) for predicate in self.predicates],
            "value": value,
            "key": key,
        }
        return base64.b64encode(json.dumps(content).encode()).decode()


def _as_sent(predicate: Predicate) -> dict[str, Any]:
    """The predicate as a client writes it."""
    value: Any = predicate.value
    if isinstance(value, list):
        kind = "string_values" if value and isinstance(value[0], str) else "long_values"
        value = {"values": value}
    else:
        kind = "string_value" if isinstance(value, str) else "long_value"
    return {"key": predicate.key, "operation": predicate.operation, kind: value}


def _page_size(asked: int) -> int:
    if asked < 0:
        raise BadInput(f"The page size should be greater than 0. Got {asked}.")
    return min(asked or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
