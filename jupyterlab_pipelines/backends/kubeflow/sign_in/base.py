"""What an endpoint needs of a way of signing in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ....errors import SignInNeeded


class SignInMethod(Protocol):
    """Makes the headers that a request carries. Its texts never hold a secret."""

    @property
    def next_step(self) -> str:
        """What the user can do when the endpoint refuses all the same."""
        ...

    async def headers(self) -> Mapping[str, str]:
        """The headers as of now, signing in first where there is no session.

        Raises SignInNeeded where that fails, and UpstreamError where nobody answers.
        """
        ...

    def refused(self, headers: Mapping[str, str]) -> bool:
        """The API refused these headers: whether others can be made, and forgets them."""
        ...

    def refused_elsewhere(self, headers: Mapping[str, str]) -> bool:
        """As `refused`, by a place that may want another sign-in than the API does."""
        return self.refused(headers)

    def accepted(self, headers: Mapping[str, str]) -> None:
        """The API let these headers pass."""
        return

    def secrets(self) -> Sequence[str]:
        """What no text may show, should the endpoint echo it."""
        ...


def clean_token(text: str, source: str) -> str:
    """A token without the space around it. Raises SignInNeeded naming `source`, not the text."""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise SignInNeeded(f"{source} holds no token.", next_step="Put a valid token there.")
    return token
