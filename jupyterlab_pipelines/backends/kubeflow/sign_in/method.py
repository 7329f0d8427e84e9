"""From a connection's settings to its way of signing in."""

from __future__ import annotations

from pydantic import SecretStr

from ....errors import UnsupportedFeature
from ....models import CookieSignIn, HeaderSignIn, NewConnection, NoSignIn, TokenSignIn
from .base import SignInMethod
from .header import Header, cookie
from .token import BearerToken


def sign_in_method(settings: NewConnection) -> SignInMethod | None:
    """How requests to a connection sign in; null where they need not."""
    given = settings.sign_in
    if isinstance(given, NoSignIn):
        return None
    if isinstance(given, TokenSignIn):
        value = _text(given.token) if given.token is not None else None
        return BearerToken(value, given.file, given.variable, given.command)
    if isinstance(given, CookieSignIn):
        return cookie(_text(given.cookie))
    if isinstance(given, HeaderSignIn):
        return Header(given.header, _text(given.value))
    raise UnsupportedFeature(f"Signing in by {given.method!r} is not possible yet.")


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
