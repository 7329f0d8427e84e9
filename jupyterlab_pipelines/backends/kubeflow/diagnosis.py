"""The way to an endpoint step by step: which of them fails, why, and what to do about it."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ...errors import (
    BadInput,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UpstreamTimeout,
)
from ...models import ConnectionStep, ConnectionTest
from . import failures, namespaces
from .endpoint import Endpoint
from .listing import RUNS

T = TypeVar("T")

_TITLES = {
    "name": "The host's name is known",
    "tcp": "The port answers",
    "tls": "TLS is trusted",
    "sign_in": "You are signed in",
    "api": "It is a Kubeflow Pipelines API",
    "permission": "You may list runs",
    "ui": "The UI server answers",
}
#: What the health of an API, or of a UI server before it, is made of.
_HEALTH = frozenset({"multi_user", "commit_sha", "tag_name", "apiServerReady"})
#: Kubeflow asks for a namespace first and then who you are: in this one nothing need be allowed.
_ANY_NAMESPACE = "kubeflow"
#: Seconds for one answer.
PATIENCE = 10.0
#: Seconds for a sign-in: a command, or a token endpoint that is silent, is told of by name before.
SIGN_IN_PATIENCE = failures.IDLE_TIMEOUT + 5.0
#: Where Kubeflow's gateway has the API, below the dashboard.
_BELOW = "/pipeline"
#: What a page holds that asks to sign in; the dashboard's page has none of it.
_LOGIN = re.compile(rb"<form|password|/auth/|/oauth2/|log[ -]?in|sign[ -]?in", re.IGNORECASE)
_ADDRESS = "Check the address, and that this server may reach it."


async def look(api: Endpoint, ui: Endpoint, namespace: str) -> ConnectionTest:
    """Tries each step until one fails; never raises, and asks for little twice."""
    result = ConnectionTest(ok=True, steps=[])
    found: dict[str, ConnectionStep] = {}
    for part in (_network(api), _service(api, namespace, result), _ui(api, ui)):
        async for step in part:
            found[step.name] = step  # a client's certificate is only refused in use
            result.ok = result.ok and step.state != "failed"
        if not result.ok:
            break
    result.steps = [found.get(name) or _skipped(name) for name in _TITLES]
    return result


# --- to the port -------------------------------------------------------------------------------


async def _network(endpoint: Endpoint) -> AsyncIterator[ConnectionStep]:
    """Name, port and TLS of an endpoint."""
    parts = urlsplit(endpoint.host)
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    if _proxy(parts.scheme, parts.netloc):
        for name in ("name", "tcp", "tls"):
            yield _skipped(name, "Requests go through the proxy that the environment names.")
        return
    try:
        looking = asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        await asyncio.wait_for(looking, failures.CONNECT_TIMEOUT)
    except (OSError, UnicodeError, asyncio.TimeoutError):
        yield _failed("name", f"No address is known for {host}.", "Check the host's spelling.")
        return
    yield _ok("name")
    try:
        await _connect(host, port, None)
    except (OSError, asyncio.TimeoutError) as error:
        yield _failed("tcp", f"No connection to {host}, port {port}: {_why(error)}.", _ADDRESS)
        return
    yield _ok("tcp")
    if parts.scheme != "https":
        yield _skipped("tls", "The address begins with http://.")
        return
    try:
        await _connect(host, port, endpoint.tls)
    except (OSError, asyncio.TimeoutError) as error:
        reason = failures.tls_reason(error) if isinstance(error, ssl.SSLError) else _why(error)
        yield _failed("tls", f"{host}: {reason}.", _tls_step(reason))
        return
    yield _ok("tls")


def _proxy(scheme: str, netloc: str) -> bool:
    return scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(netloc)


async def _connect(host: str, port: int, context: ssl.SSLContext | None) -> None:
    opening = asyncio.open_connection(
        host, port, ssl=context, server_hostname=host if context else None
    )
    _, writer = await asyncio.wait_for(opening, failures.CONNECT_TIMEOUT)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _why(error: BaseException) -> str:
    if isinstance(error, asyncio.TimeoutError):
        return f"none within {failures.CONNECT_TIMEOUT:.0f} s"
    if isinstance(error, ConnectionRefusedError):
        return "it was refused"
    return str(getattr(error, "strerror", "") or "it broke off")


def _tls_step(reason: str) -> str:
    if "authority" in reason or "by itself" in reason:
        return "Give the file of its authority's certificate, if you trust it."
    if "client certificate" in reason:
        return "Give a client certificate that it accepts."
    if "another" in reason:
        return "Use the name that the certificate is for."
    if "does not speak" in reason or "none within" in reason:
        return "Use http://, or the port that speaks TLS."
    return "Ask the administrator of the endpoint to renew its certificate."


# --- at the API --------------------------------------------------------------------------------


async def _service(
    api: Endpoint, namespace: str, result: ConnectionTest
) -> AsyncIterator[ConnectionStep]:
    """Sign-in, API and permission; the first two are only sure once runs were asked for."""
    if (failed := await _entering(api)) is not None:
        yield failed
        return
    try:
        health = await _health(api)
    except PipelinesError as error:
        yield await _no_health(api, error)
        return
    if not _HEALTH & health.keys():
        message = f"{api.host} answers, but not as Kubeflow Pipelines does."
        yield _failed("api", message, await _api_step(api))
        return
    refusal = await _refusal(api, namespace)
    unnamed = isinstance(refusal, BadInput) and not namespace
    telling = await _refusal(api, _ANY_NAMESPACE) if unnamed else refusal
    signed_in = _sign_in(telling, unnamed)
    yield signed_in
    if signed_in.state == "failed":
        return
    if isinstance(refusal, NotFound):
        yield _failed("api", f"{api.host} has no runs of v2beta1.", "It is older than version 2.")
        return
    result.version = _version(health)
    yield _ok("api", result.version)
    with suppress(PipelinesError):
        result.namespaces = (await namespaces.read(api, namespace)).namespaces
    yield _permission(refusal, namespace, result.namespaces)


async def _entering(api: Endpoint) -> ConnectionStep | None:
    """Signs in, which others than the API may have a part in; the step that fails, if one does.

    Somebody unknown asks first: a sign-in would wait for a silent host, and follow one that moved.
    """
    if not api.signs_in:
        return None
    unknown = Endpoint(api.host, tls=api.tls)
    try:
        await _asked(unknown, namespaces.HEALTH)
    except PipelinesError as error:
        if isinstance(error, UpstreamTimeout) or _moved(api, error):
            return _failed("api", error.message, error.next_step)
    finally:
        await unknown.close()
    try:
        await _within(api.sign_in(), SIGN_IN_PATIENCE, "The sign-in")
    except PipelinesError as error:
        refused = isinstance(error, SignInNeeded)
        if not refused and error.message.startswith((f"{api.host} ", f"{api.host}/apis/")):
            return await _no_health(api, error)
        next_step = _ADDRESS if isinstance(error, Unreachable) else error.next_step
        return _failed("sign_in", error.message, next_step)
    return None


async def _health(api: Endpoint) -> dict[str, Any]:
    """The health; nothing where there is a page instead that asks for no sign-in."""
    with suppress(Forbidden):  # a login's page too, which is told from the API's word below
        asking = api.text("GET", namespaces.HEALTH, retries=0, html=True)
        text = await _within(asking, PATIENCE, api.host)
        if not text.lstrip().startswith(b"<"):
            return api.parsed(text)
        if not _LOGIN.search(text) or await _is_below(api):
            return {}
    return await _asked(api, namespaces.HEALTH)


async def _is_below(api: Endpoint) -> bool:
    """Whether the API is where Kubeflow's gateway has it, and the path was left out."""
    if urlsplit(api.host).path:
        return False
    try:
        return bool(_HEALTH & (await _asked(api, _BELOW + namespaces.HEALTH)).keys())
    except PipelinesError:
        return False


