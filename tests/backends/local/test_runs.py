"""The run list: filters, sorts and pages, on 100,000 runs too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.database import Database
from jupyterlab_pipelines.backends.local.runs import page
from jupyterlab_pipelines.errors import BadInput
from jupyterlab_pipelines.models import RunQuery, State

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


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = filled(tmp_path_factory.mktemp("crowded"), 100_000)
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


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"sort_by": "duration"},
        {"sort_by": "display_name", "descending": False},
        {"sort_by": "state"},
        {"sort_by": "finished_at"},
        {"name": "train 5"},
        {"states": [State.FAILED]},
        {"experiment_id": "e1"},
        {"pipeline_name": "p3", "sort_by": "duration"},
    ],
)
def test_a_page_of_many_is_quick(crowded: Database, query: dict[str, Any]) -> None:
    best = float("inf")
    for _ in range(3):
        before = time.perf_counter()
        with crowded.snapshot() as connection:
            one = page(connection, RunQuery(**query))
        best = min(best, time.perf_counter() - before)
    assert len(one.runs) == 50
    assert best < 0.3
