"""A sign-in that has to be made, lasts a while and is made again."""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

from ....errors import SignInNeeded
from .base import SignInMethod

#: Seconds before its end when a session is renewed.
MARGIN = 60.0
#: Seconds for which refused credentials are not tried again, doubled each time up to the longest:
#: accounts are locked otherwise.
PATIENCE = 60.0
MAX_PATIENCE = 3600.0
#: Seconds for which a session that the API let pass is not doubted for what another place says.
FRESH = 10.0


@dataclass(frozen=True)
class Session:
    """Headers that sign in, and until when (Unix time; null: until they are refused)."""

    headers: Mapping[str, str] = field(repr=False)
    until: float | None = None


class SessionSignIn(SignInMethod):
    """Signs in once for however many requests, and again before the session ends."""

    next_step = "Check the connection's user name and password."
    #: Sessions in a row that let no request pass, before no more are made for a while.
    tries = 2
    #: The longest that this while becomes, in seconds.
    longest_wait = MAX_PATIENCE
    #: What is said of such sessions, and what the user can do.
    useless = "The sign-in was accepted, but the host asks to sign in again."
    useless_step = "Check the connection's host: its path may be missing or another one."

    def __init__(self) -> None:
        self._session: Session | None = None
        self._signing_in = asyncio.Lock()
        #: How many sessions were made since one let a request pass.
        self._useless = 0
        self._refusal: SignInNeeded | None = None
        self._refusals = 0
        self._again_at = 0.0
        self._accepted_at = 0.0

    @abstractmethod
    async def sign_in(self) -> Session:
        """A new session. Raises SignInNeeded where the credentials are refused."""

    async def renewed(self) -> bool:
        """Whether the credentials are others than those that were refused."""
        return False

    async def headers(self) -> Mapping[str, str]:
        if (session := self._valid()) is not None:
            return session.headers
        async with self._signing_in:
            if (session := self._valid()) is not None:
                return session.headers
            held = self._refusal is not None and monotonic() < self._again_at
            if self._refusal is not None and held and not await self.renewed():
                raise SignInNeeded(self._refusal.message, next_step=self._refusal.next_step)
            try:
                self._session = await self.sign_in()
            except SignInNeeded as error:
                self._wait_after(error)
                raise
            self._useless += 1
            return self._session.headers

    def accepted(self, headers: Mapping[str, str]) -> None:
        """What was wrong before is over."""
        self._useless, self._refusal, self._refusals = 0, None, 0
        self._accepted_at = monotonic()

    def refused(self, headers: Mapping[str, str]) -> bool:
        """Forgets the session, unless another request has renewed it already."""
        if self._session is not None and self._session.headers == headers:
            self._session = None
            if self._useless >= self.tries:
                self._wait_after(SignInNeeded(self.useless, next_step=self.useless_step))
        return True

    def refused_elsewhere(self, headers: Mapping[str, str]) -> bool:
        """Never holds the API up: forgets only a session that has passed there, and not lately."""
        if self._session is not None and self._session.headers == headers:
            if self._useless or monotonic() - self._accepted_at < FRESH:
                return False
            self._session = None
        return True

    def _wait_after(self, refusal: SignInNeeded) -> None:
        self._refusal = refusal
        self._again_at = monotonic() + min(self.longest_wait, PATIENCE * 2**self._refusals)
        self._refusals += 1

    def secrets(self) -> Sequence[str]:
        if self._session is None:
            return []
        values = list(self._session.headers.values())
        return [*values, *(value.removeprefix("Bearer ") for value in values)]

    def _valid(self) -> Session | None:
        session = self._session
        if session is None or (session.until is not None and time.time() >= session.until):
            return None
        return session


def lasting(seconds: object) -> float | None:
    """When a session of so many seconds is to be renewed: before its end, however short it is."""
    if not isinstance(seconds, (int, float, str)):
        return None
    try:
        length = float(seconds)
    except (ValueError, OverflowError):
        return None
    return time.time() + length - min(MARGIN, length / 4)
