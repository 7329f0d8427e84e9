"""What travels on the events socket."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .base import Model
from .connections import Connection
from .graph import GraphDelta
from .runs import Run


class Subscription(Model):
    """Browser → server on the events socket."""

    action: Literal["subscribe", "unsubscribe"]
    topic: Literal["connections", "runs", "run", "log"]
    connection: str = ""
    run_id: str = ""
    task_id: str = ""
    attempt: int | None = None


class Event(Model):
    """Server → browser. `seq` counts this socket's events; a gap means: fetch again."""

    seq: int
    topic: Literal["connections", "runs", "run", "log"]
    connection: str = ""
    run_id: str = ""
    task_id: str = ""
    runs: list[Run] = Field(default_factory=list, description="topic runs: new or changed.")
    deleted: list[str] = Field(default_factory=list, description="topic runs: ids now gone.")
    delta: GraphDelta | None = Field(None, description="topic run.")
    log_size: int | None = Field(None, description="topic log: bytes there are now.")
    attempt: int | None = None
    connections: list[Connection] = Field(default_factory=list)
    stale: str | None = Field(None, description="Set while the backend cannot be reached: why.")
