"""The pipeline service with its versions, of both versions of the API, but for uploads."""

from __future__ import annotations

from typing import Any

import yaml

from . import v1beta1, v2beta1
from .cluster import Cluster
from .http import EXISTS, UNIMPLEMENTED, Answer, Refusal, Request, invalid, not_found
from .listing import NAMED, listed, page
from .routes import Routes
from .runs import newest_version, resource_key

PIPELINE_FIELDS = {
    **NAMED,
    "pipeline_id": lambda row: row.id,
    "display_name": lambda row: row.display_name,
    "namespace": lambda row: row.namespace,
}
VERSION_FIELDS = {
    **NAMED,
    "pipeline_version_id": lambda row: row.id,
    "display_name": lambda row: row.display_name,
}


class Pipelines:
    """The pipeline service, but for uploads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def mount(self, routes: Routes) -> None:
        """Adds the service's routes."""
        v2, v1 = "/apis/v2beta1/pipelines", "/apis/v1beta1/pipelines"
        versions = f"{v2}/{{row_id}}/versions"
        routes.add("GET", v2, self._list(v2beta1.pipeline, "operation"))
        routes.add("POST", v2, self.create)
        routes.add("POST", f"{v2}/create", self.create_with_version)
        routes.add("GET", f"{v2}/names/{{name}}", self.by_name)
        routes.add("GET", f"{v2}/{{row_id}}", self._get(v2beta1.pipeline))
        routes.add("PATCH", f"{v2}/{{row_id}}", self.change)
        routes.add("DELETE", f"{v2}/{{row_id}}", self.delete)
        routes.add("GET", versions, self.list_versions)
        routes.add("POST", versions, self.create_version)
        routes.add("GET", f"{versions}/{{version_id}}", self.get_version)
        routes.add("PATCH", f"{versions}/{{version_id}}", self.change_version)
        routes.add("DELETE", f"{versions}/{{version_id}}", self.delete_version)
        routes.add("GET", v1, self._list(self._v1, "op"))
        routes.add("GET", f"{v1}/{{row_id}}", self._get(self._v1))
        routes.add("DELETE", f"{v1}/{{row_id}}", self.delete)
        routes.add("GET", "/apis/v1beta1/pipeline_versions", self.list_versions_v1)
        routes.add("GET", "/apis/v1beta1/pipeline_versions/{version_id}", self.get_version_v1)
        routes.add("GET", "/apis/v1beta1/pipeline_versions/{version_id}/templates", self.template)
        routes.add("GET", f"{v1}/{{row_id}}/templates", self.newest_template)

    def _v1(self, row: Any) -> dict[str, Any]:
        return v1beta1.pipeline(row, newest_version(self._cluster, row.id))

    def _list(self, write: Any, operation: str) -> Any:
        async def handler(request: Request) -> dict[str, Any]:
            cluster = self._cluster
            namespace = request.query.get("namespace", "")
            cluster.authorize(request, "list", "pipelines", namespace)
            rows = [
                row
                for row in cluster.pipelines.values()
                if not cluster.multi_user or row.namespace == namespace
            ]
            found = page(request, rows, PIPELINE_FIELDS, operation=operation, kind="Pipeline")
            return listed("pipelines", found, write)

        return handler

    def _get(self, write: Any) -> Any:
        async def handler(request: Request, row_id: str) -> dict[str, Any]:
            return write(self._find(request, row_id, "get"))

        return handler

    def _find(self, request: Request, row_id: str, verb: str) -> Any:
        row = self._cluster.find("Pipeline", self._cluster.pipelines, row_id)
        self._cluster.authorize(request, verb, "pipelines", row.namespace)
        return row

    async def by_name(self, request: Request, name: str) -> dict[str, Any]:
        namespace = request.query.get("namespace", "") if self._cluster.multi_user else ""
        self._cluster.authorize(request, "get", "pipelines", namespace)
        for row in self._cluster.pipelines.values():
            if (row.name, row.namespace) == (name, namespace):
                return v2beta1.pipeline(row)
        raise not_found("Namespace/Pipeline", f"{namespace}/{name}")

    async def create(self, request: Request) -> dict[str, Any]:
        return v2beta1.pipeline(self.new(request, request.json()))

    async def create_with_version(self, request: Request) -> Answer:
        raise Refusal(UNIMPLEMENTED, "A version is fetched from the network; this server has none")

    def new(self, request: Request, body: dict[str, Any]) -> Any:
        """A pipeline from its JSON. Raises Refusal where the name is taken."""
        cluster = self._cluster
        name = body.get("name") or body.get("display_name") or ""
        if not name:
            raise invalid("name is required")
        namespace = body.get("namespace", "") if cluster.multi_user else ""
        cluster.authorize(request, "create", "pipelines", namespace)
        if any(
            (row.name, row.namespace) == (name, namespace) for row in cluster.pipelines.values()
        ):
            said = f"Failed to create a new pipeline. The name {name} already exists. "
            raise Refusal(EXISTS, f"Already exist error: {said}Please specify a new name", said)
        return cluster.add_pipeline(
            name,
            display_name=body.get("display_name") or name,
            description=body.get("description", ""),
            namespace=namespace,
            tags=body.get("tags") or {},
        )

    async def change(self, request: Request, row_id: str) -> dict[str, Any]:
        row = self._find(request, row_id, "update")
        _change(row, request.json())
        return v2beta1.pipeline(row)

    async def delete(self, request: Request, row_id: str) -> dict[str, Any]:
        cluster = self._cluster
        self._find(request, row_id, "delete")
        newest = newest_version(cluster, row_id)
        if newest is not None and request.query.get("cascade") not in ("true", "1"):
            raise invalid(
                f"Failed to delete pipeline with id {row_id} as it has existing pipeline versions "
                f"(e.g. {newest.id}). Set cascade=true to delete all versions"
            )
        for version in [one for one in cluster.versions.values() if one.pipeline_id == row_id]:
            del cluster.versions[version.id]
        del cluster.pipelines[row_id]
        return {}

    # --- versions ------------------------------------------------------------------------------

    def _versions(self, request: Request, pipeline_id: str, operation: str) -> Any:
        rows = [one for one in self._cluster.versions.values() if one.pipeline_id == pipeline_id]
        return page(request, rows, VERSION_FIELDS, operation=operation, kind="PipelineVersion")

    async def list_versions(self, request: Request, row_id: str) -> dict[str, Any]:
        self._find(request, row_id, "list")
        found = self._versions(request, row_id, "operation")
        return listed("pipeline_versions", found, v2beta1.version)

    async def list_versions_v1(self, request: Request) -> dict[str, Any]:
        _, pipeline_id = resource_key(request, "resource_key")
        self._find(request, pipeline_id, "list")
        found = self._versions(request, pipeline_id, "op")
        return listed("versions", found, v1beta1.version)

    async def create_version(self, request: Request, row_id: str) -> dict[str, Any]:
        self._find(request, row_id, "create")
        body = request.json()
        if not body.get("pipeline_spec"):
            raise invalid("Pipeline spec is invalid")
        return v2beta1.version(self.new_version(row_id, body, body["pipeline_spec"]))

    def new_version(self, pipeline_id: str, body: dict[str, Any], spec: dict[str, Any]) -> Any:
        """A version from its JSON. Raises Refusal where the name is taken."""
        cluster = self._cluster
        name = body.get("name") or body.get("display_name") or ""
        if not name:
            raise invalid("name is required")
        if any((row.name, row.pipeline_id) == (name, pipeline_id)
               for row in cluster.versions.values()):  # fmt: skip
            said = f"Failed to create a new pipeline version. The name {name} already exists. "
            raise Refusal(EXISTS, f"Already exist error: {said}Specify a new name", said)
        return cluster.add_version(
            pipeline_id,
            name,
            spec,
            display_name=body.get("display_name") or name,
            description=body.get("description", ""),
            code_source_url=body.get("code_source_url", ""),
            tags=body.get("tags") or {},
        )

    def _find_version(self, request: Request, version_id: str, verb: str) -> Any:
        row = self._cluster.find("PipelineVersion", self._cluster.versions, version_id)
        self._find(request, row.pipeline_id, verb)
        return row

    async def get_version(self, request: Request, row_id: str, version_id: str) -> dict[str, Any]:
        return v2beta1.version(self._find_version(request, version_id, "get"))

    async def get_version_v1(self, request: Request, version_id: str) -> dict[str, Any]:
        return v1beta1.version(self._find_version(request, version_id, "get"))

    async def change_version(
        self, request: Request, row_id: str, version_id: str
    ) -> dict[str, Any]:
        row = self._find_version(request, version_id, "update")
        _change(row, request.json())
        return v2beta1.version(row)

    async def delete_version(
        self, request: Request, row_id: str, version_id: str
    ) -> dict[str, Any]:
        self._find_version(request, version_id, "delete")
        del self._cluster.versions[version_id]
        return {}

    async def template(self, request: Request, version_id: str) -> dict[str, Any]:
        return {"template": _yaml(self._find_version(request, version_id, "get").spec)}

    async def newest_template(self, request: Request, row_id: str) -> dict[str, Any]:
        self._find(request, row_id, "get")
        newest = newest_version(self._cluster, row_id)
        if newest is None:
            raise not_found("PipelineVersion", row_id)
        return {"template": _yaml(newest.spec)}


def _change(row: Any, body: dict[str, Any]) -> None:
    for name in ("display_name", "description", "tags"):
        if name in body:
            setattr(row, name, body[name])


def _yaml(spec: dict[str, Any]) -> str:
    text: str = yaml.safe_dump(spec, sort_keys=True)
    return text
