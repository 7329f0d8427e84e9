"""The bridge from a notebook's cell to the service: connections, one one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import lru_cache
from typing import Any, TypeVar

from ..connections import Connections
from ..service import Service

T = TypeVar("T")


@lru_cache(maxsize=1)
def loop() -> asyncio.AbstractEventLoop:
    """A kernel's own loop is busy while a cell runs, so ours lives in a thread."""
    events = asyncio.new_event_loop()
    threading.Thread(target=events.run_forever, name="jupyterlab-pipelines", daemon=True).start()
    return events


def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine from a cell and returns its result; an interrupt cancels it."""
    future = asyncio.run_coroutine_threadsafe(coroutine, loop())
    try:
        return future.result()
    except KeyboardInterrupt:
        future.cancel()
        raise


@lru_cache(maxsize=1)
def connections() -> Connections:
    """The user's connections, as the server and the command line see them."""
    return Connections()


def service(connection: str) -> Service:
    """The service of a connection. Raises NotFound for an unknown name."""
    return connections().service(connection)
