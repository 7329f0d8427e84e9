"""One namespace of many: lists, watchers and new runs keep to the one that was chosen."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.errors import BadInput, Forbidden
from jupyterlab_pipelines.models import (
    ConnectionState,
    Event,
    NewConnection,
    RunQuery,
    Submission,
)
from jupyterlab_pipelines.watch import Topic
from tests.async_tests import in_loop
from tests.kubeflow import Answer, Cluster, Request, serving
from tests.kubeflow.doors import Ended, Gateway

SPEC = {"pipelineInfo": {"name": "p"}, "schemaVersion": "2.1.0", "root": {"dag": {}}}
DEX = {"method": "dex", "username": "user@example.com", "password": "12341234"}


def team() -> tuple[Cluster, Gateway]:
    """Two namespaces that the user may see, and one that is another's."""
    cluster = Cluster()
    cluster.multi_user = True
    for namespace in ("team-a", "team-b", "team-c"):
        cluster.add_run(f"train of {namespace}", spec=SPEC, namespace=namespace)
    cluster.access = {("user@example.com", "team-a"), ("user@example.com", "team-b")}
    cluster.plan = []
    return cluster, Gateway(cluster)


def new(url: str, **fields: Any) -> NewConnection:
    given = {"name": "team", "host": f"{url}/pipeline", "sign_in": DEX, **fields}
    return NewConnection.model_validate(given)


async def names(connections: Connections) -> list[str]:
    page = await connections.service("team").list_runs(RunQuery())
    return [run.display_name for run in page.runs]


@in_loop
async def test_a_namespace_is_chosen_and_kept() -> None:
    _, gateway = team()
    gateway.namespaces = ["team-a", "team-b"]
    async with serving(gateway.outside) as url:
        connections = Connections()
        added = await connections.add(new(url))
        assert added.state is ConnectionState.SIGN_IN
        assert "namespace" in added.message
        seen = await connections.namespaces("team")
        assert (seen.namespaces, seen.current) == (["team-a", "team-b"], "")
        chosen = await connections.choose_namespace("team", "team-a")
        assert (chosen.state, chosen.namespace) == (ConnectionState.READY, "team-a")
        assert await names(connections) == ["train of team-a"]
        await connections.choose_namespace("team", "team-b")
        assert await names(connections) == ["train of team-b"]
        await connections.close()
        again = Connections()  # another process, or this one later
        assert await names(again) == ["train of team-b"]
        await again.close()


@in_loop
async def test_what_was_typed_in_is_offered_where_nobody_lists_them() -> None:
    _, gateway = team()
    async with serving(gateway.outside) as url:
        connections = Connections()
        await connections.add(new(url))
        for namespace in ("team-b", "team-a"):
            await connections.choose_namespace("team", namespace)
        seen = await connections.namespaces("team")
        assert (seen.namespaces, seen.current) == (["team-a", "team-b"], "team-a")
        assert seen.multi_user
        await connections.close()


@in_loop
async def test_connections_to_one_host_have_namespaces_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster, _ = team()
    async with serving(cluster) as url:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", url)
        connections = Connections()
        for name in ("alice", "bob"):
            await connections.add(NewConnection(name=name, host=url, namespace=name))
        await connections.choose_namespace("alice", "alice-private")
        listed = {one.name: one.namespace for one in await connections.list()}
        assert (listed["alice"], listed["kubeflow"]) == ("alice-private", "")
        assert (await connections.namespaces("bob")).namespaces == ["bob"]
        assert "alice-private" in (await connections.namespaces("alice")).namespaces
        await connections.choose_namespace("kubeflow", "team-a")
        await connections.close()
        again = Connections()
        assert {one.name: one.namespace for one in await again.list()}["kubeflow"] == "team-a"
        await again.close()


@in_loop
async def test_namespaces_that_an_older_file_has_by_host_are_still_offered() -> None:
    cluster, _ = team()
    async with serving(cluster) as url:
        connections = Connections()
        await connections.add(NewConnection(name="team", host=url, namespace="team-a"))
        content = json.loads(connections_file().read_text())
        connections_file().write_text(json.dumps({**content, "namespaces": {url: ["team-b"]}}))
        assert (await connections.namespaces("team")).namespaces == ["team-a", "team-b"]
        await connections.close()


@in_loop
async def test_another_persons_namespace_is_said_to_be_that() -> None:
    _, gateway = team()
    async with serving(gateway.outside) as url:
        connections = Connections()
        refused = await connections.add(new(url, namespace="team-c"))
        assert refused.state is ConnectionState.FORBIDDEN
        assert "You may not list runs in namespace team-c" in refused.message
        assert "Choose another namespace, or ask its owner for access." in refused.message
        with pytest.raises(Forbidden, match="namespace team-c") as caught:
            await names(connections)
        assert f"{caught.value.message} {caught.value.next_step}" == refused.message
        assert (await connections.namespaces("team")).multi_user  # the way out stays open
        chosen = await connections.choose_namespace("team", "team-a")
        assert chosen.state is ConnectionState.READY
        await connections.close()


