"""A bearer token by value, or from where it is read again for each request."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ....errors import SignInNeeded
from .base import SignInMethod, clean_token

#: Seconds that a command has to print a token.
COMMAND_TIMEOUT = 10.0
#: The longest token that is read, in bytes.
MAX_TOKEN = 64 << 10


@dataclass
class BearerToken(SignInMethod):
    """A token by value, or the file, environment variable or command that gives it.

    A command is run once, and again when its token is refused; it may be slow.
    """

    value: str | None = field(default=None, repr=False)
    file: str | None = None
    variable: str | None = None
    command: str | None = None
    next_step: str = "Renew the connection's token."
    _last: str = field(default="", repr=False)
    _printed: str | None = field(default=None, repr=False)
    _running: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    async def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {await asyncio.to_thread(self.read)}"}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """A mounted token may have been rotated in this moment."""
        self._printed = None
        return self.value is None

    def secrets(self) -> Sequence[str]:
        return [self._last] if self._last else []

    def read(self) -> str:
        """The token as it is now: a mounted one rotates in place. Raises SignInNeeded."""
        if self.value is not None:
            token = clean_token(self.value, "The connection's token")
        elif self.file is not None:
            token = clean_token(_content(self.file), f"The token file {self.file}")
        elif self.variable is not None:
            source = f"The environment variable {self.variable}"
            token = clean_token(os.environ.get(self.variable, ""), source)
        else:
            with self._running:  # it may be slow, and ask for something
                if self._printed is None:
                    self._printed = clean_token(_output(self.command or ""), "The token's command")
                token = self._printed
        self._last = token
        return token


def _content(file: str) -> str:
    try:
        with Path(file).open(encoding="ascii") as opened:
            return opened.read(MAX_TOKEN)
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise SignInNeeded(
            f"The token file {file} cannot be read: {error.strerror}.",
            next_step="Check that it is mounted, or change the connection.",
        ) from error


def _output(command: str) -> str:
    """What a command prints. Neither its arguments nor what it says are part of an error."""
    reason = ""
    try:
        words = shlex.split(command)
        done = subprocess.run(
            words or [""], stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_TIMEOUT
        )
        if done.returncode == 0:
            return done.stdout[:MAX_TOKEN].decode("ascii", "replace")
        reason = f"it ended with status {done.returncode}"
    except subprocess.TimeoutExpired:
        reason = f"it took longer than {COMMAND_TIMEOUT:.0f} s"
    except OSError as error:
        reason = error.strerror or "it cannot be run"
    except ValueError:
        reason = "it is not a command line"
    raise SignInNeeded(
        f"The token's command failed: {reason}.",
        next_step="Run it in a terminal of the server, then change the connection.",
    )
