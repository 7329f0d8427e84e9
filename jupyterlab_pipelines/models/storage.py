"""What the embedded engine keeps on disk, and what of it may go."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .base import Model


class Environment(Model):
    """Packages installed once for all steps that ask for the same on the same interpreter."""

    key: str
    interpreter: str
    packages: list[str]
    size: int = Field(description="Bytes on disk.")
    built_at: datetime
    used_at: datetime
    active: bool = Field(description="A run that has not ended may be using it.")


class Storage(Model):
    """Bytes on disk of everything below the engine's folder, and what is free beside it."""

    path: str
    total: int
    free: int
    runs: int = Field(description="Bytes of all runs: artifacts, logs, notebooks.")
    run_count: int
    active_run_count: int
    environments: list[Environment]
    snapshots: int = Field(description="Bytes of kernel values saved for steps.")
    other: int = Field(description="Bytes of the database, kfp's modules and locks.")


class Cleaning(Model):
    """What may go. Left-overs that nothing refers to always go; a run that is active never."""

    older_than_days: float | None = Field(
        None, ge=0, description="Runs that ended, and environments last used, before that."
    )
    keep_bytes: int | None = Field(
        None, ge=0, description="The least recently used go until this is enough."
    )
    dry_run: bool = False


class CleanedItem(Model):
    """One thing that went, or would go."""

    kind: str = Field(description="run, environment or left-over.")
    id: str
    name: str
    size: int = Field(description="Bytes.")
    used_at: datetime


class Cleaned(Model):
    """What went, or with `dry_run` would go; `total` is what the folder then takes, in bytes."""

    items: list[CleanedItem]
    freed: int
    total: int
    dry_run: bool
