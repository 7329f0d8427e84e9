"""The recurring-run service, of both versions of the API; none of them ever fires."""

from __future__ import annotations

from typing import Any

from . import v1beta1, v2beta1
from .cluster import Cluster
from .http import Request, invalid
from .listing import NAMED, listed, page
from .routes import Routes
from .runs import resource_key, source

FIELDS = {
    **NAMED,
    "name": lambda row: row.display_name,
    "recurring_run_id": lambda row: row.id,
    "display_name": lambda row: row.display_name,
    "updated_at": lambda row: row.updated_at,
}


class RecurringRuns:
    """The recurring-run service; none of them ever fires."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def mount(self, routes: Routes) -> None:
        """Adds the service's routes."""
        base, v1 = "/apis/v2beta1/recurringruns", "/apis/v1beta1/jobs"
        routes.add("GET", base, self._list("recurringRuns", v2beta1.recurring_run, "operation"))
        routes.add("POST", base, self.create)
        routes.add("GET", f"{base}/{{row_id}}", self._get(v2beta1.recurring_run))
        routes.add("DELETE", f"{base}/{{row_id}}", self.delete)
        routes.add("POST", f"{base}/{{row_id}}:enable", self._switch(True))
        routes.add("POST", f"{base}/{{row_id}}:disable", self._switch(False))
        routes.add("GET", v1, self._list("jobs", v1beta1.job, "op"))
        routes.add("GET", f"{v1}/{{row_id}}", self._get(v1beta1.job))
        routes.add("DELETE", f"{v1}/{{row_id}}", self.delete)
        routes.add("POST", f"{v1}/{{row_id}}/enable", self._switch(True))
        routes.add("POST", f"{v1}/{{row_id}}/disable", self._switch(False))

    def _list(self, name: str, write: Any, operation: str) -> Any:
        async def handler(request: Request) -> dict[str, Any]:
            cluster, query = self._cluster, request.query
            kind, row_id = resource_key(request, "resource_reference_key")
            experiment_id = query.get("experiment_id") or (row_id if kind == "EXPERIMENT" else "")
            namespace = query.get("namespace") or (row_id if kind == "NAMESPACE" else "")
            if experiment_id:
                experiment = cluster.find("Experiment", cluster.experiments, experiment_id)
                namespace = experiment.namespace
            cluster.authorize(request, "list", "jobs", namespace)
            rows = [
                row
                for row in cluster.recurring_runs.values()
                if (not cluster.multi_user or row.namespace == namespace)
                and experiment_id in ("", row.experiment_id)
            ]
            found = page(request, rows, FIELDS, operation=operation, kind="Job")
            return listed(name, found, write)

        return handler

    def _find(self, request: Request, row_id: str, verb: str) -> Any:
        row = self._cluster.find("Job", self._cluster.recurring_runs, row_id)
        self._cluster.authorize(request, verb, "jobs", row.namespace)
        return row

    def _get(self, write: Any) -> Any:
        async def handler(request: Request, row_id: str) -> dict[str, Any]:
            return write(self._find(request, row_id, "get"))

        return handler

    async def create(self, request: Request) -> dict[str, Any]:
        cluster, body = self._cluster, request.json()
        if not body.get("display_name"):
            raise invalid("Recurring run name is empty. Please specify a valid name")
        given = source(cluster, body, "recurring run")
        experiment_id = body.get("experiment_id") or cluster.default_experiment
        experiment = cluster.find("Experiment", cluster.experiments, experiment_id)
        cluster.authorize(request, "create", "jobs", experiment.namespace)
        concurrency = int(body.get("max_concurrency") or 0)
        if not 1 <= concurrency <= 10:
            raise invalid("The max concurrency must be between 1 and 10")
        row = cluster.add_recurring_run(
            body["display_name"],
            description=body.get("description", ""),
            experiment_id=experiment_id,
            namespace=experiment.namespace,
            max_concurrency=concurrency,
            no_catchup=bool(body.get("no_catchup")),
            enabled=body.get("mode") in ("ENABLE", 1),
            trigger=body.get("trigger") or {},
            **given,
        )
        return v2beta1.recurring_run(row)

    async def delete(self, request: Request, row_id: str) -> dict[str, Any]:
        self._find(request, row_id, "delete")
        del self._cluster.recurring_runs[row_id]
        return {}

    def _switch(self, enabled: bool) -> Any:
        async def handler(request: Request, row_id: str) -> dict[str, Any]:
            row = self._find(request, row_id, "enable" if enabled else "disable")
            row.enabled, row.updated_at = enabled, self._cluster.now()
            return {}

        return handler