@in_loop
async def test_who_watches_anothers_namespace_is_told_which_it_is() -> None:
    _, gateway = team()
    async with serving(gateway.outside) as url:
        connections = Connections()
        await connections.add(new(url, namespace="team-c"))
        told: asyncio.Queue[Event] = asyncio.Queue()
        connections.watcher("team").subscribe(Topic("runs"), told.put_nowait)
        event = await asyncio.wait_for(told.get(), 15)
        assert "may not list runs in namespace team-c" in (event.stale or "")
        await connections.close()


@in_loop
async def test_who_listens_hears_what_another_has_asked_for() -> None:
    cluster, gateway = team()
    async with serving(gateway.outside) as url:
        connections = Connections()
        await connections.add(new(url, namespace="team-a"))
        heard: asyncio.Queue[ConnectionState] = asyncio.Queue()
        connections.subscribe(lambda listed: heard.put_nowait(listed[1].state))
        assert await asyncio.wait_for(heard.get(), 10) is ConnectionState.READY
        cluster.access.clear()
        await connections.list()
        assert heard.get_nowait() is ConnectionState.FORBIDDEN
        cluster.access.add(("user@example.com", "team-a"))
        await connections.list()
        assert heard.get_nowait() is ConnectionState.READY
        await connections.close()


@pytest.mark.parametrize("ended", ["redirect", "page", "forbidden page", "401"])
@in_loop
async def test_a_lost_sign_in_is_never_taken_for_a_forbidden_namespace(ended: Ended) -> None:
    _, gateway = team()
    gateway.ended = ended
    async with serving(gateway.outside) as url:
        connections = Connections()
        cookie = {"method": "cookie", "cookie": "_oauth2_proxy=over"}
        refused = await connections.add(new(url, namespace="team-c", sign_in=cookie))
        assert refused.state is ConnectionState.SIGN_IN
        await connections.close()


@in_loop
async def test_a_door_that_refuses_before_any_namespace_is_about_the_sign_in() -> None:
    async def mesh(request: Request) -> Answer:
        return Answer(403, b"RBAC: access denied", {"Content-Type": "text/plain"})

    cluster, _ = team()
    cluster.routers.append(mesh)
    async with serving(cluster, prefix="/pipeline") as url:
        connections = Connections()
        host = url.removesuffix("/pipeline")
        refused = await connections.add(new(host, namespace="team-a", sign_in={"method": "none"}))
        assert refused.state is ConnectionState.SIGN_IN
        await connections.close()


@in_loop
async def test_a_new_run_goes_to_the_namespace_with_or_without_an_experiment_there() -> None:
    cluster, gateway = team()
    experiment = cluster.add_experiment("Default", namespace="team-b")
    async with serving(gateway.outside) as url:
        connections = Connections()
        await connections.add(new(url, namespace="team-a"))
        for _ in range(2):
            run = await connections.service("team").submit(Submission(pipeline=SPEC))
            assert cluster.runs[run.run_id].namespace == "team-a"
        made = [one for one in cluster.experiments.values() if one.namespace == "team-a"]
        assert [one.name for one in made] == ["Default"]
        await connections.choose_namespace("team", "team-b")
        run = await connections.service("team").submit(Submission(pipeline=SPEC))
        assert cluster.runs[run.run_id].experiment_id == experiment.id
        await connections.close()


@in_loop
async def test_who_watches_goes_on_watching_in_the_new_namespace() -> None:
    cluster, gateway = team()
    async with serving(gateway.outside) as url:
        connections = Connections()
        await connections.add(new(url, namespace="team-a"))
        told: asyncio.Queue[Event] = asyncio.Queue()
        watcher = connections.watcher("team")
        connections.service("team").backend.watch_interval = 0.05
        watcher.subscribe(Topic("runs"), told.put_nowait)
        await asyncio.sleep(0.3)
        await connections.choose_namespace("team", "team-b")
        connections.service("team").backend.watch_interval = 0.05
        assert connections.watcher("team") is watcher
        await asyncio.sleep(0.3)
        cluster.add_run("not ours", namespace="team-a")
        cluster.add_run("ours", namespace="team-b")
        event = await asyncio.wait_for(told.get(), 15)
        assert [run.display_name for run in event.runs] == ["ours"]
        await connections.close()


@in_loop
async def test_the_embedded_engine_has_no_namespaces() -> None:
    connections = Connections()
    seen = await connections.namespaces("local")
    assert (seen.namespaces, seen.multi_user) == ([], False)
    with pytest.raises(BadInput):
        await connections.choose_namespace("local", "team-a")
    await connections.close()
