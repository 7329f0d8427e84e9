"""Every route and verb of the table, and the WebSocket: who may not, and that the others may.

The table is walked, never listed: a route that is added is covered by being added.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import tornado.httpclient
import tornado.websocket
from jupyter_server.auth import Authorizer
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler
from traitlets.config import Config

from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.models import RunQuery
from jupyterlab_pipelines.routes import ROUTES
from jupyterlab_pipelines.routes.link import LinkHandler

RUN_ID = "0d9f2f3c-6b0e-4a53-9d53-6c6a7f3f1d10"
EVIL = {"Origin": "https://evil.example.org"}
FOREIGN = [
    EVIL,
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    {"Referer": "https://evil.example.org/"},
]

Statuses = dict[str, int]


class DenyAll(Authorizer):
    """Lets nobody do anything with pipelines."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "pipelines"


class ReadOnly(Authorizer):
    """Lets everybody look, and nobody change or run anything."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return resource != "pipelines" or action == "read"


def table() -> list[tuple[str, str]]:
    """(path, verb) of every route; a WebSocket's verb is `WS`."""
    found = []
    for pattern, handler in ROUTES:
        path = pattern.replace("/?", "/").replace(".*", "v2beta1/runs")
        path = re.sub(r"\(\?P<connection>[^)]*\)", "local", path)
        path = re.sub(r"\(\?P<run_id>[^)]*\)", RUN_ID, path)
        if issubclass(handler, WebSocketHandler):
            found.append((path, "WS"))
            continue
        for verb in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            name = verb.lower()
            if getattr(handler, name) is not getattr(RequestHandler, name):
                found.append((path, verb))
    return found


@pytest.fixture
def knock(
    ask: Callable[..., Awaitable[Any]], jp_http_port: int, jp_base_url: str
) -> Callable[..., Awaitable[Statuses]]:
    """The status of every route and verb, asked with the same headers."""

    async def each(headers: dict[str, str], *, verbs: str = "") -> Statuses:
        statuses = {}
        for path, verb in table():
            if verbs and verb not in verbs.split():
                continue
            if verb == "WS":
                url = f"ws://127.0.0.1:{jp_http_port}{jp_base_url}pipelines/{path}"
                request = tornado.httpclient.HTTPRequest(url, headers=headers)
                try:
                    socket = await tornado.websocket.websocket_connect(request)
                    socket.close()
                    status = 101
                except tornado.httpclient.HTTPClientError as error:
                    status = error.code
            else:
                answer = await ask(path, verb, headers=headers)
                status = answer.code
                if status == 302:  # the one page sends a person to the login
                    assert "/login" in answer.headers["Location"]
                    status = 403
            statuses[f"{verb} {path}"] = status
        return statuses

    return each


def refused(statuses: Statuses) -> None:
    wrong = {place: status for place, status in statuses.items() if status != 403}
    assert statuses
    assert not wrong


def let_in(statuses: Statuses) -> None:
    wrong = {place: status for place, status in statuses.items() if status in (302, 401, 403, 500)}
    assert statuses
    assert not wrong


async def cookies(ask: Any, headers: dict[str, str]) -> tuple[str, str]:
    """What a browser holds after it has opened the lab: its cookies, and the XSRF value."""
    answer = await ask("connections", headers=headers)
    assert answer.code == 200, answer.body
    jar: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_list("Set-Cookie"):
        jar.load(header)
    return "; ".join(f"{name}={one.value}" for name, one in jar.items()), jar["_xsrf"].value


def test_the_table_is_walked() -> None:
    walked = table()
    assert ("events", "WS") in walked
    assert ("local/runs", "POST") in walked
    assert ("local/apis/v2beta1/runs", "PATCH") in walked
    assert len(walked) > 20


# --- a server with a token ----------------------------------------------------------------------


async def test_nobody_enters_without_a_token(knock: Any) -> None:
    refused(await knock({}))
    refused(await knock({"Authorization": "Bearer wrong"}))
    refused(await knock({"Cookie": "username-localhost=forged"}))


@pytest.mark.parametrize("scheme", ["token", "Bearer"])
async def test_a_token_opens_every_route(knock: Any, jp_serverapp: Any, scheme: str) -> None:
    let_in(await knock({"Authorization": f"{scheme} {jp_serverapp.identity_provider.token}"}))


async def test_a_token_is_enough_from_anywhere(knock: Any, jp_serverapp: Any) -> None:
    token = {"Authorization": f"Bearer {jp_serverapp.identity_provider.token}"}
    let_in(await knock(token | EVIL))


async def test_a_login_cookie_changes_nothing_without_xsrf(
    knock: Any, ask: Any, jp_serverapp: Any
) -> None:
    token = {"Authorization": f"token {jp_serverapp.identity_provider.token}"}
    cookie, xsrf = await cookies(ask, token)
    changing = "POST PUT PATCH DELETE"
    refused(await knock({"Cookie": cookie}, verbs=changing))
    refused(await knock({"Cookie": cookie, "X-XSRFToken": "wrong"}, verbs=changing))
    let_in(await knock({"Cookie": cookie, "X-XSRFToken": xsrf}))


