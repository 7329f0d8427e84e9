"""Every way a remote host can fail, and what the user is told of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from jupyterlab_pipelines.backends.kubeflow import endpoint as endpoint_module
from jupyterlab_pipelines.backends.kubeflow import failures
from jupyterlab_pipelines.backends.kubeflow.endpoint import RETRIES, Endpoint
from jupyterlab_pipelines.backends.kubeflow.sign_in import BearerToken, Header, session
from jupyterlab_pipelines.backends.kubeflow.sign_in.command import TokenCommand
from jupyterlab_pipelines.backends.kubeflow.sign_in.header import cookie
from jupyterlab_pipelines.errors import (
    BadInput,
    BadUpstream,
    Conflict,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UnsupportedFeature,
    UpstreamError,
    UpstreamTimeout,
)
from tests.async_tests import in_loop
from tests.backends.kubeflow.faults import fault_server, http, resets, sends

CANARY = "canary-7f3a9c5e"
HOST = "https://kubeflow.example.com/pipeline"
JSON = ("Content-Type: application/json",)


class Upstream:
    """Answers in memory, in order, the last one again and again; remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Callable[[httpx.Request], httpx.Response]):
        self.answers = answers
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if callable(answer):
            return answer(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def endpoint(self, token: BearerToken | None = None) -> Endpoint:
        transport = httpx.MockTransport(self)
        return Endpoint(HOST, token or BearerToken(CANARY), transport=transport, sleep=self.sleep)


def answer(status: int = 200, text: str = "{}", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers={"content-type": "application/json", **named}, text=text)


async def failing(endpoint: Endpoint, kind: type[PipelinesError], method: str = "GET") -> str:
    """The text of the error that a request ends with."""
    with pytest.raises(kind) as caught:
        await endpoint.json(method, "/apis/v2beta1/runs")
    assert type(caught.value) is kind
    text = f"{caught.value.message} {caught.value.next_step}"
    assert CANARY not in text
    await endpoint.close()
    return text


# --- retries ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@in_loop
async def test_a_get_is_tried_again_with_growing_pauses(status: int) -> None:
    upstream = Upstream(answer(status), answer(status), answer(text='{"runs": []}'))
    assert await upstream.endpoint().json("GET", "/apis/v2beta1/runs") == {"runs": []}
    assert len(upstream.requests) == 3
    assert 0.1 < upstream.pauses[0] < 0.4 < 0.8 > upstream.pauses[1] > 0.2


@in_loop
async def test_a_get_is_given_up_after_four_retries() -> None:
    upstream = Upstream(answer(503, '{"message": "no healthy upstream"}'))
    text = await failing(upstream.endpoint(), UpstreamError)
    assert "https://kubeflow.example.com/pipeline answered: no healthy upstream" in text
    assert len(upstream.requests) == RETRIES + 1 == 5
    assert sum(upstream.pauses) < 10


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
@in_loop
async def test_nothing_but_a_get_is_ever_sent_twice(method: str) -> None:
    upstream = Upstream(answer(503))
    await failing(upstream.endpoint(), UpstreamError, method)
    assert len(upstream.requests) == 1


@in_loop
async def test_a_retry_comes_when_the_endpoint_asks_for_it() -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=5)
    upstream = Upstream(
        answer(429, retry_after="3"),
        answer(503, retry_after=format_datetime(moment, usegmt=True)),
        answer(),
    )
    await upstream.endpoint().json("GET", "/apis/v2beta1/runs")
    assert upstream.pauses[0] == 3
    assert 3 < upstream.pauses[1] <= 5


@in_loop
async def test_nobody_waits_for_a_retry_in_an_hour() -> None:
    upstream = Upstream(answer(429, '{"message": "quota"}', retry_after="3600"))
    assert "quota" in await failing(upstream.endpoint(), UpstreamError)
    assert upstream.pauses == []


# --- sign-in ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "login",
    [
        httpx.Response(200, headers={"content-type": "text/html"}, text="<form>Log in</form>"),
        httpx.Response(403, headers={"content-type": "text/html"}, text="<form>Log in</form>"),
        httpx.Response(302, headers={"location": "https://evil.example.org/login"}),
        httpx.Response(302, headers={"location": "/dex/auth?client_id=x"}),
        httpx.Response(307, headers={"location": "https://kubeflow.example.com/oauth2/start"}),
        answer(401, '{"message": "Unauthenticated"}'),
    ],
    ids=["page", "page 403", "other origin", "dex", "oauth2", "401"],
)
@in_loop
async def test_a_sign_in_is_told_and_never_followed(login: httpx.Response) -> None:
    upstream = Upstream(login)
    text = await failing(upstream.endpoint(), SignInNeeded)
    assert "token" in text
    assert {request.url.host for request in upstream.requests} == {"kubeflow.example.com"}


