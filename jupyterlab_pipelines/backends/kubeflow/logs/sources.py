"""The places that a Kubeflow log is read from, each as a whole: none of them knows offsets."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

import httpx

from ....errors import BadUpstream, NotFound, UpstreamError
from ..artifacts import Artifacts, Wanted
from ..endpoint import Endpoint, Query
from ..graph import Pod
from .kept import Text, collected

#: The name under which Argo keeps the log of a step's own container.
MAIN_LOGS = "main-logs"
#: How the API server begins an error that it sends behind a status of 200.
_ERROR = b'{"error_message":'
#: What Kubernetes says of a container that has not printed because it has not begun.
_NOT_BEGUN = ("waiting to start", "ContainerCreating", "PodInitializing")
_NOT_THERE = ("not found", "NotFound", "Unable to find", "No such", "does not exist")


@dataclass(frozen=True)
class PodLog:
    """Whose log it is. `day` is when the run was created: archives are sorted by it.

    `over`: nothing will be added any more. `started` tells a retry's pod from the one before it,
    which had the same name.
    """

    run_id: str
    namespace: str
    pod: Pod
    day: str
    over: bool
    started: datetime | None


class Sources:
    """Where an endpoint has logs. Every method raises NotFound where it has none of that pod."""

    def __init__(self, endpoint: Endpoint, ui: Endpoint, artifacts: Artifacts) -> None:
        self._endpoint = endpoint
        self._ui = ui
        self._artifacts = artifacts

    async def stored(self, log: PodLog) -> Text:
        """The archive at the place that the workflow names."""
        uri = log.pod.log_uri
        if not uri:
            raise NotFound("No place of the log is known.")
        packed = uri.endswith(".tgz")
        wanted = Wanted(MAIN_LOGS, uri, namespace=log.namespace, archived=packed)
        content = await self._artifacts.open(wanted)
        try:
            return await collected(content.body)
        finally:
            close = getattr(content.body, "aclose", None)
            if close is not None:
                await close()

    async def declared(self, log: PodLog) -> Text:
        """The archive by the API's route for what Argo declares."""
        node = quote(log.pod.node or log.pod.name, safe="")
        for version in ("v2beta1", "v1beta1"):
            path = f"/apis/{version}/runs/{log.run_id}/nodes/{node}/artifacts/{MAIN_LOGS}:read"
            async with self._endpoint.open("GET", path, retries=1) as response:
                if response.status_code == 200:
                    return await collected(_decoded(response.aiter_bytes()))
        raise NotFound("The log is not kept.")

    async def api(self, log: PodLog, node: str) -> Text:
        """The pod's, or the archive's, by the API server; it never follows."""
        path = f"/apis/v1alpha1/runs/{log.run_id}/nodes/{quote(node, safe='')}/log"
        return await _log(self._endpoint, path, (), over=log.over)

    async def ui(self, log: PodLog) -> Text:
        """The pod's, or the archive's, by the UI server."""
        query = [("podname", log.pod.name), ("runid", log.run_id), ("createdat", log.day)]
        if log.namespace:
            query.append(("podnamespace", log.namespace))
        return await _log(self._ui, "/k8s/pod/logs", query, over=log.over)


async def beginning(response: httpx.Response) -> bytes:
    """Enough of an error's body to say what it is."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > 32 << 10:  # more than any token: a cut one is not masked
            break
    return bytes(content)


async def _log(endpoint: Endpoint, path: str, query: Query, *, over: bool) -> Text:
    async with endpoint.open("GET", path, query, {"Accept": "*/*"}, retries=1) as response:
        if response.status_code >= 400:
            raise _refusal(endpoint, response.status_code, await beginning(response))
        text = await collected(response.aiter_bytes(), over=over)
    _raise_hidden(endpoint, text)
    return text


def _refusal(endpoint: Endpoint, status: int, body: bytes) -> Exception:
    said = body.decode("utf-8", "replace")
    if status in (404, 500) and any(word in said for word in (*_NOT_THERE, *_NOT_BEGUN)):
        return NotFound("There is no such log, or not yet.")
    if status == 500:
        return UpstreamError(f"{endpoint.host} answered: {endpoint.excerpt(body, 300)}")
    return endpoint.refusal(status, body)


def _raise_hidden(endpoint: Endpoint, text: Text) -> None:
    """Raises the error that stands where a log, or its end, should be."""
    tail = text.read(max(0, text.size - (64 << 10)), 64 << 10)
    at = tail.rfind(_ERROR)
    if at < 0:
        return
    try:
        error = json.loads(tail[at:])
        message = str(error["error_message"] + error["error_details"][:0])
    except (ValueError, KeyError, TypeError, RecursionError):
        return  # the step has printed it
    if any(word in message for word in (*_NOT_THERE, *_NOT_BEGUN)) and at == 0:
        raise NotFound("There is no such log, or not yet.")
    raise UpstreamError(f"{endpoint.host} answered: {endpoint.excerpt(message.encode(), 300)}")


async def _decoded(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What the JSON object's `data` holds as base64, decoded on the way. Raises BadUpstream."""
    kept, inside = b"", False
    async for piece in pieces:
        kept += piece
        if not inside:
            _, found, after = kept.partition(b'"data":')
            start = after.lstrip()
            if not found or not start:
                if len(kept) > 1024:
                    break
                continue
            inside, kept = True, start.removeprefix(b'"')
        coded, ended, _ = kept.partition(b'"')
        whole = len(coded) if ended else len(coded) // 4 * 4
        try:
            yield base64.b64decode(coded[:whole].replace(b"\\/", b"/"), validate=True)
        except binascii.Error:
            break
        if ended:
            return
        kept = coded[whole:]
    raise BadUpstream("The kept log is not what the API's protocol says.")
