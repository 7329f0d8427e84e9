"""The protocol every backend speaks: about a dozen async methods, the only seam above it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ..models import (
    Cleaned,
    Cleaning,
    ConnectionKind,
    ConnectionState,
    LogChunk,
    Problem,
    Run,
    RunGraph,
    RunPage,
    RunQuery,
    Storage,
    Submission,
    TaskDetail,
)

#: Takes some bytes; when it has returned, they may be overwritten.
Write: TypeAlias = Callable[[memoryview], Awaitable[object]]


class Stream:
    """Pieces of a body, and what is to be closed after them, whether or not they were read.

    A generator alone would not do: one that was never begun skips its `finally`.

    `pass_on` is there where the body comes in HTTP/1.1's chunks. It may be called instead of taking
    the pieces, and writes all chunks as they came, but for the empty one at the end.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        close: Callable[[], Awaitable[None] | None],
        pass_on: Callable[[Write], Awaitable[None]] | None = None,
    ) -> None:
        self._pieces = pieces
        self._close = close
        self.pass_on = pass_on

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self._pieces)

    async def aclose(self) -> None:
        """Ends the stream; harmless when repeated."""
        await self._pieces.aclose()
        closed = self._close()
        if closed is not None:
            await closed


@dataclass(frozen=True)
class ApiRequest:
    """A request to the KFP dialect. `path` begins after the connection: `/apis/v2beta1/runs`."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | AsyncIterator[bytes] = b""


@dataclass(frozen=True)
class ApiResponse:
    """An answer of the KFP dialect; a streamed body is consumed once and closed by its reader."""

    status: int
    headers: Mapping[str, str]
    body: bytes | AsyncIterator[bytes]


@dataclass(frozen=True)
class ArtifactContent:
    """Bytes of an artifact. `start`/`end` are the range served (end exclusive, null: unknown).

    `tag` changes whenever the bytes do, where their store can tell; empty: it cannot.
    """

    body: AsyncIterator[bytes]
    media_type: str
    filename: str
    size: int | None
    start: int = 0
    end: int | None = None
    tag: str = ""


@dataclass(frozen=True)
class Health:
    """What a look at the backend found; `message` says why it is not ready."""

    state: ConnectionState
    message: str = ""


@dataclass(frozen=True)
class Changes:
    """Runs that changed since a cursor. `cursor` is opaque and goes into the next call."""

    cursor: str
    runs: Sequence[Run] = ()
    deleted: Sequence[str] = ()
    #: Runs whose tasks may have changed although the run itself looks the same.
    unsure: Sequence[str] = ()


@runtime_checkable
class Housekeeping(Protocol):
    """What a backend has beside the protocol where its runs take this machine's disk."""

    async def storage(self) -> Storage: ...

    async def clean(self, wanted: Cleaning) -> Cleaned: ...


class Backend(Protocol):
    """One engine. Every method raises only :mod:`jupyterlab_pipelines.errors`."""

    kind: ConnectionKind
    #: Seconds between two looks for changes: short for a file, longer for a network.
    watch_interval: float

    async def health(self) -> Health:
        """Whether the backend can be used now; never raises."""
        ...

    async def api(self, request: ApiRequest) -> ApiResponse:
        """Answers the KFP dialect as Kubeflow's API server does, errors included."""
        ...

    async def list_runs(self, query: RunQuery) -> RunPage:
        """One page of runs. Raises BadInput on a page token of another query."""
        ...

    async def get_run(self, run_id: str) -> Run: ...

    async def get_graph(self, run_id: str) -> RunGraph: ...

    async def get_task(self, run_id: str, task_id: str) -> TaskDetail: ...

    async def preflight(self, pipeline: Mapping[str, Any]) -> Sequence[Problem]:
        """What this engine could not run of a pipeline, by task; raises InvalidPipeline."""
        ...

    async def submit(self, submission: Submission) -> Run:
        """Starts a run, or raises BadInput and leaves nothing behind.

        `submission.pipeline` is a parsed dict, as `pipeline_text.read_pipeline` returns it.
        """
        ...

    async def terminate(self, run_id: str) -> None: ...

    async def retry(self, run_id: str) -> None:
        """Runs again what failed or was cancelled; finished tasks are kept."""
        ...

    async def delete(self, run_id: str) -> None: ...

    async def read_log(
        self, run_id: str, task_id: str, attempt: int | None, offset: int, limit: int
    ) -> LogChunk:
        """Up to `limit` bytes of an attempt's log (null: the last one) from `offset`.

        An offset beyond the end is the end: with a large one and `limit` 0 only the size is asked.
        """
        ...

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of an artifact's file; a folder is served as a tar.gz."""
        ...

    async def changes(self, cursor: str | None) -> Changes:
        """What changed since `cursor`; null: no changes, only where to start. Cheap."""
        ...

    async def close(self) -> None: ...
