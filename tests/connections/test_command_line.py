"""`jupyter pipelines connections` from a process of its own; secrets never on its command line."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable

import pytest

from jupyterlab_pipelines.cli import main
from jupyterlab_pipelines.connections.places import connections_file
from jupyterlab_pipelines.connections.store import Store
from tests.kubeflow import Cluster, in_thread
from tests.kubeflow.doors import Gateway

CANARY = "canary-8d8d"


def process(*arguments: str, secrets: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyterlab_pipelines.cli", "connections", *arguments],
        input=secrets,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ,
    )


@pytest.fixture
def connections(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same without the time that a process takes to begin."""

    def call(*arguments: str, secrets: str = "") -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(secrets))
        code = main(["connections", *arguments])
        output = capsys.readouterr()
        assert CANARY not in output.out + output.err
        return subprocess.CompletedProcess(arguments, code, output.out, output.err)

    return call


Call = Callable[..., subprocess.CompletedProcess[str]]


def test_a_connection_is_added_tested_used_and_removed(connections: Call) -> None:
    cluster = Cluster()
    cluster.multi_user = True
    cluster.access = {("user@example.com", "team-a")}
    gateway = Gateway(cluster, password=CANARY)
    gateway.namespaces = ["team-a", "team-b"]
    with in_thread(gateway.outside) as url:
        host = f"{url}/pipeline"
        added = process(
            "add", "team", host, "--sign-in", "dex", "--set", "username=user@example.com",
            "namespace=team-a", secrets=f"{CANARY}\n",
        )  # fmt: skip
        assert (added.returncode, added.stdout) == (0, "Added team: ready.\n"), added.stderr
        assert stat.S_IMODE(connections_file().stat().st_mode) == 0o600

        tested = connections("test", "team")
        assert tested.returncode == 0
        assert "✓ You are signed in" in tested.stdout
        assert "Namespaces: team-a, team-b" in tested.stdout

        assert connections("namespace", "team").stdout == "* team-a\n  team-b\n"
        refused = connections("namespace", "team", "team-b")
        assert "team shows team-b: forbidden." in refused.stdout
        tested = connections("test", "team")
        assert tested.returncode == 1
        assert "✗ You may list runs: The endpoint answered 403" in tested.stdout
        assert "Choose one of: team-a." in tested.stdout

        listed = json.loads(connections("list", "--json").stdout)
        assert [one["name"] for one in listed] == ["local", "team"]
        assert f"{host}, team-b" in connections("list").stdout
        assert connections("remove", "team").returncode == 0
        assert CANARY not in connections_file().read_text()


@pytest.mark.parametrize(
    ("arguments", "secrets", "kept"),
    [
        (["--sign-in", "token"], [CANARY], {"token": CANARY}),
        (["--sign-in", "token", "--set", "file=/t"], [], {"file": "/t"}),
        (["--sign-in", "token", "--set", "command=print it"], [], {"command": "print it"}),
        (["--sign-in", "cookie"], [f"a={CANARY}"], {"cookie": f"a={CANARY}"}),
        (["--sign-in", "header", "--set", "header=x-user"], [CANARY], {"value": CANARY}),
        (
            ["--sign-in", "oidc", "--set", "grant=password", "token_url=http://127.0.0.1:9/t",
             "client_id=c", "username=ada"],
            ["", CANARY],
            {"password": CANARY, "username": "ada"},
        ),
        (
            ["--sign-in", "iap", "--set", "client_id=c", "app_client_id=d"],
            [f"{CANARY}1", f"{CANARY}2"],
            {"app_client_secret": f"{CANARY}1", "refresh_token": f"{CANARY}2"},
        ),
        (["--sign-in", "iap", "--set", "client_id=c", "key_file=/k"], [], {"key_file": "/k"}),
    ],
)  # fmt: skip
def test_every_sign_in_can_be_given(
    arguments: list[str], secrets: list[str], kept: dict[str, str], connections: Call
) -> None:
    done = connections(
        "add", "team", "http://127.0.0.1:9", *arguments, secrets="\n".join([*secrets, ""])
    )
    assert done.returncode == 0, done.stderr
    assert "connections test team" in done.stdout
    (record,) = Store(connections_file()).load().records
    for name, value in kept.items():
        given = getattr(record.settings.sign_in, name)
        assert getattr(given, "get_secret_value", lambda given=given: given)() == value


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "team", "http://h", "--set", "namespace"], "FIELD=VALUE"),
        (["add", "team", "http://h", "--set", "nonsense=1"], "nonsense"),
        (["add", "Team", "http://h"], "name"),
        (["add", "team", "no host"], "host"),
        (["add", "local", "http://h"], "reserved"),
        (["add", "team", "http://h", "--sign-in", "token", "--set", "token=x"], "Leave token out"),
        (["add", "team", "http://h", "--sign-in", "dex", "--set", "username=a"], "password"),
        (["test", "nowhere"], "nowhere"),
        (["test", "local"], "this machine"),
        (["remove", "local"], "cannot be"),
        (["namespace", "local", "x"], "no namespaces"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_kept(
    arguments: list[str], said: str, connections: Call
) -> None:
    done = connections(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert Store(connections_file()).load().records == ()
