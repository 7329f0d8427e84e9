"""Kubeflow's UI server: artifacts and pods' logs, after `frontend/server/handlers` to the letter.

It sends artifacts without a type, a length or ranges; its errors are short texts that Express sends
as HTML. `objects` of a cluster with the source `http` or `https` stand for what its configured base
address has.
"""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import AsyncIterator, Mapping
from urllib.parse import unquote

from .cluster import Cluster, Content, Sized
from .http import Answer, Request
from .routes import Routes

_SOURCES = ("minio", "s3", "gcs", "http", "https", "volume")
_RAW = re.compile(r"/artifacts/([^/]+)/([^/]+)/(.+)")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MOST_COUNTED = 50


def _says(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


class UiServer:
    """The routes of the UI server that a pipeline's results pass through."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def mount(self, routes: Routes) -> None:
        """Adds the routes whose paths are fixed; `serve` has the other one."""
        routes.add("GET", "/artifacts/get", self.extracted)
        routes.add("GET", "/k8s/pod/logs", self.pod_log)

    async def serve(self, request: Request) -> Answer | None:
        """An artifact as it is stored, but for what S3 stores hold: that is unpacked too."""
        found = _RAW.fullmatch(request.path)
        if found is None or request.method != "GET":
            return None
        source, bucket, key = map(unquote, found.groups())
        return self._artifact(request, source, bucket, key, extract=source == "s3")

    async def extracted(self, request: Request) -> Answer:
        """An artifact by query, unpacked where it is a gzip or a tar."""
        query = request.query
        place = query.get("source", ""), query.get("bucket", ""), query.get("key", "")
        return self._artifact(request, *place, extract=True)

    async def pod_log(self, request: Request) -> Answer:
        """The log of a pod's container `main`, or what the archive has of it."""
        name, namespace = request.query.get("podname", ""), request.query.get("podnamespace", "")
        if not name:
            return _says(400, "podname argument is required")
        if self._cluster.multi_user and not namespace:
            return _says(422, "podnamespace argument is required")
        if self._cluster.multi_user and (request.user, namespace) not in self._cluster.access:
            return _says(403, "Access denied to namespace")
        content = self._cluster.pods.get((namespace, name))
        if content is None:
            said = "Unable to find pod log archive information from workflow status."
            return _says(500, f"Could not get main container logs: Error: {said}")
        return Answer(200, content)

    # --- artifacts -----------------------------------------------------------------------------

    def _artifact(
        self, request: Request, source: str, bucket: str, key: str, *, extract: bool
    ) -> Answer:
        for name, value in (("source", source), ("bucket", bucket), ("key", key)):
            if not value:
                return _says(500, f"Storage {name} is missing from artifact request")
        refusal = self._refusal(request, source, bucket, key)
        if refusal is not None:
            return refusal
        peek = int(request.query.get("peek") or 0)
        if source == "gcs":
            return self._google(bucket, key, peek)
        content = self._cluster.objects.get((source, bucket, key))
        if source in ("minio", "s3"):
            if content is None:
                return self._folder(source, bucket, key, peek)
            return _streamed(_unpacked(content) if extract else content, peek)
        if content is not None:
            return _streamed(content, peek)
        if source == "volume":
            return _says(404, "Failed to open volume.")
        return _says(400, "HTTP artifact base URL is not configured")

    def _refusal(self, request: Request, source: str, bucket: str, key: str) -> Answer | None:
        namespace = request.query.get("namespace", "")
        if self._cluster.multi_user:
            if not request.user:
                return _says(401, "Authentication required for artifact access")
            if not namespace:
                return _says(400, "Namespace parameter is required when authentication is enabled")
            if (request.user, namespace) not in self._cluster.access:
                return _says(403, f"User {request.user} is not authorized to GET viewers")
        if source not in _SOURCES:
            return _says(500, "Unknown storage source")
        if not _NAME.fullmatch(bucket) or len(bucket) > 63:
            return _says(500, "Invalid bucket name")
        if len(key) > 1024:
            return _says(500, "Object key too long")
        return None

    def _folder(self, source: str, bucket: str, key: str, peek: int) -> Answer:
        prefix = key if key.endswith("/") else f"{key}/"
        files = self._below(source, bucket, prefix)
        if not files:
            return _says(404, f"No objects found at {bucket}/{key}")
        name = key.rstrip("/").rpartition("/")[2] or "artifact"
        if peek:
            count = f"{min(len(files), _MOST_COUNTED)}{'+' * (len(files) > _MOST_COUNTED)}"
            said = f'Directory artifact "{name}" — {count} file(s). Download to view contents.\n'
            return Answer(200, said.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for path, content in files.items():
                info = tarfile.TarInfo(path.removeprefix(prefix))
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        headers = {
            "Content-Type": "application/gzip",
            "Content-Disposition": f'attachment; filename="{name}.tar.gz"',
        }
        return Answer(200, _pieces(buffer.getvalue()), headers)

    def _google(self, bucket: str, key: str, peek: int) -> Answer:
        """All that the name fits, joined as text; a beginning is of the first one only."""
        prefix = key.partition("*")[0]
        pattern = ".*".join(re.escape(part) for part in re.split(r"\*+", key))
        found = [
            content
            for name, content in self._below("gcs", bucket, prefix).items()
            if re.fullmatch(pattern, name)
        ]
        if not found:
            return Answer(200, b"")
        if peek:
            return _streamed(found[0], peek)
        text = "".join(one.decode("utf-8", "replace").strip() + "\n" for one in found)
        return Answer(200, text.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def _below(self, source: str, bucket: str, prefix: str) -> Mapping[str, bytes]:
        return {
            key: content
            for (one, place, key), content in sorted(self._cluster.objects.items())
            if (one, place) == (source, bucket)
            and key.startswith(prefix)
            and isinstance(content, bytes)
        }


def _streamed(content: Content, peek: int) -> Answer:
    if isinstance(content, Sized):
        return Answer(200, content.pieces(0, peek or None))
    return Answer(200, _pieces(content[: peek or None]))


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 64 << 10):
        yield content[start : start + (64 << 10)]


def _unpacked(content: Content) -> Content:
    """What a gzip holds, and of a tar its first file's bytes."""
    if isinstance(content, bytes) and content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):
            return content
    if isinstance(content, bytes) and content[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            first = archive.next()
            file = first and archive.extractfile(first)
            return file.read() if file else b""
    return content
