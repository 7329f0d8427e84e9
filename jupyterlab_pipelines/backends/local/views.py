"""A run's graph and a task's details, from the store's rows and the pipeline."""

from __future__ import annotations

import functools
import sqlite3
from collections import OrderedDict
from threading import Lock
from typing import Any

from ...errors import InvalidPipeline, NotFound
from ...models import (
    ArtifactRef,
    ArtifactStatus,
    RunGraph,
    State,
    TaskDetail,
    TaskIO,
    TaskNode,
    TaskStatus,
    Topology,
)
from .database import Database, from_json, from_micros, readable_json
from .plan.ir import Pipeline
from .plan.lightweight import UnknownShape, recognise
from .plan.spec import Container
from .plan.topology import build_topology
from .records import TaskRecord, Values
from .runs import COLUMNS, load_run
from .tasks import load_attempts, load_tasks, shown_outputs, status

_KEPT = 32


class Views:
    """Answers about runs; keeps the last parsed pipelines and drawn topologies. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._topologies: OrderedDict[tuple[Any, ...], Topology] = OrderedDict()
        self._lock = Lock()
        #: The parsed pipeline of a run; raises NotFound, and InvalidPipeline on a damaged one.
        self.pipeline = functools.lru_cache(maxsize=_KEPT)(self._parse)

    def graph(self, run_id: str) -> RunGraph:
        """Shape and state of a run, at one moment. Raises NotFound."""
        with self._database.snapshot() as connection:
            row = connection.execute(
                f"SELECT {COLUMNS}, revision, round FROM runs WHERE run_id = ?",  # noqa: S608
                (run_id,),
            ).fetchone()
            if row is None:
                raise NotFound(f"There is no run {run_id}.")
            records = load_tasks(connection, run_id, values=False)
            attempts = load_attempts(connection, run_id)
            artifacts = connection.execute(
                "SELECT * FROM artifacts WHERE run_id = ?", (run_id,)
            ).fetchall()
            # Within a round tasks and artifacts only come to be, so their numbers name the shape.
            shape = (run_id, row["round"], len(records), len(artifacts))
            topology = self._topology(shape, connection)
        tasks = {task_id: status(record, attempts) for task_id, record in records.items()}
        idle = State.PENDING if row["finished_at"] is None else State.SKIPPED
        for node in topology.tasks:
            tasks.setdefault(node.id, TaskStatus(state=idle))
        return RunGraph(
            run=load_run(row),
            topology=topology,
            tasks=tasks,
            artifacts={
                artifact["artifact_id"]: ArtifactStatus(
                    uri=artifact["uri"],
                    metadata=readable_json(artifact["metadata"]) or {},
                    size=artifact["size"],
                    created_at=from_micros(artifact["created_at"]),
                )
                for artifact in artifacts
            },
            revision=row["revision"],
        )

    def task(self, run_id: str, task_id: str) -> TaskDetail:
        """Everything the viewer shows of one task. Raises NotFound."""
        with self._database.snapshot() as connection:
            records = load_tasks(connection, run_id, task_id)
            attempts = load_attempts(connection, run_id, task_id)
        record = records.get(task_id) or self._unborn(run_id, task_id)
        detail = TaskDetail(
            run_id=run_id,
            node=TaskNode(
                id=record.task_id,
                name=record.name,
                display_name=record.display_name,
                type=record.type,
                parent=record.parent,
                iteration=record.iteration,
                component=record.component,
            ),
            status=status(record, attempts),
            inputs=_side(record.inputs),
            outputs=_side(shown_outputs(record)),
            caching=bool(record.cache_key),
            cache_key=record.cache_key,
        )
        return self._with_code(detail, record.component)

    def _unborn(self, run_id: str, task_id: str) -> TaskRecord:
        """A task that the pipeline has but the run has not come to yet. Raises NotFound."""
        graph = self.graph(run_id)
        for node in graph.topology.tasks:
            if node.id == task_id:
                return TaskRecord(
                    task_id=node.id,
                    name=node.name,
                    display_name=node.display_name,
                    type=node.type,
                    parent=node.parent,
                    component=node.component or "",
                    state=graph.tasks[task_id].state,
                    iteration=node.iteration,
                )
        raise NotFound(f"Run {run_id} has no task {task_id!r}.")

    def _with_code(self, detail: TaskDetail, component: str) -> TaskDetail:
        known = self.pipeline(detail.run_id).components.get(component)
        executor = known.executor if known else None
        if not isinstance(executor, Container):
            return detail
        detail.image = executor.image
        detail.command = [*executor.command, *executor.args]
        try:
            function = recognise(executor)
        except UnknownShape:
            return detail
        detail.source, detail.packages = function.source, function.packages
        return detail

    def _topology(self, shape: tuple[Any, ...], connection: sqlite3.Connection) -> Topology:
        run_id = shape[0]
        with self._lock:
            topology = self._topologies.get(shape)
            if topology is not None:
                self._topologies.move_to_end(shape)
                return topology
        topology = build_topology(self.pipeline(run_id), load_tasks(connection, run_id))
        with self._lock:
            self._topologies[shape] = topology
            while len(self._topologies) > _KEPT:
                self._topologies.popitem(last=False)
        return topology

    def _parse(self, run_id: str) -> Pipeline:
        row = self._database.one(
            "SELECT pipeline_spec, platform_spec FROM runs WHERE run_id = ?", (run_id,)
        )
        if row is None:
            raise NotFound(f"There is no run {run_id}.")
        try:
            specs = from_json(row["pipeline_spec"]), from_json(row["platform_spec"])
        except ValueError as error:
            raise InvalidPipeline(
                f"The pipeline that is kept of run {run_id} is damaged: {error}.",
                next_step="Submit the pipeline again.",
            ) from error
        return Pipeline.parse(*specs)


def _side(values: Values) -> TaskIO:
    """One side of a task. An artifact from the cache belongs to the task that took it."""
    return TaskIO(
        parameters=values.parameters,
        artifacts=[
            ArtifactRef(
                name=key,
                id=artifact.artifact_id,
                type=artifact.type,
                uri=artifact.uri,
                metadata=artifact.metadata,
                producer=artifact.artifact_id.rpartition(":")[0] or None,
            )
            for key, group in values.artifacts.items()
            for artifact in group
        ],
    )
