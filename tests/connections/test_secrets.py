"""A canary of every kind of secret is never seen again, wherever one looks."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from jupyterlab_pipelines.backends.kubeflow import kubeflow_backend
from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.connections.secrets import split, without_secrets
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.models import NewConnection, RunQuery
from tests.async_tests import in_loop
from tests.kubeflow import Answer, Cluster, Request, serving

CANARY = "canary-e7d0"


def canary(name: str) -> str:
    """As long as a token that a cluster projects into a pod, and known by any piece of it."""
    return (f"{CANARY}-{name}-" * 100)[:1200]


def every_kind(url: str) -> dict[str, dict[str, Any]]:
    """Sign-ins by method, each of their secrets a canary."""
    token_url = f"{url}/token"
    return {
        "token": {"method": "token", "token": canary("token")},
        "cookie": {"method": "cookie", "cookie": f"session={canary('cookie')}"},
        "dex": {"method": "dex", "username": "ada", "password": canary("dex")},
        "oidc": {
            "method": "oidc", "token_url": token_url, "grant": "password", "client_id": "c",
            "client_secret": canary("client"), "username": "ada",
            "password": canary("oidc"), "refresh_token": canary("refresh"),
        },
        "iap": {
            "method": "iap", "client_id": "c", "app_client_id": "d",
            "app_client_secret": canary("app"), "refresh_token": canary("iap"),
        },
        "header": {"method": "header", "header": "x-user", "value": canary("header")},
    }  # fmt: skip


def connection(url: str, sign_in: dict[str, Any]) -> NewConnection:
    store = {"prefix": "s3://", "access_key": "a", "secret_key": canary("store")}
    given = {"name": "team", "host": url, "sign_in": sign_in, "stores": [store]}
    return NewConnection.model_validate(given)


def test_there_is_a_canary_in_every_secret_there_is() -> None:
    """A field that is added later is to be named here too."""
    secrets = set()
    for sign_in in every_kind("http://h").values():
        found = split(connection("http://h", sign_in))[1]
        assert all(CANARY in value for value in found.values())
        secrets |= {f"{sign_in['method']}.{name.rpartition('.')[2]}" for name in found}
    declared = set()
    schema = json.dumps(NewConnection.model_json_schema())
    definitions = json.loads(schema)["$defs"]
    for definition in definitions.values():
        for name, field in definition["properties"].items():
            if "writeOnly" in json.dumps(field):
                method = definition["properties"].get("method", {}).get("const")
                declared.add((method, name))
    named = {tuple(one.split(".")) for one in secrets}
    assert {one for one in declared if one[0]} <= named
    assert (None, "secret_key") in declared


@pytest.mark.parametrize("method", every_kind(""))
def test_models_do_not_show_them(method: str) -> None:
    one = connection("http://h", every_kind("http://h")[method])
    shown = [repr(one), str(one), one.model_dump_json(), str(one.model_dump()), f"{one!s}"]
    shown += [repr(split(one)[0]), without_secrets(one).model_dump_json()]
    assert CANARY not in "".join(shown)


async def echo_as_text(request: Request) -> Answer:
    """An endpoint that says what it was sent where JSON should be, the longest first."""
    said = sorted([*request.headers.values(), request.body.decode()], key=len, reverse=True)
    failed = request.path.endswith("/token")
    return Answer(400 if failed else 200, "\n".join(said).encode())


async def echo(request: Request) -> Answer:
    """An endpoint that says all that it was sent, in the least fitting places."""
    said = json.dumps([dict(request.headers), request.body.decode(), dict(request.query)])
    if request.path.endswith("/token"):
        return Answer.json({"error": said, "error_description": said}, 400)
    if "evil" in request.path:
        return Answer(302, b"", {"Location": f"https://h/login?said={CANARY}"})
    return Answer.json({"error": said, "message": said, "code": 3}, 400)


@pytest.mark.parametrize("echoing", [echo, echo_as_text], ids=["json", "text"])
@pytest.mark.parametrize("method", every_kind(""))
@in_loop
async def test_an_endpoint_that_echoes_them_gives_nothing_away(
    method: str,
    echoing: Callable[[Request], Awaitable[Answer]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    cluster = Cluster()
    cluster.routers.append(echoing)
    seen: list[str] = []
    async with serving(cluster) as url:
        one = connection(url, every_kind(url)[method])
        connections = Connections()
        seen.append(repr(await connections.add(one)))
        seen.append(repr(await connections.list()))
        seen.append(repr(connections.shown_settings("team")))
        seen.append(repr(await connections.test(one)))
        seen.append(repr(vars(connections)))
        with pytest.raises(PipelinesError) as caught:
            await connections.service("team").list_runs(RunQuery())
        error = caught.value
        seen += [repr(error), error.message, error.next_step, error.body().model_dump_json()]
        seen.append(str(error.status_body()))
        await connections.close()
        urls = [f"{request.path}{request.query}" for request in cluster.seen]
    sent = "".join(str(request.headers) + request.body.decode() for request in cluster.seen)
    if method in ("token", "cookie", "header", "oidc"):
        assert CANARY in sent.replace("%2D", "-"), "the endpoint was to be asked with it"
    output = capfd.readouterr()
    everything = "".join([*seen, *urls, caplog.text, output.out, output.err])
    assert CANARY not in everything


@pytest.mark.parametrize("method", every_kind(""))
def test_backends_and_their_parts_do_not_show_them(method: str) -> None:
    backend = kubeflow_backend(connection("http://h", every_kind("http://h")[method]))
    assert (
        CANARY not in f"{backend!r} {backend} {backend._endpoint!r} {backend._endpoint._sign_in!r}"
    )