async def _no_health(api: Endpoint, error: PipelinesError) -> ConnectionStep:
    """The step that fails where the health is not told."""
    if isinstance(error, (SignInNeeded, Forbidden)):
        return _failed("sign_in", error.message, error.next_step)
    # TLS 1.3 asks for a client's certificate only now.
    if isinstance(error, Unreachable) and "certificate" in error.message:
        return _failed("tls", error.message, _tls_step(error.message))
    if error.http_status in (503, 504) or _moved(api, error):
        return _failed("api", error.message, error.next_step)
    return _failed("api", error.message, await _api_step(api))


def _moved(api: Endpoint, error: PipelinesError) -> bool:
    """Whether the host leads to another scheme of its own, which is no sign-in."""
    return error.http_status == 502 and error.message.startswith(f"{api.host} redirects to ")


async def _refusal(api: Endpoint, namespace: str) -> PipelinesError | None:
    """Why the runs of a namespace may not be listed; null where they may."""
    query = [("page_size", "1")] + ([("namespace", namespace)] if namespace else [])
    try:
        await _asked(api, RUNS, query)
    except PipelinesError as error:
        return error
    return None


def _sign_in(refusal: PipelinesError | None, unnamed: bool) -> ConnectionStep:
    """What an answer on runs says of the sign-in; anybody may ask for the API's health.

    Whoever may or may not list them is known. Any other answer was given before that was looked
    at; `unnamed` says that it was for want of a namespace.
    """
    if isinstance(refusal, SignInNeeded):
        return _failed("sign_in", refusal.message, refusal.next_step)
    if refusal is None or isinstance(refusal, Forbidden):
        return _ok("sign_in")
    if unnamed:
        return _skipped(
            "sign_in",
            "The endpoint asks for a namespace before it looks at who you are.",
            "Give a namespace, so that the sign-in can be tested.",
        )
    return _skipped("sign_in", "The endpoint fails before it says whether it knows you.")


