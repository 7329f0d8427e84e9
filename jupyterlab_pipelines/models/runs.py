"""Runs, and how their list is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from .base import Model, State


class Progress(Model):
    """How many executable tasks (leaves of the graph) a run has, by what became of them."""

    total: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0


class Run(Model):
    """One run of a pipeline. Times are UTC."""

    run_id: str
    display_name: str
    state: State
    description: str = ""
    created_at: datetime
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    experiment_id: str = ""
    pipeline_name: str = ""
    pipeline_id: str | None = None
    pipeline_version_id: str | None = None
    recurring_run_id: str | None = None
    namespace: str = ""
    archived: bool = False
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    progress: Progress | None = None


class RunQuery(Model):
    """What the run list asks for; every criterion narrows the list."""

    name: str = Field("", description="A part of the name, in any case.")
    states: list[State] = Field(default_factory=list)
    experiment_id: str | None = None
    pipeline_name: str | None = None
    archived: bool = False
    sort_by: Literal["created_at", "finished_at", "display_name", "state", "duration"] = (
        "created_at"
    )
    descending: bool = True
    page_size: int = Field(50, ge=1, le=200)
    page_token: str = ""


class RunPage(Model):
    """One page of the run list; an empty `next_page_token` means the last page."""

    runs: list[Run]
    next_page_token: str = ""
    total_size: int | None = None
    note: str = Field("", description="What the page does not hold yet, and what to do about it.")
