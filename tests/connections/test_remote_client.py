"""The official client for a remote connection, signed in as the lab is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines import client
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.connections.store import Store
from jupyterlab_pipelines.errors import SignInNeeded
from jupyterlab_pipelines.models import NewConnection
from tests.backends.kubeflow.sign_in.certificates import Authority
from tests.kubeflow import Cluster, in_thread
from tests.kubeflow.doors import Gateway, TokenEndpoint, tls

CANARY = "canary-3c3c"
DEX = {"method": "dex", "username": "user@example.com", "password": "12341234"}


def add(url: str, sign_in: dict[str, Any], **fields: Any) -> None:
    given = {"name": "team", "host": url, "sign_in": sign_in, **fields}
    Store(connections_file()).add(NewConnection.model_validate(given))


def names(kfp_client: Any) -> list[str]:
    return [run.display_name for run in kfp_client.list_runs(page_size=5).runs or []]


def cluster_with_a_run(**fields: Any) -> Cluster:
    cluster = Cluster()
    cluster.add_run("train", **fields)
    return cluster


def test_a_password_signs_the_client_in_and_an_ended_session_is_renewed() -> None:
    gateway = Gateway(cluster_with_a_run())
    with in_thread(gateway.outside) as url:
        add(f"{url}/pipeline", DEX)
        kfp_client = client("team")
        assert names(kfp_client) == ["train"]
        gateway.sessions.clear()
        assert names(kfp_client) == ["train"]
        assert gateway.logins == 2
        gateway.sessions.clear()
        assert kfp_client.create_experiment("mine").display_name == "mine"


@pytest.mark.parametrize("source", ["value", "file", "variable"])
def test_a_token_signs_the_client_in_and_is_read_again(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = cluster_with_a_run()
    cluster.users = {"first": "ada"}
    file = tmp_path / "token"
    file.write_text("first")
    monkeypatch.setenv("PIPELINES_TEST_TOKEN", "first")
    given = {"value": {"token": "first"}, "file": {"file": str(file)}}
    with in_thread(cluster) as url:
        variable = {"variable": "PIPELINES_TEST_TOKEN"}
        add(url, {"method": "token", **given.get(source, variable)})
        kfp_client = client("team")
        assert names(kfp_client) == ["train"]
        if source != "value":
            cluster.users = {"second": "ada"}
            file.write_text("second")
            monkeypatch.setenv("PIPELINES_TEST_TOKEN", "second")
            assert names(kfp_client) == ["train"]


def test_a_token_endpoint_signs_the_client_in_also_where_a_loop_runs() -> None:
    cluster = cluster_with_a_run()
    endpoint = TokenEndpoint(cluster)
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    with in_thread(cluster) as url:
        sign_in = {
            "method": "oidc", "token_url": f"{url}/protocol/openid-connect/token",
            "client_id": endpoint.client[0], "client_secret": endpoint.client[1],
        }  # fmt: skip
        add(url, sign_in)

        async def cell() -> list[str]:  # as in a notebook
            return names(client("team"))

        assert asyncio.run(cell()) == ["train"]
        assert endpoint.asked == {"client_credentials": 1}


def test_a_header_and_a_namespace_go_along_and_nothing_of_another_host() -> None:
    cluster = cluster_with_a_run(namespace="team-a")
    cluster.multi_user = True
    cluster.access.add(("ada", "team-a"))
    file = Path("~/.config/kfp/context.json").expanduser()
    file.parent.mkdir(parents=True)
    kept = {"namespace": "other", "client_authentication_cookie": f"session={CANARY}"}
    file.write_text(json.dumps(kept))
    with in_thread(cluster) as url:
        header = {"method": "header", "header": "kubeflow-userid", "value": "ada"}
        add(url, header, namespace="team-a")
        kfp_client = client("team")
        assert kfp_client.get_user_namespace() == "team-a"
        runs = kfp_client.list_runs(namespace="team-a").runs
        assert [run.display_name for run in runs] == ["train"]
    assert CANARY not in str([dict(request.headers) for request in cluster.seen])


@pytest.mark.parametrize("home", [False, True], ids=["absolute", "of the home"])
def test_a_private_authority_and_a_client_certificate(
    home: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    authority = Authority(tmp_path)
    given = [authority.file, *authority.pair("ada")]
    ca, certificate, key = (f"~/{one.name}" if home else str(one) for one in given)

    async def look(plain: str) -> None:
        async with tls(plain, authority.server_for_clients()) as url:
            add(
                url, {"method": "none"}, ca_file=ca,
                client_certificate=certificate, client_key=key,
            )  # fmt: skip
            assert await asyncio.to_thread(lambda: names(client("team"))) == ["train"]

    with in_thread(cluster_with_a_run()) as plain:
        asyncio.run(look(plain))


def test_what_signing_in_fails_with_is_told() -> None:
    gateway = Gateway(Cluster())
    with in_thread(gateway.outside) as url:
        add(f"{url}/pipeline", DEX | {"password": CANARY})
        with pytest.raises(SignInNeeded, match="refused the user name") as caught:
            client("team")
        assert CANARY not in str(caught.value)
