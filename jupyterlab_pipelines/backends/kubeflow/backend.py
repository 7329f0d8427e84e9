"""A Kubeflow Pipelines endpoint behind the protocol that every backend speaks."""

from __future__ import annotations

import asyncio
import copy
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import httpx

from ...errors import BadInput, Forbidden, NotFound, PipelinesError, SignInNeeded
from ...models import (
    ConnectionKind,
    ConnectionState,
    ConnectionTest,
    LogChunk,
    Namespaces,
    ObjectStore,
    Problem,
    Run,
    RunGraph,
    RunPage,
    RunQuery,
    Submission,
    TaskDetail,
    TaskIO,
)
from ...pipeline_text import split
from ..base import ApiRequest, ApiResponse, ArtifactContent, Changes, Health
from . import diagnosis, namespaces
from .artifacts import Artifacts, Wanted
from .changes import ChangeLog
from .code import add_code
from .endpoint import Endpoint
from .listing import RUNS, Listing
from .logs import Logs
from .passthrough import pass_through
from .readings import Readings, run_path
from .sharing import Shared, SharedLogs
from .sign_in import SignInMethod

#: Seconds without a request after which a backend that was replaced has no work left.
_QUIET = 5.0
#: What an error says of the connection; any other, that it cannot be reached.
_STATES: Mapping[type[PipelinesError], ConnectionState] = {
    SignInNeeded: ConnectionState.SIGN_IN,
    Forbidden: ConnectionState.FORBIDDEN,
}


