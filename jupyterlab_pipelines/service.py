"""The desk over one backend: list, show, submit, stop, retry, render; it never picks a backend."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator

from . import compiler, outputs
from .backends.base import ApiRequest, ApiResponse, ArtifactContent, Backend, Health, Housekeeping
from .errors import (
    BadInput,
    InvalidCell,
    NotFound,
    PipelinesError,
    UnsupportedFeature,
    UpstreamError,
)
from .models import (
    ArtifactRef,
    Cleaned,
    Cleaning,
    ConnectionKind,
    LogChunk,
    Output,
    PipelineDescription,
    PipelineSource,
    Run,
    RunGraph,
    RunPage,
    RunQuery,
    StepPlan,
    StepRequest,
    Storage,
    Submission,
    TaskDetail,
)
from .pipeline_text import describe, read_pipeline

logger = logging.getLogger(__name__)

#: How many of the newest runs are searched for the beginning of an id.
_SEARCHED_PAGES = 5
#: Seconds that a stream of graphs goes on without an answer of the backend.
_PATIENCE = 60.0
_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Service:
    """What the HTTP door, the kernel and the command line ask of one connection."""

    def __init__(self, backend: Backend, connection: str) -> None:
        self.backend = backend
        self.connection = connection

    async def health(self) -> Health:
        """Whether the connection can be used now; never raises."""
        return await self.backend.health()

    async def api(self, request: ApiRequest) -> ApiResponse:
        """Kubeflow's own dialect."""
        return await self.backend.api(request)

    async def close(self) -> None:
        """Lets the backend go; running pipelines go on."""
        await self.backend.close()

    # --- runs ----------------------------------------------------------------------------------

    async def list_runs(self, query: RunQuery) -> RunPage:
        """One page of runs."""
        return await self.backend.list_runs(query)

    async def get_run(self, run_id: str) -> Run:
        """A run by its id. Raises NotFound."""
        return await self.backend.get_run(run_id)

    async def find_run(self, text: str) -> Run:
        """A run by its id, the beginning of one, its name, or `last`.

        Raises NotFound, and BadInput where the beginning fits several.
        """
        if text == "last":
            page = await self.list_runs(RunQuery(page_size=1))
            if not page.runs:
                raise NotFound("There are no runs yet.", next_step="Submit a pipeline first.")
            return page.runs[0]
        if _RUN_ID.fullmatch(text):
            return await self.get_run(text)
        named = await self.list_runs(RunQuery(name=text, page_size=200))
        for run in named.runs:  # the newest of this name
            if run.display_name == text:
                return run
        found = [run async for run in self._newest() if run.run_id.startswith(text)]
        if not text or not found:
            raise NotFound(f"No run has the id or name {text!r}.", next_step="List the runs.")
        if len(found) > 1:
            raise BadInput(
                f"{len(found)} runs begin with {text!r}.", next_step="Give more of the id."
            )
        return found[0]

    async def _newest(self) -> AsyncIterator[Run]:
        token = ""
        for _ in range(_SEARCHED_PAGES):
            page = await self.list_runs(RunQuery(page_size=200, page_token=token))
            for run in page.runs:
                yield run
            token = page.next_page_token
            if not token:
                return

    async def get_graph(self, run_id: str) -> RunGraph:
        """A run's shape and state, at every depth."""
        return await self.backend.get_graph(run_id)

    async def get_task(self, run_id: str, task_id: str) -> TaskDetail:
        """One task with its inputs, outputs and code."""
        return await self.backend.get_task(run_id, task_id)

    async def follow(self, run_id: str) -> AsyncIterator[RunGraph]:
        """The run's graph now and after every change, until the run has ended.

        An endpoint that does not answer is asked again for a minute before its error is raised.
        """
        cursor = (await self.backend.changes(None)).cursor
        graph = await self.get_graph(run_id)
        yield graph
        clock = asyncio.get_running_loop().time
        last_answer = clock()
        while not graph.run.state.final:
            await asyncio.sleep(self.backend.watch_interval)
            try:
                changes = await self.backend.changes(cursor)
                touched = {run.run_id for run in changes.runs} | {*changes.unsure}
                latest = await self.get_graph(run_id) if run_id in touched else graph
            except UpstreamError:
                if clock() - last_answer > _PATIENCE:
                    raise
                continue
            last_answer = clock()
            if run_id in changes.deleted:
                raise NotFound("The run has been deleted.", next_step="")
            cursor = changes.cursor
            if latest != graph:
                graph = latest
                yield graph

    # --- submitting and steering ---------------------------------------------------------------

    async def describe(self, pipeline: PipelineSource | str) -> PipelineDescription:
        """What a pipeline takes and what this connection could not run of it; starts nothing."""
        source = pipeline if isinstance(pipeline, str) else pipeline.pipeline
        parsed = await asyncio.to_thread(read_pipeline, source)
        problems = await self.backend.preflight(parsed)
        return describe(parsed).model_copy(update={"problems": list(problems)})

    async def submit(self, submission: Submission) -> Run:
        """Starts a run. Raises BadInput kinds and then leaves nothing behind."""
        parsed = await asyncio.to_thread(read_pipeline, submission.pipeline)
        return await self.backend.submit(submission.model_copy(update={"pipeline": parsed}))

    async def plan_step(self, request: StepRequest) -> StepPlan:
        """What a selection of cells would run as; starts nothing."""
        return await asyncio.to_thread(compiler.plan_step, self._reachable(request))

    def _reachable(self, request: StepRequest) -> StepRequest:
        """The request without what only this machine has, where the step runs elsewhere."""
        if self.backend.kind is ConnectionKind.LOCAL:
            return request
        variables = [one.model_copy(update={"snapshot": None}) for one in request.variables]
        inputs = request.inputs and [
            one.model_copy(update={"source": "recompute", "snapshot": None})
            if one.source == "snapshot"
            else one
            for one in request.inputs
        ]
        return request.model_copy(
            update={"variables": variables, "inputs": inputs, "working_directory": ""}
        )

    async def submit_step(self, request: StepRequest) -> Run:
        """Runs a selection of cells. Raises InvalidCell with the plan's problems."""
        request = self._reachable(request)
        plan = await self.plan_step(request)
        if plan.problems:
            raise InvalidCell(
                "The selection cannot run as a step.",
                problems=plan.problems,
                next_step=plan.problems[0].next_step or None,
            )
        return await self.submit(await asyncio.to_thread(compiler.compile_step, request, plan))

    async def terminate(self, run_id: str) -> None:
        """Stops a run."""
        await self.backend.terminate(run_id)

    async def retry(self, run_id: str) -> None:
        """Runs again what failed or was cancelled."""
        await self.backend.retry(run_id)

    async def delete(self, run_id: str) -> None:
        """Deletes a run with all that it left."""
        await self.backend.delete(run_id)

    # --- disk ----------------------------------------------------------------------------------

    async def storage(self) -> Storage:
        """What the connection's runs take on this machine. Raises UnsupportedFeature."""
        return await self._housekeeping().storage()

    async def clean(self, wanted: Cleaning) -> Cleaned:
        """Removes what is old or too much, never an active run. Raises UnsupportedFeature."""
        return await self._housekeeping().clean(wanted)

    def _housekeeping(self) -> Housekeeping:
        if not isinstance(self.backend, Housekeeping):
            raise UnsupportedFeature(
                f"The runs of {self.connection} take no room on this machine.",
                next_step="Delete the runs that are not needed.",
            )
        return self.backend

    # --- what a task left ----------------------------------------------------------------------

    async def read_log(
        self, run_id: str, task_id: str, attempt: int | None, offset: int, limit: int
    ) -> LogChunk:
        """Up to `limit` bytes of an attempt's log; `attempt` null: the last."""
        return await self.backend.read_log(run_id, task_id, attempt, offset, limit)

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of an artifact; the caller closes the body."""
        return await self.backend.open_artifact(run_id, artifact_id, start, end)

    async def outputs(self, run_id: str, task_id: str | None = None) -> list[Output]:
        """What a task, or every task of the run, has to show; never more than a preview's bytes."""
        if task_id is not None:
            detail = await self.get_task(run_id, task_id)
            artifacts = [(task_id, artifact) for artifact in detail.outputs.artifacts]
        else:
            artifacts = _artifacts_of(await self.get_graph(run_id))
        rendered = [await self._rendered(run_id, task, artifact) for task, artifact in artifacts]
        return [output for one in rendered for output in one]

    async def _rendered(self, run_id: str, task_id: str, artifact: ArtifactRef) -> list[Output]:
        try:
            limit = outputs.content_limit(artifact)
            content = None
            if limit and artifact.id is not None:
                content = await self._beginning(run_id, artifact.id, limit)
            return await asyncio.to_thread(outputs.render, artifact, artifact.id, task_id, content)
        except PipelinesError as error:
            reason = f"{error.message} {error.next_step}".strip()
        except Exception:
            logger.exception("Artifact %s of run %s cannot be shown", artifact.id, run_id)
            reason = "It cannot be shown. Download the artifact instead."
        failed = Output(
            id=artifact.id or f"{task_id}:{artifact.name}",
            task_id=task_id,
            title=artifact.name,
            kind="error",
            artifact_id=artifact.id,
            error=reason,
        )
        return [failed]

    async def _beginning(self, run_id: str, artifact_id: str, limit: int) -> bytes:
        opened = await self.backend.open_artifact(run_id, artifact_id, 0, limit)
        content = bytearray()
        try:
            async for piece in opened.body:
                content += piece
                if len(content) >= limit:
                    break
        finally:
            await close_stream(opened.body)
        return bytes(content[:limit])


def _artifacts_of(graph: RunGraph) -> list[tuple[str, ArtifactRef]]:
    """Every artifact that exists, with its producer, in the graph's order."""
    return [
        (
            node.producer,
            ArtifactRef(
                name=node.name,
                id=node.id,
                type=node.type,
                uri=graph.artifacts[node.id].uri,
                metadata=graph.artifacts[node.id].metadata,
                producer=node.producer,
            ),
        )
        for node in graph.topology.artifacts
        if node.id in graph.artifacts and node.producer is not None
    ]


async def close_stream(body: AsyncIterator[bytes]) -> None:
    """Closes a stream that may not be read to its end, so that its file or socket is freed."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
