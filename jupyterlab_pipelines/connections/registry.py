"""All connections of the user by name, with the backend and the service behind each."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..backends.base import Backend, Health
from ..errors import (
    BadInput,
    Conflict,
    NotFound,
    PipelinesError,
    StoreBlocked,
    UnsupportedFeature,
)
from ..models import Connection, ConnectionKind, ConnectionState, NewConnection, Problem
from ..service import Service
from ..watch import Watcher
from .checked import checked, without_secrets
from .discovery import FOUND, found_connection
from .places import connections_file, default_home
from .store import Store

if TYPE_CHECKING:
    from ..backends.local.backend import LocalBackend

logger = logging.getLogger(__name__)

LOCAL = "local"
#: Names that are routes beside the connections.
RESERVED = frozenset({LOCAL, FOUND, "connections", "events", "cells", "apis", "test"})
#: Seconds between two looks at all connections while somebody listens.
LOOK_INTERVAL = 15.0

Listener: TypeAlias = Callable[[list[Connection]], None]


@dataclass
class _Opened:
    """A connection in use. `settings` is null for the embedded engine."""

    settings: NewConnection | None
    service: Service
    watcher: Watcher


class Connections:
    """The connections of one home; server, kernel and command line each have their own object.

    Names are unique. `local` always exists; one found in the environment is called `kubeflow`;
    the others were added by the user.
    """

    def __init__(self, home: Path | None = None, *, store: Store | None = None) -> None:
        self.home = home or default_home()
        self._store = store or Store(connections_file())
        self._opened: dict[str, _Opened] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._listeners: list[Listener] = []
        self._looking: asyncio.Task[None] | None = None
        self._told: list[Connection] | None = None

    # --- the list ------------------------------------------------------------------------------

    async def list(self) -> list[Connection]:
        """Every connection with its state; those that do not answer say why.

        A store that cannot be read hides what it holds, but never `local`.
        """
        try:
            settings = self._settings()
        except StoreBlocked as error:
            logger.warning("%s %s", error.message, error.next_step)
            settings = _found()
        health = await asyncio.gather(self._health(LOCAL), *map(self._health, settings))
        connections = [_shown(LOCAL, None, health[0])]
        connections += [
            _shown(name, one, state)
            for (name, one), state in zip(settings.items(), health[1:], strict=True)
        ]
        return connections

    async def add(self, connection: NewConnection) -> Connection:
        """Stores a connection, secrets too. Raises BadInput, and Conflict on a name in use."""
        if connection.name in RESERVED:
            problem = Problem(message="is reserved", place="name")
            raise BadInput(
                f"The name {connection.name!r} is reserved.",
                problems=[problem],
                next_step="Choose another name.",
            )
        stored = checked(connection)
        await asyncio.to_thread(self._store.add, stored)
        return await self._look_at(stored)

    async def change(self, name: str, connection: NewConnection) -> Connection:
        """Replaces a connection; secrets left out are kept. Raises BadInput, Conflict, NotFound."""
        if connection.name != name:
            raise BadInput(
                "A connection keeps its name.",
                problems=[Problem(message=f"must be {name}", place="name")],
                next_step="Add another connection, then remove this one.",
            )
        stored = checked(connection, self._added(name))
        await asyncio.to_thread(self._store.change, stored)
        return await self._look_at(stored)

    async def remove(self, name: str) -> None:
        """Forgets a connection and its secrets; its runs stay where they are."""
        self._added(name)
        await asyncio.to_thread(self._store.remove, name)
        opened = self._opened.pop(name, None)
        if opened is not None:
            await _close(opened, "The connection was removed.")
        await self._look()

    def shown_settings(self, name: str) -> NewConnection:
        """How a connection that the user added was given, without its secrets."""
        return without_secrets(self._added(name))

    async def _look_at(self, stored: NewConnection) -> Connection:
        shown = _shown(stored.name, stored, await self._health(stored.name))
        await self._look()
        return shown

    def _added(self, name: str) -> NewConnection:
        """A connection that the user added. Raises Conflict for one that comes by itself."""
        if name in (LOCAL, FOUND):
            raise Conflict(
                f"The connection {name!r} cannot be changed or removed.",
                next_step="It comes with the environment."
                if name == FOUND
                else "It is part of the product.",
            )
        settings = self.settings(name)
        assert settings is not None  # only `local` has none
        return settings

    # --- one connection ------------------------------------------------------------------------

    def settings(self, name: str) -> NewConnection | None:
        """How a connection reaches its endpoint; null for the embedded engine. Raises NotFound."""
        if name == LOCAL:
            return None
        settings = self._settings().get(name)
        if settings is None:
            raise NotFound(
                f"There is no connection named {name!r}.", next_step="Add it, or choose another."
            )
        return settings

    def service(self, name: str) -> Service:
        """The desk of a connection, opened when first asked for. Raises NotFound."""
        return self._open(name).service

    def watcher(self, name: str) -> Watcher:
        """The one watcher of a connection; for the event loop that serves it."""
        return self._open(name).watcher

    def local_backend(self) -> LocalBackend:
        """The embedded engine's backend. Raises UnsupportedFeature where it cannot run."""
        from ..backends.local.backend import LocalBackend

        backend = self.service(LOCAL).backend
        assert isinstance(backend, LocalBackend)
        return backend

    async def close(self) -> None:
        """Lets every backend go; runs go on."""
        if self._looking is not None:
            self._looking.cancel()
        self._listeners.clear()
        opened, self._opened = self._opened, {}
        await asyncio.gather(*(_close(one) for one in opened.values()), *self._closing)

    # --- telling -------------------------------------------------------------------------------

    def subscribe(self, listener: Listener) -> None:
        """Tells `listener` of the whole list whenever a name or a state changes."""
        self._listeners.append(listener)
        if self._told is not None:
            listener(self._told)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._keep_looking())

    def unsubscribe(self, listener: Listener) -> None:
        """Stops telling `listener`."""
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)
        if not self._listeners and self._looking is not None:
            self._looking.cancel()
            self._looking = self._told = None

    async def _keep_looking(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK_INTERVAL)

    async def _look(self) -> None:
        if not self._listeners:
            return
        connections = await self.list()
        if connections != self._told:
            self._told = connections
            for listener in [*self._listeners]:
                listener(connections)

    # --- building ------------------------------------------------------------------------------

    def _settings(self) -> dict[str, NewConnection]:
        return _found() | {one.name: one for one in self._store.load()}

    async def _health(self, name: str) -> Health:
        try:
            return await self.service(name).health()
        except PipelinesError as error:
            return Health(ConnectionState.UNSUPPORTED, f"{error.message} {error.next_step}")

    def _open(self, name: str) -> _Opened:
        settings = self.settings(name)
        opened = self._opened.get(name)
        if opened is not None and opened.settings == settings:
            return opened
        if opened is not None:  # another process changed it
            task = asyncio.get_running_loop().create_task(_close(opened, "It was changed."))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        backend = self._local() if settings is None else _kubeflow(settings)
        opened = _Opened(settings, Service(backend, name), Watcher(backend, name))
        self._opened[name] = opened
        return opened

    def _local(self) -> Backend:
        try:
            from ..backends.local.backend import LocalBackend
        except ImportError as error:
            raise UnsupportedFeature(
                f"The embedded engine does not run on this system: {error}.",
                next_step="Add a Kubeflow connection.",
            ) from error
        return LocalBackend(self.home / "local")


def _found() -> dict[str, NewConnection]:
    found = found_connection()
    return {found.name: found} if found else {}


def _kubeflow(settings: NewConnection) -> Backend:
    from ..backends.kubeflow import KubeflowBackend, sign_in_method

    return KubeflowBackend(settings.host, sign_in_method(settings), namespace=settings.namespace)


def _shown(name: str, settings: NewConnection | None, health: Health) -> Connection:
    return Connection(
        name=name,
        kind=ConnectionKind.LOCAL if settings is None else ConnectionKind.KUBEFLOW,
        host="" if settings is None else settings.host,
        ui_host="" if settings is None else settings.ui_host,
        namespace="" if settings is None else settings.namespace,
        sign_in="none" if settings is None else settings.sign_in.method,
        state=health.state,
        message=health.message,
        removable=name not in (LOCAL, FOUND),
    )


async def _close(opened: _Opened, reason: str = "") -> None:
    await opened.watcher.close(reason)
    await opened.service.close()
