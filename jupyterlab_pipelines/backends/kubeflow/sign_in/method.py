"""From a connection's settings to its way of signing in."""

from __future__ import annotations

import ssl

from pydantic import SecretStr

from .... import models
from .base import SignInMethod
from .command import TokenCommand
from .dex import DexSignIn
from .header import Header, cookie
from .iap import iap_sign_in
from .oidc import OidcSignIn, RefreshTokens
from .token import BearerToken


def sign_in_method(
    settings: models.NewConnection,
    *,
    host: str | None = None,
    certificates: ssl.SSLContext | None = None,
    keeper: RefreshTokens | None = None,
) -> SignInMethod | None:
    """How requests to a connection's host, or another `host` of it, sign in; null: not at all."""
    given = settings.sign_in
    match given:
        case models.NoSignIn():
            return None
        case models.TokenSignIn():
            if given.command is not None:
                return TokenCommand(given.command)
            value = None if given.token is None else _text(given.token)
            return BearerToken(value, given.file, given.variable)
        case models.CookieSignIn():
            return cookie(_text(given.cookie))
        case models.HeaderSignIn():
            return Header(given.header, _text(given.value))
        case models.DexSignIn():
            password = _text(given.password)
            return DexSignIn(host or settings.host, given.username, password, certificates)
        case models.OidcSignIn():
            return OidcSignIn(given, keeper=keeper, certificates=certificates)
        case models.IapSignIn():
            return iap_sign_in(given, certificates=certificates)


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
