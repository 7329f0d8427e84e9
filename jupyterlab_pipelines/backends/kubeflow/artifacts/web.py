"""An artifact's bytes from a web host that the user listed, and from no address behind it."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import httpx

from ....errors import (
    BadUpstream,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UnsupportedFeature,
    UpstreamError,
)
from ...base import ArtifactContent
from ..failures import AsErrors, timeout
from ..tls import Certificates
from .answers import content_of, range_header
from .place import Place, media_type
from .source import Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]

_HOST_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_REDIRECTS = 5
_ERRORS = {401: SignInNeeded, 403: Forbidden, 404: NotFound, 410: NotFound}
#: Addresses of machines' metadata that no property of theirs gives away.
_METADATA = {ipaddress.ip_address("100.100.100.200"), ipaddress.ip_address("fd00:ec2::254")}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the system finds them. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in found]


class WebHosts:
    """The hosts `allowed`: each a name or an address, with `:port` where it is not the usual one.

    A name is resolved once a request, its address checked, and that very address spoken to.
    """

    title = "the web host itself"

    def __init__(
        self,
        allowed: Sequence[str],
        resolve: Resolve = resolved,
        *,
        ca_file: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._allowed = {one.strip().lower().rstrip("/") for one in allowed}
        self._resolve = resolve
        # No proxy of the environment: it would resolve the name once more.
        self._client = httpx.AsyncClient(
            transport=transport,
            verify=Certificates(ca_file).context(),
            timeout=timeout(),
            follow_redirects=False,
            trust_env=False,
        )

    async def open(
        self, wanted: Wanted, place: Place, start: int, end: int | None
    ) -> ArtifactContent:
        """The bytes `[start, end)`. Redirects are followed as far as they stay on the host."""
        opened = self._answer(place.uri, range_header(start, end))
        response = await opened.__aenter__()
        begins = response.headers.get("Content-Range", f"bytes {start}-")
        if response.status_code == 206 and not begins.startswith(f"bytes {start}-"):
            await opened.__aexit__(None, None, None)
            raise BadUpstream("The artifact's host sent another part of it than was asked for.")
        return content_of(
            opened,
            response,
            start,
            end,
            media_type=response.headers.get("Content-Type", "") or media_type(place.name),
            filename=place.name or wanted.name,
        )

    async def close(self) -> None:
        """Closes every connection."""
        await self._client.aclose()

    @asynccontextmanager
    async def _answer(self, url: str, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
        first = self._checked(url)
        target = first
        for _ in range(_REDIRECTS + 1):
            with AsErrors(_origin(target), "GET"):
                response = await self._send(target, headers)
            try:
                if response.status_code not in (301, 302, 303, 307, 308):
                    _check(response, target)
                    with AsErrors(_origin(target), "GET"):
                        yield response
                    return
                location = urljoin(target.geturl(), response.headers.get("Location", ""))
            finally:
                await response.aclose()
            target = self._checked(location)
            if target.netloc != first.netloc or target.scheme != first.scheme:
                raise Forbidden(
                    f"{_origin(first)} redirects to {_origin(target)}; that is not followed.",
                    next_step="Use the address that it redirects to in the pipeline.",
                )
        raise UpstreamError(f"{_origin(first)} redirects again and again.")

    def _checked(self, url: str) -> SplitResult:
        """The address's parts, if its host is listed. Raises Forbidden, UnsupportedFeature."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        well_formed = parts.scheme in ("http", "https") and (
            _literal(host) is not None or _HOST_NAME.fullmatch(host)
        )
        if not well_formed or "@" in parts.netloc or "\\" in url:
            raise UnsupportedFeature(
                "The artifact's web address is not one that is followed.",
                next_step="Correct it in the pipeline.",
            )
        shown = f"[{host}]" if ":" in host else host
        usual = port in (None, 443 if parts.scheme == "https" else 80)
        if f"{shown}:{port}" not in self._allowed and not (usual and shown in self._allowed):
            raise Forbidden(
                f"The artifact lies at the web host {parts.netloc}, which is not listed.",
                next_step="If you trust it, add it to the artifact hosts of the connection.",
            )
        return parts

    async def _send(self, target: SplitResult, headers: dict[str, str]) -> httpx.Response:
        host = target.hostname or ""
        port = target.port or (443 if target.scheme == "https" else 80)
        address = await self._address(host, port)
        spoken_to = f"[{address}]" if address.version == 6 else str(address)
        path = quote(target.path or "/", safe="/%:@!$&'()*+,;=~") + (
            f"?{target.query}" if target.query else ""
        )
        request = self._client.build_request(
            "GET",
            f"{target.scheme}://{spoken_to}:{port}{path}",
            headers={
                "Host": target.netloc,
                "Accept": "*/*",
                "Accept-Encoding": "identity",
                **headers,
            },
            extensions={"sni_hostname": host},
        )
        return await self._client.send(request, stream=True)

    async def _address(self, host: str, port: int) -> Address:
        """The one address that is spoken to. A listed name may not lead inside this machine."""
        literal = _literal(host)
        if literal is not None:
            return literal  # listed as it is
        try:
            found = [ipaddress.ip_address(text) for text in await self._resolve(host, port)]
        except (OSError, ValueError):
            raise Unreachable(f"{host} cannot be reached: its name is not known.") from None
        if not found or any(_is_inside(one) for one in found):
            raise Forbidden(
                f"{host} leads to an address of this machine or of its cloud.",
                next_step="Name a host that is none of these.",
            )
        return found[0]


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_inside(address: Address) -> bool:
    """Whether an address is this machine's, the link's, or the cloud's word about the machine."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = address.ipv4_mapped or address.sixtofour
        if carried is None and address in _NAT64:
            carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if carried is not None:
            return _is_inside(carried)
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address.is_reserved
        or address in _METADATA
    )


def _origin(target: SplitResult) -> str:
    return f"{target.scheme}://{target.netloc}"


def _check(response: httpx.Response, target: SplitResult) -> None:
    status = response.status_code
    if status < 400 or status == 416:
        return
    kind: type[PipelinesError] = _ERRORS.get(status, UpstreamError)
    raise kind(f"{_origin(target)} answered: HTTP {status}.", next_step="Open it in a browser.")
