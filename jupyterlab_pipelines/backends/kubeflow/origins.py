"""Where the results of cached steps came from, in few requests however many steps there are."""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ...errors import NotFound, PipelinesError
from ...models import State, TaskRef
from .endpoint import Endpoint
from .graph import Pipeline, Record, path_of, read_tasks
from .listing import RUNS
from .messages import understood
from .mlmd import MetadataStore

#: Seconds that a graph waits for its links; they are an extra.
_PATIENCE = 10.0
#: Tasks whose origin is remembered, which never changes; runs whose tasks are.
_KEPT = 20_000
_RUNS = 64
#: The most other runs that are asked for one graph's links, and ids in one request.
_MOST_RUNS = 32
#: Seconds after which a run that could not be read is asked for again.
_REFUSED = 60.0
_IDS = 50


class Origins:
    """The links of an endpoint's cached steps; a run that is gone leaves none."""

    def __init__(
        self,
        endpoint: Endpoint,
        store: MetadataStore,
        pipeline_of: Callable[[Mapping[str, Any]], Awaitable[Pipeline]],
    ) -> None:
        self._endpoint = endpoint
        self._store = store
        self._pipeline_of = pipeline_of
        self._executions: OrderedDict[int, TaskRef] = OrderedDict()
        self._tasks: OrderedDict[str, dict[str, tuple[str, State]]] = OrderedDict()
        #: Until when a run that could not be read counts as one without tasks.
        self._refused: dict[str, float] = {}

    async def link(self, records: Iterable[Record]) -> None:
        """Sets `cached_from` of every cached step whose origin can be found."""
        cached = [one for one in records if one.status.state is State.CACHED]
        if not cached:
            return
        try:
            await asyncio.wait_for(self._link(cached), _PATIENCE)
        except (PipelinesError, asyncio.TimeoutError):
            return  # the graph is whole without them, and the next reading looks again

    async def _link(self, cached: list[Record]) -> None:
        told = [one for one in cached if one.cached_from is not None]
        executions = {int(uid) for run, uid in _sources(told) if not run and uid.isdecimal()}
        await self._find_executions(executions - self._executions.keys())
        runs = list(dict.fromkeys(run for run, _ in _sources(told) if run))[:_MOST_RUNS]
        tasks = {run: await self._tasks_of(run) for run in runs}
        for record in told:
            run, uid = record.cached_from or ("", "")
            if not run:
                record.status.cached_from = self._executions.get(int(uid))
            elif uid in tasks.get(run, {}):
                record.status.cached_from = TaskRef(run_id=run, task_id=tasks[run][uid][0])
        await self._link_by_artifacts([one for one in cached if one.cached_from is None])

    # --- ML Metadata ---------------------------------------------------------------------------

    async def _find_executions(self, wanted: Collection[int]) -> None:
        if not wanted:
            return
        origins = await self._store.origins(wanted)
        runs = list(dict.fromkeys(origin.run_id for origin in origins.values()))[:_MOST_RUNS]
        pipelines = {run: await self._pipeline(run) for run in runs}
        for execution, origin in origins.items():
            pipeline = pipelines.get(origin.run_id)
            if pipeline is not None:
                path = path_of(origin, pipeline)
                self._executions[execution] = TaskRef(run_id=origin.run_id, task_id=path)
        while len(self._executions) > _KEPT:
            self._executions.popitem(last=False)

    async def _pipeline(self, run_id: str) -> Pipeline | None:
        """The pipeline of a run; null where the run is gone."""
        try:
            content = await self._endpoint.json("GET", f"{RUNS}/{quote(run_id, safe='')}")
            return await self._pipeline_of(content)
        except NotFound:
            return None

    # --- the task API --------------------------------------------------------------------------

    async def _tasks_of(self, run_id: str) -> dict[str, tuple[str, State]]:
        """The scope paths and states of a run's tasks by the endpoint's ids."""
        if self._refused.get(run_id, math.inf) <= time.monotonic():
            del self._refused[run_id]
            self._tasks.pop(run_id, None)
        if run_id not in self._tasks:
            path = f"{RUNS}/{quote(run_id, safe='')}"
            try:
                content = await self._endpoint.json("GET", path, query=[("view", "FULL")])
            except PipelinesError:
                content = {}
                self._refused[run_id] = time.monotonic() + _REFUSED
            records = understood(
                self._endpoint.host, "tasks", lambda: read_tasks(content.get("tasks") or [])
            )
            self._tasks[run_id] = {
                one.uid: (one.task_id, one.status.state) for one in records.values()
            }
            while len(self._tasks) > _RUNS:
                forgotten, _ = self._tasks.popitem(last=False)
                self._refused.pop(forgotten, None)
        return self._tasks[run_id]

    async def _link_by_artifacts(self, cached: list[Record]) -> None:
        """By whom else an artifact is an output: Kubeflow's tasks do not say it themselves."""
        made = {uid: one for one in cached for uid in list(one.artifact_uids.values())[:1] if uid}
        ids = list(made)
        for start in range(0, len(ids), _IDS):
            query = [("artifact_ids", one) for one in ids[start : start + _IDS]]
            query += [("type", "OUTPUT"), ("page_size", "200")]
            answer = await self._endpoint.json("GET", "/apis/v2beta1/artifact_tasks", query=query)
            for link in answer.get("artifact_tasks") or []:
                record = made.get(str(link.get("artifact_id")))
                if record is None or link.get("task_id") == record.uid:
                    continue
                run, uid = str(link.get("run_id") or ""), str(link.get("task_id") or "")
                if run not in self._tasks and len(self._tasks) > _MOST_RUNS:
                    continue
                path, state = (await self._tasks_of(run)).get(uid, ("", State.CACHED))
                # Others may have taken it from the cache too.
                if path and state is not State.CACHED:
                    record.status.cached_from = TaskRef(run_id=run, task_id=path)


def _sources(records: Iterable[Record]) -> Iterable[tuple[str, str]]:
    return [one.cached_from for one in records if one.cached_from is not None]