async def _asked(
    endpoint: Endpoint, path: str, query: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """One answer, signed in for if need be; somebody waits for it. Raises our errors."""
    return await _within(
        endpoint.json("GET", path, query=query, retries=0), PATIENCE, endpoint.host
    )


async def _within(asking: Awaitable[T], seconds: float, who: str) -> T:
    try:
        return await asyncio.wait_for(asking, seconds)
    except asyncio.TimeoutError:
        raise UpstreamTimeout(
            f"{who} has not answered for {seconds:.0f} s.",
            next_step="Check that it is up, and try again.",
        ) from None


async def _api_step(api: Endpoint) -> str:
    if await _is_below(api):
        return f"The API is at {api.host}{_BELOW}: change the connection's host to that."
    if not urlsplit(api.host).path:
        return f"The API may be below a path: try {api.host}{_BELOW}."
    return "Give the address before /apis, as in https://kubeflow.example.com/pipeline."


def _permission(refusal: PipelinesError | None, namespace: str, known: list[str]) -> ConnectionStep:
    if refusal is None:
        return _ok("permission", f"In namespace {namespace}." if namespace else "")
    others = [name for name in known if name != namespace]
    choose = f"Choose one of: {', '.join(others)}." if others else "Give a namespace of yours."
    if isinstance(refusal, Forbidden):
        where = f"in namespace {namespace}" if namespace else "without a namespace"
        message = f"The endpoint answered 403: you may not list runs {where}."
        return _failed("permission", message, f"{choose} Or ask its owner for access.")
    if isinstance(refusal, BadInput) and not namespace:
        return _failed("permission", "The endpoint wants a namespace.", choose)
    return _failed("permission", refusal.message, refusal.next_step)


async def _ui(api: Endpoint, ui: Endpoint) -> AsyncIterator[ConnectionStep]:
    """The way to the UI server where it is another host, as one step."""
    if ui is api:
        yield _skipped("ui", "No other host is given for it.")
        return
    async for step in _network(ui):
        if step.state == "failed":
            yield _failed("ui", step.message, step.next_step)
            return
    try:
        health = await _asked(ui, namespaces.HEALTH)
    except PipelinesError as error:
        yield _failed("ui", error.message, error.next_step)
        return
    if _HEALTH & health.keys():
        yield _ok("ui")
    else:
        message = f"{ui.host} answers, but not as the UI server does."
        yield _failed("ui", message, "Give the address of ml-pipeline-ui, or leave it empty.")


def _version(health: dict[str, object]) -> str:
    """What the endpoint calls itself: a release's tag, else the commit it was built from."""
    for name in ("tag_name", "apiServerTagName", "commit_sha", "apiServerCommitHash"):
        value = health.get(name)
        if isinstance(value, str) and value and value != "unknown":
            text = value if "tag" in name.lower() else value[:12]
            return "".join(one for one in text[:60] if one.isprintable())
    return ""


def _ok(name: str, message: str = "") -> ConnectionStep:
    return _step(name, "ok", message)


def _failed(name: str, message: str, next_step: str) -> ConnectionStep:
    return _step(name, "failed", message, next_step)


def _skipped(name: str, message: str = "", next_step: str = "") -> ConnectionStep:
    return _step(name, "skipped", message, next_step)


def _step(name: str, state: str, message: str, next_step: str = "") -> ConnectionStep:
    content = {"name": name, "title": _TITLES[name], "state": state}
    return ConnectionStep.model_validate(content | {"message": message, "next_step": next_step})
