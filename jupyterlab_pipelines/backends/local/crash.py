"""Places where the kill tests make a process die, as from SIGKILL."""

from __future__ import annotations

from .shim import crash_point

#: Those of the supervisor, in the order it passes them; the shim's begin with "shim-".
POINTS = (
    "before-commit",
    "after-commit-launching",
    "after-launch",
    "after-all-launches",
    "before-commit-outcome",
    "after-commit-outcome",
)
SHIM_POINTS = (
    "shim-after-lock",
    "shim-after-claim",
    "shim-before-command",
    "shim-while-running",
    "shim-before-exit",
)
#: Those of whoever creates a run.
RUN_POINTS = ("before-run-commit", "after-run-commit")

__all__ = ["POINTS", "RUN_POINTS", "SHIM_POINTS", "crash_point"]
