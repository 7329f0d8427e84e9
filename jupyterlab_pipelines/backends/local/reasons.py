"""Says in one or a few lines why an attempt failed."""

from __future__ import annotations

import contextlib
import re
import signal
from pathlib import Path

from .logs import exception_in
from .processes import Exit

OUTCOME_UNKNOWN = (
    "The outcome is unknown: the process that watched this step was killed while it ran. "
    "What was left of the step has been stopped."
)
MEMORY_STEP = "Give the step less data, or the machine more memory."
_MEMORY_ERROR = re.compile(r"(?:[\w.]+\.)?_?(?:Array)?MemoryError\b")


#: In an attempt's folder: why it failed, in the words of what ran the step for us.
FILE = "reason.txt"


def of_exit(end: Exit, log: Path) -> str:
    """Why a command that ended with anything but 0 failed."""
    with contextlib.suppress(OSError):
        return log.with_name(FILE).read_text(errors="replace").strip()[:2000]
    if end.out_of_memory:
        return f"Out of memory: the system killed the step. {MEMORY_STEP}"
    if end.signal is not None:
        name = signal.Signals(end.signal).name if end.signal in set(signal.Signals) else ""
        return f"Killed by signal {end.signal}{f' ({name})' if name else ''}."
    exception = exception_in(log)
    if _MEMORY_ERROR.match(exception):
        return f"Out of memory: {exception}. {MEMORY_STEP}"
    if exception:
        return exception
    return f"The step ended with exit code {end.code}."


def of_timeout(seconds: float) -> str:
    """Why an attempt was stopped at its deadline."""
    return f"Deadline: the step ran longer than {seconds:g} s and was stopped."


def of_restart(boot: str, present: str) -> str:
    """Why an attempt of another boot failed: the machine, or only the container, began anew."""
    if boot.partition("/")[0] == present.partition("/")[0]:
        return "The pod or container of the notebook server was restarted while the step ran."
    return "The machine was restarted while the step ran."
