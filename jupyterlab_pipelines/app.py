"""The Jupyter server extension: traits, wiring, and care for the embedded engine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import threading
from datetime import datetime, timezone
from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import List, Type, Unicode

from .connections import Connections, default_home
from .errors import PipelinesError
from .routes import Desk, handlers

#: Seconds between two looks at the engine's runs: are there any, and are they alive?
CARE_INTERVAL = 60.0
#: Seconds that a recurring run which is being fired has to be fired, when the server stops.
KEEPER_PATIENCE = 5.0


@functools.cache
def _settle_memory() -> None:
    """Has collections leave alone, from now on, what this process has loaded: it stays anyway.

    Else each full one would walk all of it again, and hold the event loop up for a tenth of a
    second.
    """
    gc.collect()
    gc.freeze()


class PipelinesApp(ExtensionApp):
    """Serves the pipelines of every connection beside JupyterLab."""

    name = "jupyterlab_pipelines"
    load_other_extensions = True

    home = Unicode(
        help="Folder of the embedded engine: runs, logs and artifacts. Default:"
        " $JUPYTERLAB_PIPELINES_HOME, else jupyterlab_pipelines in Jupyter's data folder."
    ).tag(config=True)
    connections_class = Type(
        Connections, klass=Connections, help="What finds, stores and opens connections."
    ).tag(config=True)
    trusted_origins = List(
        Unicode(),
        help="Origins (https://host) of pages that may use the pipelines although they are not"
        " this server's own; needed only behind a proxy that hides the Host header.",
    ).tag(config=True)

    connections: Connections

    def initialize_settings(self) -> None:
        home = Path(self.home).expanduser() if self.home else default_home()
        self.connections = self.connections_class(home)
        self._stopping = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep_engine, name="jupyterlab-pipelines-engine", daemon=True
        )
        self._keeper.start()
        self._care = PeriodicCallback(self._look_after, CARE_INTERVAL * 1000)
        self._care.start()

    def initialize_handlers(self) -> None:
        self.handlers.extend(handlers(Desk(self.connections, tuple(self.trusted_origins))))

    async def stop_extension(self) -> None:
        """Frees connections and watchers; runs go on without the server."""
        self._care.stop()
        self._stopping.set()
        await asyncio.to_thread(self._keeper.join, KEEPER_PATIENCE)
        await self.connections.close()

    # --- the embedded engine -------------------------------------------------------------------

    def _keep_engine(self) -> None:
        """Picks up what an earlier server left, then fires recurring runs until this one stops."""
        self._reconcile()
        _settle_memory()
        with contextlib.suppress(Exception):  # the engine cannot be used: that is logged by now
            self.connections.local_backend().fire_recurring_runs(self._stopping)

    def _reconcile(self) -> None:
        """Picks up runs whose supervisor is gone. The server never waits for it, nor fails."""
        try:
            self.connections.local_backend().engine.reconcile()
        except PipelinesError as error:
            self.log.warning("The connection local cannot be used: %s", error.message)
        except Exception:
            self.log.exception("Runs of an earlier server could not be looked after")

    async def _look_after(self) -> None:
        """Restarts what died, and keeps an idle server alive while it has runs."""
        await asyncio.to_thread(self._reconcile)
        if await asyncio.to_thread(self._active_runs):
            assert self.serverapp is not None
            activity: dict[str, datetime] = self.serverapp.web_app.settings["last_activity_times"]
            activity[self.name] = datetime.now(timezone.utc)

    def _active_runs(self) -> int:
        try:
            return self.connections.local_backend().engine.active_runs()
        except PipelinesError:
            return 0
