"""Filter, sort and pages against a naive model, and what is wrong with a request for them."""

from __future__ import annotations

import base64
import json
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.api.protocol import Query
from jupyterlab_pipelines.backends.local.api.runs import RUNS
from jupyterlab_pipelines.backends.local.database import Database

PATH = "/apis/v2beta1/runs"
SECOND = 1_000_000
STATES = ["PENDING", "RUNNING", "SUCCEEDED", "FAILED"]
NAMES = st.text(alphabet="aAbB%_é ", max_size=4)
TIMES = st.integers(0, 6).map(lambda n: n * SECOND // 2)

ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "display_name": NAMES,
            "description": NAMES,
            "state": st.sampled_from(STATES),
            "created_at": TIMES,
            "finished_at": st.none() | TIMES,
        }
    ),
    max_size=12,
)
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": lambda a, b: a == b,
    "NOT_EQUALS": lambda a, b: a != b,
    "GREATER_THAN": lambda a, b: a > b,
    "GREATER_THAN_EQUALS": lambda a, b: a >= b,
    "LESS_THAN": lambda a, b: a < b,
    "LESS_THAN_EQUALS": lambda a, b: a <= b,
}
NUMBERS = {
    "EQUALS": 1, "NOT_EQUALS": 2, "GREATER_THAN": 3, "GREATER_THAN_EQUALS": 5, "LESS_THAN": 6,
    "LESS_THAN_EQUALS": 7, "IN": 8, "IS_SUBSTRING": 9,
}  # fmt: skip
TEXTS = ["display_name", "name", "description", "state"]
PREDICATES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(TEXTS), st.sampled_from([*COMPARISONS, "IS_SUBSTRING"]), NAMES),
        st.tuples(st.sampled_from(TEXTS), st.just("IN"), st.lists(NAMES, max_size=3)),
        st.tuples(
            st.sampled_from(["created_at", "finished_at"]),
            st.sampled_from([*COMPARISONS]),
            st.integers(0, 3),
        ),
    ),
    max_size=2,
)


def lower(text: str) -> str:
    """As SQLite folds: ASCII only."""
    return "".join(c.lower() if c.isascii() else c for c in text)


def model_value(row: dict[str, Any], key: str) -> Any:
    value = row["display_name" if key == "name" else key]
    return value if isinstance(value, str) else (value or 0) // SECOND


def model_holds(row: dict[str, Any], predicate: tuple[str, str, Any]) -> bool:
    key, operation, value = predicate
    have = model_value(row, key)
    if operation == "IN":
        return have in value
    if operation == "IS_SUBSTRING":
        return lower(value) in lower(have)
    return COMPARISONS[operation](have, value)


def sent(predicate: tuple[str, str, Any], camel: bool) -> dict[str, Any]:
    """A predicate as one of the two official clients writes it."""
    key, operation, value = predicate
    if isinstance(value, list):
        name, value = "string_values", {"values": value}
    elif isinstance(value, int):
        name, value = "timestamp_value", f"1970-01-01T00:00:{value:02d}Z"
    else:
        name = "string_value"
    if camel:
        head, _, tail = name.partition("_")
        return {"key": key, "operation": NUMBERS[operation], head + tail.capitalize(): value}
    return {"key": key, "operation": operation, name: value}


