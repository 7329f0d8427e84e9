"""What was read, within a limit of weight: what was not asked for the longest goes first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass
class _Entry(Generic[T]):
    """A value with what it weighs, and when it was last asked for."""

    value: T
    weight: int
    asked: float


class Memory(Generic[T]):
    """Values by key, of at most `most` together; the newest stays whatever it weighs.

    One that was not asked for during `idle` seconds goes with the next `sweep`.
    """

    def __init__(self, most: int, idle: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._idle = idle
        self._clock = clock
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def weight(self) -> int:
        """What all of them weigh."""
        return self._weight

    def get(self, key: str) -> T | None:
        """A value, which is in use from now on; null where it is not kept."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.asked = self._clock()
        self._entries.move_to_end(key)
        return entry.value

    def put(self, key: str, value: T, weight: int) -> list[str]:
        """Keeps a value, and gives the keys of those that had to go for it."""
        self.drop(key)
        self._entries[key] = _Entry(value, weight, self._clock())
        self._weight += weight
        gone = []
        while self._weight > self._most and len(self._entries) > 1:
            gone.append(self._drop_oldest())
        return gone

    def drop(self, key: str) -> None:
        """Forgets a value, where it is kept."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._weight -= entry.weight

    def sweep(self) -> list[str]:
        """Drops what nobody asked for of late; its keys."""
        gone = []
        until = self._clock() - self._idle
        while self._entries and next(iter(self._entries.values())).asked <= until:
            gone.append(self._drop_oldest())
        return gone

    def _drop_oldest(self) -> str:
        key = next(iter(self._entries))
        self.drop(key)
        return key
