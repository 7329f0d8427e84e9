"""One request for all who ask the same at about the same time, however many viewers are open."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from ...models import LogChunk

T = TypeVar("T")

#: Seconds that a piece of a log serves whoever else reads along.
_FRESH = 1.0
_KEPT = 64


class Shared(Generic[T]):
    """Answers by key: each serves those who ask while it is fetched, and for `fresh` seconds."""

    def __init__(self, fresh: float = 0.0) -> None:
        self._fresh = fresh
        self._answers: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}

    async def get(
        self,
        key: Hashable,
        ask: Callable[[], Awaitable[T]],
        good: Callable[[T], bool] = lambda _: True,
    ) -> T:
        """Another's answer if it is `good` for this one who asks; else one by `ask`."""
        answer = self._answers.get(key)
        if answer and time.monotonic() - answer[0] < self._fresh and good(answer[1]):
            return answer[1]
        task = self._under_way.get(key)
        if task is not None:
            value = await asyncio.shield(task)
            if good(value):
                return value
            return await self.get(key, ask, good)
        return await asyncio.shield(self._send(key, ask))

    def forget(self) -> None:
        """Something was changed: what was answered, or is being fetched, is of before."""
        self._answers.clear()
        self._under_way.clear()

    def _send(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> asyncio.Task[T]:
        async def asked() -> T:
            return await ask()

        task = self._under_way[key] = asyncio.get_running_loop().create_task(asked())
        task.add_done_callback(lambda done: self._keep(key, done))
        return task

    def _keep(self, key: Hashable, task: asyncio.Task[T]) -> None:
        failed = task.cancelled() or task.exception() is not None
        if self._under_way.get(key) is not task:
            return  # something was changed meanwhile
        del self._under_way[key]
        if not failed and self._fresh:
            self._answers[key] = (time.monotonic(), task.result())
            self._answers.move_to_end(key)
            while len(self._answers) > _KEPT:
                self._answers.popitem(last=False)


class SharedLogs:
    """Pieces of logs, shared by those who read along.

    A piece serves another reader only if it was cut from a log as long as the longest one seen: who
    was told that a log has grown never gets a piece of before.
    """

    def __init__(self) -> None:
        self._pieces: Shared[LogChunk] = Shared(_FRESH)
        self._newest: OrderedDict[Hashable, tuple[int, int]] = OrderedDict()

    async def get(
        self, log: Hashable, offset: int, limit: int, read: Callable[[], Awaitable[LogChunk]]
    ) -> LogChunk:
        """The piece at `offset` of one log. A look at nothing but its size is always a new one."""

        async def ask() -> LogChunk:
            chunk = await read()
            self._newest[log] = (chunk.attempt, chunk.size)
            self._newest.move_to_end(log)
            while len(self._newest) > _KEPT:
                self._newest.popitem(last=False)
            return chunk

        if offset and not limit:
            return await ask()
        return await self._pieces.get(
            (log, offset, limit),
            ask,
            lambda chunk: (chunk.attempt, chunk.size) == self._newest.get(log),
        )
