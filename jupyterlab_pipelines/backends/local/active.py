"""One attempt as its supervisor keeps it in mind while it works, and once it has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .launcher import Launch
from .records import ReadyTask, Values
from .tasks import AttemptRecord


@dataclass
class Ended:
    """An attempt that is over: `outputs` as far as it got, `stopped` where we ended it."""

    task: ReadyTask
    attempt: AttemptRecord
    outputs: Values
    stopped: bool


@dataclass
class Active:
    """An attempt at work. Without `launch` it is watched through its files: it was adopted."""

    task: ReadyTask
    attempt: AttemptRecord
    launch: Launch | None = None
    error: str | None = None  # it could not be started
    outputs: Values | None = None  # an importer's, which needs no process
    timed_out: bool = False
    stop_since: float | None = None
    asked_at: float = 0.0
    relaunches: int = 0
    relaunch_at: float = 0.0
    no_room: bool = False  # the disk was full when it was to begin

    @property
    def stopping(self) -> bool:
        return self.stop_since is not None

    def stop(self) -> None:
        """Begins to stop it; `Attempts.poll` sees to the rest."""
        if self.stop_since is None:
            self.stop_since = time.monotonic()
            if self.launch is not None:
                self.launch.stop()
