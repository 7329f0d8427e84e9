"""The way to an endpoint step by step: which of them fails, why, and what to do about it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ...errors import BadInput, Forbidden, NotFound, PipelinesError, SignInNeeded, UpstreamTimeout
from ...models import ConnectionStep, ConnectionTest
from . import failures, namespaces
from .endpoint import Endpoint
from .listing import RUNS

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
_ADDRESS = "Check the address, and that this server may reach it."


async def look(api: Endpoint, ui: Endpoint, namespace: str) -> ConnectionTest:
    """Tries each step until one fails; never raises, and asks for each thing once."""
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
    try:
        health = await _asked(api, namespaces.HEALTH)
    except (SignInNeeded, Forbidden) as error:
        yield _failed("sign_in", error.message, error.next_step)
        return
    except PipelinesError as error:
        if "certificate" in error.message:  # TLS 1.3 asks for a client's only now
            yield _failed("tls", error.message, _tls_step(error.message))
        else:
            yield _failed("api", error.message, _api_step(api, error))
        return
    if not _HEALTH & health.keys():
        message = f"{api.host} answers, but not as Kubeflow Pipelines does."
        yield _failed("api", message, _api_step(api, None))
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
    asking = endpoint.json("GET", path, query=query, retries=0)
    try:
        return await asyncio.wait_for(asking, PATIENCE)
    except asyncio.TimeoutError:
        raise UpstreamTimeout(
            f"{endpoint.host} has not answered for {PATIENCE:.0f} s.",
            next_step="Check that it is up, and try again.",
        ) from None


def _api_step(api: Endpoint, error: PipelinesError | None) -> str:
    if error is not None and error.http_status in (503, 504):
        return error.next_step
    if not urlsplit(api.host).path:
        return f"The API may be below a path: try {api.host}/pipeline."
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
