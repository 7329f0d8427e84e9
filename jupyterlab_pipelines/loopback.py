"""A small HTTP server on 127.0.0.1 for a backend's API, closed to all but the bearer of a token.

`kfp.Client` talks to it where no Jupyter server runs; `python -m jupyterlab_pipelines.loopback`
serves an engine's folder from a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hmac
import json
import os
import secrets
import signal
import sys
import threading
from collections.abc import AsyncIterator, Coroutine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

from .backends.base import ApiRequest, ApiResponse
from .errors import BadInput, PipelinesError, SignInNeeded

T = TypeVar("T")

#: The largest request body that is read, in bytes; the API's own limit is below it.
_MAX_BODY = 64 << 20
#: Seconds between two looks of the server for the order to stop.
_POLL = 0.05
#: Seconds that an idle connection is kept.
_IDLE = 60


class ServesApi(Protocol):
    """What of a backend is served."""

    async def api(self, request: ApiRequest) -> ApiResponse: ...


class Loopback:
    """The server; use it as a context, or `start` and `close` it. `url` ends without a slash.

    `port` 0 takes a free one; without `token` a random one is made. The backend stays the
    caller's: it is not closed.
    """

    def __init__(self, backend: ServesApi, *, port: int = 0, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self._backend = backend
        self._loop = asyncio.new_event_loop()
        self._server = _Server(("127.0.0.1", port), self)
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The host to give to `kfp.Client`."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Loopback:
        """Serves in the background until `close`."""
        for name, target, arguments in (
            ("loopback-loop", self._loop.run_forever, ()),
            ("loopback-server", self._server.serve_forever, (_POLL,)),
        ):
            thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def close(self) -> None:
        """Stops serving and frees the port."""
        if self._threads:
            self._server.shutdown()
        self._server.server_close()
        if self._threads:
            self._loop.call_soon_threadsafe(self._loop.stop)
            for thread in self._threads:
                thread.join()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def __enter__(self) -> Loopback:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def answer(self, request: ApiRequest) -> ApiResponse:
        """The backend's answer, for a request's own thread."""
        return self.run(self._backend.api(request))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, run on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], loopback: Loopback) -> None:
        self.loopback = loopback
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "jupyterlab-pipelines"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = _IDLE
    server: _Server

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Quiet: a query may hold what is nobody's business."""

    def _handle(self) -> None:
        path, _, query = self.path.partition("?")
        try:
            body = self._body()
            self._check_token()
            request = ApiRequest(
                method=self.command,
                path=path,
                query=parse_qsl(query, keep_blank_values=True),
                headers=dict(self.headers.items()),
                body=body,
            )
            answer = self.server.loopback.answer(request)
        except PipelinesError as error:
            content = json.dumps(error.status_body()).encode()
            answer = ApiResponse(error.http_status, {"Content-Type": "application/json"}, content)
        with contextlib.suppress(ConnectionError):
            self._send(answer)

    def _body(self) -> bytes:
        """The whole body. Raises BadInput where its length is missing or too large."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.close_connection = True
            raise BadInput("The request has no Content-Length.", next_step="Send it whole.")
        if int(length) > _MAX_BODY:
            self.close_connection = True
            raise BadInput(f"The request is larger than {_MAX_BODY >> 20} MiB.")
        return self.rfile.read(int(length))

    def _check_token(self) -> None:
        """Raises SignInNeeded unless the request bears the token."""
        expected = f"Bearer {self.server.loopback.token}"
        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise SignInNeeded(
                "The request does not bear this server's token.",
                next_step="Use jupyterlab_pipelines.client() to connect.",
            )

    def _send(self, answer: ApiResponse) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if isinstance(answer.body, bytes):
            if "Content-Length" not in answer.headers:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
        else:
            if "Content-Length" not in answer.headers:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            self._stream(answer.body)
        self.wfile.flush()

    def _stream(self, body: AsyncIterator[bytes]) -> None:
        """Sends pieces as the client takes them; the iterator is closed whatever happens."""
        run = self.server.loopback.run
        try:
            while piece := run(_next(body)):
                self.wfile.write(piece)
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                run(close())


async def _next(body: AsyncIterator[bytes]) -> bytes:
    """The next piece that is not empty; empty at the end."""
    async for piece in body:
        if piece:
            return piece
    return b""


def main(arguments: list[str] | None = None) -> int:
    """Serves an engine's folder until it is told to stop (SIGTERM or SIGINT)."""
    parser = argparse.ArgumentParser(prog="python -m jupyterlab_pipelines.loopback")
    parser.add_argument("--root", type=Path, required=True, help="the engine's folder")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument(
        "--token-file",
        type=Path,
        required=True,
        help="holds the bearer token; made, readable by its owner only, where it is missing",
    )
    options = parser.parse_args(arguments)
    from .backends.local.backend import LocalBackend

    stop = threading.Event()

    def stopped(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stopped)
    backend = LocalBackend(options.root)
    with Loopback(backend, port=options.port, token=_token(options.token_file)) as loopback:
        sys.stdout.write(f"{loopback.url}\n")
        sys.stdout.flush()
        stop.wait()
        loopback.run(backend.close())
    return 0


def _token(path: Path) -> str:
    """The token in the file, which is made with a fresh one where it is missing."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
    return path.read_text().strip()


if __name__ == "__main__":
    sys.exit(main())
