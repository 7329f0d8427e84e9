"""What a look at a connection says: the one step that failed, why, and what to do."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.kubeflow import diagnosis, failures, kubeflow_backend
from jupyterlab_pipelines.backends.kubeflow.sign_in import command
from jupyterlab_pipelines.errors import BadInput
from jupyterlab_pipelines.models import ConnectionStep, ConnectionTest, NewConnection, RunQuery
from tests.async_tests import in_loop
from tests.backends.kubeflow.faults import fault_server, http, resets, sends
from tests.backends.kubeflow.sign_in.certificates import Authority
from tests.kubeflow import Answer, Cluster, Request, serving
from tests.kubeflow.doors import Gateway, tls

CANARY = "canary-4b1d"
TOKEN = {"method": "token", "token": CANARY}


async def look(host: str, **fields: Any) -> ConnectionTest:
    given = {"name": "team", "host": host, **fields}
    backend = kubeflow_backend(NewConnection.model_validate(given))
    try:
        result = await backend.test()
    finally:
        await backend.close()
    assert CANARY not in result.model_dump_json()
    assert [one.name for one in result.steps] == ORDER
    return result


ORDER = ["name", "tcp", "tls", "sign_in", "api", "permission", "ui"]


def failure(result: ConnectionTest) -> ConnectionStep:
    """The one step that failed; those after it were not tried."""
    (failed,) = [one for one in result.steps if one.state == "failed"]
    assert not result.ok
    assert failed.next_step
    after = result.steps[result.steps.index(failed) + 1 :]
    assert {one.state for one in after} <= {"skipped"}
    return failed


def states(result: ConnectionTest) -> dict[str, str]:
    return {one.name: one.state for one in result.steps}


@in_loop
async def test_a_good_connection_passes_every_step() -> None:
    cluster = Cluster()
    cluster.users[CANARY] = "ada"
    async with serving(cluster, prefix="/pipeline") as url, serving(cluster) as ui:
        result = await look(url, sign_in=TOKEN, ui_host=ui)
        assert result.ok, result
        assert result.version == "2.17.0"
        assert states(result) == {**dict.fromkeys(ORDER, "ok"), "tls": "skipped"}


# --- to the port --------------------------------------------------------------------------------


@in_loop
async def test_a_name_that_nobody_has() -> None:
    failed = failure(await look("https://no-such-host.invalid/pipeline"))
    assert failed.name == "name"
    assert "no-such-host.invalid" in failed.message


@in_loop
async def test_a_port_where_nobody_listens() -> None:
    async with fault_server(resets) as (host, _):
        pass
    failed = failure(await look(host))
    assert (failed.name, "refused" in failed.message) == ("tcp", True)


@pytest.mark.parametrize(
    ("context", "trusted", "said"),
    [
        (lambda one: one.server(), False, "unknown authority"),
        (lambda one: one.server(days=-1), True, "expired"),
        (lambda one: one.server(host="other.example.com"), True, "another host"),
        (lambda one: one.server_for_clients(), True, "client certificate"),
    ],
    ids=["unknown CA", "expired", "wrong host", "client certificate"],
)
@in_loop
async def test_tls_says_why(
    context: Callable[[Authority], ssl.SSLContext], trusted: bool, said: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with serving(Cluster()) as plain, tls(plain, context(authority)) as url:
        failed = failure(await look(url, ca_file=str(authority.file) if trusted else None))
        assert failed.name == "tls"
        assert said in failed.message


@in_loop
async def test_tls_at_a_port_that_does_not_speak_it() -> None:
    async with fault_server(sends(http(b"", status="400 Bad Request"))) as (url, _):
        failed = failure(await look(url.replace("http://", "https://")))
        assert failed.name == "tls"
        assert "http://" in failed.next_step


@in_loop
async def test_a_private_authority_and_a_client_certificate_are_enough(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.pair("ada")
    cluster = Cluster()
    cluster.add_run("train")
    async with serving(cluster) as plain, tls(plain, authority.server_for_clients()) as url:
        files = {"ca_file": authority.file, "client_certificate": certificate, "client_key": key}
        given = {name: str(file) for name, file in files.items()}
        assert states(await look(url, **given))["tls"] == "ok"
        settings = NewConnection.model_validate({"name": "t", "host": url, **given})
        backend = kubeflow_backend(settings)
        assert len((await backend.list_runs(RunQuery())).runs) == 1
        await backend.close()
        stranger = Authority(tmp_path, "stranger").pair("eve")
        given |= {"client_certificate": str(stranger[0]), "client_key": str(stranger[1])}
        failed = failure(await look(url, **given))
        assert failed.name == "tls"
        assert "does not accept the client certificate" in failed.message


@pytest.mark.parametrize("field", ["ca_file", "client_certificate", "client_key"])
def test_a_file_that_is_no_certificate_is_named(field: str, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).pair("ada")
    wrong = tmp_path / "wrong.pem"
    for content in (None, "no PEM"):
        if content is not None:
            wrong.write_text(content)
        given = {"client_certificate": str(certificate), "client_key": str(key), field: str(wrong)}
        given |= {"name": "t", "host": "https://h"}
        with pytest.raises(BadInput) as caught:
            kubeflow_backend(NewConnection.model_validate(given))
        assert caught.value.problems


# --- at the API ---------------------------------------------------------------------------------


@in_loop
async def test_a_redirect_to_a_login() -> None:
    gateway = Gateway(Cluster())
    async with serving(gateway.outside) as url:
        failed = failure(await look(f"{url}/pipeline"))
        assert failed.name == "sign_in"
        assert "redirects to a sign-in" in failed.message
        gateway.ended = "page"
        failed = failure(
            await look(f"{url}/pipeline", sign_in={"method": "cookie", "cookie": "a=b"})
        )
        assert failed.name == "sign_in"
        assert "cookie" in failed.next_step
        assert (await look(f"{url}/pipeline", sign_in=DEX)).ok


DEX = {"method": "dex", "username": "user@example.com", "password": "12341234"}


@in_loop
async def test_a_wrong_token_although_anybody_may_ask_for_the_health() -> None:
    cluster = Cluster()
    cluster.users["right"] = "ada"
    async with serving(cluster) as url:
        failed = failure(await look(url, sign_in=TOKEN))
        assert failed.name == "sign_in"


@in_loop
async def test_a_sign_in_is_tested_although_no_namespace_is_given() -> None:
    cluster = Cluster()
    cluster.multi_user = True
    cluster.users = {"right": "ada"}
    async with serving(cluster) as url:
        failed = failure(await look(url, sign_in=TOKEN))
        assert (failed.name, "asks to sign in" in failed.message) == ("sign_in", True)
        cluster.users = {CANARY: "ada"}
        result = await look(url, sign_in=TOKEN)
        assert states(result)["sign_in"] == "ok"
        failed = failure(result)
        assert (failed.name, "wants a namespace" in failed.message) == ("permission", True)


@pytest.mark.parametrize(
    ("status", "failing"), [(400, "permission"), (404, "api"), (500, "permission")]
)
@pytest.mark.parametrize("namespace", ["", "team-a"])
@in_loop
async def test_a_sign_in_that_nobody_looked_at_is_not_said_to_be_good(
    status: int, failing: str, namespace: str
) -> None:
    async def runs(request: Request) -> Answer | None:
        if request.path.endswith("/runs"):
            return Answer.json({"message": "not today"}, status)
        return None

    cluster = Cluster()
    cluster.routers.append(runs)
    async with serving(cluster) as url:
        result = await look(url, sign_in=TOKEN, namespace=namespace)
        assert failure(result).name == failing
        step = result.steps[ORDER.index("sign_in")]
        assert (step.state, "before it" in step.message) == ("skipped", True)
        wanted = status == 400 and not namespace
        assert ("Give a namespace" in step.next_step) == wanted


@in_loop
async def test_403_names_the_namespace_and_those_that_may_be_seen() -> None:
    cluster = Cluster()
    cluster.multi_user = True
    cluster.access = {("user@example.com", "team-a")}
    gateway = Gateway(cluster)
    gateway.namespaces = ["team-a", "team-c"]
    async with serving(gateway.outside) as url:
        host = f"{url}/pipeline"
        result = await look(host, sign_in=DEX, namespace="team-b")
        failed = failure(result)
        assert failed.name == "permission"
        assert "403" in failed.message
        assert "namespace team-b" in failed.message
        assert "team-a, team-c" in failed.next_step
        failed = failure(await look(host, sign_in=DEX))
        assert (failed.name, "wants a namespace" in failed.message) == ("permission", True)
        result = await look(host, sign_in=DEX, namespace="team-a")
        assert result.ok
        assert result.namespaces == ["team-a", "team-c"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer.json({"hello": "world"}),
        Answer.json({"error": "nothing here"}, 404),
        Answer(200, b"hello", {"Content-Type": "text/plain"}),
    ],
)
@in_loop
async def test_what_is_no_endpoint_of_pipelines(answer: Answer) -> None:
    async def other(request: Request) -> Answer:
        return answer

    cluster = Cluster()
    cluster.routers.append(other)
    async with serving(cluster) as url:
        failed = failure(await look(url))
        assert failed.name == "api"
        assert f"{url}/pipeline" in failed.next_step


@in_loop
async def test_an_answer_that_is_cut_is_the_apis() -> None:
    async with fault_server(sends(http(b"{", length=50))) as (host, _):
        assert failure(await look(host)).name == "api"


@in_loop
async def test_an_endpoint_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.3)
    async with fault_server(sends(b"", linger=30)) as (host, _):
        failed = failure(await look(host))
        assert (failed.name, "has not answered" in failed.message) == ("api", True)


@in_loop
async def test_a_token_endpoint_that_fails_is_the_sign_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "IDLE_TIMEOUT", 0.3)
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.2)  # what the API has
    error = sends(http(b"oops", status="500 Internal Server Error"))
    for answer, said in ((error, "HTTP 500"), (sends(b"", linger=30), "has not answered")):
        async with serving(Cluster()) as url, fault_server(answer) as (tokens, _):
            failed = failure(await look(url, sign_in=oidc(tokens)))
            assert failed.name == "sign_in"
            assert f"{tokens}/token" in failed.message
            assert said in failed.message
    async with serving(Cluster()) as url:
        failed = failure(await look(url, sign_in=oidc(tokens)))
        assert (failed.name, f"{tokens}/token cannot be reached" in failed.message) == (
            "sign_in",
            True,
        )


def oidc(host: str) -> dict[str, str]:
    return {
        "method": "oidc",
        "token_url": f"{host}/token",
        "client_id": "pipelines",
        "client_secret": CANARY,
    }


@in_loop
async def test_a_command_that_does_not_end_is_the_sign_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "COMMAND_TIMEOUT", 0.5)
    monkeypatch.setattr(diagnosis, "PATIENCE", 0.5)
    async with serving(Cluster()) as url:
        failed = failure(await look(url, sign_in={"method": "token", "command": "sleep 60"}))
        assert (failed.name, "command failed: it took longer" in failed.message) == (
            "sign_in",
            True,
        )


@pytest.mark.parametrize("sign_in", [{"method": "none"}, TOKEN, DEX], ids=lambda one: one["method"])
@in_loop
async def test_a_host_that_moved_to_https_is_told_to_be_there(
    sign_in: dict[str, str], tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    gateway = Gateway(Cluster())

    async def moved(request: Request) -> Answer:
        return Answer(301, b"", {"Location": f"{secure}{request.path}"})

    door = Cluster()
    door.routers.append(moved)
    async with (
        serving(gateway.outside) as plain,
        tls(plain, authority.server()) as secure,
        serving(door) as url,
    ):
        host = url.replace("127.0.0.1", "localhost")
        failed = failure(await look(host, sign_in=sign_in, ca_file=str(authority.file)))
        assert (failed.name, "to one of https://" in failed.next_step) == ("api", True)
        assert gateway.logins == 0


@pytest.mark.parametrize("method", ["cookie", "dex"])
@in_loop
async def test_a_path_that_was_left_out_is_found(method: str) -> None:
    gateway = Gateway(Cluster())
    gateway.sessions.add("good")
    cookie = {"method": "cookie", "cookie": "_oauth2_proxy=good"}
    async with serving(gateway.outside) as url:
        failed = failure(await look(url, sign_in=cookie if method == "cookie" else DEX))
        assert failed.name == "api"
        assert f"The API is at {url}/pipeline" in failed.next_step
        failed = failure(await look(f"{url}/other", sign_in=cookie))
        assert (failed.name, "before /apis" in failed.next_step) == ("api", True)
        gateway.ended = "page"
        cookie["cookie"] = "_oauth2_proxy=over"
        assert failure(await look(url, sign_in=cookie)).name == "sign_in"


@in_loop
async def test_what_an_api_says_of_certificates_is_not_of_its_own() -> None:
    async def broken(request: Request) -> Answer:
        return Answer.json({"message": "x509: certificate signed by unknown authority"}, 500)

    cluster = Cluster()
    cluster.routers.append(broken)
    async with serving(cluster) as url:
        failed = failure(await look(url))
        assert (failed.name, "x509" in failed.message) == ("api", True)


@in_loop
async def test_the_ui_server_is_looked_at_too() -> None:
    async with fault_server(resets) as (gone, _):
        pass
    async with serving(Cluster()) as url:
        result = await look(url, ui_host=gone)
        failed = failure(result)
        assert failed.name == "ui"
        assert gone.removeprefix("http://").partition(":")[0] in failed.message
        assert states(result)["permission"] == "ok"


@in_loop
async def test_what_an_endpoint_calls_itself_cannot_break_a_page() -> None:
    async def health(request: Request) -> Answer | None:
        if request.path.endswith("/healthz"):
            return Answer.json({"tag_name": "2.99\x1b[31m" + "x" * 500, "multi_user": False})
        return None

    cluster = Cluster()
    cluster.routers.append(health)
    async with serving(cluster) as url:
        result = await look(url)
        assert result.version.startswith("2.99[31m")
        assert len(result.version) < 70
        assert json.loads(result.model_dump_json())["ok"] is True


# --- namespaces ---------------------------------------------------------------------------------


@in_loop
async def test_namespaces_are_those_that_the_dashboard_tells() -> None:
    cluster = Cluster()
    cluster.multi_user = True
    gateway = Gateway(cluster)
    gateway.namespaces = ["b", "a"]
    async with serving(gateway.outside) as url:
        given = {"name": "t", "host": f"{url}/pipeline", "sign_in": DEX, "namespace": "mine"}
        backend = kubeflow_backend(NewConnection.model_validate(given))
        seen = await backend.namespaces()
        assert (seen.namespaces, seen.current) == (["a", "b", "mine"], "mine")
        assert seen.multi_user
        gateway.namespaces = None  # an installation without the dashboard
        seen = await backend.namespaces()
        assert seen.namespaces == ["mine"]
        assert "Type one in" in seen.message
        assert gateway.logins == 1
        await backend.close()


@in_loop
async def test_an_endpoint_of_one_user_has_no_namespaces() -> None:
    cluster = Cluster()
    async with serving(cluster) as url:
        backend = kubeflow_backend(NewConnection(name="t", host=url))
        seen = await backend.namespaces()
        assert (seen.namespaces, seen.multi_user) == ([], False)
        assert not [path for path in cluster.asked if "/api/" in path]
        await backend.close()
