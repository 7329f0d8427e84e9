"""A header that stays the same: a session cookie by value, or a pair of the user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .base import SignInMethod


@dataclass(frozen=True)
class Header(SignInMethod):
    """One header; a new value is the user's to give."""

    name: str
    value: str = field(repr=False)
    next_step: str = "Give the connection a valid header."

    async def headers(self) -> Mapping[str, str]:
        return {self.name: self.value}

    def refused(self, headers: Mapping[str, str]) -> bool:
        return False

    def secrets(self) -> Sequence[str]:
        """The value, and the parts of it that an endpoint could echo alone."""
        return [self.value, *(one for one in re.split(r"[\s;]|\b=", self.value) if len(one) > 7)]


def cookie(value: str) -> Header:
    """A session cookie of Dex or oauth2-proxy, as `name=value`; several are joined by `;`."""
    step = "Sign in with a browser, and give the connection the new session's cookie."
    return Header("Cookie", value, step)
