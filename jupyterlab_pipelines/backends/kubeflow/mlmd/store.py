"""A run's records in ML Metadata, read anew only where they can have changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..endpoint import Endpoint
from . import metadata_store_pb2 as pb
from .grpc_web import call

T = TypeVar("T")

_SERVICE = "/ml_metadata.MetadataStoreService/"
#: The type of the context that Kubeflow names by a run's id.
_RUN = "system.PipelineRun"
#: How the name of a run's root DAG begins; its id follows.
_ROOT = "run/"
#: Runs whose context is remembered, and whose records are.
_NAMED = 1000
_KEPT = 8
_OUTPUTS = (pb.Event.OUTPUT, pb.Event.DECLARED_OUTPUT)
#: The most executions that ML Metadata lists at once.
_PAGE = 100
#: Ids in one request, and such requests at a time.
_IDS = 1000
_TOGETHER = 4
#: The deepest DAG in DAGs that a cached task's origin is looked for in.
_DEPTH = 50


@dataclass(frozen=True)
class Snapshot:
    """What ML Metadata holds of a run. `revision` grows with each difference."""

    executions: dict[int, pb.Execution] = field(default_factory=dict)
    #: Inputs and outputs by execution, in the order in which they were recorded.
    events: dict[int, list[pb.Event]] = field(default_factory=dict)
    artifacts: dict[int, pb.Artifact] = field(default_factory=dict)
    #: The names of artifact types, which ML Metadata's older releases do not repeat.
    types: dict[int, str] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True)
class Origin:
    """An execution by its run and the executions it lies in, the outermost first."""

    run_id: str
    path: Sequence[pb.Execution]


class MetadataStore:
    """ML Metadata behind the UI's host. Every method raises only our errors."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._contexts: OrderedDict[str, int] = OrderedDict()
        self._snapshots: OrderedDict[str, Snapshot] = OrderedDict()
        self._types: dict[int, str] = {}
        self._limit = asyncio.Semaphore(_TOGETHER)

    async def read(self, run_id: str) -> Snapshot | None:
        """A run's records; null where there are none (yet)."""
        context = await self._context(run_id)
        if context is None:
            return None
        before = self._snapshots.get(run_id)
        if before is None:
            whole = await self._executions(pb.GetExecutionsByContextRequest(context_id=context))
            changed = list(whole.executions)
        else:
            changed = await self._changed(context, before)
        snapshot = await self._with(before or Snapshot(), changed)
        _remember(self._snapshots, run_id, snapshot, _KEPT)
        return snapshot

    def forget(self, run_id: str) -> None:
        """The run is gone, or is to be read from the start."""
        self._snapshots.pop(run_id, None)

    async def origins(self, execution_ids: Collection[int]) -> dict[int, Origin]:
        """Where executions belong, of whichever runs; without those that are gone.

        They are looked up level by level, all at once.
        """
        known: dict[int, pb.Execution] = {}
        wanted = set(execution_ids)
        for _ in range(_DEPTH):
            if not wanted:
                break
            for found in await self._in_pieces(sorted(wanted), self._executions_by_id):
                known.update((one.id, one) for one in found.executions)
            above = {_parent(known[one]) for one in wanted if one in known}
            wanted = above - known.keys() - {0}
        origins = {}
        for execution_id in execution_ids:
            path: list[pb.Execution] = []
            at = execution_id
            while at in known and len(path) < _DEPTH:
                path.insert(0, known[at])
                at = _parent(known[at])
            # The root DAG of a run is the only execution with a name.
            if path and at == 0 and path[0].name.startswith(_ROOT):
                origins[execution_id] = Origin(path[0].name.removeprefix(_ROOT), path)
        return origins

    # --- requests ------------------------------------------------------------------------------

    async def _context(self, run_id: str) -> int | None:
        if run_id not in self._contexts:
            found = await call(
                self._endpoint,
                f"{_SERVICE}GetContextByTypeAndName",
                pb.GetContextByTypeAndNameRequest(type_name=_RUN, context_name=run_id),
                pb.GetContextByTypeAndNameResponse,
            )
            if not found.context.id:
                return None
            _remember(self._contexts, run_id, found.context.id, _NAMED)
        return self._contexts[run_id]

    async def _executions(
        self, request: pb.GetExecutionsByContextRequest
    ) -> pb.GetExecutionsByContextResponse:
        return await call(
            self._endpoint,
            f"{_SERVICE}GetExecutionsByContext",
            request,
            pb.GetExecutionsByContextResponse,
        )

    async def _changed(self, context: int, before: Snapshot) -> list[pb.Execution]:
        """What is new or different, by pages from the last one that was touched."""
        known = before.executions
        seen = max((one.last_update_time_since_epoch for one in known.values()), default=0)
        options = pb.ListOperationOptions(
            max_result_size=_PAGE,
            order_by_field=pb.ListOperationOptions.OrderByField(
                field=pb.ListOperationOptions.OrderByField.LAST_UPDATE_TIME, is_asc=False
            ),
        )
        changed = []
        while True:
            page = await self._executions(
                pb.GetExecutionsByContextRequest(context_id=context, options=options)
            )
            changed += [one for one in page.executions if known.get(one.id) != one]
            oldest = min((one.last_update_time_since_epoch for one in page.executions), default=0)
            # Two changes of one millisecond may have been seen one by one.
            if not page.next_page_token or oldest < seen:
                return changed
            options.next_page_token = page.next_page_token

    async def _with(self, before: Snapshot, changed: list[pb.Execution]) -> Snapshot:
        """The snapshot with these executions, their events and artifacts read again."""
        if not changed:
            return before
        ids = [one.id for one in changed]
        events: dict[int, list[pb.Event]] = {one: [] for one in ids}
        wanted = set()
        for found in await self._in_pieces(ids, self._events):
            for event in found.events:
                events.setdefault(event.execution_id, []).append(event)
                artifact_id = event.artifact_id
                if artifact_id not in before.artifacts or event.type in _OUTPUTS:
                    wanted.add(artifact_id)
        artifacts = dict(before.artifacts)
        for answer in await self._in_pieces(sorted(wanted), self._artifacts):
            artifacts.update((one.id, one) for one in answer.artifacts)
        await self._name_types(artifacts.values())
        return Snapshot(
            executions={**before.executions, **{one.id: one for one in changed}},
            events={**before.events, **events},
            artifacts=artifacts,
            types=self._types,
            revision=before.revision + 1,
        )

    async def _in_pieces(
        self, ids: Sequence[int], ask: Callable[[Sequence[int]], Awaitable[T]]
    ) -> list[T]:
        async def asked(piece: Sequence[int]) -> T:
            async with self._limit:
                return await ask(piece)

        pieces = [ids[start : start + _IDS] for start in range(0, len(ids), _IDS)]
        return list(await asyncio.gather(*(asked(piece) for piece in pieces)))

    async def _executions_by_id(self, ids: Sequence[int]) -> pb.GetExecutionsByIDResponse:
        return await call(
            self._endpoint,
            f"{_SERVICE}GetExecutionsByID",
            pb.GetExecutionsByIDRequest(execution_ids=ids),
            pb.GetExecutionsByIDResponse,
        )

    async def _events(self, ids: Sequence[int]) -> pb.GetEventsByExecutionIDsResponse:
        return await call(
            self._endpoint,
            f"{_SERVICE}GetEventsByExecutionIDs",
            pb.GetEventsByExecutionIDsRequest(execution_ids=ids),
            pb.GetEventsByExecutionIDsResponse,
        )

    async def _artifacts(self, ids: Sequence[int]) -> pb.GetArtifactsByIDResponse:
        return await call(
            self._endpoint,
            f"{_SERVICE}GetArtifactsByID",
            pb.GetArtifactsByIDRequest(artifact_ids=ids),
            pb.GetArtifactsByIDResponse,
        )

    async def _name_types(self, artifacts: Iterable[pb.Artifact]) -> None:
        if all(one.type or one.type_id in self._types for one in artifacts):
            return
        found = await call(
            self._endpoint,
            f"{_SERVICE}GetArtifactTypes",
            pb.GetArtifactTypesRequest(),
            pb.GetArtifactTypesResponse,
        )
        self._types = {one.id: one.name for one in found.artifact_types}


def _parent(execution: pb.Execution) -> int:
    """The id of the DAG's execution around this one; 0 at the top."""
    above = execution.custom_properties.get("parent_dag_id")
    return above.int_value if above else 0


def _remember(memory: OrderedDict[str, T], key: str, value: T, most: int) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > most:
        memory.popitem(last=False)
