"""The embedded engine behind the protocol that every backend speaks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from ...errors import NotFound, PipelinesError
from ...models import (
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
from ...pipeline_text import split
from ..base import ApiRequest, ApiResponse, ArtifactContent, Changes, Health
from ..folders import open_path
from .api import Api, create_run
from .controller import Controller
from .engine import Engine
from .plan.ir import Pipeline
from .plan.preflight import preflight
from .upkeep import Upkeep

P = ParamSpec("P")
T = TypeVar("T")

#: Seconds between two looks for runs whose supervisor was killed.
_RECONCILE_INTERVAL = 2.0


class LocalBackend:
    """The engine below `root`. Its work happens in threads, never in the event loop."""

    kind = ConnectionKind.LOCAL
    watch_interval = 0.3

    def __init__(self, root: Path) -> None:
        self.engine = Engine(root)
        self._upkeep = Upkeep(self.engine.database, self.engine.layout)
        self._api = Api(self.engine)
        self._reconciled_at = float("-inf")

    async def health(self) -> Health:
        """Ready, unless the store cannot be used."""
        try:
            await self._reconcile()
            await _thread(self.engine.changes, None)
        except PipelinesError as error:
            message = f"{error.message} {error.next_step}".strip()
            return Health(ConnectionState.UNREACHABLE, message)
        return Health(ConnectionState.READY)

    async def api(self, request: ApiRequest) -> ApiResponse:
        """Answers as Kubeflow's API server does, errors included."""
        return await self._api.handle(request)

    async def list_runs(self, query: RunQuery) -> RunPage:
        """One page of runs."""
        return await _thread(self.engine.list_runs, query)

    async def get_run(self, run_id: str) -> Run:
        """One run."""
        return await _thread(self.engine.get_run, run_id)

    async def get_graph(self, run_id: str) -> RunGraph:
        """A run's shape and state."""
        return await _thread(self.engine.graph, run_id)

    async def get_task(self, run_id: str, task_id: str) -> TaskDetail:
        """One task in detail."""
        return await _thread(self.engine.task, run_id, task_id)

    async def preflight(self, pipeline: Mapping[str, Any]) -> Sequence[Problem]:
        """What the engine could not run of a pipeline, by task; raises InvalidPipeline."""
        spec, platform = split(pipeline)
        return await _thread(
            lambda: preflight(Pipeline.parse(spec, platform), None, self.engine.machine)
        )

    async def submit(self, submission: Submission) -> Run:
        """Starts a run; raises BadInput and then leaves nothing behind."""
        assert isinstance(submission.pipeline, dict)  # the desk has parsed it
        spec, platform = split(submission.pipeline)
        info = spec.get("pipelineInfo")
        name = str(info.get("name") or "") if isinstance(info, dict) else ""
        run_id = await _thread(
            create_run,
            self.engine,
            experiment_id=submission.experiment_id,
            display_name=submission.display_name or name or "run",
            description=submission.description,
            pipeline_spec=spec,
            platform_spec=platform,
            runtime_config={"parameters": submission.parameters},
            caching=submission.caching,
            interpreter=submission.interpreter,
        )
        return await self.get_run(run_id)

    async def terminate(self, run_id: str) -> None:
        """Stops an active run within 10 s."""
        await _thread(self.engine.terminate, run_id)

    async def retry(self, run_id: str) -> None:
        """Runs again what failed or was canceled."""
        await _thread(self.engine.retry, run_id)

    async def delete(self, run_id: str) -> None:
        """Removes a run that is over, and its files."""
        await _thread(self.engine.delete, run_id)

    async def storage(self) -> Storage:
        """What the engine's folder takes on disk."""
        return await _thread(self._upkeep.storage)

    async def clean(self, wanted: Cleaning) -> Cleaned:
        """Removes what is old or too much, never what is active."""
        return await _thread(self._upkeep.clean, wanted)

    async def read_log(
        self, run_id: str, task_id: str, attempt: int | None, offset: int, limit: int
    ) -> LogChunk:
        """A piece of an attempt's log."""
        return await _thread(self.engine.read_log, run_id, task_id, attempt, offset, limit)

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of an artifact's file; a folder is served as a tar.gz."""
        path, media_type = await _thread(self.engine.artifact_file, run_id, artifact_id)
        try:
            return await _thread(open_path, path, media_type, start, end)
        except OSError as error:
            raise NotFound(
                f"The artifact cannot be read: {error.strerror}.",
                next_step="Read the step's log: the step may not have written it.",
            ) from error

    async def changes(self, cursor: str | None) -> Changes:
        """What changed since `cursor`. Looks now and then after runs that lost their supervisor."""
        await self._reconcile()
        return await _thread(self.engine.changes, cursor)

    def fire_recurring_runs(self, stop: threading.Event) -> None:
        """Fires them when they are due, in the caller's thread, until `stop` is set."""
        Controller(self.engine).run(stop)

    async def close(self) -> None:
        """Closes the store; runs go on."""
        await _thread(self.engine.close)

    async def _reconcile(self) -> None:
        moment = time.monotonic()
        if moment - self._reconciled_at >= _RECONCILE_INTERVAL:
            self._reconciled_at = moment
            await _thread(self.engine.reconcile)


async def _thread(function: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
    return await asyncio.to_thread(function, *arguments, **options)