@settings(deadline=None, max_examples=150)
@given(
    rows=ROWS,
    predicates=PREDICATES,
    sort=st.sampled_from(["", "created_at", "finished_at", "name", "state", "id"]),
    descending=st.booleans(),
    size=st.integers(1, 5),
    camel=st.booleans(),
    encoded=st.booleans(),
    repeat=st.booleans(),
)
def test_pages_are_those_of_the_naive_model(
    rows: list[dict[str, Any]],
    predicates: list[tuple[str, str, Any]],
    sort: str,
    descending: bool,
    size: int,
    camel: bool,
    encoded: bool,
    repeat: bool,
) -> None:
    rows = [{**row, "run_id": str(uuid.UUID(int=i))} for i, row in enumerate(rows)]
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "engine.sqlite")
        fill(database, rows)
        text = json.dumps({"predicates": [sent(one, camel) for one in predicates]})
        criteria = [
            ("sort_by", f"{sort} {'desc' if descending else 'asc'}" if sort else ""),
            ("filter", quote(text) if encoded else text),
        ]
        found, totals, token = [], set(), ""
        while True:
            again = criteria if repeat or not token else []
            page = RUNS.page(
                database, Query([*again, ("page_size", str(size)), ("page_token", token)])
            )
            found.append([row["run_id"] for row in page.rows])
            totals.add(page.total_size)
            token = page.next_page_token
            if not token:
                break
        database.close()
    expected = [row for row in rows if all(model_holds(row, one) for one in predicates)]
    column = {"": "created_at", "name": "display_name", "id": "run_id"}.get(sort, sort)

    def order(row: dict[str, Any]) -> Any:
        value = row[column] or 0 if column == "finished_at" else row[column]
        return (lower(value) if column == "display_name" else value, row["run_id"])

    expected.sort(key=order, reverse=descending and bool(sort))
    assert [one for page in found for one in page] == [row["run_id"] for row in expected]
    assert all(len(page) == size for page in found[:-1])
    assert totals == {len(expected)}


