"""Where the engine keeps what: every path below its root, from ids that were checked."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ...errors import NotFound

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LONGEST = 120


@dataclass(frozen=True)
class Layout:
    """The folders and files below the engine's root."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "engine.sqlite"

    @property
    def reserve(self) -> Path:
        """A file that holds nothing but room, for the moment when the disk is full."""
        return self.root / "reserve"

    @property
    def scheduler_lock(self) -> Path:
        """Held by the one process that fires the recurring runs."""
        return self.root / "scheduler.lock"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    @property
    def snapshots(self) -> Path:
        """Values that kernels saved for steps that take them."""
        return self.root / "snapshots"

    @property
    def volumes(self) -> Path:
        """The volumes (PVCs) that pipelines have made."""
        return self.root / "volumes"

    def run(self, run_id: str) -> Path:
        """A run's folder. Raises NotFound where the id cannot be a run's."""
        if not _ID.fullmatch(run_id):
            raise NotFound(f"There is no run {run_id!r}.")
        return self.runs / run_id

    def supervisor_lock(self, run_id: str) -> Path:
        return self.run(run_id) / "supervisor.lock"

    def supervisor_log(self, run_id: str) -> Path:
        return self.run(run_id) / "supervisor.log"

    def artifacts(self, run_id: str) -> Path:
        return self.run(run_id) / "artifacts"

    def attempt(self, run_id: str, task_id: str, number: int) -> Path:
        """The folder of one attempt: its log, its shim's files and its outputs."""
        segments = [_segment(part) for part in task_id.split("/")]
        return self.run(run_id).joinpath("tasks", *segments, f"attempt-{number}")


def _segment(name: str) -> str:
    """A file name for one part of a task's path: the same for the same part, never `.` or `..`."""
    text = quote(name, safe="[]").replace(".", "%2E")
    if len(text) <= _LONGEST:
        return text or "%"
    return f"{text[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