@in_loop
async def test_a_change_of_scheme_names_the_new_one() -> None:
    upstream = Upstream(httpx.Response(301, headers={"location": "http://kubeflow.example.com/"}))
    text = await failing(upstream.endpoint(), UpstreamError)
    assert "redirects to http://" in text


@in_loop
async def test_a_rotated_token_is_read_again_once(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")

    def check(request: httpx.Request) -> httpx.Response:
        if request.headers["Authorization"] == "Bearer new":
            return answer(text='{"ok": true}')
        file.write_text("new\n")
        return answer(401)

    upstream = Upstream(check)
    endpoint = upstream.endpoint(BearerToken(file=str(file)))
    assert await endpoint.json("GET", "/apis/v2beta1/runs") == {"ok": True}
    assert len(upstream.requests) == 2


@in_loop
async def test_a_refused_token_is_not_offered_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(CANARY)
    for token, requests in ((BearerToken(CANARY), 1), (BearerToken(file=str(file)), 2)):
        upstream = Upstream(answer(401))
        await failing(upstream.endpoint(token), SignInNeeded)
        assert len(upstream.requests) == requests


@pytest.mark.parametrize("content", [None, "", "  \n", "two words", "control\x01", "schlüssel"])
@in_loop
async def test_a_token_file_without_a_token_is_told(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    upstream = Upstream(answer())
    text = await failing(upstream.endpoint(BearerToken(file=str(file))), SignInNeeded)
    assert str(file) in text
    assert not upstream.requests


@in_loop
async def test_another_places_refusal_never_holds_the_api_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(session, "monotonic", lambda: now)

    def check(request: httpx.Request) -> httpx.Response:
        return answer(200 if "/apis/" in request.url.path else 401)

    upstream = Upstream(check)
    sign_in = TokenCommand(f"echo {CANARY}")
    api, ui = (
        Endpoint(host, sign_in, transport=httpx.MockTransport(upstream))
        for host in (HOST, "https://ui.example.com")
    )
    for waited in (0, 1, 30, 30, 3600):
        now += waited
        for endpoint in (ui, api):
            with pytest.raises(SignInNeeded):
                await endpoint.text("GET", "/artifacts/get")
        await api.json("GET", "/apis/v2beta1/runs")


@pytest.mark.parametrize("value", [f"{CANARY}-ü", f"{CANARY}-\u4e2d", f"{CANARY}\r\nx: y"])
@in_loop
async def test_a_header_that_cannot_be_sent_is_told_and_never_shown(value: str) -> None:
    upstream = Upstream(answer())
    transport = httpx.MockTransport(upstream)
    for sign_in in (Header("x-user", value), cookie(f"session={value}"), Header(value, "ada")):
        endpoint = Endpoint(HOST, sign_in, transport=transport)
        assert "characters" in await failing(endpoint, SignInNeeded)
    assert not upstream.requests


@in_loop
async def test_a_token_file_may_lie_in_the_users_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "token").write_text(CANARY)
    upstream = Upstream(answer())
    await upstream.endpoint(BearerToken(file="~/token")).json("GET", "/apis/v2beta1/runs")
    assert upstream.requests[0].headers["Authorization"] == f"Bearer {CANARY}"


@in_loop
async def test_a_token_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    upstream = Upstream(answer())
    endpoint = upstream.endpoint(BearerToken(variable="PIPELINES_TEST_TOKEN"))
    monkeypatch.setenv("PIPELINES_TEST_TOKEN", "from-there")
    await endpoint.json("GET", "/apis/v2beta1/runs")
    assert upstream.requests[0].headers["Authorization"] == "Bearer from-there"
    monkeypatch.delenv("PIPELINES_TEST_TOKEN")
    assert "PIPELINES_TEST_TOKEN" in await failing(endpoint, SignInNeeded)


# --- what is not the protocol -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("not json", "not json"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("[1, 2]", "[1, 2]"),
        ("[" * 100_000, "[[["),
        (f'{{"token": "{CANARY}"', "***"),
        (f'["{"y" * 180}", "{CANARY}"]', "***"),
        ("x" * 5000, "x" * 200),
    ],
)
@in_loop
async def test_what_is_not_json_is_shown_in_part_and_escaped(text: str, shown: str) -> None:
    said = await failing(Upstream(answer(text=text)).endpoint(), BadUpstream)
    assert shown in said
    assert "x" * 201 not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadInput),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (412, Conflict),
        (501, UnsupportedFeature),
        (418, UpstreamError),
    ],
)
@in_loop
async def test_an_error_status_keeps_the_endpoints_words(
    status: int, kind: type[PipelinesError]
) -> None:
    body = '{"error": "x", "code": 3, "message": "Namespace is empty\\nreally"}'
    text = await failing(Upstream(answer(status, body)).endpoint(), kind)
    assert "Namespace is empty\\nreally" in text


