"""Where an endpoint's bearer token comes from; it is read again for each request."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import SignInNeeded


@dataclass(frozen=True)
class BearerToken:
    """A token by value, or the file or environment variable that holds it."""

    value: str | None = field(default=None, repr=False)
    file: str | None = None
    variable: str | None = None

    def read(self) -> str:
        """The token as it is now: a mounted one rotates in place. Raises SignInNeeded."""
        if self.value is not None:
            token, source = self.value, "The connection's token"
        elif self.file is not None:
            source = f"The token file {self.file}"
            try:
                token = Path(self.file).read_text(encoding="ascii")
            except UnicodeDecodeError:
                token = ""
            except OSError as error:
                raise SignInNeeded(
                    f"{source} cannot be read: {error.strerror}.",
                    next_step="Check that it is mounted, or remove and add the connection.",
                ) from error
        else:
            source = f"The environment variable {self.variable}"
            token = os.environ.get(self.variable or "", "")
        token = token.strip()
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise SignInNeeded(f"{source} holds no token.", next_step="Put a valid token there.")
        return token


def bearer_token(
    *, value: str | None = None, file: str | None = None, variable: str | None = None
) -> BearerToken | None:
    """The token that a connection names; null where it names none."""
    if value is None and file is None and variable is None:
        return None
    return BearerToken(value, file, variable)
