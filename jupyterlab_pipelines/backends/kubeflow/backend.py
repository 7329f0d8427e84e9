"""A Kubeflow Pipelines endpoint behind the protocol that every backend speaks."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from ...errors import NotFound, PipelinesError, SignInNeeded
from ...models import (
    ConnectionKind,
    ConnectionState,
    LogChunk,
    Problem,
    Run,
    RunGraph,
    RunPage,
    RunQuery,
    Submission,
    TaskDetail,
    TaskIO,
    TaskRef,
)
from ...pipeline_text import split
from ..base import ApiRequest, ApiResponse, ArtifactContent, Changes, Health
from . import artifacts, logs
from .changes import ChangeLog
from .code import add_code
from .credentials import BearerToken
from .endpoint import Endpoint
from .graph import Pipeline, Reading, read_run, read_tasks
from .listing import RUNS, Listing
from .messages import run_from_json, understood
from .passthrough import pass_through

T = TypeVar("T")

#: Seconds that a reading of a run serves whoever else asks for it: many viewers, one request.
_FRESH = 1.0
_KEPT = 64


@dataclass(frozen=True)
class _Kept:
    """A reading with its graph, and when it was made."""

    at: float
    reading: Reading
    graph: RunGraph


class KubeflowBackend:
    """The API at `host`, asked with `token`. Its runs live there; nothing is kept here."""

    kind = ConnectionKind.KUBEFLOW
    watch_interval = 3.0

    def __init__(
        self,
        host: str,
        token: BearerToken | None = None,
        *,
        namespace: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._endpoint = Endpoint(host, token, transport=transport)
        self._namespace = namespace
        self._listing = Listing(self._endpoint, namespace)
        self._changes = ChangeLog(self._endpoint, self._listing, namespace)
        self._readings: OrderedDict[str, _Kept] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[_Kept]] = {}
        self._versions: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._origins: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def health(self) -> Health:
        """Ready where the API lists runs with this token; else which step failed."""
        query = [("page_size", "1")]
        if self._namespace:
            query.append(("namespace", self._namespace))
        try:
            await self._endpoint.json("GET", "/apis/v2beta1/healthz", retries=0)
            await self._endpoint.json("GET", RUNS, query=query, retries=0)
        except PipelinesError as error:
            signed_out = isinstance(error, SignInNeeded) or error.http_status == 403
            state = ConnectionState.SIGN_IN if signed_out else ConnectionState.UNREACHABLE
            return Health(state, f"{error.message} {error.next_step}".strip())
        return Health(ConnectionState.READY)

    async def api(self, request: ApiRequest) -> ApiResponse:
        """The endpoint's own answer, streamed."""
        return await pass_through(self._endpoint, request)

    async def close(self) -> None:
        """Closes every connection."""
        await self._endpoint.close()

    # --- runs ----------------------------------------------------------------------------------

    async def list_runs(self, query: RunQuery) -> RunPage:
        """One page of runs, filters that Kubeflow lacks included."""
        return await self._listing.page(query)

    async def get_run(self, run_id: str) -> Run:
        """One run."""
        content = await self._endpoint.json("GET", _run_path(run_id))
        return self._run(content)

    async def get_graph(self, run_id: str) -> RunGraph:
        """A run's shape and state, from the best source that the endpoint has."""
        return (await self._read(run_id)).graph

    async def changes(self, cursor: str | None) -> Changes:
        """Runs that look different; every active one may have changed inside."""
        return await self._changes.since(cursor)

    async def preflight(self, pipeline: Mapping[str, Any]) -> Sequence[Problem]:
        """None: Kubeflow runs whatever the SDK compiles, and says itself what is wrong."""
        return []

    async def submit(self, submission: Submission) -> Run:
        """Starts a run; the endpoint checks pipeline and parameters before it accepts it."""
        assert isinstance(submission.pipeline, dict)  # the desk has parsed it
        pipeline = submission.pipeline
        if submission.caching is not None:
            pipeline = _with_caching(pipeline, submission.caching)
        spec, platform = split(pipeline)
        name = str((spec.get("pipelineInfo") or {}).get("name") or "run")
        stamp = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        body: dict[str, Any] = {
            "display_name": submission.display_name or f"{name} {stamp}",
            "pipeline_spec": {"pipeline_spec": spec, "platform_spec": platform}
            if platform
            else spec,
            "runtime_config": {"parameters": submission.parameters},
        }
        if submission.description:
            body["description"] = submission.description
        if submission.experiment_id:
            body["experiment_id"] = submission.experiment_id
        query = [("namespace", self._namespace)] if self._namespace else []
        return self._run(await self._endpoint.json("POST", RUNS, query=query, body=body))

    async def terminate(self, run_id: str) -> None:
        """Stops an active run."""
        await self._act("POST", run_id, ":terminate")

    async def retry(self, run_id: str) -> None:
        """Runs again what failed."""
        await self._act("POST", run_id, ":retry")

    async def delete(self, run_id: str) -> None:
        """Removes a run."""
        await self._act("DELETE", run_id, "")

    async def _act(self, method: str, run_id: str, verb: str) -> None:
        await self._endpoint.json(method, _run_path(run_id) + verb)
        self._readings.pop(run_id, None)
        self._under_way.pop(run_id, None)

    # --- a task --------------------------------------------------------------------------------

    async def get_task(self, run_id: str, task_id: str) -> TaskDetail:
        """One task in detail. Raises NotFound."""
        kept = await self._read(run_id)
        node = next((node for node in kept.graph.topology.tasks if node.id == task_id), None)
        if node is None:
            raise NotFound(f"Run {run_id} has no task {task_id!r}.")
        record = kept.reading.records.get(task_id)
        detail = TaskDetail(
            run_id=run_id,
            node=node,
            status=kept.graph.tasks[task_id],
            inputs=record.inputs if record else TaskIO(),
            outputs=record.outputs if record else TaskIO(),
            cache_key=record.cache_key if record else "",
        )
        pipeline = kept.reading.pipeline
        found = pipeline.find([name.partition("[")[0] for name in task_id.split("/")])
        if found is not None:
            task, component = found
            detail.caching = bool(detail.cache_key) or (task.caching and component.tasks is None)
            label = str(component.content.get("executorLabel", ""))
            add_code(detail, pipeline.executors.get(label) or {})
        return detail

    async def read_log(
        self, run_id: str, task_id: str, attempt: int | None, offset: int, limit: int
    ) -> LogChunk:
        """A piece of an attempt's log, the last attempt's where `attempt` is null."""
        reading = (await self._read(run_id)).reading
        record = reading.records.get(task_id)
        if record is None:
            status = reading.statuses.get(task_id)
            if status is None or attempt is not None:
                raise NotFound(f"Run {run_id} has no task {task_id!r} that has begun.")
            over = status.state.final
            return LogChunk(text="", offset=0, next_offset=0, size=0, complete=over)
        return await logs.read_log(self._endpoint, run_id, record, attempt, offset, limit)

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of an artifact."""
        kept = await self._read(run_id)
        status = kept.graph.artifacts.get(artifact_id)
        if status is None:
            raise NotFound(f"Run {run_id} has no artifact {artifact_id!r}.")
        producer = kept.reading.records[artifact_id.rpartition(":")[0]]
        name = artifact_id.rpartition(":")[2]
        types = {node.id: node.type for node in kept.graph.topology.artifacts}
        return await artifacts.open_artifact(
            self._endpoint,
            uid=producer.artifact_uids.get(artifact_id, ""),
            uri=status.uri,
            name=name,
            html=types.get(artifact_id) == "system.HTML",
            namespace=self._namespace,
            start=start,
            end=end,
        )

    # --- reading a run -------------------------------------------------------------------------

    def _run(self, content: Mapping[str, Any]) -> Run:
        return understood(
            self._endpoint.host, "a run", lambda: run_from_json(content, self._namespace)
        )

    async def _read(self, run_id: str) -> _Kept:
        """A reading of this second; those who ask while it is made wait for the same one."""
        kept = self._readings.get(run_id)
        if kept is not None and time.monotonic() - kept.at < _FRESH:
            return kept
        task = self._under_way.get(run_id)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._fetch(run_id))
            self._under_way[run_id] = task
            task.add_done_callback(lambda done: self._fetched(run_id, done))
        return await asyncio.shield(task)

    def _fetched(self, run_id: str, task: asyncio.Task[_Kept]) -> None:
        current = self._under_way.get(run_id) is task
        if current:  # else the run was acted upon meanwhile
            del self._under_way[run_id]
        if task.cancelled() or task.exception() is not None or not current:
            return
        self._readings[run_id] = task.result()
        self._readings.move_to_end(run_id)
        while len(self._readings) > _KEPT:
            self._readings.popitem(last=False)

    async def _fetch(self, run_id: str) -> _Kept:
        path = _run_path(run_id)
        content = await self._endpoint.json("GET", path, query=[("view", "FULL")])
        pipeline = await self._pipeline_of(content)
        host = self._endpoint.host
        run = self._run(content)
        run.pipeline_name = run.pipeline_name or pipeline.name
        reading = await asyncio.to_thread(
            understood, host, "tasks", lambda: read_run(run, content, pipeline)
        )
        for record in reading.records.values():
            if record.cached_from is not None:
                record.status.cached_from = await self._origin(*record.cached_from)
        return self._kept(run_id, reading)

    def _kept(self, run_id: str, reading: Reading) -> _Kept:
        """The reading as a graph; its revision grows with each difference by value."""
        graph = RunGraph(
            run=reading.run,
            topology=reading.topology,
            tasks=reading.statuses,
            artifacts={
                artifact_id: artifact
                for record in reading.records.values()
                for artifact_id, artifact in record.artifacts.items()
            },
            revision=0,
        )
        before = self._readings.get(run_id)
        previous = before.graph.revision if before else 0
        if before is not None and before.graph == graph.model_copy(update={"revision": previous}):
            graph = before.graph
        else:
            # By the clock, so that it also grows over a restart of this process.
            graph.revision = max(previous + 1, time.time_ns() // 1_000_000)
        return _Kept(time.monotonic(), reading, graph)

    async def _pipeline_of(self, content: Mapping[str, Any]) -> Pipeline:
        """The IR of a run, its own or that of the version it names; versions never change."""
        reference = content.get("pipeline_version_reference") or {}
        pipeline_id, version_id = (
            reference.get("pipeline_id"), reference.get("pipeline_version_id"),
        )  # fmt: skip
        if content.get("pipeline_spec") or not (pipeline_id and version_id):
            return Pipeline(content.get("pipeline_spec") or {})
        if version_id not in self._versions:
            path = f"/apis/v2beta1/pipelines/{quote(pipeline_id, '')}/versions"
            version = await self._endpoint.json("GET", f"{path}/{quote(version_id, '')}")
            _remember(self._versions, version_id, version.get("pipeline_spec") or {})
        return Pipeline(self._versions[version_id])

    async def _origin(self, run_id: str, uid: str) -> TaskRef | None:
        """The task whose results were taken, by its scope path; null where it is gone."""
        if run_id not in self._origins:
            try:
                content = await self._endpoint.json(
                    "GET", _run_path(run_id), query=[("view", "FULL")]
                )
            except NotFound:
                content = {}
            tasks = content.get("tasks") or []
            names = understood(
                self._endpoint.host,
                "tasks",
                lambda: {record.uid: record.task_id for record in read_tasks(tasks).values()},
            )
            _remember(self._origins, run_id, names)
        task_id = self._origins[run_id].get(uid)
        return None if task_id is None else TaskRef(run_id=run_id, task_id=task_id)


def _run_path(run_id: str) -> str:
    """A run's path. Raises NotFound on what can be no id."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", run_id):
        raise NotFound("There is no such run.")
    return f"{RUNS}/{run_id}"


def _remember(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    while len(memory) > _KEPT:
        memory.popitem(last=False)


def _with_caching(pipeline: Mapping[str, Any], caching: bool) -> dict[str, Any]:
    """A copy in which every task's results may, or may not, come from the cache."""
    changed = copy.deepcopy(dict(pipeline))
    spec, _ = split(changed)
    components = [spec.get("root"), *(spec.get("components") or {}).values()]
    for component in components:
        for task in ((component or {}).get("dag") or {}).get("tasks", {}).values():
            task["cachingOptions"] = {"enableCache": True} if caching else {}
    return changed
