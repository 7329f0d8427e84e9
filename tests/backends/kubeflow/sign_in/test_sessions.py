"""Signing in at servers that speak the protocols of Dex, oauth2-proxy, Keycloak and Google."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import jwt
from pydantic import SecretStr

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, kubeflow_backend
from jupyterlab_pipelines.backends.kubeflow.sign_in import iap, session
from jupyterlab_pipelines.backends.kubeflow.sign_in.iap import iap_sign_in
from jupyterlab_pipelines.errors import PipelinesError, SignInNeeded, Unreachable
from jupyterlab_pipelines.models import IapSignIn, NewConnection, Submission
from tests.async_tests import in_loop
from tests.backends.kubeflow.sign_in.asking import names
from tests.kubeflow import Answer, Cluster, Request, serving
from tests.kubeflow.doors import Ended, Gateway, TokenEndpoint
from tests.kubeflow.faults import fault_proxy, is_silent

SPEC = {"pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "root": {"dag": {}}}


def cluster_with_a_run() -> Cluster:
    cluster = Cluster()
    cluster.add_run("train", spec=SPEC)
    return cluster


def backend_of(host: str, sign_in: dict[str, Any], **more: Any) -> KubeflowBackend:
    given = {"name": "team", "host": host, "sign_in": sign_in}
    return kubeflow_backend(NewConnection.model_validate(given), **more)


async def refusal(backend: KubeflowBackend) -> str:
    with pytest.raises(SignInNeeded) as caught:
        await names(backend)
    await backend.close()
    return f"{caught.value.message} {caught.value.next_step}"


# --- Dex ----------------------------------------------------------------------------------------

DEX = {"method": "dex", "username": "user@example.com", "password": "12341234"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": "authservice"},
        {"connectors": ("google", "local")},
        {"connectors": ("google", "ldap")},
        {"approval": True},
    ],
    ids=["oauth2-proxy", "authservice", "two connectors", "ldap", "approval"],
)
@in_loop
async def test_a_password_passes_dexs_form(options: Any) -> None:
    gateway = Gateway(cluster_with_a_run(), **options)
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX)
        assert await names(backend) == ["train"]
        await asyncio.gather(*(names(backend) for _ in range(10)))
        assert gateway.logins == 1
        await backend.close()


@pytest.mark.parametrize("ended", ["redirect", "page", "forbidden page", "401"])
@in_loop
async def test_an_ended_session_is_renewed_once_for_everybody(ended: Ended) -> None:
    gateway = Gateway(cluster_with_a_run())
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX)
        await names(backend)
        gateway.sessions.clear()
        gateway.ended = ended
        seen = await asyncio.gather(*(names(backend) for _ in range(20)))
        assert seen == [["train"]] * 20
        assert gateway.logins == 2
        await backend.close()


@pytest.mark.parametrize("ended", ["redirect", "401"])
@in_loop
async def test_what_starts_a_run_is_sent_again_after_the_session_was_renewed(ended: Ended) -> None:
    cluster = cluster_with_a_run()
    gateway = Gateway(cluster)
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX)
        await names(backend)
        gateway.sessions.clear()
        gateway.ended = ended
        await backend.submit(Submission(pipeline=SPEC))
        assert cluster.asked["POST /apis/v2beta1/runs"] == 1
        assert gateway.logins == 2
        await backend.close()


@pytest.mark.parametrize("ended", ["page", "forbidden page"])
@in_loop
async def test_what_a_page_answers_is_never_sent_twice_but_the_next_time_works(
    ended: Ended,
) -> None:
    cluster = cluster_with_a_run()
    gateway = Gateway(cluster)
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX)
        await names(backend)
        gateway.sessions.clear()
        gateway.ended = ended
        with pytest.raises(SignInNeeded):
            await backend.submit(Submission(pipeline=SPEC))
        assert cluster.asked["POST /apis/v2beta1/runs"] == 0
        await backend.submit(Submission(pipeline=SPEC))
        assert cluster.asked["POST /apis/v2beta1/runs"] == 1
        await backend.close()


@in_loop
async def test_a_wrong_password_is_told_and_not_tried_again_and_again() -> None:
    gateway = Gateway(cluster_with_a_run())
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX | {"password": "wrong-canary"})
        for _ in range(3):
            with pytest.raises(SignInNeeded, match="refused the user name or the password") as got:
                await names(backend)
            assert "wrong-canary" not in f"{got.value.message}{got.value.next_step}"
        assert gateway.wrong == 1
        await backend.close()


@pytest.mark.parametrize("form_method", ["", ' method="get"', ' method="dialog"'])
@in_loop
async def test_a_password_is_never_put_into_an_address(
    form_method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = Gateway(cluster_with_a_run(), form_method=form_method)
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX)
        said = await refusal(backend)
    assert "does not post the password" in said
    assert "session's cookie" in said
    sent = "".join(f"{one.path}{one.query}" for one in gateway.outside.seen)
    assert DEX["password"] not in f"{sent}{said}{caplog.text}"


@in_loop
async def test_a_refusal_is_waited_out_longer_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(session, "monotonic", lambda: clock[0])
    gateway = Gateway(cluster_with_a_run())
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", DEX | {"password": "wrong"})
        for waited, tries in ((0, 1), (59, 1), (2, 2), (61, 2), (60, 3), (9999, 4)):
            clock[0] += waited
            with pytest.raises(SignInNeeded):
                await names(backend)
            assert gateway.wrong == tries
        gateway.password = "wrong"  # the administrator has set it again
        clock[0] += 9999
        assert await names(backend) == ["train"]
        await backend.close()


@in_loop
async def test_a_sign_in_that_changes_nothing_is_not_made_again_and_again() -> None:
    gateway = Gateway(cluster_with_a_run())
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/elsewhere", DEX)  # the dashboard's page
        for _ in range(5):
            with pytest.raises(SignInNeeded) as caught:
                await names(backend)
        assert "path" in caught.value.next_step
        assert gateway.logins == 2
        await backend.close()


@in_loop
async def test_a_password_is_never_sent_to_another_origin_than_its_page_is_of() -> None:
    stolen: list[bytes] = []

    async def thief(request: Request) -> Answer:
        stolen.append(request.body)
        return Answer(200, b"thanks")

    evil = Cluster()
    evil.routers.append(thief)
    async with serving(evil) as evil_url:

        async def forger(request: Request) -> Answer:
            form = f'<form method=post action="{evil_url}/x"><input type=password name=password>'
            return Answer(200, form.encode(), {"Content-Type": "text/html"})

        cluster = Cluster()
        cluster.routers.append(forger)
        async with serving(cluster) as url:
            assert "to another host" in await refusal(backend_of(url, DEX))
    assert stolen == []


@in_loop
async def test_a_login_that_only_a_browser_can_pass_is_told() -> None:
    gateway = Gateway(cluster_with_a_run(), connectors=("google", "github"))
    async with serving(gateway.outside) as url:
        text = await refusal(backend_of(f"{url}/pipeline", DEX))
        assert "no form for a user name and a password" in text
        assert "state=" not in text


@in_loop
async def test_pages_that_lead_in_circles_end() -> None:
    async def circle(request: Request) -> Answer:
        return Answer(302, b"", {"Location": "/login"})

    cluster = Cluster()
    cluster.routers.append(circle)
    async with serving(cluster) as url:
        assert "redirects on and on" in await refusal(backend_of(url, DEX))


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (Answer(302, b""), "does not say where to"),
        (Answer(302, b"", {"Location": "http://[::1/x"}), "broke off"),
        (Answer(302, b"", {"Location": "http://host:99999/"}), "no address"),
        (Answer(200, b"<a href='http://[x/y'>", {"Content-Type": "text/html"}), "no form"),
        (Answer(200, b"<form>", {"Content-Type": "text/html; charset=hex"}), "no form"),
    ],
    ids=["no place", "no address", "no port", "no link", "no encoding"],
)
@in_loop
async def test_what_no_browser_could_follow_is_told(answered: Answer, said: str) -> None:
    async def odd(request: Request) -> Answer:
        return answered

    cluster = Cluster()
    cluster.routers.append(odd)
    async with serving(cluster) as url:
        backend = backend_of(url, DEX)
        with pytest.raises(PipelinesError, match=said):
            await names(backend)
        await backend.close()


# --- a session's cookie by value ----------------------------------------------------------------


@in_loop
async def test_a_cookie_signs_in_until_its_session_ends() -> None:
    gateway = Gateway(cluster_with_a_run())
    gateway.sessions.add("given")
    cookie = {"method": "cookie", "cookie": "_oauth2_proxy=given"}
    async with serving(gateway.outside) as url:
        backend = backend_of(f"{url}/pipeline", cookie)
        assert await names(backend) == ["train"]
        gateway.sessions.clear()
        text = await refusal(backend)
        assert "new session's cookie" in text
        assert "given" not in text


@in_loop
async def test_a_header_of_the_users_own_signs_in() -> None:
    cluster = cluster_with_a_run()
    cluster.multi_user = True
    run = next(iter(cluster.runs.values()))
    cluster.experiments[run.experiment_id].namespace = "team-a"
    cluster.access.add(("ada@example.com", "team-a"))
    header = {"method": "header", "header": "kubeflow-userid", "value": "ada@example.com"}
    async with serving(cluster) as url:
        given = {"name": "t", "host": url, "namespace": "team-a", "sign_in": header}
        backend = kubeflow_backend(NewConnection.model_validate(given))
        assert await names(backend, namespace="team-a") == []
        assert cluster.seen[-1].headers["kubeflow-userid"] == "ada@example.com"
        await backend.close()


# --- an OIDC token endpoint ---------------------------------------------------------------------


def oidc(url: str, endpoint: TokenEndpoint, grant: str) -> dict[str, Any]:
    return {
        "method": "oidc",
        "token_url": f"{url}/realms/kubeflow/protocol/openid-connect/token",
        "grant": grant,
        "client_id": endpoint.client[0],
        "client_secret": endpoint.client[1],
        "scope": "openid",
        "audience": "pipelines",
        "username": endpoint.user[0],
        "password": endpoint.user[1],
        "refresh_token": "refresh-0",
    }


@pytest.mark.parametrize("basic", [True, False], ids=["basic", "form"])
@pytest.mark.parametrize("grant", ["password", "client_credentials", "refresh_token"])
@in_loop
async def test_a_token_endpoint_signs_in(grant: str, basic: bool) -> None:
    cluster = cluster_with_a_run()
    endpoint = TokenEndpoint(cluster, basic=basic)
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        backend = backend_of(url, oidc(url, endpoint, grant))
        assert await asyncio.gather(*(names(backend) for _ in range(10))) == [["train"]] * 10
        assert endpoint.asked == {grant: 1}
        assert endpoint.forms[-1]["scope"] == "openid"
        assert endpoint.forms[-1]["audience"] == "pipelines"
        endpoint.end()
        assert await names(backend) == ["train"]
        assert endpoint.asked == {grant: 2}
        await backend.close()


@in_loop
async def test_a_token_is_renewed_before_its_end() -> None:
    cluster = cluster_with_a_run()
    endpoint = TokenEndpoint(cluster)
    endpoint.lasts = 0.4
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        backend = backend_of(url, oidc(url, endpoint, "client_credentials"))
        await names(backend)
        await asyncio.sleep(0.35)
        await names(backend)
        assert endpoint.asked["client_credentials"] >= 2
        refused = [one for one in cluster.seen if not one.user and "/runs" in one.path]
        assert refused == []
        await backend.close()


@pytest.mark.parametrize(
    "lasts", [10**400, "10e999", -1, None, "soon"], ids=lambda one: str(one)[:6]
)
@in_loop
async def test_an_odd_end_of_a_token_is_passed_over(lasts: Any) -> None:
    cluster = cluster_with_a_run()
    endpoint = TokenEndpoint(cluster)
    endpoint.lasts = lasts
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        backend = backend_of(url, oidc(url, endpoint, "client_credentials"))
        assert await names(backend) == ["train"]
        await backend.close()


@in_loop
async def test_a_rotated_refresh_token_is_kept_for_every_process() -> None:
    cluster = cluster_with_a_run()
    endpoint = TokenEndpoint(cluster)
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    kept = ["refresh-0"]

    def keeper(replaced: str | None) -> str:
        if replaced is not None:
            kept.append(replaced)
        return kept[-1]

    async with serving(cluster) as url:
        settings = oidc(url, endpoint, "refresh_token")
        first, second = (backend_of(url, settings, keeper=keeper) for _ in range(2))
        for backend in (first, second, first, second):
            endpoint.end()
            assert await names(backend) == ["train"]
        assert len(kept) == 5
        assert kept[-1] in endpoint.refresh_tokens
        await first.close()
        await second.close()


@pytest.mark.parametrize("wrong", ["client_secret", "password"])
@in_loop
async def test_wrong_credentials_are_told_by_the_standards_word(wrong: str) -> None:
    cluster = cluster_with_a_run()
    endpoint = TokenEndpoint(cluster)
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        settings = oidc(url, endpoint, "password") | {wrong: "canary-77"}
        text = await refusal(backend_of(url, settings))
        assert "invalid_client" in text or "invalid_grant" in text
        assert "canary-77" not in text


# --- beside the API -----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dex", "oidc", "token"])
@pytest.mark.parametrize("status", [302, 401])
@in_loop
async def test_what_refuses_beside_the_api_says_nothing_of_the_session(
    method: str, status: int
) -> None:
    async def no_dashboard(request: Request) -> Answer | None:
        if not request.path.startswith("/api/"):
            return None
        return Answer(status, b"", {"Location": "https://other.example/login"})

    cluster = cluster_with_a_run()
    cluster.multi_user = True
    cluster.users["echoed"] = "ada@example.com"
    endpoint, gateway = TokenEndpoint(cluster), Gateway(cluster)
    cluster.routers += [no_dashboard, endpoint.answer]
    gateway.outside.routers.insert(0, no_dashboard)
    async with serving(cluster) as url, serving(gateway.outside) as outside:
        sign_ins = {
            "dex": DEX,
            "oidc": oidc(url, endpoint, "client_credentials"),
            "token": {"method": "token", "command": "echo echoed"},
        }
        backend = backend_of(f"{outside}/pipeline" if method == "dex" else url, sign_ins[method])
        for _ in range(3):
            assert (await backend.namespaces()).namespaces == []
        assert gateway.logins + endpoint.asked.total() == (method != "token")
        await backend.close()


# --- Google's Identity-Aware Proxy --------------------------------------------------------------


class Google:
    """Google's token endpoint: it checks what is sent, and gives id tokens."""

    def __init__(self, cluster: Cluster, public_key: bytes) -> None:
        self.cluster, self._key = cluster, public_key
        self.given = 0

    async def answer(self, request: Request) -> Answer | None:
        if request.path != "/token":
            return None
        form = {key: value for key, _, value in (p.partition("=") for p in _pairs(request.body))}
        if form["grant_type"] == "refresh_token":
            right = form.get("audience") == "proxy-client" and form["refresh_token"] == "granted"
        else:
            claims = jwt.decode(form["assertion"], certs=self._key, verify=True, audience=None)
            right = claims["target_audience"] == "proxy-client"
        if not right:
            return Answer.json({"error": "invalid_grant"}, 400)
        self.given += 1
        now = int(time.time())
        token = ".".join(
            _base64(json.dumps(part)) for part in ({"alg": "none"}, {"exp": now + 3600}, {})
        )
        token = f"{token}{self.given}"
        self.cluster.users[token] = "account@example.com"
        return Answer.json({"id_token": token, "access_token": "no use here", "expires_in": 3599})


