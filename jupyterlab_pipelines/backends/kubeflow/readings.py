"""Runs read with everything in them: one request for many who ask, and revisions that grow."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import quote

from ...errors import Forbidden, NotFound
from ...models import Run, RunGraph
from .building import built
from .endpoint import Endpoint
from .graph import Pipeline, Reading, read_run
from .listing import RUNS
from .memory import Memory
from .messages import run_from_json, understood
from .origins import Origins
from .sources import Sources, fingerprint

T = TypeVar("T")

#: Seconds that a reading of a run serves whoever else asks for it.
_FRESH = 1.0
#: What all readings weigh together, in tasks: 10,000 with their sources take about 100 MiB.
_MOST = 20_000
#: What a run weighs beside its tasks: its pipeline, mostly.
_EACH = 300
#: Seconds after which a reading goes that nobody asked for.
_IDLE = 300.0
_VERSIONS = 64
#: The pipeline of a run whose version cannot be read.
LOST = Pipeline({})
_LOST_NOTE = (
    "The version of the pipeline that this run is of was deleted, or you may not read it: "
    "the graph shows only what has begun."
)


@dataclass(frozen=True)
class Kept:
    """A reading with its graph, and when it was made."""

    at: float
    reading: Reading
    graph: RunGraph


class Readings:
    """The last readings of an endpoint's runs."""

    def __init__(self, endpoint: Endpoint, namespace: str, ui: Endpoint | None = None) -> None:
        self._endpoint = endpoint
        self._namespace = namespace
        self._sources = Sources(endpoint, ui)
        self._readings: Memory[Kept] = Memory(_MOST, _IDLE)
        self._sweeping: asyncio.TimerHandle | None = None
        self._under_way: dict[str, asyncio.Task[Kept]] = {}
        self._versions: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._origins = Origins(endpoint, self._sources.metadata, self._pipeline_of)

    def run(self, content: Mapping[str, Any]) -> Run:
        """A run's answer as a run. Raises BadUpstream."""
        return understood(
            self._endpoint.host, "a run", lambda: run_from_json(content, self._namespace)
        )

    def forget(self, run_id: str) -> None:
        """The run was acted upon: what was read, or is being read, is of before."""
        self._readings.drop(run_id)
        self._under_way.pop(run_id, None)
        self._sources.forget(run_id)

    def close(self) -> None:
        """Gives up what is still being read."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        self._sources.close()

    async def read(self, run_id: str) -> Kept:
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

    def _fetched(self, run_id: str, task: asyncio.Task[Kept]) -> None:
        current = self._under_way.get(run_id) is task
        if current:  # else the run was acted upon meanwhile
            del self._under_way[run_id]
        if task.cancelled() or task.exception() is not None or not current:
            return
        kept = task.result()
        for gone in self._readings.put(run_id, kept, _EACH + len(kept.graph.tasks)):
            self._sources.drop(gone)
        if self._sweeping is None:
            self._sweep_later()

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(_IDLE, self.sweep)

    def sweep(self) -> None:
        """Drops the readings that nobody asked for of late, with what their sources keep."""
        for gone in self._readings.sweep():
            self._sources.drop(gone)
        self._sweeping = None
        if len(self._readings):
            self._sweep_later()

    async def _fetch(self, run_id: str) -> Kept:
        text = await self._endpoint.text("GET", run_path(run_id), query=[("view", "FULL")])
        look = await asyncio.to_thread(fingerprint, text)
        before = self._readings.get(run_id)
        if before is not None and before.reading.trace.says_all(look):
            return replace(before, at=time.monotonic())
        content = await built(lambda: self._endpoint.parsed(text))
        pipeline = await self._pipeline_of(content)
        host = self._endpoint.host
        run = self.run(content)
        run.pipeline_name = run.pipeline_name or pipeline.name
        told = await self._sources.tell(run_id, content, look, run.state.final)
        if pipeline is LOST:
            told = replace(told, notes=(*told.notes, _LOST_NOTE))
        before = self._readings.get(run_id)
        if before is not None and before.reading.trace.is_of(told):
            return replace(before, at=time.monotonic())
        reading = await built(
            lambda: understood(host, "tasks", lambda: read_run(run, told, pipeline))
        )
        await self._origins.link(reading.records.values())
        return self._kept(run_id, reading)

    def _kept(self, run_id: str, reading: Reading) -> Kept:
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
            notes=list(reading.notes),
        )
        before = self._readings.get(run_id)
        previous = before.graph.revision if before else 0
        if before is not None and before.graph == graph.model_copy(update={"revision": previous}):
            graph = before.graph
        else:
            # By the clock, so that it also grows over a restart of this process.
            graph.revision = max(previous + 1, time.time_ns() // 1_000_000)
        return Kept(time.monotonic(), reading, graph)

    async def _pipeline_of(self, content: Mapping[str, Any]) -> Pipeline:
        """The IR of a run, its own or that of the version it names; versions never change.

        `LOST` where that is deleted, or not this user's to read.
        """
        run = self.run(content)
        version_id = run.pipeline_version_id
        spec = content.get("pipeline_spec") or {}
        if spec or not (run.pipeline_id and version_id):
            return Pipeline(spec)
        if version_id not in self._versions:
            path = f"/apis/v2beta1/pipelines/{quote(run.pipeline_id, '')}/versions"
            try:
                version = await self._endpoint.json("GET", f"{path}/{quote(version_id, '')}")
            except (NotFound, Forbidden):
                return LOST
            _remember(self._versions, version_id, version.get("pipeline_spec") or {})
        return Pipeline(self._versions[version_id])


def run_path(run_id: str) -> str:
    """A run's path. Raises NotFound on what can be no id."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", run_id):
        raise NotFound("There is no such run.")
    return f"{RUNS}/{run_id}"


def _remember(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    while len(memory) > _VERSIONS:
        memory.popitem(last=False)