class KubeflowBackend:
    """The API at `host`, asked as `sign_in` says. Its runs live there; nothing is kept here.

    `ui` is the UI server's endpoint, with logs, artifacts and metadata; null: the same host's.
    """

    kind = ConnectionKind.KUBEFLOW
    watch_interval = 3.0

    def __init__(
        self,
        host: str,
        sign_in: SignInMethod | None = None,
        *,
        namespace: str = "",
        ui: Endpoint | None = None,
        artifact_hosts: Sequence[str] = (),
        stores: Sequence[ObjectStore] = (),
        artifacts_ca: str | None = None,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._endpoint = Endpoint(host, sign_in, tls=tls, transport=transport, sleep=sleep)
        self._ui = ui or self._endpoint
        self._artifacts = Artifacts(
            self._endpoint, self._ui, hosts=artifact_hosts, stores=stores, ca_file=artifacts_ca
        )
        self._logs = Logs(self._endpoint, self._ui, self._artifacts)
        self._namespace = namespace
        self._listing = Listing(self._endpoint, namespace)
        self._changes = ChangeLog(self._endpoint, self._listing)
        self._readings = Readings(self._endpoint, namespace, self._ui)
        self._pages: Shared[RunPage] = Shared()
        self._log_pieces = SharedLogs()

    async def health(self) -> Health:
        """Ready where the API lists runs for this user; else which step failed."""
        try:
            await self._enter()
            await self._listing.try_out()
        except PipelinesError as error:
            if isinstance(error, BadInput) and not self._namespace:
                return Health(
                    ConnectionState.SIGN_IN, "The endpoint wants a namespace. Choose one of yours."
                )
            state = _STATES.get(type(error), ConnectionState.UNREACHABLE)
            return Health(state, f"{error.message} {error.next_step}".strip())
        return Health(ConnectionState.READY)

    async def _enter(self) -> None:
        """Asks what anybody may ask: who is refused here is refused before any namespace."""
        try:
            await self._endpoint.json("GET", namespaces.HEALTH, retries=0)
        except Forbidden as error:
            raise SignInNeeded(error.message, next_step=error.next_step) from None

    async def test(self) -> ConnectionTest:
        """The way to the endpoint, step by step, up to the first that fails."""
        return await diagnosis.look(self._endpoint, self._ui, self._namespace)

    async def namespaces(self) -> Namespaces:
        """The namespaces that the user may see here."""
        return await namespaces.read(self._endpoint, self._namespace)

    async def api(self, request: ApiRequest) -> ApiResponse:
        """The endpoint's own answer, streamed."""
        answer = await pass_through(self._endpoint, request)
        if request.method.upper() != "GET":
            self._pages.forget()
        return answer

    async def retire(self) -> None:
        """Closes when all that is under way has ended.

        Between two requests of one piece of work lies some time: a quiet while is waited for.
        """
        for endpoint in {self._endpoint, self._ui}:
            await endpoint.unused(_QUIET)
        await self.close()

    async def close(self) -> None:
        """Closes every connection; what is still under way fails."""
        self._listing.close()
        self._readings.close()
        await self._artifacts.close()
        await self._endpoint.close()
        if self._ui is not self._endpoint:
            await self._ui.close()

    # --- runs ----------------------------------------------------------------------------------

    async def list_runs(self, query: RunQuery) -> RunPage:
        """One page of runs, filters that Kubeflow lacks included."""
        key = query.model_dump_json()
        return await self._pages.get(key, lambda: self._listing.page(query))

    async def get_run(self, run_id: str) -> Run:
        """One run."""
        content = await self._endpoint.json("GET", run_path(run_id))
        return self._readings.run(content)

    async def get_graph(self, run_id: str) -> RunGraph:
        """A run's shape and state, from the best source that the endpoint has."""
        return (await self._readings.read(run_id)).graph

    async def changes(self, cursor: str | None) -> Changes:
        """Runs that look different; every active one may have changed inside."""
        changes = await self._changes.since(cursor)
        if changes.runs or changes.deleted:
            self._pages.forget()
        return changes

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
        experiment_id = submission.experiment_id
        if not experiment_id and self._namespace:  # a run is in its experiment's
            experiment_id = await namespaces.default_experiment(self._endpoint, self._namespace)
        if experiment_id:
            body["experiment_id"] = experiment_id
        query = [("namespace", self._namespace)] if self._namespace else []
        created = await self._endpoint.json("POST", RUNS, query=query, body=body)
        self._pages.forget()
        return self._readings.run(created)

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
        await self._endpoint.json(method, run_path(run_id) + verb)
        self._readings.forget(run_id)
        self._pages.forget()

    # --- a task --------------------------------------------------------------------------------

    async def get_task(self, run_id: str, task_id: str) -> TaskDetail:
        """One task in detail. Raises NotFound."""
        kept = await self._readings.read(run_id)
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
        elif record is not None:
            add_code(detail, {"container": record.container})
        return detail

    async def read_log(
        self, run_id: str, task_id: str, attempt: int | None, offset: int, limit: int
    ) -> LogChunk:
        """A piece of an attempt's log, the last attempt's where `attempt` is null."""
        reading = (await self._readings.read(run_id)).reading
        record = reading.records.get(task_id)
        if record is None:
            status = reading.statuses.get(task_id)
            if status is None or attempt is not None:
                raise NotFound(f"Run {run_id} has no task {task_id!r} that has begun.")
            over = status.state.final
            return LogChunk(text="", offset=0, next_offset=0, size=0, complete=over)
        return await self._log_pieces.get(
            (run_id, task_id, attempt),
            offset,
            limit,
            lambda: self._logs.read(
                reading.run, record, attempt, offset, limit, namespace=self._namespace
            ),
        )

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of an artifact."""
        kept = await self._readings.read(run_id)
        status = kept.graph.artifacts.get(artifact_id)
        if status is None:
            raise NotFound(f"Run {run_id} has no artifact {artifact_id!r}.")
        producer = kept.reading.records[artifact_id.rpartition(":")[0]]
        name = artifact_id.rpartition(":")[2]
        types = {node.id: node.type for node in kept.graph.topology.artifacts}
        kind = types.get(artifact_id, "")
        uid = producer.artifact_uids.get(artifact_id, "")
        wanted = Wanted(
            name=name,
            uri=status.uri,
            type=kind,
            uid="" if uid.isdecimal() else uid,  # ML Metadata's: the API does not know it
            namespace=kept.graph.run.namespace or self._namespace,
            session=producer.artifact_stores.get(artifact_id, ""),
            # What kfp 1 made has no type of its own, and Argo packed it.
            archived=not kept.reading.pipeline.known
            and status.uri.endswith(".tgz")
            and kind in ("", "system.Artifact"),
        )
        return await self._artifacts.open(wanted, start, end)


def _with_caching(pipeline: Mapping[str, Any], caching: bool) -> dict[str, Any]:
    """A copy in which every task's results may, or may not, come from the cache."""
    changed = copy.deepcopy(dict(pipeline))
    spec, _ = split(changed)
    components = [spec.get("root"), *(spec.get("components") or {}).values()]
    for component in components:
        for task in ((component or {}).get("dag") or {}).get("tasks", {}).values():
            task["cachingOptions"] = {"enableCache": True} if caching else {}
    return changed
