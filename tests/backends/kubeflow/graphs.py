"""One run told by each source: as the embedded engine, ML Metadata and Argo would record it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend
from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.backends.local.plan.topology import build_topology
from jupyterlab_pipelines.backends.local.records import TaskRecord
from jupyterlab_pipelines.models import RunGraph, TaskType, Topology
from tests.kubeflow import Answer, Cluster, Request, serving
from tests.kubeflow.argo import make_workflow
from tests.kubeflow.mlmd import SERVICE, Metadata
from tests.kubeflow.records import Run
from tests.kubeflow.steps import Outcome, everything, unfold
from tests.kubeflow.task_api import make_tasks

_FINAL = {"SUCCEEDED", "FAILED", "CANCELED"}


class Endpoint:
    """A Kubeflow endpoint whose sources may be switched off one by one."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.metadata = Metadata()
        #: Whether runs are told by the task API, which makes the other sources superfluous.
        self.native = False
        #: Executions by run and scope path.
        self.executions: dict[str, dict[str, int]] = {}
        #: Paths' beginnings that are answered with 404, as where there is no such service.
        self.without: set[str] = set()
        self.cluster.routers += [self._missing, self.metadata.router]

    async def _missing(self, request: Request) -> Answer | None:
        if request.path.startswith(tuple(self.without)):
            return Answer(404, b"404 page not found\n")
        return None

    def add(
        self,
        spec: Mapping[str, Any],
        outcomes: Mapping[str, Outcome] | None = None,
        state: str = "SUCCEEDED",
        **more: Any,
    ) -> Run:
        """A run with its records in both stores."""
        steps = unfold(spec, outcomes or {})
        run = self.cluster.add_run("a run", state, spec=dict(spec), task_details=[])
        name = spec["pipelineInfo"]["name"]
        self.executions[run.id] = self.metadata.record(run.id, name, steps)
        run.workflow = make_workflow(f"run-{run.id[:5]}", run.id, steps, **more)
        if self.native:
            run.tasks = make_tasks(run.id, steps)
        return run

    async def graph(self, run: Run) -> RunGraph:
        """The run's graph as the backend reads it, in one look."""
        async with serving(self.cluster) as url:
            backend = KubeflowBackend(url)
            try:
                return await backend.get_graph(run.id)
            finally:
                await backend.close()


#: Which sources an endpoint is without, by what it then has.
HAVING = {
    "both": set[str](),
    "ML Metadata": {"/apis/v1beta1/"},
    "the workflow": {SERVICE},
}
#: The same, and the task API, with which nothing else is asked.
TELLING = {**HAVING, "the task API": {"/apis/v1beta1/", SERVICE}}


def endpoint_with(source: str) -> Endpoint:
    """An endpoint that has this source of `TELLING`."""
    endpoint = Endpoint()
    endpoint.without = TELLING[source]
    endpoint.native = source == "the task API"
    return endpoint


def engine_topology(spec: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> Topology:
    """The shape that the embedded engine draws of the same run."""
    kinds = {"leaf": TaskType.RUNTIME, "importer": TaskType.IMPORTER}
    records = {
        step.path: TaskRecord(
            task_id=step.path,
            name=step.name,
            display_name=step.title,
            type=kinds.get(step.kind, TaskType.DAG),
            parent=step.parent.path if step.parent else None,
            component=step.task["componentRef"]["name"],
            iteration=step.iteration,
        )
        for step in everything(unfold(spec, outcomes))
    }
    return build_topology(Pipeline.parse(dict(spec), None), records)
