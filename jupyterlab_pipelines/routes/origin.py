"""Whether a request comes from a page of another origin: pure, over the request's headers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


def foreign_origin(
    headers: Mapping[str, str], trusted: Callable[[str], bool], *, navigation: bool = False
) -> str | None:
    """The origin of the page that sent the request, if that is not ours; else null.

    A request without any sign of a browser is a script's and never foreign. `navigation` lets a
    link on another page open the address, which tells that page nothing.
    """
    origin = headers.get("Origin") or headers.get("Sec-Websocket-Origin")
    if origin and trusted(origin):
        return None
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        # The browser itself says it, pages cannot forge it, and no proxy rewrites it.
        opened = navigation and headers.get("Sec-Fetch-Mode") == "navigate"
        ours = opened or site in ("same-origin", "none")
        return None if ours else origin or f"a {site} page"
    source = origin or headers.get("Referer")
    if not source or _authority(source) in _hosts(headers, source.partition(":")[0]):
        return None
    return origin or "another page"


def _hosts(headers: Mapping[str, str], scheme: str) -> set[tuple[str, int] | None]:
    """What the browser may call this server: its own host, or that of the proxies in front.

    A page can set no `X-Forwarded-Host` on a WebSocket, nor on a request without our consent.
    """
    names = [headers.get("Host", ""), *headers.get("X-Forwarded-Host", "").split(",")]
    for part in headers.get("Forwarded", "").replace(",", ";").split(";"):
        key, _, value = part.strip().partition("=")
        if key.lower() == "host":
            names.append(value.strip('"'))
    # An authority that cannot be read equals nothing, not even another such.
    return {_authority(f"{scheme}://{name.strip()}") for name in names if name.strip()} - {None}


def _authority(url: str) -> tuple[str, int] | None:
    """Host and port, the default port filled in; null for `null` and whatever is no address."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None
