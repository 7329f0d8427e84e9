"""Work on another thread that builds much and drops little, as reading a large run does."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Iterator
from threading import Lock
from typing import TypeVar

T = TypeVar("T")

_lock = Lock()
_builders = 0


async def built(build: Callable[[], T]) -> T:
    """What `build` makes, on a thread of its own, with the collector held meanwhile."""

    def work() -> T:
        with _collector_held():
            return build()

    return await asyncio.to_thread(work)


@contextlib.contextmanager
def _collector_held() -> Iterator[None]:
    """Keeps Python from looking for cycles: 10,000 tasks have none, and it costs half the time."""
    global _builders
    with _lock:
        # Where somebody else holds it, it stays held.
        ours = _builders > 0 or gc.isenabled()
        if ours:
            _builders += 1
            gc.disable()
    try:
        yield
    finally:
        if ours:
            with _lock:
                _builders -= 1
                if _builders == 0:
                    gc.enable()
