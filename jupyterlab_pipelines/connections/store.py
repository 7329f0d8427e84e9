"""The file of connections that the user added, and of what was chosen for found ones."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import Conflict, NotFound, StoreBlocked
from ..models import NewConnection
from .secrets import merged, present_form, split
from .vault import Vault, VaultLocked, os_vault

logger = logging.getLogger(__name__)

_NEXT_STEP = "Check the file's permissions and its disk."
#: Seconds until a keyring that did not answer is asked again.
_ASK_AGAIN = 60.0


@dataclass(frozen=True)
class Record:
    """A stored connection. `vault` names its secrets' place in the keyring; empty: the file.

    `locked` says that the keyring does not give them: they are missing in `settings`.
    """

    settings: NewConnection
    vault: str = ""
    locked: bool = False


@dataclass(frozen=True)
class Content:
    """Connections in the order of their adding, and namespaces by connection, as `_key` has it."""

    records: tuple[Record, ...] = ()
    namespaces: dict[str, list[str]] = field(default_factory=dict)

    def find(self, name: str) -> Record | None:
        """The connection of this name."""
        return next((one for one in self.records if one.settings.name == name), None)

    def chosen(self, name: str, host: str) -> list[str]:
        """Namespaces of a connection, the chosen one first; older files have them by host."""
        return self.namespaces.get(_key(name, host)) or self.namespaces.get(host, [])


class Store:
    """Connections by name in one JSON file, which any process of the user may open.

    Secrets are in the operating system's keyring where there is one, else in the file, which is
    the user's alone. It is replaced as a whole, so that a reader never sees half of it. Raises
    StoreBlocked where it cannot be read or written; its content is never part of a message.
    """

    def __init__(self, path: Path, *, vault: Callable[[], Vault | None] = os_vault) -> None:
        self.path = path
        self._find_vault = vault
        self._read: tuple[tuple[int, int, int], Content] | None = None
        self._locked_until = 0.0

    def load(self) -> Content:
        """What is stored; nothing where there is no file."""
        try:
            status = self.path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp or self._may_unlock():
                left_open = self._left_open(status.st_mode)
                self._read = (stamp, self._parsed())
                if left_open and any(_in_file(one) for one in self._read[1].records):
                    logger.warning(
                        "%s holds secrets that others can read: %s.", self.path, left_open
                    )
        except FileNotFoundError:
            return Content()
        except OSError as error:
            raise StoreBlocked(
                f"{self.path} cannot be read: {error.strerror}.", next_step=_NEXT_STEP
            ) from error
        return self._read[1]

    def add(self, connection: NewConnection) -> None:
        """Stores one more. Raises Conflict where the name is taken."""
        with self._exclusive():
            known = self.load()
            if known.find(connection.name) is not None:
                raise Conflict(
                    f"There is a connection named {connection.name!r} already.",
                    next_step="Choose another name, or remove the other one first.",
                )
            self._write(replace(known, records=(*known.records, self._kept(connection))))

    def change(self, connection: NewConnection) -> None:
        """Replaces the one of the same name. Raises NotFound."""
        with self._exclusive():
            known = self.load()
            before = known.find(connection.name)
            if before is None:
                raise _unknown(connection.name)
            kept = self._kept(connection)
            records = tuple(kept if one is before else one for one in known.records)
            self._write(replace(known, records=records))
            self._forget(before)

    def remove(self, name: str) -> None:
        """Forgets one with its secrets. Raises NotFound."""
        with self._exclusive():
            known = self.load()
            gone = known.find(name)
            if gone is None:
                raise _unknown(name)
            records = tuple(one for one in known.records if one is not gone)
            self._write(replace(known, records=records))
            self._forget(gone)

    def choose_namespace(self, name: str, host: str, namespace: str) -> None:
        """Keeps the namespace that a connection is to show; an empty one is its default."""
        with self._exclusive():
            known = self.load()
            others = [one for one in known.chosen(name, host) if one != namespace]
            chosen = {**known.namespaces, _key(name, host): [namespace, *others][:50]}
            self._write(replace(known, namespaces=chosen))

    # --- secrets -------------------------------------------------------------------------------

    def _kept(self, connection: NewConnection) -> Record:
        """A connection whose secrets are in the keyring by now, if there is one."""
        _, secrets = split(connection)
        vault = self._find_vault() if secrets else None
        if vault is None:
            return Record(connection)
        name = uuid.uuid4().hex
        try:
            vault.put(name, secrets)
        except VaultLocked:
            return Record(connection)
        return Record(connection, name)

    def _forget(self, record: Record) -> None:
        vault = self._find_vault() if record.vault else None
        if vault is not None:
            vault.forget(record.vault)

    def _opened(self, content: dict[str, Any]) -> Record:
        """A record of the file with its secrets from wherever they are."""
        content = present_form(content)
        name = str(content.pop("vault", ""))
        secrets: dict[str, str] = {}
        if name:
            known = None if self._read is None else self._read[1].records
            same = next((one for one in known or () if one.vault == name), None)
            if same is not None and not same.locked:
                secrets = split(same.settings)[1]  # a name is given once
            else:
                vault = self._find_vault()
                with contextlib.suppress(VaultLocked):
                    secrets = {} if vault is None else vault.get(name)
        locked = bool(name) and not secrets
        if locked:
            self._locked_until = time.monotonic() + _ASK_AGAIN
        return Record(NewConnection.model_validate(merged(content, secrets)), name, locked)

    def _may_unlock(self) -> bool:
        locked = self._read is not None and any(one.locked for one in self._read[1].records)
        return locked and time.monotonic() > self._locked_until

    # --- the file ------------------------------------------------------------------------------

    def _left_open(self, mode: int) -> str:
        """Closes the file to others; else why not, as where it is another user's or read-only."""
        if os.name != "posix" or not mode & 0o077:
            return ""
        try:
            self.path.chmod(0o600)
        except OSError as error:
            return error.strerror or "it cannot be closed to them"
        return ""

    def _parsed(self) -> Content:
        try:
            content = json.loads(self.path.read_bytes())
            records = tuple(self._opened(record) for record in content["connections"])
            namespaces = {
                str(key): [str(one) for one in names]
                for key, names in content.get("namespaces", {}).items()
            }
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            # Neither the text nor pydantic's message may be shown: both hold secrets.
            raise StoreBlocked(
                f"{self.path} is damaged.",
                next_step="Repair it, or delete it and add the connections again.",
            ) from None
        return Content(records, namespaces)

    def _write(self, content: Content) -> None:
        connections = []
        for record in content.records:
            shown, secrets = split(record.settings)
            written = {**shown, "vault": record.vault} if record.vault else merged(shown, secrets)
            connections.append(written)
        text = json.dumps({"connections": connections, "namespaces": content.namespaces}, indent=2)
        # mkstemp makes the file with mode 600.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".connections-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keeps other processes from changing anything meanwhile."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.path.parent / "connections.lock").open("a") as lock, _locked(lock.fileno()):
                yield
        except OSError as error:
            raise StoreBlocked(
                f"{self.path} cannot be written: {error.strerror}.", next_step=_NEXT_STEP
            ) from error


def _key(name: str, host: str) -> str:
    """A connection at a host: the same name elsewhere has other namespaces."""
    return f"{name} {host}"


def _in_file(record: Record) -> bool:
    """Whether its secrets are in the file itself."""
    return not record.vault and bool(split(record.settings)[1])


def _unknown(name: str) -> NotFound:
    return NotFound(
        f"There is no connection named {name!r}.", next_step="Add it, or choose another."
    )


@contextlib.contextmanager
def _locked(handle: int) -> Iterator[None]:
    """An advisory lock where the platform has them; it ends with the file's closing."""
    with contextlib.suppress(ImportError):
        import fcntl

        with contextlib.suppress(OSError):  # a network file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
    yield