@in_loop
async def test_an_endless_json_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "MAX_JSON", 1000)
    await failing(Upstream(answer(text='"' + "x" * 2000)).endpoint(), BadUpstream)


# --- on a real socket ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        sends(http(b'{"runs": [', *JSON, length=500)),
        sends(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":'),
        sends(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        sends(b"SSH-2.0-OpenSSH_9.2\r\n"),
        sends(b""),
        resets,
    ],
    ids=["short body", "cut chunk", "bad length", "another protocol", "nothing", "reset"],
)
@in_loop
async def test_a_broken_answer_is_told_as_one(broken: object) -> None:
    async with fault_server(broken) as (host, requests):  # type: ignore[arg-type]
        endpoint = Endpoint(host, BearerToken(CANARY), sleep=lambda _: asyncio.sleep(0))
        text = await failing(endpoint, BadUpstream)
        assert host in text
        assert 1 <= len(requests) <= RETRIES + 1


@in_loop
async def test_a_broken_post_is_not_repeated() -> None:
    async with fault_server(sends(b"")) as (host, requests):
        endpoint = Endpoint(host, BearerToken(CANARY), sleep=lambda _: asyncio.sleep(0))
        await failing(endpoint, BadUpstream, "POST")
        assert len(requests) == 1


@in_loop
async def test_an_endpoint_that_recovers_is_not_noticed() -> None:
    async with fault_server(sends(b""), resets, sends(http(b'{"ok": 1}', *JSON))) as (host, _):
        endpoint = Endpoint(host, sleep=lambda _: asyncio.sleep(0))
        assert await endpoint.json("GET", "/apis/v2beta1/runs") == {"ok": 1}
        await endpoint.close()


@in_loop
async def test_silence_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "IDLE_TIMEOUT", 0.2)
    for silent in (sends(b"", linger=5), sends(http(b"{", *JSON, length=99), linger=5)):
        async with fault_server(silent) as (host, requests):
            text = await failing(Endpoint(host, BearerToken(CANARY)), UpstreamTimeout)
            assert host in text
            assert len(requests) == 1


@in_loop
async def test_nothing_listens() -> None:
    async with fault_server(resets) as (host, _):
        pass
    text = await failing(Endpoint(host, BearerToken(CANARY)), Unreachable)
    assert f"{host} cannot be reached: the connection was refused" in text


@in_loop
async def test_a_name_that_nobody_has() -> None:
    text = await failing(Endpoint("http://no-such-host.invalid"), Unreachable)
    assert "no-such-host.invalid cannot be reached" in text


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("before", [0, 150, 780, 799])
@in_loop
async def test_a_long_token_is_masked_wherever_it_stands(before: int, times: int) -> None:
    token = "".join(f"{number:x}." for number in range(4096, 4496))  # no part of it comes twice
    text = "-" * before + token * times + "#" * 5000
    said = await failing(Upstream(answer(text=text)).endpoint(BearerToken(token)), BadUpstream)
    assert "1000.1001" not in said
    assert not any(f"{number:x}." in said for number in range(4096, 4496))
    assert ("***" in said) == (before < 200)


@in_loop
async def test_no_log_holds_the_token(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with fault_server(sends(http(b"no", *JSON, status="500 Oops"))) as (host, requests):
        endpoint = Endpoint(host, BearerToken(CANARY), sleep=lambda _: asyncio.sleep(0))
        await failing(endpoint, UpstreamError)
        assert CANARY.encode() in requests[0]
    assert CANARY not in caplog.text
    assert CANARY not in repr(BearerToken(CANARY))
