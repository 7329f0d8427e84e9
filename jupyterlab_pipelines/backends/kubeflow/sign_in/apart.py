"""Work of a sign-in that blocks: in a thread of its own, so that it holds up nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Apart(Generic[T]):
    """Done by one thread at a time: whoever comes while it is under way joins.

    It goes on when those who wait for it leave. What it gives then is for whoever comes next
    where `kept`, and else only for those who come before it ends.
    """

    def __init__(self, make: Callable[[], T], *, kept: bool = True) -> None:
        self._make = make
        self._kept = kept
        self._running: Future[T] | None = None

    async def outcome(self, seconds: float) -> T:
        """What it gives. Raises TimeoutError of asyncio where that takes longer."""
        if self._running is None or (self._running.done() and not self._kept):
            self._running = _in_a_thread(self._make)
        running = self._running
        waiting = asyncio.wrap_future(running)
        try:
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if not done:
                raise asyncio.TimeoutError
            if self._running is running:
                self._running = None
            return waiting.result()
        finally:
            waiting.cancel()  # the work itself goes on


def _in_a_thread(make: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody who waits can cancel it

    def run() -> None:
        try:
            future.set_result(make())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="sign-in", daemon=True).start()
    return future
