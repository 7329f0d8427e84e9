"""What stands before a Kubeflow endpoint in the field: Dex behind a session, a token endpoint, TLS.

    gateway = Gateway(cluster, kind="oauth2-proxy")
    async with serving(gateway.outside) as url: ...      # the endpoint is at url + "/pipeline"

A gateway is one origin with the endpoint below `/pipeline`, Dex below `/dex`, and the central
dashboard's `/api`. Its sessions may be ended at any time; `gateway.logins` counts the sign-ins.
"""

from __future__ import annotations

import base64
import contextlib
import html
import secrets
import socket
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any, Literal
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from .cluster import Cluster
from .http import Answer, Request
from .server import Endpoint

#: How an ended session shows: "401" only to a request for JSON, as oauth2-proxy has it.
Ended = Literal["redirect", "page", "forbidden page", "401"]


class Gateway:
    """Lets only requests with a session's cookie pass, and makes sessions by Dex's pages."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        kind: Literal["oauth2-proxy", "authservice"] = "oauth2-proxy",
        user: str = "user@example.com",
        password: str = "12341234",
        connectors: tuple[str, ...] = ("local",),
        approval: bool = False,
        form_method: str = ' method="post"',
    ) -> None:
        self.user, self.password = user, password
        self._form_method = form_method
        self.sessions: set[str] = set()
        self.logins = 0
        self.wrong = 0
        self.ended: Ended = "redirect"
        self.namespaces: list[str] | None = None
        self._kind, self._connectors, self._approval = kind, connectors, approval
        self._inner = Endpoint(cluster)
        self.outside = Cluster()
        self.outside.routers.append(self.answer)
        self._requests: dict[str, dict[str, str]] = {}
        self._codes: dict[str, str] = {}

    async def answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/dex/"):
            return self._dex(request)
        if path == "/oauth2/start":
            return self._start(request)
        if path in ("/oauth2/callback", "/authservice/oidc/callback"):
            return self._callback(request)
        if _cookies(request).get(self._cookie) not in self.sessions:
            return self._without_session(request)
        if path == "/api/workgroup/env-info" and self.namespaces is not None:
            rows = [{"namespace": name, "role": "owner"} for name in self.namespaces]
            return Answer.json({"user": self.user, "namespaces": rows})
        if path.startswith("/pipeline/"):
            inside = replace(request, path=path.removeprefix("/pipeline"), user=self.user)
            return await self._inner.answer(inside)
        return _page("<h1>Dashboard</h1>", 200)

    @property
    def _cookie(self) -> str:
        return "_oauth2_proxy" if self._kind == "oauth2-proxy" else "authservice_session"

    def _without_session(self, request: Request) -> Answer:
        if self.ended == "401" and request.headers.get("accept") == "application/json":
            return Answer(401, b"Unauthorized\n", {"Content-Type": "text/plain"})
        target = urlencode({"rd": request.path})
        if self.ended in ("redirect", "401"):
            if self._kind == "oauth2-proxy":
                return _to(f"/oauth2/start?{target}")
            return self._to_dex(request.path, "/authservice/oidc/callback")
        button = (
            '<form method="GET" action="/oauth2/start">'
            f'<input type="hidden" name="rd" value="{html.escape(request.path)}">'
            '<button type="submit">Sign in with Dex</button></form>'
        )
        return _page(button, 200 if self.ended == "page" else 403)

    def _start(self, request: Request) -> Answer:
        return self._to_dex(request.query.get("rd", "/"), "/oauth2/callback")

    def _to_dex(self, back: str, callback: str) -> Answer:
        state = secrets.token_urlsafe(12)
        self._requests[state] = {"rd": back, "callback": callback}
        query = {
            "client_id": "kubeflow-oidc-authservice", "redirect_uri": callback,
            "response_type": "code", "scope": "openid profile email", "state": state,
        }  # fmt: skip
        return _to(f"/dex/auth?{urlencode(query)}", {"Set-Cookie": f"_csrf={state}; Path=/"})

    def _callback(self, request: Request) -> Answer:
        state = request.query.get("state", "")
        if _cookies(request).get("_csrf") != state or request.query.get("code") not in self._codes:
            return _page("Unable to find a valid CSRF token.", 403)
        self.logins += 1
        session = f"session-{secrets.token_urlsafe(18)}"
        self.sessions.add(session)
        cookie = {"Set-Cookie": f"{self._cookie}={session}; Path=/; HttpOnly"}
        return _to(self._requests[state]["rd"], cookie)

    # --- Dex -----------------------------------------------------------------------------------

    def _dex(self, request: Request) -> Answer:
        path, query = request.path, urlencode(request.query)
        if path == "/dex/auth":
            if len(self._connectors) == 1:
                return _to(f"/dex/auth/{self._connectors[0]}?{query}")
            links = [f'<a href="/dex/auth/{one}?{query}">{one}</a>' for one in self._connectors]
            return _page("".join(links), 200)
        if path in ("/dex/auth/local", "/dex/auth/ldap"):
            return _to(f"{path}/login?{urlencode({'back': '', 'state': request.query['state']})}")
        if path.endswith("/login"):
            if request.method == "GET":
                return self._form(request)
            return self._log_in(request)
        if path == "/dex/approval":
            return self._approve(request)
        return _page("Choose another way.", 404)

    def _form(self, request: Request, said: str = "") -> Answer:
        action = html.escape(f"{request.path}?{urlencode(request.query)}")
        return _page(
            f'<form{self._form_method} action="{action}">{said}'
            '<input required id="login" name="login" type="text"/>'
            '<input required id="password" name="password" type="password"/>'
            '<input type="checkbox" name="remember_me"/>Remember me'
            '<button id="submit-login" type="submit">Login</button></form>',
            200,
        )

    def _log_in(self, request: Request) -> Answer:
        given = dict(parse_qsl(request.body.decode()))
        if set(given) != {"login", "password"}:
            return _page("A browser sends what was typed in, and no more.", 400)
        if (given.get("login"), given.get("password")) != (self.user, self.password):
            self.wrong += 1
            return self._form(request, "Invalid Email Address and password.")
        query = {"req": request.query["state"], "hmac": "abc"}
        return _to(f"/dex/approval?{urlencode(query)}", status=303)

    def _approve(self, request: Request) -> Answer:
        state = request.query["req"]
        if self._approval and request.method == "GET":
            forms = "".join(
                f'<form method="post"><input type="hidden" name="req" value="{state}"/>'
                f'<input type="hidden" name="approval" value="{word}"/>'
                '<button type="submit">Go</button></form>'
                for word in ("approve", "rejected")
            )
            return _page(forms, 200)
        if self._approval and parse_qs(request.body.decode()).get("approval") != ["approve"]:
            return _page("Approval rejected.", 403)
        code = secrets.token_urlsafe(12)
        self._codes[code] = state
        query = urlencode({"code": code, "state": state})
        return _to(f"{self._requests[state]['callback']}?{query}", status=303)


class TokenEndpoint:
    """An OIDC token endpoint such as Keycloak's; the tokens that it gives are `cluster.users`.

    Refresh tokens are good for one use. `asked` counts the grants; `lasts` is in seconds.
    """

    def __init__(self, cluster: Cluster, *, basic: bool = True) -> None:
        self.cluster = cluster
        self.lasts: float = 300
        self.asked: Counter[str] = Counter()
        self.forms: list[dict[str, str]] = []
        self.client = ("pipelines", "client secret: + & é")
        self.user = ("ada", "pass phrase")
        self.refresh_tokens = {"refresh-0"}
        self._basic = basic

    async def answer(self, request: Request) -> Answer | None:
        """A router of a cluster, or the whole of one."""
        if not request.path.endswith("/protocol/openid-connect/token"):
            return None
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        self.forms.append(form)
        if self._client(request.headers, form) != self.client:
            return Answer.json({"error": "invalid_client"}, 401)
        kind = form.get("grant_type", "")
        self.asked[kind] += 1
        refused = Answer.json({"error": "invalid_grant", "error_description": str(form)}, 400)
        if kind == "password" and (form.get("username"), form.get("password")) != self.user:
            return refused
        if kind == "refresh_token":
            if form.get("refresh_token") not in self.refresh_tokens:
                return refused
            self.refresh_tokens = {f"refresh-{secrets.token_urlsafe(12)}"}
        token = f"token-{secrets.token_urlsafe(18)}"
        self.cluster.users[token] = "ada@example.com"
        answer: dict[str, Any] = {"access_token": token, "expires_in": self.lasts}
        if kind == "refresh_token":
            answer["refresh_token"] = next(iter(self.refresh_tokens))
        return Answer.json(answer | {"token_type": "Bearer", "id_token": token})

    def end(self) -> None:
        """No token that was given is good any more."""
        self.cluster.users = {"nobody's": "nobody"}

    def _client(self, headers: Mapping[str, str], form: Mapping[str, str]) -> tuple[str, str]:
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            if not self._basic:
                return ("", "")
            name, _, secret = base64.b64decode(text).decode().partition(":")
            return unquote_plus(name), unquote_plus(secret)
        return form.get("client_id", ""), form.get("client_secret", "")


@contextlib.asynccontextmanager
async def tls(
    upstream: str, context: ssl.SSLContext, name: str = "localhost"
) -> AsyncIterator[str]:
    """TLS before a plain HTTP server; yields the https address.

    On threads: OpenSSL itself then says why it refuses a client, as nginx and Envoy do.
    """
    place = urlsplit(upstream)
    assert place.port is not None
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=meet, args=(accepted,), daemon=True).start()

    def meet(accepted: socket.socket) -> None:
        accepted.settimeout(20)
        try:
            outside = context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        except OSError:
            return
        with outside, contextlib.suppress(OSError):
            try:
                outside.do_handshake()
            except ssl.SSLError:
                _let_it_be_read(outside)
                return
            with socket.create_connection((place.hostname, place.port or 80)) as inside:
                back = threading.Thread(target=_pass_on, args=(inside, outside), daemon=True)
                back.start()
                _pass_on(outside, inside)
                back.join(5)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"https://{name}:{listener.getsockname()[1]}{place.path}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _let_it_be_read(refused: ssl.SSLSocket) -> None:
    """An alert is lost where a connection is closed with data that nobody has read."""
    plain = socket.socket(fileno=refused.detach())
    with plain, contextlib.suppress(OSError):
        plain.settimeout(2)
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(1 << 16):
            pass


def _to(location: str, headers: Mapping[str, str] | None = None, status: int = 302) -> Answer:
    return Answer(status, b"", {"Location": location, **(headers or {})})


def _page(body: str, status: int) -> Answer:
    text = f"<!DOCTYPE html><html><body>{body}</body></html>"
    return Answer(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _cookies(request: Request) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie(request.headers.get("cookie", ""))
    return {name: one.value for name, one in jar.items()}