def _pairs(body: bytes) -> list[str]:
    from urllib.parse import unquote_plus

    return [unquote_plus(part) for part in body.decode().split("&")]


def _base64(text: str) -> str:
    import base64

    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def keys() -> tuple[str, bytes]:
    """A private key in PEM, and its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public


def by_service_account(file: Path, key: str, url: str) -> dict[str, str]:
    """The sign-in with an account's key file, whose tokens come from the server at `url`."""
    account = {
        "type": "service_account", "client_email": "a@p.iam.gserviceaccount.com",
        "private_key": key, "private_key_id": "1", "token_uri": f"{url}/token",
    }  # fmt: skip
    file.write_text(json.dumps(account))
    return {"method": "iap", "client_id": "proxy-client", "key_file": str(file)}


@in_loop
async def test_a_service_account_passes_googles_proxy(
    keys: tuple[str, bytes], tmp_path: Path
) -> None:
    cluster = cluster_with_a_run()
    google = Google(cluster, keys[1])
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(google.answer)
    async with serving(cluster) as url:
        file = tmp_path / "key.json"
        given = by_service_account(file, keys[0], url)
        backend = backend_of(url, given)
        assert await names(backend) == ["train"]
        assert google.given == 1
        cluster.users = {"nobody's": "nobody"}
        assert await names(backend) == ["train"]
        assert google.given == 2
        await backend.close()
        text = await refusal(backend_of(url, given | {"client_id": "another"}))
        assert "Google gave no token" in text
        file.write_text("{}")
        assert "key file" in await refusal(backend_of(url, given))


