"""The run list: filters, sorts and pages, on 100,000 runs too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.api.protocol import Query
from jupyterlab_pipelines.backends.local.api.runs import RUNS
from jupyterlab_pipelines.backends.local.database import Database
from jupyterlab_pipelines.backends.local.runs import page
from jupyterlab_pipelines.errors import BadInput
from jupyterlab_pipelines.models import RunPage, RunQuery, State

MOMENT = "1970-01-02T00:00:00Z"
_FILL = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)
INSERT INTO runs (run_id, display_name, experiment_id, pipeline_name, state, storage_state,
    created_at, started_at, finished_at, changed, pipeline_spec)
SELECT printf('run-%06d', i), printf('%s %d_%d', iif(i % 2, 'Train', 'load'), i % 97, i),
    printf('e%d', i % 5), printf('p%d', i % 7),
    CASE i % 10 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'RUNNING' ELSE 'SUCCEEDED' END,
    iif(i % 50 = 0, 'ARCHIVED', 'AVAILABLE'), 1000000 * (i / 3), 1000000 * i,
    iif(i % 10 = 1, NULL, 1000000 * i + (i * 7919) % 100003), i, '{}'
FROM n
"""


def filled(path: Path, size: int) -> Database:
    database = Database(path / "engine.sqlite")
    with database.write() as connection:
        connection.execute(_FILL, (size,))
    return database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = filled(tmp_path, 300)
    yield database
    database.close()


def walk(database: Database, **query: Any) -> list[str]:
    """The ids of all pages of a list."""
    ids: list[str] = []
    token = ""
    while True:
        with database.snapshot() as connection:
            one = page(connection, RunQuery(page_token=token, **query))
        ids += [run.run_id for run in one.runs]
        token = one.next_page_token
        if not token:
            assert one.total_size == len(ids)
            return ids


@pytest.mark.parametrize(
    "sort_by", ["created_at", "finished_at", "display_name", "state", "duration"]
)
def test_pages_hold_every_run_once_in_order(database: Database, sort_by: Any) -> None:
    descending = walk(database, sort_by=sort_by, page_size=7)
    assert len(descending) == len(set(descending)) == 294
    assert walk(database, sort_by=sort_by, page_size=200) == descending
    assert walk(database, sort_by=sort_by, descending=False, page_size=13) == descending[::-1]


def test_every_criterion_narrows_the_list(database: Database) -> None:
    assert len(walk(database, archived=True)) == 6
    assert len(walk(database, name="TRAIN")) == 150
    assert walk(database, name="0%") == []
    assert walk(database, name="_299") == ["run-000299"]
    assert len(walk(database, experiment_id="e1")) == 60
    assert len(walk(database, pipeline_name="p0", states=[State.RUNNING, State.FAILED])) == 8
    assert walk(database, experiment_id="none") == []


def test_a_token_of_another_list_is_refused(database: Database) -> None:
    with database.snapshot() as connection:
        token = page(connection, RunQuery(page_size=5)).next_page_token
        for query in (
            RunQuery(page_token=token, sort_by="state"),
            RunQuery(page_token=token, name="x"),
            RunQuery(page_token="nonsense"),
            RunQuery(page_token="é"),
        ):
            with pytest.raises(BadInput, match="page token"):
                page(connection, query)


def test_pages_are_stable_while_runs_come(database: Database) -> None:
    with database.snapshot() as connection:
        first = page(connection, RunQuery(page_size=100))
    with database.write() as connection:
        connection.execute(
            "INSERT INTO runs (run_id, display_name, experiment_id, state, created_at, changed, "
            "pipeline_spec) VALUES ('new', 'new', 'e', 'PENDING', 9000000000, 1, '{}')"
        )
    with database.snapshot() as connection:
        token = first.next_page_token
        second = page(connection, RunQuery(page_size=100, page_token=token))
    seen = {run.run_id for run in first.runs}
    assert seen.isdisjoint(run.run_id for run in second.runs)
    assert "new" not in {run.run_id for run in second.runs}


SORTS = ("created_at", "finished_at", "display_name", "state", "duration")
CRITERIA: list[dict[str, Any]] = [
    {},
    {"archived": True},
    {"name": "train 5"},
    {"name": "nothing"},
    {"states": [State.FAILED]},
    {"states": [State.CANCELED]},
    {"experiment_id": "e1"},
    {"pipeline_name": "p3"},
    {"pipeline_name": "none", "states": [State.RUNNING]},
]


def api_queries() -> Iterator[Query]:
    """Kubeflow's list: each of its sorts with each of its filters."""
    times = [name for name, field in RUNS.fields.items() if field.kind == "time"]
    texts = [name for name in RUNS.fields if name not in times]
    predicates: list[dict[str, Any]] = [
        *({"key": key, "operation": "EQUALS", "string_value": "run-000299"} for key in texts),
        *({"key": key, "operation": "IS_SUBSTRING", "string_value": "zzz"} for key in texts),
        *({"key": key, "operation": "GREATER_THAN", "timestamp_value": MOMENT} for key in times),
        {"key": "storage_state", "operation": "NOT_EQUALS", "string_value": "ARCHIVED"},
        {"key": "state", "operation": "IN", "string_values": {"values": ["FAILED", "RUNNING"]}},
    ]
    for sort, order in product(RUNS.fields, ("asc", "desc")):
        yield Query([("sort_by", f"{sort} {order}")])
        for one in predicates:
            filter_ = json.dumps({"predicates": [one]})
            yield Query([("sort_by", f"{sort} {order}"), ("filter", filter_)])


def lists(database: Database) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every way to list runs, by name."""
    for sort, descending, criteria in product(SORTS, (True, False), CRITERIA):
        query: dict[str, Any] = {"sort_by": sort, "descending": descending, **criteria}

        def own(query: RunQuery = RunQuery(**query)) -> RunPage:  # noqa: B008 - of this turn
            with database.snapshot() as connection:
                return page(connection, query)

        yield str(query), own
    for api_query in api_queries():
        yield str(vars(api_query)), partial(RUNS.page, database, api_query)


def test_no_list_reads_every_row(database: Database) -> None:
    """The rows are large: an index has to do for sorting, filtering and counting."""
    connection = database.connection()
    queries: set[str] = set()
    for _, ask in lists(database):
        connection.set_trace_callback(queries.add)
        ask()
        connection.set_trace_callback(None)
    selects = [query for query in queries if query.startswith("SELECT")]
    assert len(selects) > 500
    for query in selects:
        for step in connection.execute(f"EXPLAIN QUERY PLAN {query}"):
            what: str = step["detail"]
            assert not what.startswith("SCAN runs") or "USING COVERING INDEX" in what, query


@pytest.mark.soak
def test_a_page_of_100_000_runs_is_quick(tmp_path: Path) -> None:
    database = filled(tmp_path, 100_000)
    with database.write() as connection:
        connection.execute("UPDATE runs SET pipeline_spec = ?", (json.dumps("x" * 5000),))
    slowest = (0.0, "")
    # Each of them is like some others, as the test above shows: every fifth will do.
    for name, ask in islice(lists(database), 0, None, 5):
        taken = []
        for _ in range(3):
            before = time.perf_counter()
            ask()
            taken.append(time.perf_counter() - before)
        slowest = max(slowest, (min(taken), name))
    database.close()
    assert slowest[0] <= 0.3, slowest
