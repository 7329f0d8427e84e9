"""Fetches pipeline packages from the web, and never from this machine or its own link."""

from __future__ import annotations

import ipaddress
import re
import socket
import urllib.request

import httpx

from ....errors import BadInput
from .packages import MAX_UPLOAD, too_large

_SECONDS = 60.0


def download(url: str) -> tuple[str, bytes]:
    """The name and bytes of a package on the web, with a limit on both size and time.

    Raises BadInput where it cannot be had, or may not: see `is_allowed`.
    """
    if not re.match(r"https?://[^/]", url, re.IGNORECASE):
        raise _refused(f"{url[:200]!r} is not an http(s) address")
    content = bytearray()
    # A proxy of the user's looks names up itself, and has its own rules.
    transport = None if urllib.request.getproxies() else _Checked()
    try:
        with (
            httpx.Client(follow_redirects=True, timeout=_SECONDS, transport=transport) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != 200:
                answer = f"{response.status_code} {response.reason_phrase}"
                raise _refused(f"{response.url.host} answered {answer}")
            for piece in response.iter_bytes():
                content += piece
                if len(content) > MAX_UPLOAD:
                    raise too_large()
            name = response.url.path.rpartition("/")[2]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _refused(str(error) or type(error).__name__) from error
    return name, bytes(content)


def is_allowed(address: str) -> bool:
    """Whether packages may come from this IP address.

    They may not from this machine, nor from its link, where a cloud's metadata service answers.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or ip
    return not (
        mapped.is_loopback
        or mapped.is_link_local
        or mapped.is_unspecified
        or mapped.is_multicast
        or mapped.is_reserved
    )


class _Checked(httpx.HTTPTransport):
    """Connects to the very address that was checked: a name may mean another one the next time."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        address = _address(host, request.url.port or 0)
        checked = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,  # the name's Host among them
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return super().handle_request(checked)


def _address(host: str, port: int) -> str:
    """The first address of a host, all of which are allowed. Raises BadInput."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _refused(f"{host} is not known: {error}") from error
    addresses = [str(one[4][0]) for one in found]
    if not all(map(is_allowed, addresses)):
        raise _refused(f"{host} is this machine, or one of its link: upload the file instead")
    return addresses[0]


def _refused(reason: str) -> BadInput:
    return BadInput(f"package_url.pipeline_url: {reason}.")
