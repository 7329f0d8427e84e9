"""A bearer token from a file that rotates, the environment, or a command."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, kubeflow_backend
from jupyterlab_pipelines.backends.kubeflow.sign_in import command as commands
from jupyterlab_pipelines.backends.kubeflow.sign_in import session
from jupyterlab_pipelines.backends.kubeflow.sign_in import token as tokens
from jupyterlab_pipelines.errors import SignInNeeded
from jupyterlab_pipelines.models import NewConnection
from tests.async_tests import in_loop
from tests.backends.kubeflow.sign_in.asking import names
from tests.kubeflow import Cluster, serving

CANARY = "canary-9c2e"


def backend_of(host: str, **source: str) -> KubeflowBackend:
    given = {"name": "t", "host": host, "sign_in": {"method": "token", **source}}
    return kubeflow_backend(NewConnection.model_validate(given))


def printing(folder: Path, code: str) -> str:
    """A command with blanks in its path that runs this code."""
    script = folder / "print the token.py"
    script.write_text(code)
    return f'"{sys.executable}" "{script}"'


def counting(folder: Path) -> tuple[Path, str]:
    """The file with the number of runs, and code that prints the token of that number."""
    counter = folder / "counter"
    counter.write_text("0")
    code = (
        f"import pathlib; f = pathlib.Path({str(counter)!r}); n = int(f.read_text()) + 1;"
        "f.write_text(str(n)); print(f'token-{n}')"
    )
    return counter, code


@in_loop
async def test_a_mounted_token_is_read_for_each_request(tmp_path: Path) -> None:
    cluster = Cluster()
    file = tmp_path / "token"
    async with serving(cluster) as url:
        backend = backend_of(url, file=str(file))
        for number in range(3):  # as the kubelet does it, in place
            cluster.users = {f"token-{number}": "ada"}
            file.write_text(f"token-{number}\n")
            await names(backend)
        assert not [one for one in cluster.seen if not one.user]
        await backend.close()


@in_loop
async def test_a_token_file_that_hangs_takes_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "PATIENCE", 0.05)
    file = tmp_path / "token"
    os.mkfifo(file)
    cluster = Cluster()
    async with serving(cluster) as url:
        backend = backend_of(url, file=str(file))
        for _ in range(6):
            with pytest.raises(SignInNeeded, match="took longer"):
                await names(backend)
        reading = [one for one in threading.enumerate() if one.name == "sign-in"]
        assert len(reading) == 1
        file.write_text("token-1")  # which ends the reading
        await asyncio.to_thread(reading[0].join)
        file.unlink()
        file.write_text("token-2")
        await names(backend)
        assert cluster.seen[-1].headers["authorization"] == "Bearer token-2"
        await backend.close()


@in_loop
async def test_a_command_is_run_once_and_again_when_its_token_is_refused(tmp_path: Path) -> None:
    cluster = Cluster()
    counter, code = counting(tmp_path)
    cluster.users = {"token-1": "ada"}
    async with serving(cluster) as url:
        backend = backend_of(url, command=printing(tmp_path, code))
        for _ in range(3):
            await names(backend)
        assert counter.read_text() == "1"
        cluster.users = {"token-2": "ada"}
        await names(backend)
        assert counter.read_text() == "2"
        await backend.close()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (f"print('{CANARY}'); raise SystemExit('{CANARY}')", "status 1"),
        ("print()", "holds no token"),
        (f"print('{CANARY} and more')", "holds no token"),
        ("import time; time.sleep(30)", "took longer"),
        ("while True: print('x' * 9999)", "more than 64 KiB"),
        (f"print('{CANARY}' * 9999)", "more than 64 KiB"),
    ],
    ids=["fails", "prints nothing", "prints a sentence", "hangs", "prints on", "prints much"],
)
@in_loop
async def test_a_command_that_fails_is_told_without_what_it_says(
    code: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in code:
        monkeypatch.setattr(commands, "COMMAND_TIMEOUT", 0.5)
    cluster = Cluster()
    async with serving(cluster) as url:
        backend = backend_of(url, command=printing(tmp_path, code))
        with pytest.raises(SignInNeeded, match=said) as caught:
            await names(backend)
        assert CANARY not in f"{caught.value.message}{caught.value.next_step}"
        assert not cluster.seen
        await backend.close()


@in_loop
async def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    left = f"import time, pathlib; time.sleep(3); pathlib.Path({str(ended)!r}).touch()"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {left!r}]); print('t')"
    cluster = Cluster()
    cluster.users = {"t": "ada"}
    async with serving(cluster) as url:
        backend = backend_of(url, command=printing(tmp_path, code))
        assert await names(backend) == []
        assert not ended.exists()
        for _ in range(100):  # nor is it ended
            if ended.exists():
                break
            await asyncio.sleep(0.1)
        assert ended.exists()
        await backend.close()


@pytest.mark.parametrize("command", ["/no/such/command", 'open "quote', " "])
@in_loop
async def test_a_command_that_cannot_be_run_is_told(command: str) -> None:
    backend = backend_of("http://127.0.0.1:9", command=command)
    with pytest.raises(SignInNeeded, match="command failed"):
        await names(backend)
    await backend.close()


@in_loop
async def test_many_refusals_at_a_time_run_the_command_once(tmp_path: Path) -> None:
    cluster = Cluster()
    counter, code = counting(tmp_path)
    cluster.users = {"token-1": "ada"}
    async with serving(cluster) as url:
        backend = backend_of(url, command=printing(tmp_path, code))
        await names(backend)
        cluster.users = {"token-2": "ada"}
        await asyncio.gather(*(names(backend) for _ in range(20)))
        assert counter.read_text() == "2"
        await backend.close()


@in_loop
async def test_a_token_that_stays_refused_is_made_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(session, "monotonic", lambda: now)
    cluster = Cluster()
    cluster.users = {"another": "ada"}
    counter, code = counting(tmp_path)
    async with serving(cluster) as url:
        backend = backend_of(url, command=printing(tmp_path, code))
        for minute in range(1, 5):
            for _ in range(4):
                with pytest.raises(SignInNeeded, match="refuses the token"):
                    await names(backend)
                now += 15
            assert counter.read_text() == str(minute)
        cluster.users = {"token-5": "ada"}
        await names(backend)
        await backend.close()
