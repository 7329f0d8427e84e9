"""Runs, of both versions of the API."""

from __future__ import annotations

from typing import Any

from . import v1beta1, v2beta1
from .cluster import Cluster
from .http import ABORTED, NOT_FOUND, PRECONDITION, Refusal, Request, invalid
from .listing import listed, page
from .records import Run
from .routes import Routes

FIELDS = {
    "run_id": lambda row: row.id,
    "id": lambda row: row.id,
    "display_name": lambda row: row.display_name,
    "name": lambda row: row.display_name,
    "created_at": lambda row: row.created_at,
    "finished_at": lambda row: row.finished_at,
    "scheduled_at": lambda row: row.scheduled_at,
    "description": lambda row: row.description,
    "storage_state": lambda row: v2beta1.storage(row.archived),
    "status": v1beta1.status,
    "namespace": lambda row: row.namespace,
    "experiment_id": lambda row: row.experiment_id,
    "state": lambda row: row.state,
    "recurring_run_id": lambda row: row.recurring_run_id,
}


class Runs:
    """The run service."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def mount(self, routes: Routes) -> None:
        """Adds the service's routes."""
        for base, read, every in (
            ("/apis/v2beta1/runs", self.get, self.list),
            ("/apis/v1beta1/runs", self.get_v1, self.list_v1),
        ):
            routes.add("GET", base, every)
            routes.add("GET", f"{base}/{{run_id}}", read)
            routes.add("DELETE", f"{base}/{{run_id}}", self.delete)
            routes.add("POST", f"{base}/{{run_id}}:archive", self.archive)
            routes.add("POST", f"{base}/{{run_id}}:unarchive", self.unarchive)
        routes.add("POST", "/apis/v2beta1/runs", self.create)
        routes.add("POST", "/apis/v2beta1/runs/{run_id}:terminate", self.terminate)
        routes.add("POST", "/apis/v2beta1/runs/{run_id}:retry", self.retry)
        routes.add("POST", "/apis/v1beta1/runs/{run_id}/terminate", self.terminate)
        routes.add("POST", "/apis/v1beta1/runs/{run_id}/retry", self.retry)
        routes.add("POST", "/apis/v1beta1/runs/{run_id}:reportMetrics", self.report_metrics)
        for name in ("tasks", "artifacts", "artifact_tasks"):
            routes.add("GET", f"/apis/v2beta1/runs/{{run_id}}/{name}", self._parts(name))

    # --- reading -------------------------------------------------------------------------------

    async def get(self, request: Request, run_id: str) -> dict[str, Any]:
        row = self._find(request, run_id, "get", "Failed to get a run")
        answer = v2beta1.run(row)
        if request.query.get("view") == "FULL" and row.tasks is not None:
            answer["tasks"] = row.tasks
        return answer

    async def get_v1(self, request: Request, run_id: str) -> dict[str, Any]:
        return v1beta1.run_detail(self._find(request, run_id, "get", "Failed to get a v1beta1 run"))

    async def list(self, request: Request) -> dict[str, Any]:
        query = request.query
        rows = self._visible(request, query.get("namespace", ""), query.get("experiment_id", ""))
        return listed("runs", page(request, rows, FIELDS), v2beta1.run)

    async def list_v1(self, request: Request) -> dict[str, Any]:
        kind, row_id = resource_key(request, "resource_reference_key")
        rows = self._visible(
            request,
            row_id if kind == "NAMESPACE" else "",
            row_id if kind == "EXPERIMENT" else "",
        )
        return listed("runs", page(request, rows, FIELDS, operation="op"), v1beta1.run)

    def _visible(self, request: Request, namespace: str, experiment_id: str) -> list[Run]:
        cluster = self._cluster
        cluster.settle()
        if experiment_id:
            found = cluster.find("Experiment", cluster.experiments, experiment_id)
            namespace = found.namespace
        cluster.authorize(request, "list", "runs", namespace)
        rows = list(cluster.runs.values())
        if experiment_id:
            return [row for row in rows if row.experiment_id == experiment_id]
        return [row for row in rows if row.namespace == namespace] if cluster.multi_user else rows

    def _parts(self, name: str) -> Any:
        async def listed(request: Request, run_id: str) -> dict[str, Any]:
            parts = getattr(self._find(request, run_id, "get", "Failed to get a run"), name)
            if parts is None:
                raise Refusal(NOT_FOUND, "Not Found")  # an endpoint without the Task API
            return v2beta1.without_empty({name: parts, "total_size": len(parts)})

        return listed

    def _find(self, request: Request, run_id: str, verb: str, failing: str) -> Run:
        cluster = self._cluster
        cluster.settle()
        try:
            row = cluster.find("Run", cluster.runs, run_id)
            cluster.authorize(request, verb, "runs", row.namespace)
        except Refusal as refusal:
            message = f"{failing}: {refusal.message}"
            raise Refusal(refusal.code, message, refusal.external) from None
        return row

    # --- acting --------------------------------------------------------------------------------

    async def create(self, request: Request) -> dict[str, Any]:
        cluster, body = self._cluster, request.json()
        if not body.get("display_name"):
            raise invalid("The run name is empty. Please specify a valid name")
        given = source(cluster, body, "run")
        experiment_id = body.get("experiment_id") or cluster.default_experiment
        experiment = cluster.find("Experiment", cluster.experiments, experiment_id)
        cluster.authorize(request, "create", "runs", experiment.namespace)
        row = cluster.add_run(
            body["display_name"],
            "PENDING",
            description=body.get("description", ""),
            experiment_id=experiment_id,
            namespace=experiment.namespace,
            service_account=body.get("service_account") or "pipeline-runner",
            recurring_run_id=body.get("recurring_run_id", ""),
            **given,
        )
        cluster.begin(row, cluster.plan)
        experiment.last_run_created_at = row.created_at
        return v2beta1.run(row)

    async def delete(self, request: Request, run_id: str) -> dict[str, Any]:
        self._find(request, run_id, "delete", "Failed to delete a run")
        del self._cluster.runs[run_id]
        return {}

    async def archive(self, request: Request, run_id: str) -> dict[str, Any]:
        self._find(request, run_id, "archive", "Failed to archive a run").archived = True
        return {}

    async def unarchive(self, request: Request, run_id: str) -> dict[str, Any]:
        row = self._find(request, run_id, "unarchive", "Failed to unarchive a run")
        experiment = self._cluster.experiments.get(row.experiment_id)
        if experiment is not None and experiment.archived:
            raise Refusal(
                PRECONDITION,
                f"Failed to unarchive run {run_id} as experiment {experiment.id} must be "
                "un-archived first",
            )
        row.archived = False
        return {}

    async def terminate(self, request: Request, run_id: str) -> dict[str, Any]:
        row = self._find(request, run_id, "terminate", "Failed to terminate a run")
        if row.state not in ("PAUSED", "PENDING", "RUNNING"):
            raise invalid(f"Failed to terminate a run {run_id}. Row not found")
        self._cluster.turn(row, "CANCELING")
        # Argo says Failed of a workflow that was stopped, and nothing turns that into CANCELED.
        self._cluster.begin(row, [(0.2, "FAILED")])
        return {}

    async def retry(self, request: Request, run_id: str) -> dict[str, Any]:
        row = self._find(request, run_id, "retry", "Failed to retry a run")
        if row.state != "FAILED":
            said = f"Failed to retry run {run_id} due to error validating the workflow"
            raise Refusal(ABORTED, f"BadRequestError: {said}: Workflow must be Failed/Error", said)
        self._cluster.turn(row, "RUNNING")
        self._cluster.begin(row, self._cluster.plan)
        return {}

    async def report_metrics(self, request: Request, run_id: str) -> dict[str, Any]:
        row = self._find(request, run_id, "reportMetrics", "Failed to report run metrics")
        results = []
        for metric in request.json().get("metrics") or []:
            names = {(one["name"], one.get("node_id", "")) for one in row.metrics}
            named = (metric.get("name", ""), metric.get("node_id", ""))
            known = named in names
            if not known:
                row.metrics.append(metric)
            results.append(
                {
                    "metric_name": named[0],
                    "metric_node_id": named[1],
                    "status": "DUPLICATE_REPORTING" if known else "OK",
                }
            )
        return {"results": results}


