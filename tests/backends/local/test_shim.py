"""The shim alone: its claim, its files, its log and its stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local import processes, shim
from jupyterlab_pipelines.backends.local.processes import Phase, look

pytestmark = pytest.mark.usefixtures("attempt")


@pytest.fixture
def attempt(tmp_path: Path) -> Path:
    directory = tmp_path / "attempt-1"
    directory.mkdir()
    return directory


def start(directory: Path, *command: str, env: dict[str, str] | None = None) -> Any:
    return processes.launch(directory, command, env or {})


def patched(directory: Path, patch: str, *command: str) -> Any:
    """Starts a shim in which the statements `patch` have changed something."""
    code = f"import sys; sys.path.append({str(Path(shim.__file__).parent)!r}); import shim\n{patch}"
    words = [str(directory), "1000000", "1", *command]
    return subprocess.Popen([sys.executable, "-c", f"{code}\nsys.exit(shim.main({words}))"])


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_end_is_told(attempt: Path) -> None:
    assert look(attempt).phase is Phase.UNCLAIMED
    shim_process = start(attempt, "sh", "-c", "echo said; echo wrong >&2; exit 3")
    assert shim_process.wait(10) == 0
    sighting = look(attempt)
    assert sighting.phase is Phase.ENDED
    assert sighting.exit
    assert (sighting.exit.code, sighting.exit.signal, sighting.exit.stopped) == (3, None, False)
    assert (attempt / "log.txt").read_text() == "said\nwrong\n"
    assert sighting.start
    assert sighting.start["boot"] == processes.boot_identity()


def test_a_second_shim_does_not_run(attempt: Path) -> None:
    code = "open('../ran', 'a').write('x'); import time; time.sleep(.5)"
    shims = [start(attempt, *python(code)) for _ in range(6)]
    assert sorted(one.wait(10) for one in shims) == [0] + [shim.ALREADY_CLAIMED] * 5
    assert (attempt / "ran").read_text() == "x"
    assert start(attempt, *python(code)).wait(10) == shim.ALREADY_CLAIMED


def test_a_living_shim_is_seen_and_looking_disturbs_nothing(
    attempt: Path, until: Callable[..., None]
) -> None:
    shim_process = start(attempt, "sleep", "1")
    seen = set()
    while shim_process.poll() is None:
        seen.add(look(attempt).phase)
    assert shim_process.returncode == 0
    assert Phase.RUNNING in seen
    assert seen <= {Phase.UNCLAIMED, Phase.RUNNING, Phase.ENDED}


def test_stop_lets_the_command_end_itself(attempt: Path, until: Callable[..., None]) -> None:
    code = (
        "import signal,sys,time; signal.signal(15, lambda *a: sys.exit(5)); "
        "print('on', flush=True); time.sleep(60)"
    )
    shim_process = start(attempt, *python(code))
    until(lambda: (attempt / "log.txt").exists() and (attempt / "log.txt").read_text())
    processes.ask_to_stop(look(attempt).start or {})
    shim_process.wait(5)
    end = look(attempt).exit
    assert end
    assert (end.code, end.stopped) == (5, True)


def test_stop_kills_what_ignores_it(
    attempt: Path, until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_GRACE", 0.5)
    code = (
        "import signal,time; signal.signal(15, signal.SIG_IGN); "
        "print('on', flush=True); time.sleep(60)"
    )
    shim_process = start(attempt, *python(code))
    until(lambda: (attempt / "log.txt").exists() and (attempt / "log.txt").read_text())
    processes.ask_to_stop(look(attempt).start or {})
    shim_process.wait(5)
    end = look(attempt).exit
    assert end
    assert (end.signal, end.stopped) == (signal.SIGKILL, True)


def test_nothing_stays_in_the_background(attempt: Path) -> None:
    start(attempt, "sh", "-c", "sleep 60 & echo $!").wait(10)
    child = int((attempt / "log.txt").read_text())
    assert shim.process_start(child) == "" or _is_zombie(child)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_even_a_daemon_of_its_own_session_is_killed(
    attempt: Path, until: Callable[..., None]
) -> None:
    code = (
        "import os,time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    open('../daemon','w').write(str(os.getpid())); time.sleep(60)\n"
        "time.sleep(60)"
    )
    shim_process = start(attempt, *python(code))
    until(lambda: (attempt / "daemon").exists() and (attempt / "daemon").read_text())
    assert processes.kill_all(attempt, look(attempt).start)
    shim_process.wait(5)
    daemon = int((attempt / "daemon").read_text())
    assert shim.process_start(daemon) == "" or _is_zombie(daemon)
    assert look(attempt).phase is Phase.UNKNOWN


def test_an_endless_log_is_cut_with_a_marker(
    attempt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_LIMIT", 1 << 20)
    code = "import time\nend = time.time() + 1.5\nwhile time.time() < end: print('x' * 10000)"
    start(attempt, *python(code)).wait(20)
    log = (attempt / "log.txt").read_bytes()
    assert len(log) == (1 << 20) + len(shim.LOG_MARKER)
    assert log.endswith(shim.LOG_MARKER)


def test_a_command_that_does_not_exist(attempt: Path) -> None:
    start(attempt, "/no/such/command").wait(10)
    end = look(attempt).exit
    assert end
    assert end.code == 127
    assert "No such file" in (attempt / "log.txt").read_text()


@pytest.mark.parametrize(
    ("counted", "command", "out_of_memory"),
    [
        ([3, 4], "kill -9 $$", True),
        ([3, 4], "sh -c 'kill -9 $$'; exit $?", True),  # a shell tells of its child so
        ([3, 3], "kill -9 $$", False),
        ([3, 4], "kill -15 $$", False),
        ([3, 4], "exit 9", False),
    ],
)
def test_a_kill_for_memory_is_told(
    attempt: Path, counted: list[int], command: str, out_of_memory: bool
) -> None:
    patch = f"shim.oom_kills = iter({counted}).__next__"
    assert patched(attempt, patch, "sh", "-c", command).wait(10) == 0
    end = look(attempt).exit
    assert end
    assert end.out_of_memory is out_of_memory


def test_an_end_on_a_full_disk_is_told_once_there_is_space(attempt: Path) -> None:
    patch = (
        "import errno\nwrite, tries = shim.write_whole, []\n"
        "def full(path, text):\n"
        "    if path.endswith('exit.json'):\n"
        "        tries.append(path)\n"
        "        if len(tries) < 3: raise OSError(errno.ENOSPC, 'full')\n"
        "    write(path, text)\n"
        "shim.write_whole = full"
    )
    assert patched(attempt, patch, "sh", "-c", "exit 5").wait(10) == 0
    end = look(attempt).exit
    assert end
    assert end.code == 5


@pytest.mark.parametrize(
    ("point", "phase", "ran"),
    [
        ("shim-after-lock", Phase.UNCLAIMED, False),
        ("shim-after-claim", Phase.UNSTARTED, False),
        ("shim-before-command", Phase.UNKNOWN, False),
        ("shim-while-running", Phase.UNKNOWN, True),
        ("shim-before-exit", Phase.UNKNOWN, True),
    ],
)
def test_a_shim_killed_anywhere_leaves_what_can_be_judged(
    attempt: Path, point: str, phase: Phase, ran: bool
) -> None:
    crash = {"JUPYTERLAB_PIPELINES_CRASH_AT": point}
    shim_process = start(attempt, "sh", "-c", "echo ran > ../ran", env=crash)
    assert shim_process.wait(10) == -signal.SIGKILL
    time.sleep(0.2)
    assert look(attempt).phase is phase
    assert (attempt / "ran").exists() is ran
    if phase is Phase.UNSTARTED:
        processes.withdraw_claim(attempt)
        assert start(attempt, "true").wait(10) == 0


def test_a_forbidden_attempt_never_starts(attempt: Path) -> None:
    assert processes.forbid(attempt)
    assert not processes.forbid(attempt)
    assert start(attempt, "sh", "-c", "echo ran > ../ran").wait(10) == shim.ALREADY_CLAIMED
    assert not (attempt / "ran").exists()


def test_another_boot_is_not_signalled(attempt: Path, until: Callable[..., None]) -> None:
    shim_process = start(attempt, "sleep", "1")
    until(lambda: look(attempt).start)
    told = {**json.loads((attempt / "start.json").read_text()), "boot": "another/1"}
    processes.ask_to_stop(told)
    assert shim_process.wait(10) == 0
    end = look(attempt).exit
    assert end
    assert not end.stopped
