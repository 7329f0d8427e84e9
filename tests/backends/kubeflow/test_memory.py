"""What is kept of the runs that were looked at: bounded by their size, and not for ever."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, readings
from jupyterlab_pipelines.backends.kubeflow.graph import Workflow
from jupyterlab_pipelines.backends.kubeflow.memory import Memory
from tests.async_tests import in_loop
from tests.kubeflow import serving

from .everything import compiled
from .graphs import Endpoint

MANIFEST = "GET /apis/v1beta1/runs/{}"


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def backend_of(endpoint: Endpoint) -> AsyncIterator[KubeflowBackend]:
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        try:
            yield backend
        finally:
            await backend.close()


def workflows() -> int:
    """How many workflows this process holds."""
    gc.collect()
    return sum(isinstance(one, Workflow) for one in gc.get_objects())


# --- the memory ---------------------------------------------------------------------------------


def test_the_sum_is_bounded_and_the_longest_unused_goes_first() -> None:
    kept: Memory[str] = Memory(most=100, idle=300)
    assert kept.put("a", "A", 40) == []
    assert kept.put("b", "B", 40) == []
    assert kept.get("a") == "A"
    assert kept.put("c", "C", 50) == ["b"]
    assert (kept.get("a"), kept.get("b"), kept.get("c"), kept.weight) == ("A", None, "C", 90)


def test_the_newest_stays_whatever_it_weighs() -> None:
    kept: Memory[str] = Memory(most=100, idle=300)
    kept.put("a", "A", 40)
    assert kept.put("b", "B", 500) == ["a"]
    assert kept.get("b") == "B"
    assert kept.put("c", "C", 1) == ["b"]
    assert kept.weight == 1


def test_a_value_that_is_replaced_or_dropped_weighs_nothing() -> None:
    kept: Memory[str] = Memory(most=100, idle=300)
    kept.put("a", "A", 90)
    assert kept.put("a", "larger", 95) == []
    assert (kept.get("a"), kept.weight, len(kept)) == ("larger", 95, 1)
    kept.drop("a")
    kept.drop("a")
    assert (kept.weight, len(kept)) == (0, 0)


def test_what_nobody_asks_for_goes_after_a_while() -> None:
    clock = Clock()
    kept: Memory[str] = Memory(most=100, idle=300, clock=clock)
    kept.put("a", "A", 10)
    kept.put("b", "B", 20)
    clock.now += 200
    assert kept.get("a") == "A"
    assert kept.sweep() == []
    clock.now += 100
    assert kept.sweep() == ["b"]
    assert (kept.get("a"), kept.weight) == ("A", 10)


# --- runs ---------------------------------------------------------------------------------------


@in_loop
async def test_a_run_that_was_pushed_out_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large runs are kept one at a time here, with their workflows; small ones together."""
    endpoint = Endpoint()
    runs = [endpoint.add(compiled()) for _ in range(4)]
    before = workflows()
    asked = endpoint.cluster.asked
    monkeypatch.setattr(readings, "_MOST", readings._EACH)
    async with backend_of(endpoint) as backend:
        first = await backend.get_graph(runs[0].id)
        for run in runs[1:]:
            await backend.get_graph(run.id)
        assert workflows() - before == 1
        again = await backend.get_graph(runs[0].id)
        assert again.tasks == first.tasks
        assert again.artifacts == first.artifacts != {}
        assert again.revision > first.revision
        assert asked[MANIFEST.format(runs[0].id)] == 2

    asked.clear()
    monkeypatch.setattr(readings, "_MOST", 20_000)
    async with backend_of(endpoint) as backend:
        for run in [*runs, *runs]:
            await backend.get_graph(run.id)
        assert {asked[MANIFEST.format(run.id)] for run in runs} == {1}


@in_loop
async def test_a_run_that_nobody_looks_at_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, with its workflow, also where nobody looks at any other run."""
    monkeypatch.setattr(readings, "_IDLE", 0.05)
    endpoint = Endpoint()
    run = endpoint.add(compiled())
    before = workflows()
    async with backend_of(endpoint) as backend:
        await backend.get_graph(run.id)
        assert workflows() - before == 1
        for _ in range(200):
            await asyncio.sleep(0.02)
            if workflows() == before:
                break
        assert workflows() == before
        await backend.get_graph(run.id)
        assert endpoint.cluster.asked[MANIFEST.format(run.id)] == 2
