"""A sign-in that a program of the user's makes: run apart, once for all, and never for long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from ....errors import SignInNeeded
from .apart import Apart
from .base import clean_token
from .session import PATIENCE, Session, SessionSignIn

#: Seconds that a command has to print a token.
COMMAND_TIMEOUT = 10.0
#: Seconds more until whoever waits is told, should the attempt not end.
_GRACE = 2.0
#: The most that a command may print, in bytes.
MAX_OUTPUT = 64 << 10
#: Seconds between two looks whether a command has ended.
_LOOK = 0.02
#: Seconds in which what an ended command has printed is read.
_MOMENT = 0.5


class ProgramSignIn(SessionSignIn):
    """Makes its session in a thread of its own: what hangs holds up no other work.

    An attempt goes on when those who wait for it leave, and is joined by whoever comes next.
    """

    next_step = "Run it in a terminal of the server, then change the connection."
    tries = 1
    longest_wait = PATIENCE
    useless = "The host refuses the token that the command gives. It is run again in a minute."
    useless_step = "Sign in anew in a terminal of the server, or change the connection."
    #: What its failures are told of.
    program = "The token's command"

    def __init__(self) -> None:
        super().__init__()
        self._attempt = Apart(self.make)
        self._made: Sequence[str] = ()

    @abstractmethod
    def make(self) -> Session:
        """A new session; may block. Raises SignInNeeded."""

    async def sign_in(self) -> Session:
        try:
            session = await self._attempt.outcome(COMMAND_TIMEOUT + _GRACE)
        except asyncio.TimeoutError:
            reason = f"it took longer than {COMMAND_TIMEOUT:.0f} s"
            raise _failed(self.program, reason, self.next_step) from None
        self._made = [part for one in session.headers.values() for part in (one, one[7:]) if part]
        return session

    def secrets(self) -> Sequence[str]:
        return self._made


class TokenCommand(ProgramSignIn):
    """A command that prints a token. It is run once, and again when its token is refused."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command

    def make(self) -> Session:
        name = self.program
        try:
            words = shlex.split(self._command) or [""]
        except ValueError:
            raise _failed(name, "it is not a command line", self.next_step) from None
        text = output(words, name, self.next_step)
        return Session({"Authorization": f"Bearer {clean_token(text, name)}"})


def output(
    words: Sequence[str],
    name: str,
    next_step: str,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> str:
    """What a command prints, without a terminal. Raises SignInNeeded without what it said.

    It has ended when it has ended itself, whatever it leaves running.
    """
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,  # what is there is read, without waiting for more
            env=None if environment is None else {**os.environ, **environment},
            cwd=folder,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be run"
        raise _failed(name, reason, next_step) from None
    printed = bytearray()
    too_much = threading.Event()
    reading = threading.Thread(target=_read, args=(process, printed, too_much), daemon=True)
    reading.start()
    last = monotonic() + COMMAND_TIMEOUT
    while process.poll() is None and monotonic() < last and not too_much.wait(_LOOK):
        pass
    if process.poll() is None:
        _end(process)
        reason = f"it took longer than {COMMAND_TIMEOUT:.0f} s"
    elif process.returncode != 0:
        reason = f"it ended with status {process.returncode}"
    else:
        reason = ""
        reading.join(_MOMENT)
    if too_much.is_set():
        reason = f"it printed more than {MAX_OUTPUT >> 10} KiB"
    if reason:
        raise _failed(name, reason, next_step)
    return printed.decode("utf-8", "replace")


def _read(process: subprocess.Popen[bytes], printed: bytearray, too_much: threading.Event) -> None:
    """Reads until nobody holds the pipe any more, which may be long after the command's end."""
    assert process.stdout is not None
    with process.stdout as pipe:
        while piece := pipe.read(MAX_OUTPUT + 1 - len(printed)):
            printed += piece
            if len(printed) > MAX_OUTPUT:
                too_much.set()
                break


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a command with what it has started."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=1)


def _failed(name: str, reason: str, next_step: str) -> SignInNeeded:
    return SignInNeeded(f"{name} failed: {reason}.", next_step=next_step)
