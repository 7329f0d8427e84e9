"""What Python's search for garbage costs where much is built, and that it still finds some."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from jupyterlab_pipelines.backends.kubeflow import building
from jupyterlab_pipelines.backends.kubeflow.building import built
from tests.async_tests import in_loop


class Knot:
    """Garbage that only the collector finds: it holds itself."""

    def __init__(self) -> None:
        self.itself = self


def much() -> list[list[int]]:
    return [[number] for number in range(building._MANY + 1)]


@pytest.fixture
def searches() -> Iterator[list[int]]:
    """The generations that were searched."""
    found: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "stop":
            found.append(info["generation"])

    gc.collect()
    gc.callbacks.append(note)
    try:
        yield found
    finally:
        gc.callbacks.remove(note)


@in_loop
async def test_what_was_built_is_not_searched(
    searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_large", 0)
    kept = await built(much)
    assert not searches
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0  # it can still be found once it is garbage
    assert kept


@in_loop
async def test_garbage_is_found_however_often_much_is_built(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(building, "_large", 0)
    lost = weakref.ref(Knot())
    for _ in range(building._LOOKED_AT):
        await built(much)
    assert lost() is None
