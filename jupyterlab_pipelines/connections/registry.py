"""All connections of the user by name, with the backend and the service behind each."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import traceback
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ..backends.base import Backend, Health
from ..errors import (
    BadInput,
    PipelinesError,
    SignInNeeded,
    StoreBlocked,
    UnsupportedFeature,
)
from ..models import (
    Connection,
    ConnectionKind,
    ConnectionState,
    ConnectionTest,
    Namespaces,
    NewConnection,
)
from ..service import Service
from ..watch import Watcher
from .discovery import in_pod
from .places import connections_file, default_home
from .settings import LOCAL, Known, Settings
from .store import Store

if TYPE_CHECKING:
    from ..backends.kubeflow import KubeflowBackend
    from ..backends.local.backend import LocalBackend

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Seconds between two looks at all connections while somebody listens.
LOOK_INTERVAL = 15.0
#: Seconds after which the list is shown without waiting for one that does not answer.
HEALTH_PATIENCE = 8.0

_ENDS_WITH_POD = (
    "A run here ends with this notebook's pod, and can then be retried. A Kubeflow connection"
    " runs it apart from the notebook."
)
#: What a guessed connection is not shown in: nobody answers, or its certificates are gone.
_USELESS = (ConnectionState.UNREACHABLE, ConnectionState.UNSUPPORTED)
#: What is said of a guessed connection whose sign-in would run a program.
HELD = (
    "Signing in runs the program that kubeconfig names. "
    "It is not run until this connection is chosen."
)

Listed: TypeAlias = list[Connection]
Listener: TypeAlias = Callable[[Listed], None]


@dataclass
class _Opened:
    """A connection in use. `known` and `remote` are null for the embedded engine."""

    known: Known | None
    remote: KubeflowBackend | None
    service: Service
    watcher: Watcher


class Connections:
    """The connections of one home; server, kernel and command line each have their own object.

    Names are unique. `local` always exists; one found in the environment is called `kubeflow`;
    the others were added by the user.
    """

    def __init__(self, home: Path | None = None, *, store: Store | None = None) -> None:
        self.home = home or default_home()
        self._settings = Settings(store or Store(connections_file()))
        #: Reads files and the keyring beside an event loop, one reading after the other.
        self._reader = ThreadPoolExecutor(1, "jupyterlab-pipelines-connections")
        self._opened: dict[str, _Opened] = {}
        self._opening = threading.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._retiring: dict[asyncio.Task[None], KubeflowBackend] = {}
        self._listeners: list[Listener] = []
        self._looking: asyncio.Task[None] | None = None
        self._told: list[Connection] | None = None
        self._answered: set[str] = set()
        #: Guessed connections that somebody has asked for by name.
        self._asked: set[str] = set()

    # --- the list ------------------------------------------------------------------------------

    async def list(self) -> list[Connection]:
        """Every connection with its state; those that do not answer say why.

        A store that cannot be read hides what it holds, but never `local`.
        """
        try:
            known = await self._beside(self._settings.all)
            await self._drop({*self._opened} - {LOCAL, *known})  # another process removed them
        except StoreBlocked as error:
            logger.warning("%s %s", error.message, error.next_step)
            known = await self._beside(self._settings.found)
        health = await asyncio.gather(self._health(LOCAL), *map(self._health, known))
        connections = [_shown(LOCAL, None, health[0])]
        for (name, one), state in zip(known.items(), health[1:], strict=True):
            if state.state not in _USELESS:
                self._answered.add(f"{name} {one.settings.host}")
            elif one.guessed and f"{name} {one.settings.host}" not in self._answered | self._asked:
                continue  # a cluster that is gone or has no pipelines is nobody's connection
            connections.append(_shown(name, one, state))
        self._tell(connections)
        return connections

    async def add(self, connection: NewConnection) -> Connection:
        """Stores a connection, secrets too. Raises BadInput, and Conflict on a name in use."""
        await asyncio.to_thread(self._settings.add, connection)
        return await self._look_at(connection.name)

    async def change(self, name: str, connection: NewConnection) -> Connection:
        """Replaces a connection; secrets left out are kept. Raises BadInput, Conflict, NotFound."""
        await asyncio.to_thread(self._settings.change, name, connection)
        if (opened := self._opened.get(name)) is not None:
            opened.known = None  # also where it looks the same: what was refused is tried again
        return await self._look_at(name)

    async def remove(self, name: str) -> None:
        """Forgets a connection and its secrets; its runs stay where they are."""
        await asyncio.to_thread(self._settings.remove, name)
        await self._drop({name})
        await self._look()

    async def test(self, connection: NewConnection) -> ConnectionTest:
        """Looks at a connection before it is stored, step by step. Raises BadInput."""
        settings = await asyncio.to_thread(self._settings.completed, connection)
        keeper = functools.partial(self._settings.tried, settings)
        backend = self._remote(Known(settings), keeper)
        try:
            return await backend.test()
        finally:
            await backend.close()

    async def test_known(self, name: str) -> ConnectionTest:
        """Looks at a connection that there is. Raises NotFound, and BadInput for `local`."""
        remote = self._wanted(name, await self._ready(name)).remote
        if remote is None:
            raise BadInput(
                "The embedded engine is this machine: there is no way to test.",
                next_step="Choose a Kubeflow connection.",
            )
        return await remote.test()

    # --- one connection ------------------------------------------------------------------------

    def settings(self, name: str) -> NewConnection | None:
        """How a connection reaches its endpoint; null for the embedded engine. Raises NotFound."""
        return None if name == LOCAL else self._settings.get(name).settings

    def known(self, name: str) -> Known:
        """All that is known of a remote connection. Raises NotFound, and SignInNeeded if locked."""
        known = self._settings.get(name)
        if known.locked:
            raise SignInNeeded(
                f"The keyring does not give the secrets of {name!r}.",
                next_step="Unlock it, or change the connection and give them again.",
            )
        return known

    def keeper(self, name: str) -> Callable[[str | None], str]:
        """Where an OIDC sign-in keeps the refresh token that replaces the last one."""
        return functools.partial(self._settings.refresh_token, name)

    def shown_settings(self, name: str) -> NewConnection:
        """How a connection that the user added was given, without its secrets."""
        return self._settings.shown(name)

    def service(self, name: str) -> Service:
        """The desk of a connection, opened when first asked for. Raises NotFound.

        It may wait for files and the keyring: an event loop that serves others awaits
        `ready_service` instead.
        """
        return self._wanted(name, self._open(name)).service

    async def ready_service(self, name: str) -> Service:
        """As `service`, while the event loop goes on."""
        return self._wanted(name, await self._ready(name)).service

    def watcher(self, name: str) -> Watcher:
        """The one watcher of a connection; for the event loop that serves it."""
        return self._wanted(name, self._open(name)).watcher

    async def ready_watcher(self, name: str) -> Watcher:
        """As `watcher`, while the event loop goes on."""
        return self._wanted(name, await self._ready(name)).watcher

    async def namespaces(self, name: str) -> Namespaces:
        """The namespaces that the user may see; none where the engine has none."""
        if name == LOCAL:
            return Namespaces(namespaces=[], current="", multi_user=False)
        remote = self._wanted(name, await self._ready(name)).remote
        assert remote is not None  # only `local` is none
        seen = await remote.namespaces()
        if seen.multi_user:
            chosen = await asyncio.to_thread(self._settings.namespaces, name)
            seen.namespaces = sorted({*seen.namespaces, *chosen})
        return seen

    async def choose_namespace(self, name: str, namespace: str) -> Connection:
        """Shows the runs of another namespace from now on. Raises BadInput and NotFound."""
        if name == LOCAL:
            raise BadInput("The embedded engine has no namespaces.", next_step="")
        await asyncio.to_thread(self._settings.choose_namespace, name, namespace)
        return await self._look_at(name)

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
        retiring = [*self._retiring.items()]
        for task, _ in retiring:
            task.cancel()
        await asyncio.gather(
            *(_close(one) for one in opened.values()),
            *(remote.close() for _, remote in retiring),
            *self._closing,
        )

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
        if self._listeners:
            await self.list()

    def _tell(self, connections: Listed) -> None:
        """What one has asked for is told to all: nobody is left with what another saw change."""
        if self._listeners and connections != self._told:
            self._told = connections
            for listener in [*self._listeners]:
                listener(connections)

    # --- building ------------------------------------------------------------------------------

    async def _look_at(self, name: str) -> Connection:
        known = await asyncio.to_thread(self._settings.get, name)
        shown = _shown(name, known, await self._health(name))
        await self._look()
        return shown

    async def _health(self, name: str) -> Health:
        try:
            opened = await self._ready(name)
            if self._is_held(name, opened.known):
                return Health(ConnectionState.SIGN_IN, HELD)
            return await asyncio.wait_for(opened.service.health(), HEALTH_PATIENCE)
        except asyncio.TimeoutError:
            text = f"It has not answered for {HEALTH_PATIENCE:.0f} s. It is asked again."
            return Health(ConnectionState.UNREACHABLE, text)
        except PipelinesError as error:
            signed_out = isinstance(error, SignInNeeded)
            state = ConnectionState.SIGN_IN if signed_out else ConnectionState.UNSUPPORTED
            return Health(state, f"{error.message} {error.next_step}")
        except Exception as error:  # whatever it is, the other connections are still to be shown
            # Without its text, which may quote a secret.
            kind, lines = type(error).__name__, traceback.format_tb(error.__traceback__)
            logger.error("Looking at connection %r failed: %s\n%s", name, kind, "".join(lines))
            text = f"Looking at it failed ({kind}). The server's log says where."
            return Health(ConnectionState.UNREACHABLE, text)

    async def _beside(self, read: Callable[[], T]) -> T:
        """What a reading of files and the keyring gives; readings end in their order."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, read)

    async def _ready(self, name: str) -> _Opened:
        if name != LOCAL:
            return self._use(name, await self._beside(functools.partial(self.known, name)))
        if (opened := self._opened.get(LOCAL)) is not None:
            return opened
        return await asyncio.to_thread(self._open, LOCAL)  # it waits for no keyring

    def _is_held(self, name: str, known: Known | None) -> bool:
        """Whether only looking would run a program that nobody has asked for."""
        if known is None or known.cluster is None or not known.guessed:
            return False
        return known.cluster.runs_program and f"{name} {known.settings.host}" not in self._asked

    def _wanted(self, name: str, opened: _Opened) -> _Opened:
        """A connection that somebody wants to use, so that it may sign in."""
        if self._is_held(name, opened.known) and opened.known is not None:
            self._asked.add(f"{name} {opened.known.settings.host}")
            if self._listeners:
                self._soon(self._look())
        return opened

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _open(self, name: str) -> _Opened:
        return self._use(name, None if name == LOCAL else self.known(name))

    def _use(self, name: str, known: Known | None) -> _Opened:
        with self._opening:  # a thread of the server's opens the embedded engine too
            return self._used(name, known)

    def _used(self, name: str, known: Known | None) -> _Opened:
        before = self._opened.get(name)
        if before is not None and (known is None or known.same(before.known)):
            return before
        remote = None if known is None else self._remote(known, self.keeper(name))
        backend = remote or self._local()
        if before is None:
            watcher = Watcher(backend, name)
        else:  # it was changed, here or in another process: who listens goes on listening
            watcher = before.watcher
            watcher.move(backend)
            self._retire(before)
        opened = _Opened(known, remote, Service(backend, name), watcher)
        self._opened[name] = opened
        return opened

    async def _drop(self, names: set[str]) -> None:
        """Lets go of connections that were removed; whoever listens is told."""
        for opened in [self._opened.pop(name) for name in names if name in self._opened]:
            await opened.watcher.close("The connection was removed.")
            self._retire(opened)

    def _retire(self, opened: _Opened) -> None:
        """Closes what nobody can ask for any more, once those who have asked are done."""
        assert opened.remote is not None  # the embedded engine is neither changed nor removed
        task = asyncio.get_running_loop().create_task(opened.remote.retire())
        self._retiring[task] = opened.remote
        task.add_done_callback(lambda done: self._retiring.pop(done, None))

    def _local(self) -> Backend:
        try:
            from ..backends.local.backend import LocalBackend
        except ImportError as error:
            raise UnsupportedFeature(
                f"The embedded engine does not run on this system: {error}.",
                next_step="Add a Kubeflow connection.",
            ) from error
        return LocalBackend(self.home / "local")

    def _remote(self, known: Known, keeper: Callable[[str | None], str]) -> KubeflowBackend:
        from ..backends.kubeflow import cluster_backend, kubeflow_backend

        if known.cluster is not None:
            one = known.cluster
            return cluster_backend(known.settings, one.certificates, one.user, one.folder)
        return kubeflow_backend(known.settings, keeper)


def _shown(name: str, known: Known | None, health: Health) -> Connection:
    if known is None:
        return Connection(
            name=name,
            kind=ConnectionKind.LOCAL,
            state=health.state,
            message=health.message,
            notice=_ENDS_WITH_POD if in_pod() else "",
        )
    sure = not known.guessed or health.state is ConnectionState.READY
    return Connection(
        name=name,
        kind=ConnectionKind.KUBEFLOW,
        host=known.settings.host,
        ui_host=known.settings.ui_host,
        namespace=known.settings.namespace,
        sign_in="kubeconfig" if known.cluster else known.settings.sign_in.method,
        found=known.found,
        preferred=bool(known.found) and sure,
        state=health.state,
        message=health.message,
        removable=not known.found,
    )


async def _close(opened: _Opened) -> None:
    await opened.watcher.close()
    await opened.service.close()
