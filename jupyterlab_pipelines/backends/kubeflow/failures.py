"""How a request over the network can fail, in the user's words."""

from __future__ import annotations

import email.utils
import ssl
from collections.abc import Mapping
from datetime import datetime, timezone

import httpx

from ...errors import (
    BadInput,
    BadUpstream,
    Conflict,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UnsupportedFeature,
    UpstreamTimeout,
)

#: Seconds without a connection, or without a byte, after which a request is given up.
CONNECT_TIMEOUT = 5.0
IDLE_TIMEOUT = 30.0

#: What an error status of the API is here.
ERRORS: Mapping[int, type[PipelinesError]] = {
    400: BadInput,
    401: SignInNeeded,
    403: Forbidden,
    404: NotFound,
    405: UnsupportedFeature,
    409: Conflict,
    412: Conflict,
    501: UnsupportedFeature,
}


def timeout(idle: float | None = None) -> httpx.Timeout:
    """The limits as httpx takes them."""
    return httpx.Timeout(idle or IDLE_TIMEOUT, connect=CONNECT_TIMEOUT)


class AsErrors:
    """Turns httpx's errors into ours; its texts, which may hold headers, are left behind."""

    def __init__(self, host: str, method: str, idle: float | None = None) -> None:
        self._host = host
        self._method = method
        self._idle = idle or IDLE_TIMEOUT

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        host = self._host
        if isinstance(error, httpx.ConnectTimeout):
            raise Unreachable(
                f"{host} cannot be reached: no connection within {CONNECT_TIMEOUT:.0f} s."
            ) from None
        if isinstance(error, (httpx.ConnectError, httpx.UnsupportedProtocol, httpx.ProxyError)):
            raise Unreachable(f"{host} cannot be reached: {_reason(error)}.") from None
        if isinstance(error, httpx.TimeoutException):
            sent = self._method != "GET"
            raise UpstreamTimeout(
                f"{host} has not answered for {self._idle:.0f} s.",
                next_step="It may have been done all the same: refresh before you try again."
                if sent
                else None,
            ) from None
        cause = _tls_error(error)
        if cause is not None and isinstance(error, (httpx.HTTPError, ssl.SSLError)):
            # TLS 1.3 refuses a client's certificate only after the handshake; httpx lets that pass.
            raise Unreachable(f"{host} cannot be reached: {tls_reason(cause)}.") from None
        if isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)):
            raise BadUpstream(f"{host} broke off its answer.") from None


def _reason(error: httpx.HTTPError) -> str:
    cause = _tls_error(error)
    if cause is not None:
        return tls_reason(cause)
    text = str(error)
    if "Name or service" in text or "getaddrinfo" in text or "nodename" in text:
        return "its name is not known"
    if "refused" in text or "All connection attempts failed" in text:
        return "the connection was refused"
    return "no connection could be made"


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    """The TLS library's own error, which httpx hides below its own."""
    for _ in range(8):
        if error is None or isinstance(error, ssl.SSLError):
            break
        error = error.__cause__ or error.__context__
    return error if isinstance(error, ssl.SSLError) else None


#: OpenSSL's verification codes in the user's words.
_VERIFICATION = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by itself",
    19: "its certificate is signed by an unknown authority",
    20: "its certificate is signed by an unknown authority",
    21: "its certificate is signed by an unknown authority",
    23: "its certificate was revoked",
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}


def tls_reason(error: ssl.SSLError) -> str:
    """Why no TLS connection was made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, f"its certificate: {error.verify_message}")
    text = f"{error.reason or ''} {error}".upper()
    if "CERTIFICATE_REQUIRED" in text or "CERTIFICATE REQUIRED" in text:
        return "it asks for a client certificate"
    if "ALERT" in text and ("UNKNOWN_CA" in text or "CERTIFICATE" in text or "UNKNOWN CA" in text):
        return "it does not accept the client certificate"
    if "WRONG_VERSION" in text or "HTTP_REQUEST" in text or "RECORD_LAYER" in text:
        return "it does not speak TLS at this port"
    return "the TLS handshake failed"


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the endpoint asks to wait; null where it does not say."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
