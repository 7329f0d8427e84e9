"""The experiment service, of both versions of the API."""

from __future__ import annotations

from typing import Any

from . import v1beta1, v2beta1
from .cluster import Cluster
from .http import EXISTS, Refusal, Request, invalid
from .listing import NAMED, listed, page
from .routes import Routes
from .runs import resource_key

FIELDS = {
    **NAMED,
    "experiment_id": lambda row: row.id,
    "display_name": lambda row: row.name,
    "last_run_created_at": lambda row: row.last_run_created_at,
    "namespace": lambda row: row.namespace,
    "storage_state": lambda row: v2beta1.storage(row.archived),
}


class Experiments:
    """The experiment service."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def mount(self, routes: Routes) -> None:
        """Adds the service's routes."""
        for base, write, name in (
            ("/apis/v2beta1/experiments", v2beta1.experiment, "display_name"),
            ("/apis/v1beta1/experiments", v1beta1.experiment, "name"),
        ):
            routes.add("GET", base, self._list(write, "op" if "v1" in base else "operation"))
            routes.add("POST", base, self._create(write, name))
            routes.add("GET", f"{base}/{{row_id}}", self._get(write))
            routes.add("DELETE", f"{base}/{{row_id}}", self.delete)
            routes.add("POST", f"{base}/{{row_id}}:archive", self._store(True))
            routes.add("POST", f"{base}/{{row_id}}:unarchive", self._store(False))

    def _list(self, write: Any, operation: str) -> Any:
        async def handler(request: Request) -> dict[str, Any]:
            cluster = self._cluster
            kind, row_id = resource_key(request, "resource_reference_key")
            namespace = request.query.get("namespace", "") or (row_id if kind else "")
            cluster.authorize(request, "list", "experiments", namespace)
            rows = [
                row
                for row in cluster.experiments.values()
                if not cluster.multi_user or row.namespace == namespace
            ]
            found = page(request, rows, FIELDS, operation=operation, kind="Experiment")
            return listed("experiments", found, write)

        return handler

    def _create(self, write: Any, name_key: str) -> Any:
        async def handler(request: Request) -> dict[str, Any]:
            cluster, body = self._cluster, request.json()
            name = body.get(name_key, "")
            references = body.get("resource_references") or []
            namespace = body.get("namespace", "") or next(
                (one["key"]["id"] for one in references if one["key"]["type"] == "NAMESPACE"), ""
            )
            namespace = namespace if cluster.multi_user else ""
            cluster.authorize(request, "create", "experiments", namespace)
            if not name:
                raise invalid("Experiment's name cannot be empty")
            if any((row.name, row.namespace) == (name, namespace)
                   for row in cluster.experiments.values()):  # fmt: skip
                said = f"Failed to create a new experiment. The name {name} already exists. "
                said += "Please specify a new name"
                raise Refusal(EXISTS, f"Already exist error: {said}", said)
            more = {"description": body.get("description", ""), "namespace": namespace}
            return write(cluster.add_experiment(name, **more))

        return handler

    def _get(self, write: Any) -> Any:
        async def handler(request: Request, row_id: str) -> dict[str, Any]:
            return write(self._find(request, row_id, "get"))

        return handler

    def _find(self, request: Request, row_id: str, verb: str) -> Any:
        row = self._cluster.find("Experiment", self._cluster.experiments, row_id)
        self._cluster.authorize(request, verb, "experiments", row.namespace)
        return row

    async def delete(self, request: Request, row_id: str) -> dict[str, Any]:
        self._find(request, row_id, "delete")
        del self._cluster.experiments[row_id]
        return {}

    def _store(self, archived: bool) -> Any:
        async def handler(request: Request, row_id: str) -> dict[str, Any]:
            self._find(request, row_id, "archive" if archived else "unarchive").archived = archived
            if archived:  # with all that is in it; what comes back is the experiment alone
                for run in self._cluster.runs.values():
                    run.archived = run.archived or run.experiment_id == row_id
                for job in self._cluster.recurring_runs.values():
                    job.enabled = job.enabled and job.experiment_id != row_id
            return {}

        return handler
