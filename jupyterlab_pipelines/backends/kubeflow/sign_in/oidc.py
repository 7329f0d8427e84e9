"""Bearer tokens from an OIDC token endpoint, such as Keycloak's; refreshed before they end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import httpx

from ....errors import BadUpstream, SignInNeeded, UpstreamError
from ....models import OidcSignIn as Settings
from .. import failures
from ..tls import default_context
from .session import Session, SessionSignIn, lasting

#: Told of a refresh token that replaces the last one; without an argument, asked for the last.
RefreshTokens = Callable[[str | None], str]


class OidcSignIn(SessionSignIn):
    """One of three grants. A refresh token that is replaced with each use is kept by `keeper`.

    `keeper(new)` keeps a token; `keeper(None)` is the one kept last, maybe by another process.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        keeper: RefreshTokens | None = None,
        certificates: ssl.SSLContext | None = None,
        token: str = "access_token",  # noqa: S107 (a field's name)
    ) -> None:
        super().__init__()
        self._field = token
        self._settings = settings
        self._keeper = keeper
        self._certificates = certificates
        self._refresh_token = _text(settings.refresh_token)
        if settings.grant != "password":
            self.next_step = "Check the connection's client and its secret."

    def secrets(self) -> list[str]:
        given = self._settings
        own = [_text(given.client_secret), _text(given.password), self._refresh_token]
        return [*super().secrets(), *(one for one in own if one)]

    async def sign_in(self) -> Session:
        verify = self._certificates or default_context()
        async with httpx.AsyncClient(timeout=failures.timeout(), verify=verify) as client:
            if self._settings.grant != "refresh_token":
                return self._session_of(await self._ask(client, self._grant()))
            return await self._refresh(client)

    async def renewed(self) -> bool:
        if self._keeper is None or self._settings.grant != "refresh_token":
            return False
        kept = await asyncio.to_thread(self._keeper, None)
        return kept not in ("", self._refresh_token)

    async def _refresh(self, client: httpx.AsyncClient) -> Session:
        if self._keeper is not None:  # another process may have used the last one up
            kept = await asyncio.to_thread(self._keeper, None)
            self._refresh_token = kept or self._refresh_token
        answer = await self._ask(client, self._grant())
        session = self._session_of(answer)
        replaced = answer.get("refresh_token")
        if isinstance(replaced, str) and replaced and replaced != self._refresh_token:
            self._refresh_token = replaced
            if self._keeper is not None:
                await asyncio.to_thread(self._keeper, replaced)
        return session

    def _grant(self) -> dict[str, str]:
        given = self._settings
        values = {"grant_type": str(given.grant)}
        if given.grant == "password":
            values |= {"username": given.username, "password": _text(given.password)}
        elif given.grant == "refresh_token":
            values["refresh_token"] = self._refresh_token
        optional = {"scope": given.scope, "audience": given.audience}
        return values | {name: value for name, value in optional.items() if value}

    async def _ask(self, client: httpx.AsyncClient, grant: dict[str, str]) -> dict[str, Any]:
        """The token endpoint's answer; the client is named as HTTP Basic, else in the form."""
        url, client_id = self._settings.token_url, self._settings.client_id
        secret = _text(self._settings.client_secret)
        accept = {"Accept": "application/json"}
        with failures.AsErrors(url, "GET"):
            if secret:
                auth = httpx.BasicAuth(_quoted(client_id), _quoted(secret))
                response = await client.post(url, data=grant, auth=auth, headers=accept)
                if _error_code(response) != "invalid_client":
                    return _answer(response, url, self.next_step)
            named = {"client_id": client_id} | ({"client_secret": secret} if secret else {})
            response = await client.post(url, data=grant | named, headers=accept)
        return _answer(response, url, self.next_step)

    def _session_of(self, answer: dict[str, Any]) -> Session:
        token = answer.get(self._field)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise BadUpstream(
                f"{self._settings.token_url} answered something that is no {self._field}.",
                next_step="Check that it is the address of an OIDC token endpoint.",
            )
        return Session({"Authorization": f"Bearer {token}"}, lasting(answer.get("expires_in")))


def _answer(response: httpx.Response, url: str, next_step: str) -> dict[str, Any]:
    if response.is_success:
        return _json(response)
    code = _error_code(response)
    if code or response.status_code in (400, 401, 403):
        raise SignInNeeded(
            f"{url} gave no token: {code or f'HTTP {response.status_code}'}.", next_step=next_step
        )
    raise UpstreamError(f"{url} answered HTTP {response.status_code}.")


def _error_code(response: httpx.Response) -> str:
    """The standard's word for what is wrong; any other text may hold what was sent."""
    code = _json(response).get("error") if response.status_code in (400, 401, 403) else None
    return code if isinstance(code, str) and code.replace("_", "").isalpha() else ""


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _quoted(text: str) -> str:
    """As OAuth wants it in HTTP Basic: form-encoded first."""
    return quote_plus(text)


def _text(secret: Any) -> str:
    return "" if secret is None else str(secret.get_secret_value())
