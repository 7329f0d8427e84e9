"""Runs an async test in an event loop of its own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes an async test one that pytest calls; a fixture named `backend` is closed after it."""

    async def run(**fixtures: Any) -> None:
        try:
            await asyncio.wait_for(test(**fixtures), 120)
        finally:
            if "backend" in fixtures:
                await fixtures["backend"].close()

    @functools.wraps(test)
    def call(**fixtures: Any) -> None:
        asyncio.run(run(**fixtures))

    return call
