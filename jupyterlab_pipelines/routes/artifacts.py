"""`<connection>/runs/<id>/artifact`: an artifact's bytes, by range, as nobody's page."""

from __future__ import annotations

from ..backends.base import ArtifactContent
from ..errors import BadInput
from ..service import Service, close_stream
from .base import PipelinesHandler, allowed
from .streams import SANDBOX, entity_tag, requested_range, send, set_content_headers


class ArtifactHandler(PipelinesHandler):
    """A cut download goes on by range, as long as the bytes are still those of its tag."""

    @property
    def content_security_policy(self) -> str:
        return SANDBOX

    @allowed("read")
    async def get(self, connection: str, run_id: str) -> None:
        artifact_id = self._artifact_id()
        service = await self.service(connection)
        wanted = await self._range(service, run_id, artifact_id)
        content = await service.open_artifact(run_id, artifact_id, *(wanted or (0, None)))
        tag = _tag(run_id, artifact_id, content)
        if wanted is not None and (
            content.size is None or self.request.headers.get("If-Range", tag) != tag
        ):
            # What the client holds is of something else, or of a place that cannot tell how far
            # a part goes: it gets the whole.
            await close_stream(content.body)
            wanted, content = None, await service.open_artifact(run_id, artifact_id)
        self._set_headers(content, _tag(run_id, artifact_id, content))
        if self._set_length(content, ranged=wanted is not None):
            await send(self, content.body)
        else:
            await close_stream(content.body)

    @allowed("read")
    async def head(self, connection: str, run_id: str) -> None:
        """What a download would be: its size, its tag, and whether it can be gone on with."""
        artifact_id = self._artifact_id()
        service = await self.service(connection)
        content = await service.open_artifact(run_id, artifact_id, 0, 0)
        self._set_headers(content, _tag(run_id, artifact_id, content))
        if content.size is not None:
            self.set_header("Content-Length", str(content.size))
        await send(self, content.body)

    def _artifact_id(self) -> str:
        artifact_id = self.get_query_argument("artifact", "")
        if not artifact_id:
            raise BadInput("The query parameter `artifact` is missing.")
        return artifact_id

    async def _range(
        self, service: Service, run_id: str, artifact_id: str
    ) -> tuple[int, int | None] | None:
        header = self.request.headers.get("Range")
        size = None
        if header is not None and "=-" in header.replace(" ", ""):
            probe = await service.open_artifact(run_id, artifact_id, 0, 0)
            await close_stream(probe.body)
            size = probe.size
        return requested_range(header, size)

    def _set_headers(self, content: ArtifactContent, tag: str) -> None:
        download = self.get_query_argument("download", "") == "1"
        set_content_headers(self, content.media_type, content.filename, download=download)
        if content.size is not None:
            self.set_header("Accept-Ranges", "bytes")
            self.set_header("ETag", tag)
        self.set_header("Cache-Control", "private, no-cache")

    def _set_length(self, content: ArtifactContent, *, ranged: bool) -> bool:
        """Sets status and lengths; false where the range lies behind the end."""
        size, start = content.size, content.start
        if size is None:
            return True
        end = size if content.end is None else min(content.end, size)
        if ranged and start >= size:
            self.set_status(416)
            self.set_header("Content-Range", f"bytes */{size}")
            return False
        if ranged:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.set_header("Content-Length", str(end - start))
        return True


def _tag(run_id: str, artifact_id: str, content: ArtifactContent) -> str:
    return entity_tag(run_id, artifact_id, content.size, content.tag)
