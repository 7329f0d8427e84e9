"""A bearer token by value, or from where it is read again for each request."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ....errors import SignInNeeded
from .apart import Apart
from .base import SignInMethod, clean_token

#: The longest token that is read, in bytes.
MAX_TOKEN = 64 << 10
#: Seconds that a token's file is waited for: it may lie on a disk that does not answer.
PATIENCE = 10.0


@dataclass
class BearerToken(SignInMethod):
    """A token by value, or the file or environment variable that gives it."""

    value: str | None = field(default=None, repr=False)
    file: str | None = None
    variable: str | None = None
    next_step: str = "Renew the connection's token."
    _last: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        # One that rotates is read anew, whatever an earlier reading has given since.
        self._reading = Apart(self.read, kept=False)

    async def headers(self) -> Mapping[str, str]:
        try:
            token = self.read() if self.file is None else await self._reading.outcome(PATIENCE)
        except asyncio.TimeoutError:
            raise SignInNeeded(
                f"The token file {self.file} cannot be read: it took longer than {PATIENCE:.0f} s.",
                next_step="Check that it is mounted, or change the connection.",
            ) from None
        return {"Authorization": f"Bearer {token}"}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """A mounted token may have been rotated in this moment."""
        return self.value is None

    def secrets(self) -> Sequence[str]:
        return [self._last] if self._last else []

    def read(self) -> str:
        """The token as it is now: a mounted one rotates in place. Raises SignInNeeded."""
        if self.value is not None:
            token = clean_token(self.value, "The connection's token")
        elif self.file is not None:
            token = clean_token(_content(self.file), f"The token file {self.file}")
        else:
            source = f"The environment variable {self.variable}"
            token = clean_token(os.environ.get(self.variable or "", ""), source)
        self._last = token
        return token


def _content(file: str) -> str:
    try:
        with Path(file).expanduser().open(encoding="ascii") as opened:
            return opened.read(MAX_TOKEN)
    except UnicodeDecodeError:
        return ""
    except OSError as error:
        raise SignInNeeded(
            f"The token file {file} cannot be read: {error.strerror}.",
            next_step="Check that it is mounted, or change the connection.",
        ) from error
