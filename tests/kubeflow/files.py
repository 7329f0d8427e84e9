"""What is not gRPC: health, uploads, logs and what Argo declares, by the API server."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

import yaml

from . import v1beta1, v2beta1
from .cluster import Cluster
from .http import UNAUTHENTICATED, Answer, Refusal, Request
from .pipelines import Pipelines
from .routes import Routes

PLAIN = {"Content-Type": "text/plain; charset=utf-8"}
_LOG = re.compile(r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log")
_READ = re.compile(r"/apis/v[12]beta1/runs/([^/]+)/nodes/([^/]+)/artifacts/([^/]+):read")


class Files:
    """Routes beside the gRPC gateway."""

    def __init__(self, cluster: Cluster, pipelines: Pipelines) -> None:
        self._cluster = cluster
        self._pipelines = pipelines

    def mount(self, routes: Routes) -> None:
        """Adds the routes whose paths are fixed; `serve` has those that are not."""
        for version in ("v1beta1", "v2beta1"):
            base = f"/apis/{version}/pipelines"
            routes.add("GET", f"/apis/{version}/healthz", self.healthz)
            routes.add("POST", f"{base}/upload", self.upload)
            routes.add("POST", f"{base}/upload_version", self.upload_version)
        routes.add("GET", "/apis/v1beta1/auth", self.auth)

    async def serve(self, request: Request) -> Answer | None:
        """Logs and artifacts of nodes."""
        if (found := _LOG.fullmatch(request.path)) and request.method == "GET":
            return self._node_log(*map(unquote, found.groups()))
        if (found := _READ.fullmatch(request.path)) and request.method == "GET":
            return self._declared(request, *map(unquote, found.groups()))
        return None

    async def healthz(self, request: Request) -> dict[str, Any]:
        answer = {"commit_sha": "0" * 40, "tag_name": "2.17.0"}
        answer["multi_user"] = self._cluster.multi_user  # type: ignore[assignment]
        if "v2beta1" in request.path:
            answer["pipeline_store"] = "database"
        return answer

    async def auth(self, request: Request) -> dict[str, Any]:
        query = request.query
        verb, resource = query.get("verb", "").lower(), query.get("resources", "").lower()
        self._cluster.authorize(request, verb, resource, query.get("namespace", ""))
        return {}

    # --- uploads -------------------------------------------------------------------------------

    async def upload(self, request: Request) -> Answer:
        filename, content = _form_file(request)
        spec = _package(filename, content)
        body = {**request.query, "tags": json.loads(request.query.get("tags") or "{}")}
        body["name"] = body.get("name") or body.get("display_name") or filename
        try:
            pipeline = self._pipelines.new(request, body)
        except Refusal as refusal:
            if refusal.code == 6:
                said = "Failed to create a pipeline and a pipeline version"
                return _upload_error(409, said)
            return _upload_error(400, "Failed to create a pipeline")
        version = self._pipelines.new_version(pipeline.id, body, spec)
        if "v1beta1" in request.path:
            return Answer.json(v1beta1.pipeline(pipeline, version))
        return Answer.json(v2beta1.pipeline(pipeline))

    async def upload_version(self, request: Request) -> Answer:
        filename, content = _form_file(request)
        spec = _package(filename, content)
        pipeline_id = request.query.get("pipelineid", "")
        body = {**request.query, "tags": json.loads(request.query.get("tags") or "{}")}
        body["name"] = body.get("name") or body.get("display_name") or filename
        if pipeline_id not in self._cluster.pipelines:
            return _upload_error(400, "Failed to create a pipeline version")
        try:
            version = self._pipelines.new_version(pipeline_id, body, spec)
        except Refusal:
            return _upload_error(409, "Failed to create a pipeline version")
        write = v1beta1.version if "v1beta1" in request.path else v2beta1.version
        return Answer.json(write(version))

    # --- logs ----------------------------------------------------------------------------------

    def _node_log(self, run_id: str, node_id: str) -> Answer:
        """The status is sent before the log is looked for: a failure is text in a 200."""
        content = self._cluster.logs.get((run_id, node_id))
        if content is None:
            said = f"failed to read logs: pods {node_id!r} not found"
            content = json.dumps({"error_message": said, "error_details": said}).encode()
        return Answer(200, content, {"Cache-Control": "no-cache, private", **PLAIN})

    # --- artifacts -----------------------------------------------------------------------------

    def _declared(self, request: Request, run_id: str, node_id: str, name: str) -> Answer:
        content = self._cluster.declared.get((run_id, node_id, name))
        if content is None:
            said = f"artifact not found: {name}"
            return Answer.json({"error_message": said, "error_details": said}, 404)
        return Answer.json({"data": base64.b64encode(content).decode()})


def guard(cluster: Cluster, request: Request) -> None:
    """Where the endpoint asks for tokens in single-user mode too, as one behind a gateway does."""
    if cluster.users and not cluster.multi_user and not request.user:
        raise Refusal(UNAUTHENTICATED, "Unauthenticated: a bearer token is needed")


def _unpacked(content: bytes) -> bytes:
    """The first file of a gzip'd tar; a gzip'd file itself."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for member in archive:
                if (file := archive.extractfile(member)) is not None:
                    return file.read()
    except tarfile.TarError:
        return gzip.decompress(content)
    return b""


def _form_file(request: Request) -> tuple[str, bytes]:
    """The form's file named `uploadfile`. Raises Refusal."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + request.body)
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            name = PurePosixPath(part.get_filename() or "").name
            content = part.get_payload(decode=True)
            return name, content if isinstance(content, bytes) else b""
    raise Refusal(3, "Failed to read pipeline from file")


def _package(filename: str, content: bytes) -> dict[str, Any]:
    """The IR of a package. Raises Refusal."""
    if filename.endswith((".tar.gz", ".tgz")):
        content = _unpacked(content)
    try:
        documents = [one for one in yaml.safe_load_all(content) if one]
    except yaml.YAMLError:
        documents = []
    if not documents or not isinstance(documents[0], dict) or "pipelineInfo" not in documents[0]:
        raise Refusal(3, "Failed to create a pipeline and a pipeline version: unknown template")
    if len(documents) > 1:
        return {"pipeline_spec": documents[0], "platform_spec": documents[1]}
    spec: dict[str, Any] = documents[0]
    return spec


def _upload_error(status: int, message: str) -> Answer:
    return Answer.json({"error_message": message, "error_details": message}, status)
