"""Programs that kubeconfig names: run when they are asked for, shortly, and not over and over."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterlab_pipelines.backends.kubeflow.sign_in import command, kubeconfig_sign_in, session
from jupyterlab_pipelines.connections import Connections
from jupyterlab_pipelines.errors import PipelinesError, SignInNeeded
from jupyterlab_pipelines.models import ConnectionState, RunQuery
from tests.async_tests import in_loop

API_VERSION = "client.authentication.k8s.io/v1"
HANGS = "import subprocess, time; subprocess.Popen(['sleep', '30']); time.sleep(30)"
FAILS = "raise SystemExit('canary')"
READS = "import sys; print(len(sys.stdin.read())); input()"


def write_kubeconfig(user: dict[str, Any]) -> None:
    """The file of kubectl with one context, whose cluster does not answer."""
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "users": [{"name": "u", "user": user}],
    }
    file = Path("~/.kube/config").expanduser()
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(content))


class PluginOf:
    """A kubeconfig whose user is signed in by a plugin, which writes down its runs."""

    def __init__(self, folder: Path, code: str, **entry: Any) -> None:
        self._runs = folder / "runs"
        self._runs.touch()
        script = folder / "plugin.py"
        script.write_text(
            "import os\n"
            f"with open({str(self._runs)!r}, 'a') as f:\n"
            "    f.write(os.environ['KUBERNETES_EXEC_INFO'] + '\\n')\n"
            f"{code}\n"
        )
        plugin = {
            "apiVersion": API_VERSION, "command": sys.executable, "args": [str(script)], **entry
        }  # fmt: skip
        self.user = {"exec": plugin}
        write_kubeconfig(self.user)

    @property
    def runs(self) -> list[dict[str, Any]]:
        """What each run was told."""
        return [json.loads(line) for line in self._runs.read_text().splitlines()]


@in_loop
async def test_looking_at_a_guessed_cluster_runs_no_plugin(places: Path) -> None:
    plugin = PluginOf(places, FAILS)
    connections = Connections()
    told: list[Any] = []
    connections.subscribe(told.append)
    for _ in range(3):
        one = (await connections.list())[1]
        assert (one.name, one.state, one.preferred) == ("kubeflow", ConnectionState.SIGN_IN, False)
        assert "until this connection is chosen" in one.message
    assert plugin.runs == []
    with pytest.raises(SignInNeeded):
        await connections.service("kubeflow").list_runs(RunQuery())
    assert len(plugin.runs) == 1
    await connections.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [(HANGS, "took longer"), (FAILS, "status 1"), (READS, "status 1")],
    ids=["hangs", "fails", "reads its input"],
)
@in_loop
async def test_a_plugin_that_gives_no_token_is_run_once_for_all_who_look(
    code: str, said: str, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "COMMAND_TIMEOUT", 2.0 if code == HANGS else 10.0)
    plugin = PluginOf(places, code)
    connections = Connections()
    desk = await connections.ready_service("kubeflow")
    asked = [asyncio.ensure_future(desk.list_runs(RunQuery())) for _ in range(20)]
    if code == HANGS:  # the threads that all work shares stay free
        await asyncio.sleep(0.1)
        await asyncio.to_thread(lambda: None)
        assert not any(one.done() for one in asked)
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(one, SignInNeeded) for one in errors), errors
    for _ in range(3):
        one = (await connections.list())[1]
        assert one.state is ConnectionState.SIGN_IN
        assert said in one.message
        assert "canary" not in one.message
    assert [run["spec"] for run in plugin.runs] == [{"interactive": False}]
    await connections.close()


@in_loop
async def test_who_stops_waiting_for_a_plugin_does_not_have_it_run_again(places: Path) -> None:
    plugin = PluginOf(places, "import time; time.sleep(1); raise SystemExit(1)")
    connections = Connections()
    desk = connections.service("kubeflow")
    for _ in range(3):
        with pytest.raises((asyncio.TimeoutError, PipelinesError)):
            await asyncio.wait_for(desk.list_runs(RunQuery()), 0.1)
    with pytest.raises(SignInNeeded, match="status 1"):
        await desk.list_runs(RunQuery())
    assert len(plugin.runs) == 1
    await connections.close()


@in_loop
async def test_a_plugin_that_must_ask_in_a_terminal_is_refused(places: Path) -> None:
    plugin = PluginOf(places, FAILS, interactiveMode="Always")
    connections = Connections()
    with pytest.raises(SignInNeeded, match="needs a terminal"):
        await connections.service("kubeflow").list_runs(RunQuery())
    assert plugin.runs == []
    await connections.close()


@in_loop
async def test_a_plugins_token_is_made_anew_when_it_ends(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    status = {"token": "canary", "expirationTimestamp": "2100-01-01T00:00:00.123456789Z"}
    printed = json.dumps({"apiVersion": API_VERSION, "status": status})
    plugin = PluginOf(places, f"print({printed!r})")
    sign_in = kubeconfig_sign_in(plugin.user, places)
    for _ in range(3):
        assert await sign_in.headers() == {"Authorization": "Bearer canary"}
    assert len(plugin.runs) == 1
    monkeypatch.setattr(session.time, "time", lambda: now + 200 * 365 * 86400)
    await sign_in.headers()
    assert len(plugin.runs) == 2
    await sign_in.headers()  # it has ended already, which another run would not change
    assert len(plugin.runs) == 2


@pytest.mark.parametrize(
    ("user", "value"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"tokenFile": "token"}, "Bearer mounted"),
        ({"tokenFile": "token", "exec": {"command": "/no/such"}}, "Bearer mounted"),
        ({"username": "ada", "password": "p"}, "Basic YWRhOnA="),
        (
            {
                "auth-provider": {
                    "name": "gcp",
                    "config": {"access-token": "google", "expiry": "2999-01-01T00:00:00Z"},
                }
            },
            "Bearer google",
        ),
        ({}, None),
    ],
    ids=["token", "file", "file before plugin", "password", "provider", "certificate"],
)
@in_loop
async def test_the_user_of_a_kubeconfig_signs_in(
    user: dict[str, Any], value: str | None, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "token").write_text("mounted\n")
    write_kubeconfig(user)
    file = str(places / "user/.kube/config")
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", file)
    headers = await kubeconfig_sign_in(user, places).headers()
    assert headers.get("Authorization") == value