@in_loop
async def test_a_google_that_never_answers_takes_one_thread(
    keys: tuple[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(iap, "TIMEOUT", 1.0)
    cluster = cluster_with_a_run()
    async with serving(cluster) as url, fault_proxy(url, is_silent) as proxy:
        given = by_service_account(tmp_path / "key.json", keys[0], proxy.url)
        backend = backend_of(url, given)
        for _ in range(6):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(names(backend), 0.05)
        assert sum(one.name == "sign-in" for one in threading.enumerate()) == 1
        with pytest.raises(Unreachable, match="Google"):
            await names(backend)
        assert len(proxy.requests) == 1
        await backend.close()


@in_loop
async def test_a_desktop_client_passes_googles_proxy(keys: tuple[str, bytes]) -> None:
    cluster = cluster_with_a_run()
    google = Google(cluster, keys[1])
    cluster.routers.append(google.answer)
    settings = IapSignIn(
        client_id="proxy-client",
        app_client_id="desktop",
        app_client_secret=SecretStr("s"),
        refresh_token=SecretStr("granted"),
    )
    async with serving(cluster) as url:
        sign_in = iap_sign_in(settings, token_url=f"{url}/token")
        assert isinstance(sign_in, session.SessionSignIn)
        backend = KubeflowBackend(url, sign_in)
        assert await names(backend) == ["train"]
        assert cluster.seen[-1].user == "account@example.com"
        await backend.close()
