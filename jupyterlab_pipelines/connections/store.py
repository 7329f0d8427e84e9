"""The file of connections that the user added: secrets included, readable by the user only."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import SecretStr, TypeAdapter, ValidationError

from ..errors import Conflict, NotFound, StoreBlocked
from ..models import NewConnection

_RECORDS = TypeAdapter(list[NewConnection])
_NEXT_STEP = "Check the file's permissions and its disk."


class Store:
    """Connections by name in one JSON file, which any process of the user may open.

    The file is replaced as a whole, so that a reader never sees half of it. Raises StoreBlocked
    where it cannot be read or written; its content is never part of a message.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: tuple[tuple[int, int, int], list[NewConnection]] | None = None

    def load(self) -> list[NewConnection]:
        """The stored connections in the order of their adding; none where there is no file."""
        try:
            status = self.path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                if os.name == "posix" and status.st_mode & 0o077:
                    self.path.chmod(0o600)
                self._read = (stamp, self._parsed())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreBlocked(
                f"{self.path} cannot be read: {error.strerror}.", next_step=_NEXT_STEP
            ) from error
        return list(self._read[1])

    def add(self, connection: NewConnection) -> None:
        """Stores one more. Raises Conflict where the name is taken."""
        with self._exclusive():
            known = self.load()
            if any(one.name == connection.name for one in known):
                raise Conflict(
                    f"There is a connection named {connection.name!r} already.",
                    next_step="Choose another name, or remove the other one first.",
                )
            self._write([*known, connection])

    def change(self, connection: NewConnection) -> None:
        """Replaces the one of the same name. Raises NotFound."""
        with self._exclusive():
            known = self.load()
            if all(one.name != connection.name for one in known):
                raise NotFound(f"There is no connection named {connection.name!r}.")
            self._write([connection if one.name == connection.name else one for one in known])

    def remove(self, name: str) -> None:
        """Forgets one with its secrets. Raises NotFound."""
        with self._exclusive():
            known = self.load()
            rest = [one for one in known if one.name != name]
            if len(rest) == len(known):
                raise NotFound(f"There is no connection named {name!r}.")
            self._write(rest)

    def _parsed(self) -> list[NewConnection]:
        try:
            records = json.loads(self.path.read_bytes())["connections"]
            return _RECORDS.validate_python([_present_form(record) for record in records])
        except (ValueError, KeyError, TypeError, AttributeError, ValidationError):
            # Neither the text nor pydantic's message may be shown: both hold tokens.
            raise StoreBlocked(
                f"{self.path} is damaged.",
                next_step="Repair it, or delete it and add the connections again.",
            ) from None

    def _write(self, connections: list[NewConnection]) -> None:
        records = _RECORDS.dump_python(connections, exclude_none=True)
        content = {"connections": revealed(records)}
        # mkstemp makes the file with mode 600.
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".connections-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keeps other processes from adding or removing meanwhile."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.path.parent / "connections.lock").open("a") as lock, _locked(lock.fileno()):
                yield
        except OSError as error:
            raise StoreBlocked(
                f"{self.path} cannot be written: {error.strerror}.", next_step=_NEXT_STEP
            ) from error


def revealed(value: Any) -> Any:
    """Dumped models as JSON values, secrets as they are: for the store, never to be shown."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: revealed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [revealed(each) for each in value]
    return value


def _present_form(record: dict[str, Any]) -> dict[str, Any]:
    """A record as it is written today; the first version had its token in three flat fields."""
    record = dict(record)
    former = {
        field: record.pop(name)
        for name, field in (("token", "token"), ("token_file", "file"), ("token_env", "variable"))
        if name in record
    }
    return {**record, "sign_in": {"method": "token", **former}} if former else record


@contextlib.contextmanager
def _locked(handle: int) -> Iterator[None]:
    """An advisory lock where the platform has them; it ends with the file's closing."""
    with contextlib.suppress(ImportError):
        import fcntl

        with contextlib.suppress(OSError):  # a network file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
    yield
