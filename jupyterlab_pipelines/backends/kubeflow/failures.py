"""How a request over the network can fail, in the user's words."""

from __future__ import annotations

import httpx

from ...errors import BadUpstream, Unreachable, UpstreamTimeout

#: Seconds without a connection, or without a byte, after which a request is given up.
CONNECT_TIMEOUT = 5.0
IDLE_TIMEOUT = 30.0


def timeout() -> httpx.Timeout:
    """The limits as httpx takes them."""
    return httpx.Timeout(IDLE_TIMEOUT, connect=CONNECT_TIMEOUT)


class AsErrors:
    """Turns httpx's errors into ours; its texts, which may hold headers, are left behind."""

    def __init__(self, host: str, method: str) -> None:
        self._host = host
        self._method = method

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
                f"{host} has not answered for {IDLE_TIMEOUT:.0f} s.",
                next_step="It may have been done all the same: refresh before you try again."
                if sent
                else None,
            ) from None
        if isinstance(error, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL)):
            raise BadUpstream(f"{host} broke off its answer.") from None


def _reason(error: httpx.HTTPError) -> str:
    text = str(error)
    if "CERTIFICATE" in text.upper() or "SSL" in text.upper():
        return "its TLS certificate is not trusted"
    if "Name or service" in text or "getaddrinfo" in text or "nodename" in text:
        return "its name is not known"
    if "refused" in text or "All connection attempts failed" in text:
        return "the connection was refused"
    return "no connection could be made"
