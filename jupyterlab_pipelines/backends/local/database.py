"""The store: one SQLite file that any number of processes and threads read and write."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from ...errors import Conflict, StoreBlocked
from .processes import waited_lock
from .schema import MIGRATIONS

#: Seconds a writer waits for another one before it gives up.
BUSY_TIMEOUT = 30.0

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_NETWORK_FILE_SYSTEMS = (
    "nfs", "cifs", "smb", "9p", "afs", "lustre", "glusterfs", "ceph", "gpfs", "beegfs", "webdav",
)  # fmt: skip
_LOCAL_FUSE = ("fuseblk", "fuse.fuse-overlayfs", "fuse.overlayfs")


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(timezone.utc)


def to_micros(moment: datetime | None) -> int | None:
    """A time as the store keeps it: microseconds since 1970, UTC. Null stays null."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def from_micros(value: int | None) -> datetime | None:
    """The time that `to_micros` stored. Null stays null."""
    return None if value is None else _EPOCH + value * _MICROSECOND


def to_json(value: Any) -> str | None:
    """A value as the store keeps it; null stays null."""
    return None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def from_json(text: str | None) -> Any:
    """The value that `to_json` stored; null stays null."""
    return None if text is None else json.loads(text)


def readable_json(text: str | None) -> Any:
    """As `from_json`, but null where the row is damaged: one bad row must not hide the others."""
    try:
        return from_json(text)
    except ValueError:
        return None


def bump(connection: sqlite3.Connection) -> int:
    """Advances the store's change counter inside the caller's transaction and returns it.

    Every row whose change listeners must hear of carries this number in `changed`.
    """
    row = connection.execute(
        "UPDATE meta SET value = value + 1 WHERE key = 'changed' RETURNING value"
    ).fetchone()
    return int(row[0])


class Database:
    """The SQLite file at `path`: created, migrated and opened when first used.

    Safe to use from many threads (each has its own connection) and processes. Every method
    raises StoreBlocked when the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path, *, network: bool | None = None) -> None:
        self.path = path
        self._network = network
        self._local = threading.local()
        self._lock = threading.Lock()
        self._opened: dict[threading.Thread, sqlite3.Connection] = {}
        self._pid = os.getpid()

    # --- reading and writing -------------------------------------------------------------------

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of one query."""
        with _as_store_errors(self.path):
            return self.connection().execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of one query, or null."""
        with _as_store_errors(self.path):
            row: sqlite3.Row | None = self.connection().execute(sql, parameters).fetchone()
            return row

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: every query inside sees the same moment."""
        with _as_store_errors(self.path):
            connection = self.connection()
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def write(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """A write transaction, committed at the end of the block and rolled back on any error.

        It survives the death of every process; with `durable` also a power cut (about 4 ms).
        """
        with _as_store_errors(self.path):
            connection = self.connection()
            if durable:
                connection.execute("PRAGMA synchronous = FULL")
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:  # a full disk may have rolled back already
                        connection.execute("ROLLBACK")
                    raise
            finally:
                if durable:
                    connection.execute("PRAGMA synchronous = NORMAL")

    def data_version(self) -> int:
        """A number that differs after another connection has committed; costs microseconds."""
        with _as_store_errors(self.path):
            return int(self.connection().execute("PRAGMA data_version").fetchone()[0])

    # --- connections ---------------------------------------------------------------------------

    def connection(self) -> sqlite3.Connection:
        """This thread's connection, with rows readable by column name."""
        if self._pid != os.getpid():  # a fork must not use its parent's connections
            self._local = threading.local()
            self._opened = {}
            self._pid = os.getpid()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open()
            self._local.connection = connection
            with self._lock:
                for thread in [one for one in self._opened if not one.is_alive()]:
                    self._opened.pop(thread).close()
                self._opened[threading.current_thread()] = connection
        return connection

    def close(self) -> None:
        """Closes every thread's connection; a later use opens again."""
        with self._lock:
            opened, self._opened = self._opened, {}
            self._local = threading.local()
        for connection in opened.values():
            connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreBlocked(
                f"{self.path.parent} cannot be made: {error.strerror}.",
                next_step="Check the folder's permissions and its disk.",
            ) from error
        # Closed from the thread that calls close(), used only by the one that opened it.
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            connection.row_factory = sqlite3.Row
            network = on_network(self.path) if self._network is None else self._network
            _set_journal(connection, "delete" if network else "wal")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection, self.path)
        except BaseException:
            connection.close()
            raise
        return connection


def _set_journal(connection: sqlite3.Connection, mode: str) -> None:
    """WAL keeps readers and the writer apart, but its shared memory cannot cross machines."""
    present = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if present != mode:
        with contextlib.suppress(sqlite3.OperationalError):  # others have it open: theirs holds
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Brings the file to the newest schema, after a copy beside it if it held an older one.

    Raises Conflict where a newer version of the product wrote the file.
    """
    newest = len(MIGRATIONS)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == newest:
        return
    if version > newest:
        raise Conflict(
            f"{path} was written by a newer version of jupyterlab-pipelines.",
            next_step="Upgrade jupyterlab-pipelines in this environment.",
        )
    if version > 0:
        _back_up(connection, path)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for script in MIGRATIONS[version:]:  # empty when another process was faster
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {newest}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _back_up(connection: sqlite3.Connection, path: Path) -> None:
    """Copies the file beside it, whole or not at all; one process at a time."""
    try:
        with waited_lock(path.with_name(f"{path.name}.lock")):
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            copy = path.with_name(f"{path.name}.v{version}.bak")
            if version == len(MIGRATIONS) or copy.exists():
                return
            unfinished = copy.with_suffix(".part")
            unfinished.unlink(missing_ok=True)
            connection.execute("VACUUM INTO ?", (str(unfinished),))
            unfinished.replace(copy)
    except OSError as error:
        raise StoreBlocked(
            f"{path} cannot be copied before its upgrade: {error.strerror}.",
            next_step="Check the folder's permissions and its disk.",
        ) from error


def on_network(path: Path) -> bool:
    """Whether `path` (which may not exist yet) lies on a network file system."""
    target = os.path.realpath(path)
    best, kind = "", ""
    for mount, file_system in _mounts():
        inside = target == mount or target.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, file_system
    if kind.startswith("fuse"):
        return kind not in _LOCAL_FUSE
    return kind.startswith(_NETWORK_FILE_SYSTEMS)


def _mounts() -> list[tuple[str, str]]:
    """(mount point, file system) of every mount of this process."""
    table = Path("/proc/self/mountinfo")
    if table.exists():  # Linux; psutil would read far more
        mounts = []
        for line in table.read_text(errors="replace").splitlines():
            before, _, after = line.partition(" - ")
            mounts.append((before.split()[4].replace("\\040", " "), after.split()[0]))
        return mounts
    import psutil

    return [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]


@contextlib.contextmanager
def _as_store_errors(path: Path) -> Iterator[None]:
    """Turns "the disk is full" and its relatives into StoreBlocked."""
    try:
        yield
    except sqlite3.OperationalError as error:
        text = str(error)
        if "disk is full" in text:
            raise StoreBlocked(f"The disk that holds {path.parent} is full.") from error
        if "locked" in text:
            raise StoreBlocked(
                f"{path} has been locked by another process for {BUSY_TIMEOUT:.0f} s.",
                next_step="Try again; if it lasts, look for a stuck process that has it open.",
            ) from error
        if any(word in text for word in ("readonly", "unable to open", "disk I/O error")):
            raise StoreBlocked(
                f"{path} cannot be written: {text}.",
                next_step="Check the folder's permissions and its disk.",
            ) from error
        raise
