"""`<connection>/apis/…`: Kubeflow's own dialect, streamed both ways."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from urllib.parse import parse_qsl, unquote

from jupyter_server.utils import url_path_join
from tornado import web

from ..backends.base import ApiRequest, ApiResponse
from ..errors import PipelinesError
from ..service import close_stream
from .base import Action, PipelinesHandler
from .streams import SANDBOX, SMALL, gathered, send, set_content_headers

#: Whatever else the browser or the backend sends, cookies and sign-ins above all, stays behind.
_REQUEST_HEADERS = ("Accept", "Content-Type", "Content-Length", "Range", "If-Range")
_ANSWER_HEADERS = (
    "Accept-Ranges", "Allow", "Content-Disposition", "Content-Encoding", "Content-Length",
    "Content-Range", "ETag", "Last-Modified", "Retry-After",
)  # fmt: skip
_STARTS_CODE = re.compile(r"/apis/[^/]+/(runs|recurringruns|jobs|visualizations)\b")


class RequestBody:
    """A request's body on its way to the backend, two pieces at most held here."""

    def __init__(self) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=2)
        self._unwanted = False

    async def put(self, piece: bytes | None) -> None:
        """Waits until the backend has taken earlier pieces; null ends the body."""
        if not self._unwanted:
            await self._pieces.put(piece)

    def discard(self) -> None:
        """The backend has answered: what still comes is not wanted."""
        self._unwanted = True
        while not self._pieces.empty():
            self._pieces.get_nowait()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece


@web.stream_request_body
class ApisHandler(PipelinesHandler):
    """Every verb and path below `/apis`; which of them exist is the backend's to say."""

    _incoming: RequestBody | None = None
    _answer: asyncio.Task[ApiResponse] | None = None
    _closing: asyncio.Task[None] | None = None
    _left = False

    async def prepare(self) -> None:  # type: ignore[override]
        """Permission comes before the body: only then does the backend hear of the request."""
        await super().prepare()
        if self._finished or self.request.method == "OPTIONS":
            return
        await self.authorize(self._action())
        connection = self.path_kwargs["connection"]
        prefix = url_path_join(self.base_url, "pipelines", connection)
        headers = self.request.headers
        if "Transfer-Encoding" in headers or int(headers.get("Content-Length") or 0):
            self._incoming = RequestBody()
        request = ApiRequest(
            method=self.request.method or "GET",
            path=self.request.path[len(prefix) :],
            query=[
                pair
                for pair in parse_qsl(self.request.query, keep_blank_values=True)
                if pair[0] not in ("token", "_xsrf")  # Jupyter's own, and secrets
            ],
            headers={name: headers[name] for name in _REQUEST_HEADERS if name in headers},
            body=b"" if self._incoming is None else aiter(self._incoming),
        )
        service = await self.service(connection)
        self._answer = asyncio.ensure_future(service.api(request))
        if self._incoming is not None:
            incoming = self._incoming
            self._answer.add_done_callback(lambda _: incoming.discard())
        if self._left:  # while the connection was opened
            self._answer.cancel()

    async def data_received(self, chunk: bytes) -> None:
        if self._incoming is not None:
            await self._incoming.put(chunk)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._left = True
        if self._answer is not None and not self._answer.cancel():
            self._closing = asyncio.ensure_future(_let_go(self._answer))

    def _action(self) -> Action:
        if self.request.method in ("GET", "HEAD"):
            return "read"
        # Decoded, as Kubeflow reads it: `%72uns` are runs.
        path = unquote(self.request.path)
        starts = self.request.method == "POST" and _STARTS_CODE.search(path)
        return "execute" if starts else "write"

    async def _relay(self) -> None:
        if self._incoming is not None:
            await self._incoming.put(None)
        assert self._answer is not None
        answer = await self._answer
        self.set_status(answer.status)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        set_content_headers(self, headers.get("content-type", "application/json"))
        for name in _ANSWER_HEADERS:
            if name.lower() in headers:
                self.set_header(name, headers[name.lower()])
        body = answer.body
        length = headers.get("content-length", "")
        if not isinstance(body, bytes) and length.isdecimal() and int(length) <= SMALL:
            *pieces, body = await gathered(body)
            for piece in pieces:  # as they are: to join them costs as much as to sign in
                self.write(piece)
                self.flush()
        if isinstance(body, bytes):
            content_type = headers.get("content-type", "application/json")
            self.finish(body or None, set_content_type=content_type)
        else:
            await send(self, body)

    def compute_etag(self) -> None:
        """None: a hash of a long answer takes a while, and Kubeflow sends none."""

    def error_text(self, error: PipelinesError) -> str:
        return json.dumps(error.status_body())

    @property
    def content_security_policy(self) -> str:
        return SANDBOX

    # Who may do it was settled in `prepare`, before the first byte of a body was read.

    @web.authenticated
    async def get(self, connection: str) -> None:
        await self._relay()

    @web.authenticated
    async def post(self, connection: str) -> None:
        await self._relay()

    @web.authenticated
    async def put(self, connection: str) -> None:
        await self._relay()

    @web.authenticated
    async def patch(self, connection: str) -> None:
        await self._relay()

    @web.authenticated
    async def delete(self, connection: str) -> None:
        await self._relay()


async def _let_go(answered: asyncio.Task[ApiResponse]) -> None:
    """Closes an answer that nobody waits for any more."""
    with suppress(Exception, asyncio.CancelledError):
        body = (await answered).body
        if not isinstance(body, bytes):
            await close_stream(body)
