"""The states, types and errors that every other model is made of."""

from __future__ import annotations

from enum import Enum

from pydantic import BaseModel, ConfigDict, Field


class Model(BaseModel):
    """Base of every model: unknown fields are an error, so that a typo never passes silently."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class State(str, Enum):
    """Kubeflow's runtime states, and CACHED, which only a task can be in."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CACHED = "CACHED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"

    @property
    def final(self) -> bool:
        """Whether nothing will change any more unless the user retries."""
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {State.SUCCEEDED, State.CACHED, State.SKIPPED, State.FAILED, State.CANCELED}
)


class TaskType(str, Enum):
    """What a node of a run is; the coming Kubeflow Task API uses the same words."""

    RUNTIME = "RUNTIME"
    IMPORTER = "IMPORTER"
    DAG = "DAG"
    CONDITION = "CONDITION"
    CONDITION_BRANCH = "CONDITION_BRANCH"
    LOOP = "LOOP"
    LOOP_ITERATION = "LOOP_ITERATION"
    EXIT_HANDLER = "EXIT_HANDLER"


class Problem(Model):
    """Something wrong at a place: a cell and line, a task, a parameter."""

    message: str
    next_step: str = ""
    cell: str | None = None
    line: int | None = Field(None, description="1-based.")
    column: int | None = Field(None, description="1-based.")
    place: str = ""


class ErrorBody(Model):
    """The body of every error of our own routes (`/apis` answers as Kubeflow does)."""

    code: str
    message: str
    next_step: str = ""
    problems: list[Problem] = Field(default_factory=list)
