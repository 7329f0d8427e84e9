"""What the engine's folder takes on disk, and the removal of what nobody needs any more."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ...errors import BadInput, Conflict, NotFound
from ...models import Cleaned, CleanedItem, Cleaning, Environment, Storage
from . import lifecycle, processes
from .artifacts import local_path
from .database import Database, from_micros, now
from .environments import READY
from .layout import Layout

#: A folder or snapshot this young may belong to a run that is being submitted at this moment.
_YOUNG = timedelta(days=1)


@dataclass(frozen=True)
class Upkeep:
    """The care for one engine's folder. Other processes may use the engine meanwhile."""

    database: Database
    layout: Layout

    def storage(self) -> Storage:
        """What there is, measured file by file: seconds where there are very many."""
        root = self.layout.root
        runs = disk_use(self.layout.runs)
        environments = self.environments()
        snapshots = disk_use(self.layout.snapshots)
        total = disk_use(root)
        counts = self.database.one(
            "SELECT COUNT(*) AS n, COUNT(*) - COUNT(finished_at) AS active FROM runs"
        )
        assert counts is not None
        return Storage(
            path=str(root),
            total=total,
            free=shutil.disk_usage(_existing(root)).free,
            runs=runs,
            run_count=counts["n"],
            active_run_count=counts["active"],
            environments=environments,
            snapshots=snapshots,
            other=total - runs - snapshots - sum(one.size for one in environments),
        )

    def environments(self) -> list[Environment]:
        """The environments that are ready, the last used first."""
        since = self._oldest_active()
        found = [self._environment(note, since) for note in self._notes()]
        return sorted((one for one in found if one), key=lambda one: one.used_at, reverse=True)

    def clean(self, wanted: Cleaning) -> Cleaned:
        """Removes what `wanted` names and what nothing refers to. Raises BadInput for neither.

        A run that is active, and what it may be using, stays; files that a cached step of another
        run shows stay too.
        """
        if wanted.older_than_days is None and wanted.keep_bytes is None:
            raise BadInput(
                "Nothing says what may go.",
                next_step="Give an age (older than so many days) or a size to keep.",
            )
        gone = self._leftovers(dry_run=wanted.dry_run)
        total = disk_use(self.layout.root) - (sum(x.size for x in gone) if wanted.dry_run else 0)
        before = None
        if wanted.older_than_days is not None:
            before = now() - timedelta(days=wanted.older_than_days)
        for item in sorted(self._candidates(), key=lambda one: one.used_at):
            too_old = before is not None and item.used_at < before
            too_much = wanted.keep_bytes is not None and total > wanted.keep_bytes
            if not (too_old or too_much):
                continue
            freed = item.size if wanted.dry_run else self._remove(item)
            if freed is not None:
                total -= freed
                gone.append(item.model_copy(update={"size": freed}))
        freed_bytes = sum(item.size for item in gone)
        return Cleaned(items=gone, freed=freed_bytes, total=max(0, total), dry_run=wanted.dry_run)

    # --- what may go ---------------------------------------------------------------------------

    def _candidates(self) -> Iterable[CleanedItem]:
        for row in self.database.read(
            "SELECT run_id, display_name, finished_at FROM runs WHERE finished_at IS NOT NULL"
        ):
            ended = from_micros(row["finished_at"])
            assert ended is not None
            yield CleanedItem(
                kind="run",
                id=row["run_id"],
                name=row["display_name"],
                size=disk_use(self.layout.run(row["run_id"])),
                used_at=ended,
            )
        for one in self.environments():
            if not one.active:
                yield CleanedItem(
                    kind="environment",
                    id=one.key,
                    name=", ".join(one.packages),
                    size=one.size,
                    used_at=one.used_at,
                )

    def _remove(self, item: CleanedItem) -> int | None:
        """Bytes that went; null where it has to stay after all."""
        if item.kind == "environment":
            return self._remove_environment(item)
        try:
            lifecycle.delete(self.database, self.layout, item.id)
        except (Conflict, NotFound):  # retried, or deleted, in this moment
            return None
        return item.size - disk_use(self.layout.run(item.id))

    def _remove_environment(self, item: CleanedItem) -> int | None:
        folder = self.layout.environments / item.id
        with processes.waited_lock(folder.with_suffix(".lock")):
            # A step marks its environment under this lock: what is unmarked now is unused.
            since = self._oldest_active()
            one = self._environment(folder / READY, since)
            if one is None or one.active:
                return None
            (folder / READY).unlink()
            shutil.rmtree(folder, ignore_errors=True)
        return item.size - disk_use(folder)

    # --- left-overs ----------------------------------------------------------------------------

    def _leftovers(self, *, dry_run: bool) -> list[CleanedItem]:
        gone = []
        for path in [*self._lost_runs(), *self._lost_snapshots(), *self._broken_environments()]:
            modified = _modified(path)
            if modified is None or now() - modified < _YOUNG:
                continue
            size = self._unused(path) if dry_run else self._remove_leftover(path)
            if size:
                name = str(path.relative_to(self.layout.root))
                gone.append(
                    CleanedItem(kind="left-over", id=name, name=name, size=size, used_at=modified)
                )
        return gone

    def _lost_runs(self) -> list[Path]:
        """Folders whose run was deleted or never came to be; a cached step may show their files."""
        known = {row["run_id"] for row in self.database.read("SELECT run_id FROM runs")}
        return [path for path in _entries(self.layout.runs) if path.name not in known]

    def _lost_snapshots(self) -> list[Path]:
        """Saved kernel values that no run has taken; one that is active may still be about to."""
        since = self._oldest_active()
        used = {path for uri in self._snapshots_shown() if (path := local_path(uri))}
        return [
            path
            for path in _entries(self.layout.snapshots)
            if path not in used and (since is None or (_modified(path) or since) < since - _YOUNG)
        ]

    def _snapshots_shown(self) -> Iterable[str]:
        folder = self.layout.snapshots
        for prefix in (str(folder), folder.as_uri()):
            for row in self.database.read(
                "SELECT uri FROM artifacts WHERE uri >= ? AND uri < ?", (f"{prefix}/", f"{prefix}0")
            ):
                yield row["uri"]

    def _broken_environments(self) -> list[Path]:
        return [
            path
            for path in _entries(self.layout.environments)
            if path.is_dir() and not (path / READY).exists()
        ]

    def _unused(self, path: Path) -> int:
        kept = lifecycle.used_files(self.database, path) if path.is_dir() else set()
        return disk_use(path) - sum(disk_use(one) for one in kept)

    def _remove_leftover(self, path: Path) -> int:
        before = disk_use(path)
        if path.parent == self.layout.environments:
            lock = processes.try_lock(path.with_suffix(".lock"))
            if lock is None:  # it is being built
                return 0
            try:
                if not (path / READY).exists():
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
        elif path.is_dir() and not path.is_symlink():
            lifecycle.delete_files(self.database, path)
        else:
            path.unlink(missing_ok=True)
        return before - disk_use(path)

    # --- environments --------------------------------------------------------------------------

    def _notes(self) -> Iterable[Path]:
        return (path / READY for path in _entries(self.layout.environments))

    def _environment(self, note: Path, since: datetime | None) -> Environment | None:
        try:
            content = json.loads(note.read_bytes())
            status = note.stat()
            built = note.parent.joinpath("pyvenv.cfg").stat().st_mtime
        except (OSError, ValueError):
            return None  # being built, or being removed
        used = datetime.fromtimestamp(status.st_mtime, timezone.utc)
        return Environment(
            key=note.parent.name,
            interpreter=str(content["interpreter"]),
            packages=list(content["packages"]),
            size=disk_use(note.parent),
            built_at=datetime.fromtimestamp(built, timezone.utc),
            used_at=used,
            active=since is not None and used >= since,
        )

    def _oldest_active(self) -> datetime | None:
        row = self.database.one(
            "SELECT MIN(created_at) AS since FROM runs WHERE finished_at IS NULL"
        )
        return None if row is None else from_micros(row["since"])


def disk_use(path: Path) -> int:
    """Bytes that a file, or everything below a folder, takes on disk; links are not followed."""
    try:
        size = _blocks(path.lstat())
    except OSError:
        return 0
    pending = [path] if path.is_dir() and not path.is_symlink() else []
    while pending:
        with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):  # removed in this moment
                    size += _blocks(entry.stat(follow_symlinks=False))
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
    return size


def _blocks(status: os.stat_result) -> int:
    return status.st_blocks * 512


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime, timezone.utc)
    except OSError:
        return None


def _existing(path: Path) -> Path:
    """The folder, or the nearest above it that exists: nothing has run yet."""
    return next(one for one in (path, *path.parents) if one.exists())
