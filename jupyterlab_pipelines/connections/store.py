"""The file of connections that the user added: secrets included, readable by the user only."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

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
            return _RECORDS.validate_python(json.loads(self.path.read_bytes())["connections"])
        except (ValueError, KeyError, TypeError, ValidationError):
            # Neither the text nor pydantic's message may be shown: both hold tokens.
            raise StoreBlocked(
                f"{self.path} is damaged.",
                next_step="Repair it, or delete it and add the connections again.",
            ) from None

    def _write(self, connections: list[NewConnection]) -> None:
        content = {"connections": _RECORDS.dump_python(connections, exclude_none=True)}
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


@contextlib.contextmanager
def _locked(handle: int) -> Iterator[None]:
    """An advisory lock where the platform has them; it ends with the file's closing."""
    with contextlib.suppress(ImportError):
        import fcntl

        with contextlib.suppress(OSError):  # a network file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
    yield
