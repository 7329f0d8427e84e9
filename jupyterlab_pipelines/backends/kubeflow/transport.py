"""Sends httpx's requests by aiohttp, whose compiled parser costs a third of the time."""

from __future__ import annotations

import asyncio
import errno
import ssl
import urllib.request
import weakref
from collections.abc import AsyncIterator

import aiohttp
import httpx
from yarl import URL

from .download import downloaded

_MOST_CONNECTIONS = 40
#: Of a status line or a header, in bytes: cookies of a sign-in are long.
_LONGEST_LINE = 64 << 10
#: Bytes of an answer that are read ahead of whoever takes them; up to twice as much is held.
_AHEAD = 256 << 10
#: Headers that aiohttp would add of its own.
_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Kept connections, for the event loop that asks first; raises httpx's errors only.

    Nothing is sent twice, no redirect is followed, no cookie kept and nothing unpacked. The
    environment's proxies are used as httpx does.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._answers: weakref.WeakSet[_Answer] = weakref.WeakSet()
        self._proxies = urllib.request.getproxies()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.extensions.get("download") and self._is_plain(request.url):
            return await downloaded(request)
        session = self._open()
        wait = request.extensions.get("timeout", {})
        encoding = request.headers.encoding
        headers = [
            (name.decode(encoding), value.decode(encoding))
            for name, value in request.headers.raw
            if name.lower() != b"transfer-encoding"  # which is aiohttp's to set
        ]
        try:
            response = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=headers,
                data=_body(request),
                allow_redirects=False,
                proxy=self._proxy(request.url),
                ssl=self._tls,
                timeout=aiohttp.ClientTimeout(
                    total=None,
                    connect=wait.get("pool"),
                    sock_connect=wait.get("connect"),
                    sock_read=wait.get("read"),
                ),
            )
        except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, OSError) as error:
            raise _as_httpx(error) from error
        except ValueError as error:  # a header that cannot be sent
            raise httpx.LocalProtocolError("The request cannot be sent.") from error
        answer = _Answer(response)
        self._answers.add(answer)
        return httpx.Response(response.status, headers=list(response.raw_headers), stream=answer)

    async def aclose(self) -> None:
        for answer in [*self._answers]:
            answer.cut()
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:  # which needs a running loop
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_MOST_CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=_ADDED,
                read_bufsize=_AHEAD,
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
            )
            # What may be sent once more is for `Endpoint` to say.
            self._session._retry_connection = False
        return self._session

    def _is_plain(self, url: httpx.URL) -> bool:
        """Neither TLS, beside which other costs do not count, nor a proxy on the way."""
        return url.scheme == "http" and self._proxy(url) is None

    def _proxy(self, url: httpx.URL) -> str | None:
        if not self._proxies or urllib.request.proxy_bypass(url.host):
            return None
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        return proxy if proxy is None or "://" in proxy else f"http://{proxy}"


def _body(request: httpx.Request) -> bytes | AsyncIterator[bytes] | None:
    stream = request.stream
    if isinstance(stream, httpx.ByteStream):
        return request.content or None
    assert isinstance(stream, httpx.AsyncByteStream)
    return aiter(stream)


class _Answer(httpx.AsyncByteStream):
    """The body of an answer, as it comes and no faster than it is taken."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        content = self._response.content
        try:
            while piece := await content.readany():
                yield piece
        except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError, OSError) as error:
            raise _as_httpx(error) from error

    def cut(self) -> None:
        """Ends the waiting for more, which aiohttp leaves when it closes the connection itself."""
        self._response.content.set_exception(aiohttp.ClientConnectionError("It was closed."))

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:  # what is left is not wanted
            self._response.close()


def _as_httpx(error: Exception) -> httpx.HTTPError:
    """The error under httpx's name, with a text of the same words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout("No connection was made in time.")
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return httpx.ReadTimeout("No answer came in time.")
    if isinstance(error, (aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)):
        return httpx.ProxyError(str(error))
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return httpx.UnsupportedProtocol(str(error))
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = error.os_error.errno == errno.ECONNREFUSED
        return httpx.ConnectError("Connection refused" if refused else str(error.os_error))
    if isinstance(error, aiohttp.ClientSSLError):
        return httpx.ConnectError(str(error))
    if isinstance(error, (aiohttp.ClientOSError, OSError)):
        return httpx.ReadError(str(error))
    return httpx.RemoteProtocolError(str(error))
