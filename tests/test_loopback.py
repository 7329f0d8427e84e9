"""The loopback server: its token, its streams, its command line."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jupyterlab_pipelines.backends.base import ApiRequest, ApiResponse
from jupyterlab_pipelines.loopback import Loopback, _token


class Echo:
    """Answers with what it was asked; `/stream` in pieces, of which it counts the closed ones."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    async def api(self, request: ApiRequest) -> ApiResponse:
        if request.path == "/stream":
            headers = dict(request.query)
            return ApiResponse(200, headers, self._pieces(int(headers.get("X-Pieces", "3"))))
        content = {
            "method": request.method,
            "path": request.path,
            "query": [list(pair) for pair in request.query],
            "body": request.body.decode() if isinstance(request.body, bytes) else "",
        }
        return ApiResponse(201, {"Content-Type": "application/json"}, json.dumps(content).encode())

    async def _pieces(self, count: int) -> AsyncIterator[bytes]:
        try:
            for _ in range(count):
                yield b"x" * 100_000
        finally:
            self.closed.set()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def server(echo: Echo) -> Iterator[Loopback]:
    with Loopback(echo) as server:
        yield server


@pytest.fixture
def web(server: Loopback) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        yield client


def test_only_the_bearer_of_the_token_is_answered(server: Loopback, web: httpx.Client) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": f"Bearer {server.token}x"}):
        answer = httpx.get(f"{server.url}/x", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["code"] == 16
        assert server.token not in answer.text
    assert web.get("/x").status_code == 201


def test_it_listens_on_this_machine_only(server: Loopback) -> None:
    assert server.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT"])
def test_requests_arrive_as_they_were_sent(web: httpx.Client, method: str) -> None:
    answer = web.request(method, "/a%2Fb?x=1&x=%20&y=", content="text")
    assert answer.json() == {
        "method": method,
        "path": "/a%2Fb",
        "query": [["x", "1"], ["x", " "], ["y", ""]],
        "body": "text",
    }


def test_streams_arrive_whole_with_and_without_a_length(web: httpx.Client, echo: Echo) -> None:
    assert len(web.get("/stream").content) == 300_000
    assert len(web.get("/stream", params={"Content-Length": "300000"}).content) == 300_000
    assert web.get("/x").status_code == 201  # the connection is still of use
    assert echo.closed.is_set()


def test_a_reader_who_leaves_ends_the_stream(
    web: httpx.Client, server: Loopback, echo: Echo
) -> None:
    with web.stream("GET", "/stream", params={"X-Pieces": "1000000"}) as answer:
        next(answer.iter_bytes())

    async def closed() -> bool:
        await asyncio.wait_for(echo.closed.wait(), 10)
        return True

    assert server.run(closed())


@pytest.mark.parametrize(
    "headers", [{"Content-Length": "999999999999"}, {"Transfer-Encoding": "chunked"}]
)
def test_a_body_of_no_known_or_any_size_is_refused(
    server: Loopback, headers: dict[str, str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/x")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


def test_the_port_is_free_again_after_closing(echo: Echo) -> None:
    with Loopback(echo) as first:
        port = first.port
    with Loopback(echo, port=port) as second:
        assert second.port == port


def test_the_token_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = _token(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token) > 30
    assert _token(path) == token
    other: Any = tmp_path / "given"
    other.write_text("mine\n")
    assert _token(other) == "mine"


def test_the_command_serves_a_folder_until_it_is_told_to_stop(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    command = [
        sys.executable, "-m", "jupyterlab_pipelines.loopback",
        "--root", str(tmp_path / "engine"), "--token-file", str(token_file),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {token_file.read_text()}"}
        answer = httpx.get(f"{url}/apis/v2beta1/experiments", headers=headers)
        assert [one["display_name"] for one in answer.json()["experiments"]] == ["Default"]
        assert httpx.get(f"{url}/apis/v2beta1/experiments").status_code == 401
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
