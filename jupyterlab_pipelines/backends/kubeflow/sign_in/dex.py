"""User name and password, given to the login form that stands before the endpoint: Dex's own."""

from __future__ import annotations

import ssl
from urllib.parse import urljoin, urlsplit

import httpx

from ....errors import SignInNeeded, UpstreamError
from .. import failures
from ..tls import default_context
from .forms import Form, Page, read_page
from .session import Session, SessionSignIn

#: Pages and redirects until the endpoint lets the user in.
MAX_HOPS = 20
MAX_PAGE = 1 << 20
#: Dex's ways to a form of name and password; others lead to somebody else's login.
_CONNECTORS = ("local", "ldap")


class DexSignIn(SessionSignIn):
    """Walks from the endpoint over Dex's pages, and back with the cookies of a session.

    Works with oauth2-proxy and authservice before the endpoint. The password is posted only to
    the origin whose page asks for it, never over plain HTTP where the endpoint is not.
    """

    def __init__(
        self, host: str, username: str, password: str, certificates: ssl.SSLContext | None = None
    ) -> None:
        super().__init__()
        self._host = host
        self._username = username
        self._password = password
        self._certificates = certificates

    def secrets(self) -> list[str]:
        cookies = [
            part.partition("=")[2]
            for value in super().secrets()
            for part in value.split("; ")
            if "=" in part
        ]
        return [*super().secrets(), *cookies, self._password]

    async def sign_in(self) -> Session:
        verify = self._certificates or default_context()
        async with httpx.AsyncClient(timeout=failures.timeout(), verify=verify) as client:
            walk = _Walk(client, self._host, self._username, self._password)
            with failures.AsErrors(self._host, "GET"):
                await walk.to_the_end()
            request = client.build_request("GET", self._host + "/apis")
        cookies = request.headers.get("Cookie", "")
        if not cookies:
            raise SignInNeeded(
                f"{self._host} began no session after the sign-in.",
                next_step="It may need no sign-in: choose “none”, or a token.",
            )
        return Session({"Cookie": cookies})


class _Walk:
    """One way through the pages."""

    def __init__(self, client: httpx.AsyncClient, host: str, username: str, password: str) -> None:
        self._client = client
        self._host = host
        self._username = username
        self._password = password
        self._given = False

    async def to_the_end(self) -> None:
        """Ends when the endpoint answers itself. Raises SignInNeeded and UpstreamError."""
        # A request for JSON would be refused with 401 instead of being led to a page.
        request = self._request("GET", self._host + "/apis/v2beta1/healthz")
        for _ in range(MAX_HOPS):
            response, text = await self._send(request)
            if response.is_redirect:
                request = self._request("GET", self._next(response, _target(response)))
                continue
            page = "html" in response.headers.get("Content-Type", "")
            if not page and response.is_success and self._is_host(response):
                return
            if not page or response.status_code >= 500:
                raise UpstreamError(
                    f"{_place(response)} answered HTTP {response.status_code} to the sign-in."
                )
            found = read_page(text)
            if self._given and not found.forms and self._is_host(response):
                return  # signed in; whether it is the API's host shows in the first request
            request = self._on_page(response, found)
        raise SignInNeeded(
            f"{self._host} redirects on and on instead of signing in.",
            next_step="Try it in a browser; give the connection a token or a session's cookie.",
        )

    def _on_page(self, response: httpx.Response, page: Page) -> httpx.Request:
        for form in page.forms:
            password = form.first("password")
            if password is not None:
                return self._log_in(response, form, password)
            if "approval" in form.fields:
                return self._submit(response, form, {"approval": "approve"})
        for form in page.forms:  # oauth2-proxy's page with its one button
            if "/oauth2/" in form.action:
                return self._submit(response, form, {})
        for connector in _CONNECTORS:
            for link in page.links:
                if f"/auth/{connector}" in link.partition("?")[0]:
                    return self._request("GET", self._next(response, link))
        raise SignInNeeded(
            f"{_place(response)} shows no form for a user name and a password.",
            next_step="Sign in with a browser, and give the connection the session's cookie.",
        )

    def _log_in(self, response: httpx.Response, form: Form, password: str) -> httpx.Request:
        if self._given:
            raise SignInNeeded(
                f"{_place(response)} refused the user name or the password.",
                next_step="Change the connection: give both again.",
            )
        if form.method != "post":  # it would go into an address, which others log
            raise SignInNeeded(
                f"{_place(response)} has a login form that does not post the password.",
                next_step="Sign in with a browser, and give the connection the session's cookie.",
            )
        self._given = True
        name = "login" if "login" in form.fields else form.first("text", "email")
        filled = {name or "login": self._username, password: self._password}
        return self._submit(response, form, filled)

    def _submit(
        self, response: httpx.Response, form: Form, filled: dict[str, str]
    ) -> httpx.Request:
        target = self._next(response, form.action or str(response.url))
        if _origin(target) != _origin(str(response.url)):
            raise SignInNeeded(
                f"{_place(response)} would send what is typed in to another host.",
                next_step="Sign in with a browser, and give the connection the session's cookie.",
            )
        kept = {n: v for n, v in form.fields.items() if form.kinds[n] not in ("submit", "button")}
        values = kept | filled
        if form.method == "post":
            return self._request("POST", target, values)
        return self._request("GET", str(httpx.URL(target).copy_merge_params(values)))

    def _request(
        self, method: str, url: str, values: dict[str, str] | None = None
    ) -> httpx.Request:
        accept = {"Accept": "text/html,application/json;q=0.9"}
        return self._client.build_request(method, url, headers=accept, data=values)

    async def _send(self, request: httpx.Request) -> tuple[httpx.Response, str]:
        response = await self._client.send(request, stream=True)
        content = bytearray()
        try:
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MAX_PAGE:
                    break
        finally:
            await response.aclose()
        try:
            return response, content.decode(response.encoding or "utf-8", "replace")
        except (LookupError, ValueError):  # it names an encoding that is none of texts
            return response, content.decode("utf-8", "replace")

    def _next(self, response: httpx.Response, location: str) -> str:
        """Where a page leads to. Raises SignInNeeded where that would be less safe."""
        try:
            target = urljoin(str(response.url), location)
            scheme, _, _ = _origin(target)
        except ValueError:
            raise UpstreamError(
                f"{_place(response)} leads to something that is no address."
            ) from None
        if scheme not in ("http", "https") or (scheme == "http" and response.url.scheme == "https"):
            raise SignInNeeded(
                f"{_place(response)} leads to an address that is not safe: {scheme}://.",
                next_step="Sign in with a browser, and give the connection the session's cookie.",
            )
        return target

    def _is_host(self, response: httpx.Response) -> bool:
        return _origin(str(response.url)) == _origin(self._host)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return (parts.scheme, parts.hostname, port)


def _target(response: httpx.Response) -> str:
    """Where a redirect leads to. Raises UpstreamError."""
    location: str | None = response.headers.get("Location")
    if location is None:
        raise UpstreamError(f"{_place(response)} redirects, but does not say where to.")
    return location


def _place(response: httpx.Response) -> str:
    """A page's address without its query, which may hold what a session is made of."""
    return str(response.url.copy_with(query=None, fragment=None))
