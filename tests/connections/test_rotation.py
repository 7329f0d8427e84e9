"""A refresh token that is good for one use, kept by whichever process used the last one."""

from __future__ import annotations

from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.connections.store import Store
from jupyterlab_pipelines.models import ConnectionState, NewConnection, OidcSignIn
from tests.async_tests import in_loop
from tests.kubeflow import Cluster, serving
from tests.kubeflow.doors import TokenEndpoint


def stored() -> str:
    (record,) = Store(connections_file()).load().records
    assert isinstance(record.settings.sign_in, OidcSignIn)
    assert record.settings.sign_in.refresh_token is not None
    return record.settings.sign_in.refresh_token.get_secret_value()


@in_loop
async def test_two_processes_share_a_refresh_token_that_rotates() -> None:
    cluster = Cluster()
    endpoint = TokenEndpoint(cluster)
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        sign_in = {
            "method": "oidc", "grant": "refresh_token", "client_id": endpoint.client[0],
            "token_url": f"{url}/protocol/openid-connect/token",
            "client_secret": endpoint.client[1], "refresh_token": "refresh-0",
        }  # fmt: skip
        server, kernel = Connections(), Connections()
        given = {"name": "team", "host": url, "sign_in": sign_in}
        added = await server.add(NewConnection.model_validate(given))
        assert added.state is ConnectionState.READY
        service = server.service("team")
        for process in (kernel, server, kernel, server):
            endpoint.end()
            (_, team) = await process.list()
            assert team.state is ConnectionState.READY, team.message
            assert {stored()} == endpoint.refresh_tokens
        assert server.service("team") is service  # nothing was opened anew for it
        assert endpoint.asked["refresh_token"] == 5
        await server.close()
        await kernel.close()


@in_loop
async def test_a_refresh_token_that_the_user_gives_replaces_the_one_in_use() -> None:
    cluster = Cluster()
    endpoint = TokenEndpoint(cluster)
    endpoint.refresh_tokens = set()  # all were taken back
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        sign_in = {
            "method": "oidc", "grant": "refresh_token", "client_id": endpoint.client[0],
            "token_url": f"{url}/protocol/openid-connect/token",
            "client_secret": endpoint.client[1], "refresh_token": "old",
        }  # fmt: skip
        connections, other = Connections(), Connections()
        given = {"name": "team", "host": url, "sign_in": sign_in}
        added = await connections.add(NewConnection.model_validate(given))
        assert added.state is ConnectionState.SIGN_IN
        assert "invalid_grant" in added.message
        assert (await other.list())[1].state is ConnectionState.SIGN_IN
        endpoint.refresh_tokens = {"new"}
        changed = {**given, "sign_in": {**sign_in, "client_secret": None, "refresh_token": "new"}}
        again = await connections.change("team", NewConnection.model_validate(changed))
        assert again.state is ConnectionState.READY, again.message
        assert (await other.list())[1].state is ConnectionState.READY
        await connections.close()
        await other.close()


@in_loop
async def test_trying_a_connection_does_not_use_its_refresh_token_up() -> None:
    cluster = Cluster()
    endpoint = TokenEndpoint(cluster)
    cluster.users["nobody's"] = "nobody"
    cluster.routers.append(endpoint.answer)
    async with serving(cluster) as url:
        sign_in = {
            "method": "oidc", "grant": "refresh_token", "client_id": endpoint.client[0],
            "token_url": f"{url}/protocol/openid-connect/token",
            "client_secret": endpoint.client[1], "refresh_token": "refresh-0",
        }  # fmt: skip
        connections = Connections()
        typed = NewConnection.model_validate({"name": "team", "host": url, "sign_in": sign_in})
        for _ in range(2):
            assert (await connections.test(typed)).ok
        assert (await connections.add(typed)).state is ConnectionState.READY
        assert {stored()} == endpoint.refresh_tokens
        left_out = connections.shown_settings("team")
        assert (await connections.test(left_out)).ok
        assert {stored()} == endpoint.refresh_tokens
        endpoint.end()
        assert (await connections.list())[1].state is ConnectionState.READY
        await connections.close()
