"""A full disk, as one run meets it: it says why it does not move, waits, and goes on by itself."""

from __future__ import annotations

import contextlib
import shutil
import time

from ...errors import StoreBlocked
from .layout import Layout
from .store import RunStore, Tick

_INTERVAL = 1.0  # seconds between two looks
_PAUSE = 0.5  # seconds between two tries to write
_DEFAULT_MIN_FREE = 64 * 2**20
_RESERVE = 2**20
_GOES_ON = "the run goes on by itself."


class Disk:
    """Whether there is room for the run to go on; while `blocked`, nothing may begin."""

    def __init__(self, layout: Layout, store: RunStore) -> None:
        self.blocked = False
        self._layout = layout
        self._store = store
        self._looked_at = float("-inf")

    def watch(self, *, no_room: bool) -> None:
        """Looks now and then; `no_room`: something could not be written although space is shown."""
        moment = time.monotonic()
        if moment - self._looked_at < _INTERVAL:
            return
        self._looked_at = moment
        needed = self._store.setting("min_free_bytes", _DEFAULT_MIN_FREE)
        if shutil.disk_usage(self._layout.root).free < needed:
            self._block(f"blocked: disk: less than {needed // 2**20} MiB is free; {_GOES_ON}")
        elif no_room:
            self._block(f"blocked: disk: nothing can be written; {_GOES_ON}")
        elif self.blocked:
            with contextlib.suppress(StoreBlocked):  # said at the next look then
                self._store.pause(None)
                self.blocked = False

    def commit(self, tick: Tick) -> None:
        """Writes the tick; a full disk is waited out, since nothing may be lost."""
        while True:
            try:
                self._store.commit(tick)
                break
            except StoreBlocked as error:
                self._block(f"blocked: disk: {error} The run goes on by itself.")
                time.sleep(_PAUSE)
        reserve = self._layout.reserve
        if not self.blocked and not reserve.exists():
            with contextlib.suppress(OSError):
                reserve.write_bytes(bytes(_RESERVE))

    def _block(self, reason: str) -> None:
        """Says why the run does not move; a reserve, let go then, makes room for that."""
        if not self.blocked:
            self._layout.reserve.unlink(missing_ok=True)
            with contextlib.suppress(StoreBlocked):
                self._store.pause(reason)
                self.blocked = True