async def test_a_login_cookie_is_nothing_in_the_hands_of_another_page(
    knock: Any, ask: Any, jp_serverapp: Any
) -> None:
    token = {"Authorization": f"token {jp_serverapp.identity_provider.token}"}
    cookie, xsrf = await cookies(ask, token)
    for foreign in FOREIGN:
        refused(await knock({"Cookie": cookie, "X-XSRFToken": xsrf, **foreign}))


class TestAuthorizer:
    """The server's own authorizer is asked for every route."""

    @pytest.fixture(params=[DenyAll, ReadOnly])
    def jp_server_config(self, home: Path, request: pytest.FixtureRequest) -> Config:
        return Config(
            {
                "ServerApp": {
                    "jpserver_extensions": {"jupyterlab_pipelines": True},
                    "authorizer_class": request.param,
                },
                "PipelinesApp": {"home": str(home)},
            }
        )

    async def test_it_has_the_last_word(
        self, knock: Any, jp_serverapp: Any, connections: Connections
    ) -> None:
        token = {"Authorization": f"Bearer {jp_serverapp.identity_provider.token}"}
        statuses = await knock(token)
        if isinstance(jp_serverapp.authorizer, DenyAll):
            refused(statuses)
        else:
            looking = {
                place: status
                for place, status in statuses.items()
                if place.startswith(("GET", "WS"))
                or place.endswith(("/describe", "/probe", "/plan"))
            }
            let_in(looking)
            refused({place: statuses[place] for place in statuses.keys() - looking.keys()})
        assert not await _any_runs(connections)


# --- a Kubeflow notebook's server ---------------------------------------------------------------


class TestKubeflowNotebook:
    """No token, any origin allowed, a prefix, and in some images no XSRF check."""

    @pytest.fixture
    def jp_base_url(self) -> str:
        return "/notebook/team-a/my-notebook/"

    @pytest.fixture(params=[False, True], ids=["xsrf", "disable_check_xsrf"])
    def jp_server_config(self, home: Path, request: pytest.FixtureRequest) -> Config:
        return Config(
            {
                "ServerApp": {
                    "jpserver_extensions": {"jupyterlab_pipelines": True},
                    "token": "",
                    "password": "",
                    "allow_origin": "*",
                    "disable_check_xsrf": request.param,
                },
                "PipelinesApp": {"home": str(home)},
            }
        )

    async def test_another_page_can_neither_read_nor_submit(
        self, knock: Any, ask: Any, connections: Connections
    ) -> None:
        cookie, xsrf = await cookies(ask, {})
        for foreign in FOREIGN:
            refused(await knock({"Cookie": cookie, "X-XSRFToken": xsrf, **foreign}))
        assert not await _any_runs(connections)

    async def test_another_page_is_told_nothing_by_cors(self, ask: Any) -> None:
        for headers in ({}, EVIL):
            for method in ("GET", "OPTIONS"):
                answer = await ask("connections", method, headers=headers)
                assert "Access-Control-Allow-Origin" not in answer.headers

    async def test_its_own_page_and_scripts_enter(
        self, knock: Any, ask: Any, jp_http_port: int
    ) -> None:
        cookie, xsrf = await cookies(ask, {})
        for own in (
            {},
            {"Origin": f"http://127.0.0.1:{jp_http_port}"},
            {"Origin": "https://lab.example.com", "X-Forwarded-Host": "lab.example.com"},
            {"Origin": "https://lab.example.com", "Sec-Fetch-Site": "same-origin"},
        ):
            let_in(await knock({"Cookie": cookie, "X-XSRFToken": xsrf, **own}))

    async def test_a_post_without_xsrf_stays_403(self, knock: Any, jp_serverapp: Any) -> None:
        statuses = await knock({}, verbs="POST PUT PATCH DELETE")
        if jp_serverapp.disable_check_xsrf:
            let_in(statuses)  # the operator's own choice; other pages are refused above
        else:
            refused(statuses)


class TestTrustedOrigins:
    """An operator may name origins; that opens the door for them and nobody else."""

    @pytest.fixture(params=["allow_origin", "trusted_origins"])
    def jp_server_config(self, home: Path, request: pytest.FixtureRequest) -> Config:
        portal = "https://portal.example.com"
        named = request.param == "allow_origin"
        return Config(
            {
                "ServerApp": {
                    "jpserver_extensions": {"jupyterlab_pipelines": True},
                    "token": "",
                    "password": "",
                    "allow_origin": portal if named else "*",
                },
                "PipelinesApp": {
                    "home": str(home),
                    "trusted_origins": [] if named else [portal],
                },
            }
        )

    async def test_they_enter(self, knock: Any, ask: Any) -> None:
        cookie, xsrf = await cookies(ask, {})
        ours = {"Cookie": cookie, "X-XSRFToken": xsrf}
        let_in(await knock({**ours, "Origin": "https://portal.example.com"}))
        refused(await knock({**ours, **EVIL}))


async def _any_runs(connections: Connections) -> bool:
    return bool((await connections.service("local").list_runs(RunQuery())).runs)


def test_only_the_link_page_may_be_opened_from_elsewhere() -> None:
    assert {handler for _, handler in ROUTES if handler.navigable} == {LinkHandler}