def source(cluster: Cluster, body: dict[str, Any], what: str) -> dict[str, Any]:
    """What a run, or a recurring one, is to execute, and with what. Raises Refusal."""
    config = body.get("runtime_config") or {}
    given = {
        "parameters": config.get("parameters") or {},
        "pipeline_root": config.get("pipeline_root", ""),
    }
    reference = body.get("pipeline_version_reference") or {}
    if not reference:
        if not body.get("pipeline_spec"):
            said = f"Failed to create a {what} due to error fetching manifest"
            raise Refusal(13, f"InternalServerError: {said}", "Internal Server Error")
        return {**given, "spec": body["pipeline_spec"]}
    version_id = reference.get("pipeline_version_id", "")
    pipeline_id = reference.get("pipeline_id", "")
    if not version_id:
        newest = newest_version(cluster, pipeline_id)
        version_id = newest.id if newest else ""
    version = cluster.find("PipelineVersion", cluster.versions, version_id)
    return {
        **given,
        "spec": version.spec,
        "pipeline_id": version.pipeline_id,
        "version_id": version.id,
    }


def newest_version(cluster: Cluster, pipeline_id: str) -> Any:
    """A pipeline's newest version; null where it has none."""
    versions = [row for row in cluster.versions.values() if row.pipeline_id == pipeline_id]
    return max(versions, key=lambda row: row.created_at, default=None)


def resource_key(request: Request, name: str) -> tuple[str, str]:
    """Version 1's way to name what a list belongs to: a kind and an id."""
    return request.query.get(f"{name}.type", ""), request.query.get(f"{name}.id", "")
