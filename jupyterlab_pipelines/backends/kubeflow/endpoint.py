"""One remote host over HTTP: sign-in, retries, and every failure as one of our errors."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx

from ...errors import BadUpstream, PipelinesError, SignInNeeded, Unreachable, UpstreamError
from ..base import Stream, Write
from . import failures
from .building import built
from .failures import AsErrors
from .sign_in import SignInMethod
from .tls import default_context
from .transport import AiohttpTransport

Query: TypeAlias = Sequence[tuple[str, str]]

RETRIES = 4
#: The longest wait that an endpoint may ask for, in seconds; beyond it the user is told instead.
MAX_RETRY_AFTER = 10.0
#: The largest JSON answer that is read, in bytes.
MAX_JSON = 64 << 20
#: From how many bytes on an answer is parsed on a thread of its own: it takes some milliseconds.
_LARGE = 1 << 20
_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class _Request:
    """A request before it is signed; `html`, `download` and `idle` as in `Endpoint.open`.

    `at_api`: what it is refused with is about the sign-in.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    content: bytes | AsyncIterator[bytes]
    html: bool
    download: bool
    idle: float | None
    at_api: bool


class Endpoint:
    """The API below `host`, which may have a path. Nothing but this host is ever asked.

    Every method raises only our errors; their texts never hold a secret of the sign-in. `api` is
    the path below which a refusal is about the sign-in; beside it others may stand at the door.
    """

    def __init__(
        self,
        host: str,
        sign_in: SignInMethod | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        api: str = "/apis/",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.host = host.rstrip("/")
        parts = urlsplit(self.host)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._sign_in = sign_in
        self._api = api
        self.tls = tls or default_context()
        self._sleep = sleep
        self._under_way = 0
        self._left = time.monotonic()
        self._client = httpx.AsyncClient(
            transport=transport or AiohttpTransport(self.tls),
            follow_redirects=False,
        )

    async def close(self) -> None:
        """Closes every connection; what is still under way fails."""
        await self._client.aclose()

    async def unused(self, seconds: float) -> None:
        """Waits until nothing has been asked and no answer been read for so long."""
        # No event tells that nothing has happened for a while.
        while self._under_way or time.monotonic() - self._left < seconds:  # noqa: ASYNC110
            await asyncio.sleep(seconds / 5)

    @property
    def signs_in(self) -> bool:
        """Whether requests carry anything that says who asks."""
        return self._sign_in is not None

    async def sign_in(self) -> None:
        """Signs in beforehand, should a request have to. Raises what that raises."""
        if self._sign_in is not None:
            await self._sign_in.headers()

    async def json(
        self, method: str, path: str, *, query: Query = (), body: Any = None, retries: int = RETRIES
    ) -> dict[str, Any]:
        """The JSON object that the endpoint answers; an error status is raised."""
        text = await self.text(method, path, query=query, body=body, retries=retries)
        if len(text) < _LARGE:
            return self.parsed(text)
        return await built(lambda: self.parsed(text))

    async def value(
        self,
        method: str,
        path: str,
        *,
        retries: int = RETRIES,
        html: bool = False,
        at_origin: bool = False,
    ) -> Any:
        """Any JSON that is answered; an error status is raised. The rest as in `open`."""
        return self._value_of(
            await self.text(method, path, retries=retries, html=html, at_origin=at_origin)
        )

    def parsed(self, text: bytes) -> dict[str, Any]:
        """The JSON object that is an answer's text. Raises BadUpstream where it is none."""
        answer = self._value_of(text)
        if not isinstance(answer, dict):
            raise self._not_json(json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace"))
        return answer

    def _value_of(self, text: bytes) -> Any:
        try:
            value = json.loads(text or b"{}")
            if b"\\ud" in text or b"\\uD" in text:  # half a character, which we could not pass on
                json.dumps(value, ensure_ascii=False).encode()
            return value
        except (ValueError, RecursionError):
            raise self._not_json(text) from None

    async def text(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: Any = None,
        retries: int = RETRIES,
        html: bool = False,
        at_origin: bool = False,
    ) -> bytes:
        """The text of what should be JSON; an error status is raised. The rest as in `open`."""
        headers = {"Accept": "application/json"}
        content = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        opened = self.open(
            method, path, query, headers, content, retries=retries, html=html, at_origin=at_origin
        )
        async with opened as response:
            text = await self._whole(response)
        if response.status_code >= 400:
            raise self.refusal(response.status_code, text)
        return text

    @asynccontextmanager
    async def open(
        self,
        method: str,
        path: str,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        content: bytes | AsyncIterator[bytes] = b"",
        *,
        retries: int = RETRIES,
        html: bool = False,
        at_origin: bool = False,
        download: bool = False,
        idle: float | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to be read; any status but a sign-in's is returned.

        Only a GET is sent twice, and once more what a sign-in's door turned away, unless it is a
        stream. `html` says that a page is what is asked for; else one is taken for a login.
        `at_origin` leaves the path of the host out. `download`: the body may be large, and is
        wanted to its end. `idle`: how many seconds silence may last, if not as usual. What breaks
        while the body is read is raised as our error too.
        """
        request = _Request(
            method,
            (self._origin if at_origin else self.host) + path,
            tuple(query),
            headers or {},
            content,
            html,
            download,
            idle,
            at_api=not at_origin and path.startswith(self._api),
        )
        self._under_way += 1
        try:
            response = await self._answer(request, retries)
            try:
                if (error := self._signed_out(response, html=html)) is not None:
                    raise error
                with self._as_errors(request):
                    yield response
            finally:
                await response.aclose()
        finally:
            self._under_way -= 1
            self._left = time.monotonic()

    def refusal(self, status: int, text: bytes) -> PipelinesError:
        """An answer with an error status as our error, with what the endpoint says of it."""
        reason = ""
        try:
            content = json.loads(text)
            reason = str(content.get("message") or content.get("error") or "")
        except (ValueError, AttributeError, RecursionError):
            reason = ""
        kind = failures.ERRORS.get(status, UpstreamError)
        said = self.excerpt(reason.encode(), 600) if reason else f"HTTP {status}"
        return kind(f"{self.host} answered: {said}")

    # --- one request ---------------------------------------------------------------------------

    async def _answer(self, request: _Request, retries: int) -> httpx.Response:
        again = request.method == "GET"
        renewed = False
        attempt = 0
        while True:
            signed = await self._signature()
            try:
                with self._as_errors(request):
                    response = await self._send(request, signed)
            except BadUpstream:
                if not again or attempt >= retries:
                    raise
                pause: float | None = None
            else:
                # What was turned away at the door has not been done.
                kept = isinstance(request.content, bytes) and _turned_away(response)
                if self._may_renew(response, request, signed) and (again or kept) and not renewed:
                    await response.aclose()
                    renewed = True
                    continue
                if not (again and response.status_code in _RETRIED and attempt < retries):
                    return response
                pause = failures.retry_after(response)
                if pause is not None and pause > MAX_RETRY_AFTER:
                    return response
                await response.aclose()
            jittered = 0.25 * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 (no secret)
            await self._sleep(jittered if pause is None else pause)
            attempt += 1

    async def _signature(self) -> Mapping[str, str]:
        """The sign-in's headers. Raises SignInNeeded on one that cannot be sent."""
        if self._sign_in is None:
            return {}
        signed = await self._sign_in.headers()
        if not all(one.isascii() and one.isprintable() for one in (*signed, *signed.values())):
            raise SignInNeeded(
                "The sign-in's header has characters that no header can have.",
                next_step=self._sign_in.next_step,
            )
        return signed

    def _may_renew(
        self, response: httpx.Response, request: _Request, signed: Mapping[str, str]
    ) -> bool:
        """Whether it was the sign-in that was refused, and another one can be made."""
        if self._sign_in is None:
            return False
        if isinstance(self._signed_out(response, html=request.html), SignInNeeded):
            refused = self._sign_in.refused if request.at_api else self._sign_in.refused_elsewhere
            return refused(signed)
        if response.is_success and request.at_api:
            self._sign_in.accepted(signed)
        return False

    async def _send(self, request: _Request, signed: Mapping[str, str]) -> httpx.Response:
        if self._client.is_closed:
            raise Unreachable(
                f"The connection to {self.host} was changed meanwhile.", next_step="Try again."
            )
        built = self._client.build_request(
            request.method,
            request.url,
            params=request.query or None,
            # Unpacked bytes have lengths and ranges that can be passed on.
            headers={"Accept-Encoding": "identity", **request.headers, **signed},
            content=request.content or None,
            timeout=failures.timeout(request.idle),
            extensions={"download": request.download},
        )
        return await self._client.send(built, stream=True)

    async def _whole(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > MAX_JSON:
                raise BadUpstream(f"{self.host} answered more than {MAX_JSON >> 20} MiB of JSON.")
        return bytes(content)

    # --- failures ------------------------------------------------------------------------------

    def _signed_out(self, response: httpx.Response, *, html: bool) -> PipelinesError | None:
        """What an answer says where it comes from a sign-in's door, not from the API."""
        status = response.status_code
        if 300 <= status < 400 and status != 304:
            return self._redirected(response.headers.get("Location", ""))
        content_type = response.headers.get("Content-Type", "").lower()
        page = content_type.startswith(("text/html", "application/xhtml"))
        if status == 401 or (page and not html and status in (200, 403)):
            return SignInNeeded(f"{self.host} asks to sign in.", next_step=self._to_sign_in())
        return None

    def _redirected(self, location: str) -> PipelinesError:
        try:
            target, own = urlsplit(location), urlsplit(self.host)
            moved = target.hostname == own.hostname and target.scheme != own.scheme
        except ValueError:
            moved = False
        if moved:
            return UpstreamError(
                f"{self.host} redirects to {target.scheme}://.",
                next_step=f"Change the connection's host to one of {target.scheme}://.",
            )
        return SignInNeeded(f"{self.host} redirects to a sign-in.", next_step=self._to_sign_in())

    def _to_sign_in(self) -> str:
        if self._sign_in is None:
            return "Change the connection: choose how to sign in, for instance by a token."
        return self._sign_in.next_step

    def _as_errors(self, request: _Request) -> AsErrors:
        return AsErrors(self.host, request.method, request.idle)

    def _not_json(self, text: bytes) -> BadUpstream:
        return BadUpstream(
            f"{self.host} answered something that is not its protocol: {self.excerpt(text, 200)}",
            next_step="Check that the host is the address of a Kubeflow Pipelines API.",
        )

    def excerpt(self, text: bytes, length: int, concealed: Sequence[str] = ()) -> str:
        """The first `length` characters, escaped; secrets and what is `concealed` are `***`."""
        secrets = () if self._sign_in is None else self._sign_in.secrets()
        hidden = {one.encode() for one in (*secrets, *concealed) if one}
        shown = _masked(text, length * 4, hidden).decode("utf-8", "replace")[:length]
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def _turned_away(response: httpx.Response) -> bool:
    """Not so with a page, which may also be what a request has led to."""
    return response.status_code == 401 or 300 <= response.status_code < 400


def _masked(text: bytes, length: int, secrets: Iterable[bytes]) -> bytes:
    """The beginning of a text, at least what its first `length` bytes say, without secrets."""
    longest_first = sorted(secrets, key=len, reverse=True)  # one may be a part of another
    window = length + max(map(len, longest_first), default=0)
    shown = text[:window]
    for secret in longest_first:
        shown = shown.replace(secret, b"***")
    if len(text) <= window:
        return shown
    # What was masked has moved the end nearer: a secret that is cut there would be shown.
    begun = (
        size
        for secret in longest_first
        for size in range(1, len(secret))
        if shown.endswith(secret[:size])
    )
    cut = max(begun, default=0)
    return shown[:-cut] + b"***" if cut else shown


def opened_body(
    opened: AbstractAsyncContextManager[httpx.Response],
    response: httpx.Response,
    skipped: int = 0,
    wanted: int | None = None,
) -> Stream:
    """The body of an answer that `open` gave, as it comes; closing it closes the answer.

    Without its first `skipped` bytes, and `wanted` at most. Raises our errors where it breaks.
    """
    left = False

    async def leave(error: BaseException | None = None) -> None:
        nonlocal left
        if not left:
            left = True
            await opened.__aexit__(type(error) if error else None, error, None)

    async def pieces() -> AsyncGenerator[bytes, None]:
        to_skip, to_send = skipped, wanted
        try:
            async for whole in response.aiter_raw():
                piece = whole[to_skip:]
                to_skip = max(0, to_skip - len(whole))
                if to_send is not None:
                    piece = piece[:to_send]
                    to_send -= len(piece)
                if piece:
                    yield piece
                if to_send == 0:
                    break
        except Exception as error:
            await leave(error)  # which raises it as one of ours
            raise

    async def chunks(write: Write) -> None:
        try:
            await response.extensions["pass_on"](write)
        except Exception as error:
            await leave(error)
            raise

    whole = not skipped and wanted is None
    return Stream(pieces(), leave, chunks if whole and "pass_on" in response.extensions else None)
