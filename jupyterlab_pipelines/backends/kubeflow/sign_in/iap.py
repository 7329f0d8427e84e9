"""Google's Identity-Aware Proxy: an id token for the proxy's OAuth client."""

from __future__ import annotations

import asyncio
import functools
import ssl
from datetime import timezone
from typing import Any

from ....errors import SignInNeeded, Unreachable, UpstreamTimeout
from ....models import IapSignIn as Settings
from ....models import OidcSignIn as OidcSettings
from .apart import Apart
from .oidc import OidcSignIn
from .session import MARGIN, Session, SessionSignIn

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
#: Seconds that Google has for one answer, and for all of them.
TIMEOUT = 10.0
PATIENCE = 30.0


class ServiceAccountSignIn(SessionSignIn):
    """The account of a key file, or else the environment's own, signs in by google-auth."""

    next_step = "Check the key file, and that its account may pass the proxy."

    def __init__(self, client_id: str, key_file: str | None) -> None:
        super().__init__()
        self._client_id = client_id
        self._key_file = key_file
        self._attempt = Apart(self._sign_in)

    async def sign_in(self) -> Session:
        try:
            return await self._attempt.outcome(PATIENCE)
        except asyncio.TimeoutError:
            raise UpstreamTimeout(f"Google gave no token within {PATIENCE:.0f} s.") from None

    def _sign_in(self) -> Session:
        from google.auth import exceptions

        try:
            credentials = self._credentials()
        except exceptions.TransportError:
            raise Unreachable("Google's token endpoint cannot be reached.") from None
        except (exceptions.GoogleAuthError, ValueError, OSError) as error:
            # Google's texts may quote what was sent: the kind of error is enough.
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise SignInNeeded(
                f"Google gave no token for the proxy: {reason}.", next_step=self.next_step
            ) from None
        # The expiry is in UTC although it does not say so.
        until = credentials.expiry.replace(tzinfo=timezone.utc).timestamp() - MARGIN
        return Session({"Authorization": f"Bearer {credentials.token}"}, until)

    def _credentials(self) -> Any:
        from google.auth.transport.requests import Request
        from google.oauth2 import id_token, service_account

        request: Any = functools.partial(Request(), timeout=TIMEOUT)
        if self._key_file:
            account: Any = service_account.IDTokenCredentials
            credentials = account.from_service_account_file(
                self._key_file, target_audience=self._client_id
            )
        else:
            find: Any = id_token.fetch_id_token_credentials
            credentials = find(self._client_id, request)
        credentials.refresh(request)
        return credentials


def iap_sign_in(
    settings: Settings,
    *,
    token_url: str = TOKEN_URL,
    certificates: ssl.SSLContext | None = None,
) -> SessionSignIn:
    """A service account's sign-in, or that of a desktop client which the user once allowed."""
    if not settings.app_client_id:
        return ServiceAccountSignIn(settings.client_id, settings.key_file)
    grant = OidcSettings(
        token_url=token_url,
        grant="refresh_token",
        client_id=settings.app_client_id,
        client_secret=settings.app_client_secret,
        refresh_token=settings.refresh_token,
        audience=settings.client_id,
    )
    return OidcSignIn(grant, token="id_token", certificates=certificates)  # noqa: S106
