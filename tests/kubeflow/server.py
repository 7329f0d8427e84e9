"""Serves a cluster over HTTP: in an event loop, on a thread, or as a process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qsl, urlsplit

from tornado import httpserver, httputil, iostream, netutil

from .cluster import Cluster
from .experiments import Experiments
from .files import Files, guard
from .http import NOT_FOUND, Answer, Refusal, Request
from .pipelines import Pipelines
from .recurring_runs import RecurringRuns
from .routes import Routes
from .runs import Runs
from .ui_server import UiServer


class Endpoint:
    """Answers requests from a cluster's data, with all of Kubeflow's routes."""

    def __init__(self, cluster: Cluster, prefix: str = "") -> None:
        self.cluster = cluster
        self._prefix = prefix.rstrip("/")
        self._routes = Routes()
        pipelines = Pipelines(cluster)
        self._files = Files(cluster, pipelines)
        self._ui = UiServer(cluster)
        # Fixed paths come before those with ids: `upload` is no pipeline's.
        for service in (
            self._files,
            self._ui,
            pipelines,
            Runs(cluster),
            Experiments(cluster),
            RecurringRuns(cluster),
        ):
            service.mount(self._routes)

    async def answer(self, request: Request) -> Answer:
        """What Kubeflow would say."""
        cluster = self.cluster
        cluster.asked[f"{request.method} {request.path}"] += 1
        cluster.seen.append(request)
        try:
            for router in cluster.routers:
                if (answer := await router(request)) is not None:
                    return answer
            if not request.path.endswith("/healthz"):
                guard(cluster, request)
            answer = (
                await self._files.serve(request)
                or await self._routes(request)
                or await self._ui.serve(request)
            )
            if answer is not None:
                return answer
            raise Refusal(NOT_FOUND, "Not Found")
        except Refusal as refusal:
            return refusal.answer()

    def read(self, request: httputil.HTTPServerRequest) -> Request | None:
        """A request of tornado's as ours; null where it is outside the prefix."""
        path = request.path
        if not path.startswith("/"):  # the absolute form, in which a proxy is asked
            path = urlsplit(path).path
        if not path.startswith(self._prefix + "/"):
            return None
        headers = {name.lower(): value for name, value in request.headers.get_all()}
        return Request(
            request.method or "GET",
            path[len(self._prefix) :],
            dict(parse_qsl(request.query, keep_blank_values=True)),
            headers,
            request.body or b"",
            self.cluster.identify(headers),
        )


def _serve(endpoint: Endpoint) -> httpserver.HTTPServer:
    """A server with one callback for all; bodies go out as fast as the client reads."""
    tasks: set[asyncio.Task[None]] = set()

    async def respond(incoming: httputil.HTTPServerRequest) -> None:
        request = endpoint.read(incoming)
        answer = (
            Answer(404, b"404 page not found\n")
            if request is None
            else await endpoint.answer(request)
        )
        connection = incoming.connection
        assert connection is not None
        headers = httputil.HTTPHeaders(dict(answer.headers))
        with contextlib.suppress(iostream.StreamClosedError):
            if isinstance(answer.body, bytes):
                headers["Content-Length"] = str(len(answer.body))
            elif "Content-Length" not in headers:
                headers["Transfer-Encoding"] = "chunked"
            start = httputil.ResponseStartLine("HTTP/1.1", answer.status, "")
            if isinstance(answer.body, bytes):
                await connection.write_headers(start, headers, answer.body)
            else:
                await connection.write_headers(start, headers)
                async for piece in answer.body:
                    await connection.write(piece)
            connection.finish()

    def handle(incoming: httputil.HTTPServerRequest) -> None:
        task = asyncio.ensure_future(respond(incoming))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    return httpserver.HTTPServer(handle, max_buffer_size=64 << 20)


@contextlib.asynccontextmanager
async def serving(cluster: Cluster, *, prefix: str = "", port: int = 0) -> AsyncIterator[str]:
    """Serves in the running event loop; yields the address, prefix included."""
    server = _serve(Endpoint(cluster, prefix))
    sockets = netutil.bind_sockets(port, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}{prefix}"
    finally:
        server.stop()
        await server.close_all_connections()


@contextlib.contextmanager
def in_thread(cluster: Cluster, *, prefix: str = "", port: int = 0) -> Iterator[str]:
    """Serves on a thread of its own, for clients that block; yields the address."""
    started, stop = threading.Event(), asyncio.Event()
    addresses: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with serving(cluster, prefix=prefix, port=port) as address:
            addresses.append(address)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    try:
        if not started.wait(10):
            raise RuntimeError("The server has not started.")
        yield addresses[0]
    finally:
        if loops:
            loops[0].call_soon_threadsafe(stop.set)
        thread.join(10)
