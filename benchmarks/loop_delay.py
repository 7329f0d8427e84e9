"""A Jupyter server extension that measures how late the server's event loop comes to its work.

Asked for `<base_url>loop-delays`, it answers the delays since it was last asked, in milliseconds:
`late`, by the clock, and `busy`, the processor time of the loop's own thread between two samples,
which does not grow with other work on the machine.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

_INTERVAL = 0.005


class Sampler:
    """The delays since they were last taken."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._busy: list[float] = []

    async def run(self) -> None:
        """Samples for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due, worked = loop.time() + _INTERVAL, time.thread_time()
            await asyncio.sleep(_INTERVAL)
            self._late.append((loop.time() - due) * 1000)
            self._busy.append((time.thread_time() - worked) * 1000)

    def take(self) -> dict[str, list[float]]:
        """Milliseconds, sorted."""
        taken = {"late": sorted(self._late), "busy": sorted(self._busy)}
        self._late, self._busy = [], []
        return taken


class DelaysHandler(APIHandler):
    """Answers the delays as JSON."""

    def initialize(self, sampler: Sampler) -> None:
        self._sampler = sampler

    @web.authenticated
    def get(self) -> None:
        self.finish(json.dumps(self._sampler.take()))


def _load_jupyter_server_extension(server: Any) -> None:
    sampler = Sampler()
    path = url_path_join(server.web_app.settings["base_url"], "loop-delays")
    server.web_app.add_handlers(".*", [(path, DelaysHandler, {"sampler": sampler})])
    server.io_loop.add_callback(sampler.run)