@pytest.mark.parametrize("operation", [*COMPARISONS, "IN"])
@pytest.mark.parametrize("key", ["created_at", "finished_at"])
def test_times_are_compared_by_whole_seconds(database: Database, operation: str, key: str) -> None:
    rows = [
        {"run_id": str(i), "display_name": "r", "state": "FAILED",
         "created_at": i * SECOND // 2, "finished_at": i * SECOND // 2 if i else None}
        for i in range(8)
    ]  # fmt: skip
    fill(database, rows)
    for second in range(4):
        value = {"values": [second]} if operation == "IN" else str(second)
        kind = "long_values" if operation == "IN" else "long_value"
        filter_ = {"predicates": [{"key": key, "operation": operation, kind: value}]}
        page = RUNS.page(database, Query([("filter", json.dumps(filter_))]))
        holds = COMPARISONS.get(operation, COMPARISONS["EQUALS"])
        expected = {row["run_id"] for row in rows if holds(model_value(row, key), second)}
        assert {row["run_id"] for row in page.rows} == expected


def fill(database: Database, rows: list[dict[str, Any]]) -> None:
    with database.write() as connection:
        for row in rows:
            whole = {"experiment_id": "e", "changed": 1, "pipeline_spec": "{}", **row}
            connection.execute(
                f"INSERT INTO runs ({', '.join(whole)}) VALUES ({', '.join('?' * len(whole))})",
                list(whole.values()),
            )


def test_sizes_are_those_of_kubeflow(database: Database) -> None:
    fill(database, [{"run_id": str(i), "display_name": "r", "state": "FAILED", "created_at": i}
                    for i in range(250)])  # fmt: skip
    assert len(RUNS.page(database, Query([])).rows) == 20
    assert len(RUNS.page(database, Query([("page_size", "1000")])).rows) == 200


WRONG = [
    ({"page_size": "-1"}, "greater than 0"),
    ({"page_size": "many"}, "must be an integer"),
    ({"sort_by": "colour"}, "Invalid sorting field: 'colour'"),
    ({"sort_by": "name upwards"}, "invalid sort by format"),
    ({"sort_by": "name asc asc"}, "invalid sort by format"),
    ({"page_token": "!"}, "Invalid page token"),
    ({"page_token": base64.b64encode(b"[]").decode()}, "Invalid page token"),
    ({"page_token": base64.b64encode(b'{"list": "run"}').decode()}, "Invalid page token"),
    ({"filter": "{"}, "not valid JSON"),
    ({"filter": "[]"}, "must be a JSON object"),
    ({"filter": '{"predicate": []}'}, "Unknown field filter.predicate"),
    ({"filter": '{"predicates": [{}]}'}, "operation must be one of"),
    ({"filter": '{"predicates": [{"operation": 4, "key": "a"}]}'}, "operation must be one of"),
    ({"filter": '{"predicates": [{"op": 1}]}'}, "Unknown field filter.predicates[0].op"),
]


@pytest.mark.parametrize(("query", "message"), WRONG)
def test_what_is_wrong_is_named(call: Callable[..., Any], query: Any, message: str) -> None:
    status, answer = call("GET", PATH, query)
    assert (status, answer["code"]) == (400, 3)
    assert message in answer["message"]


PREDICATE_ERRORS = [
    ({"operation": "EQUALS", "string_value": "x"}, "key must not be empty"),
    ({"operation": "EQUALS", "key": "name"}, "needs one value"),
    ({"operation": "EQUALS", "key": "name", "string_value": "a", "int_value": 1}, "needs one"),
    ({"operation": "EQUALS", "key": "name", "string_value": 1}, "must be a string"),
    ({"operation": "IN", "key": "name", "string_value": "a"}, "IN does not take string_value"),
    (
        {"operation": "EQUALS", "key": "name", "string_values": {"values": ["a"]}},
        "EQUALS does not take string_values",
    ),
    ({"operation": "IS_SUBSTRING", "key": "name", "int_value": 1}, "takes string_value"),
    ({"operation": "IS_SUBSTRING", "key": "created_at", "string_value": "1"}, "is a time"),
    ({"operation": "EQUALS", "key": "created_at", "timestamp_value": "now"}, "must be a time"),
    ({"operation": "EQUALS", "key": "pipeline_id", "string_value": "a"}, "no filtering by"),
    ({"operation": "EQUALS", "key": "tags.a", "string_value": "a"}, "no filtering by"),
]


@pytest.mark.parametrize(("predicate", "message"), PREDICATE_ERRORS)
def test_a_wrong_predicate_is_named(call: Callable[..., Any], predicate: Any, message: str) -> None:
    status, answer = call("GET", PATH, {"filter": json.dumps({"predicates": [predicate]})})
    assert (status, answer["code"]) == (400, 3)
    assert message in answer["message"]


def test_a_token_of_another_list_sort_or_filter_is_refused(
    call: Callable[..., Any], add_run: Callable[..., str]
) -> None:
    for name in ("a", "b", "c"):
        add_run(display_name=name)
        call("POST", "/apis/v2beta1/experiments", body={"display_name": name})
    filter_ = json.dumps(
        {"predicates": [{"operation": 2, "key": "name", "stringValue": "nothing"}]}
    )
    first = call("GET", PATH, {"page_size": 1, "sort_by": "name", "filter": filter_})[1]
    token = first["next_page_token"]
    same = {"page_token": token, "sort_by": "name asc", "filter": filter_}
    assert call("GET", PATH, same)[0] == 200
    assert call("GET", PATH, {"page_token": token})[1]["runs"][0]["display_name"] == "b"
    for other in ({"sort_by": "name"}, {"sort_by": "name desc", "filter": filter_}):
        status, answer = call("GET", PATH, {"page_token": token, **other})
        assert status == 400
        assert "another sort or filter" in answer["message"]
    assert call("GET", "/apis/v2beta1/experiments", {"page_token": token})[0] == 400


@settings(deadline=None, max_examples=100)
@given(
    changes=st.dictionaries(
        st.sampled_from(["list", "sort", "descending", "predicates", "value", "key"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner),
            max_leaves=4,
        ),
        min_size=1,
    )
)
def test_a_forged_token_is_never_an_internal_error(changes: dict[str, Any]) -> None:
    from jupyterlab_pipelines.errors import BadInput

    token = {
        "list": "run", "sort": "created_at", "descending": False, "predicates": [],
        "value": 1, "key": "a",
    }  # fmt: skip
    forged = base64.b64encode(json.dumps({**token, **changes}).encode()).decode()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "engine.sqlite")
        try:
            RUNS.page(database, Query([("page_token", forged)]))
        except BadInput:
            pass
        finally:
            database.close()
