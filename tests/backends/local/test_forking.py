"""Tasks that are forked: nothing of one reaches another, and nothing changes but the time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.models import Run, State
from tests.backends.local.steps import pipeline, step
from tests.backends.local.test_crashes import counted, counts, forkers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")

Submit = Callable[..., str]
Finished = Callable[..., Run]
Processes = Callable[[], list[psutil.Process]]

#: What a task can see of the process it runs in, but for what belongs to one process alone.
LOOK = """
import gc, json, locale, logging, os, random, resource, signal, sys, threading, time
names = [one for one in signal.Signals]
seen = {
    "environ": {k: v for k, v in os.environ.items()},
    "signals": {one.name: str(signal.getsignal(one)) for one in names},
    "masked": [str(one) for one in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "wakeup": signal.set_wakeup_fd(-1),
    "cwd": os.getcwd(), "path": sys.path, "argv": sys.argv[:1] + sys.argv[3:5],
    "umask": os.umask(0o77), "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:3],
    "open": len(os.listdir("/proc/self/fd")),
    "threads": len(os.listdir("/proc/self/task")),
    "streams": [
        (one.encoding, one.errors, one.isatty(), one.write_through)
        for one in (sys.stdout, sys.stderr)
    ],
    "stdin": sys.stdin.read(), "encoding": locale.getpreferredencoding(),
    "leads": [os.getpgid(0) == os.getpid(), os.getpgid(os.getppid()) == os.getppid()],
    "session": os.getsid(0) in (os.getpid(), os.getppid()), "niceness": os.nice(0),
    "recursion": sys.getrecursionlimit(), "zone": time.tzname, "gc": gc.isenabled(),
    "ours": sorted({"shim", "runner", "forker", "preloaded"} & set(sys.modules)),
    "marker": [
        line.decode() for line in open("/proc/self/environ", "rb").read().split(b"\\0")
        if b"PIPELINES_ATTEMPT" in line
    ],
    "main": sys.modules["__main__"].__file__,
}
print("SEEN" + json.dumps(seen))
"""

#: Changes all that a task can change of its own process.
SOIL = """
import atexit, builtins, gc, json, locale, logging, os, random, resource, signal, sys, threading
os.environ["SOILED"] = "1"; os.chdir("/"); os.umask(0); sys.path.insert(0, "/soiled")
sys.setrecursionlimit(5000); builtins.soiled = 1; json.soiled = 1; random.seed(1); gc.disable()
sys.modules["soiled"] = sys; logging.disable(logging.CRITICAL); os.nice(1)
for one in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1): signal.signal(one, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)); sys.stdout.reconfigure(encoding="ascii")
threading.Thread(target=signal.pause, daemon=True).start()
from kfp import dsl
dsl.Artifact = None; os.close(0)
"""


@pytest.fixture
def apart(engine: Engine) -> Callable[[], None]:
    """Gives each task a process of its own from now on."""

    def apart_() -> None:
        engine.settings.change(lambda settings: settings.update(forks=False))

    return apart_


def log(engine: Engine, run_id: str, task_id: str) -> str:
    return engine.read_log(run_id, task_id, None, 0, 1 << 20).text


def seen(engine: Engine, run_id: str, task_id: str) -> dict[str, Any]:
    """What `LOOK` printed, with the attempt's own folder left out."""
    text = log(engine, run_id, task_id).partition("SEEN")[2].splitlines()[0]
    folder = engine.layout.attempt(run_id, task_id, 1)
    told: dict[str, Any] = json.loads(text.replace(str(folder), "HERE"))
    return told


def test_a_forked_task_sees_what_one_in_a_process_of_its_own_sees(
    engine: Engine, submit: Submit, finished: Finished, apart: Callable[[], None]
) -> None:
    spec = pipeline({"look": step(LOOK)})
    forked = submit(spec)
    assert finished(forked).state is State.SUCCEEDED
    apart()
    alone = submit(spec)
    assert finished(alone).state is State.SUCCEEDED
    assert seen(engine, forked, "look") == seen(engine, alone, "look")
    assert seen(engine, forked, "look")["marker"] == ["JUPYTERLAB_PIPELINES_ATTEMPT=HERE"]


def test_nothing_that_a_task_changes_reaches_another(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    steps = {
        "before": step(LOOK),
        "soil": step(SOIL, after=["before"]),
        "after": step(
            f"{LOOK}\nimport builtins\nassert not hasattr(builtins, 'soiled')\n"
            "assert not hasattr(json, 'soiled') and 'soiled' not in sys.modules\n"
            "assert logging.root.manager.disable == 0 and dsl.Artifact",
            after=["soil"],
        ),
    }
    run_id = submit(pipeline(steps))
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert seen(engine, run_id, "before") == seen(engine, run_id, "after")


@pytest.mark.parametrize("forked", [True, False])
def test_all_of_a_run_comes_after_whoever_started_it(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Callable[..., None],
    processes: Processes,
    apart: Callable[[], None],
    tmp_path: Path,
    forked: bool,
) -> None:
    if not forked:
        apart()
    gate = tmp_path / "gate"
    wait = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)"
    run_id = submit(pipeline({"one": step(wait), "two": step(wait)}))
    until(lambda: len(processes()) == 6)  # its supervisor, a forker, two shims, two tasks
    living = processes()
    gate.touch()
    assert {process.nice() for process in living} == {os.nice(0) + 10}
    (session,) = {os.getsid(process.pid) for process in living}
    assert session != os.getsid(0)
    assert finished(run_id).state is State.SUCCEEDED


def test_tasks_draw_random_numbers_of_their_own(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    body = (
        "import random, secrets, tempfile, uuid\n"
        "print('DRAWN', random.random(), secrets.token_hex(8), uuid.uuid4(), tempfile.mktemp())"
    )
    names = [f"draw-{number}" for number in range(4)]
    run_id = submit(pipeline({name: step(body) for name in names}))
    assert finished(run_id).state is State.SUCCEEDED
    words = [
        word
        for name in names
        for word in log(engine, run_id, name).partition("DRAWN ")[2].splitlines()[0].split()
    ]
    assert len(set(words)) == 16


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("import os; os._exit(7)", "exit code 7"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ("import sys; sys.exit('It is over.')", "exit code 1"),
        ("raise ValueError('This is wrong.')", "ValueError: This is wrong."),
        ("import os; os.kill(os.getpid(), 11)", "signal 11"),
        ("import os; os.abort()", "signal 6"),
        ("raise KeyboardInterrupt", "signal 2"),
    ],
)
def test_an_end_is_told_as_it_was(
    submit: Submit, finished: Finished, body: str, error: str
) -> None:
    run = finished(submit(pipeline({"one": step(body)})))
    assert run.state is State.FAILED
    assert error in (run.error or "")


def test_a_task_ends_as_python_ends(engine: Engine, submit: Submit, finished: Finished) -> None:
    body = (
        "import atexit, threading, time\n"
        "atexit.register(print, 'LAST')\n"
        "threading.Thread(target=lambda: (time.sleep(.3), print('THREAD'))).start()\n"
        "print('FIRST', end=' ')"
    )
    run_id = submit(pipeline({"one": step(body)}))
    assert finished(run_id).state is State.SUCCEEDED
    text = log(engine, run_id, "one")
    assert text.index("FIRST") < text.index("THREAD") < text.index("LAST")


def test_nothing_that_a_task_has_buffered_is_lost(
    engine: Engine, submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    body = (
        "import ctypes, weakref\n"
        "class Held:\n"
        "    def __del__(self): print('HELD')\n"
        "global held, file\n"
        "held = Held(); held.itself = held\n"
        f"file = open({str(tmp_path / 'file')!r}, 'w'); file.write('FILE')\n"
        "weakref.finalize(file, print, 'FINALIZED')\n"
        "ctypes.CDLL(None).printf(b'FROM C')\n"
    )
    run_id = submit(pipeline({"one": step(body)}))
    assert finished(run_id).state is State.SUCCEEDED
    text = log(engine, run_id, "one")
    assert [word for word in ("HELD", "FINALIZED", "FROM C") if word not in text] == []
    assert (tmp_path / "file").read_text() == "FILE"


def test_a_log_that_cannot_be_written_is_told_as_python_tells_it(
    submit: Submit, finished: Finished
) -> None:
    body = "import sys; sys.stdout = open('/dev/full', 'w'); print('lost')"
    run = finished(submit(pipeline({"one": step(body)})))
    assert run.state is State.FAILED
    assert "exit code 120" in (run.error or "")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_task_may_use_multiprocessing(
    engine: Engine, submit: Submit, finished: Finished, method: str
) -> None:
    body = (
        "import math, multiprocessing\n"
        f"with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "    print('SUM', sum(pool.map(math.factorial, range(5))))"
    )
    run_id = submit(pipeline({"one": step(body)}))
    assert finished(run_id).state is State.SUCCEEDED
    assert "SUM 34" in log(engine, run_id, "one")


def test_no_daemon_survives_a_stop(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Processes
) -> None:
    body = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork(): os._exit(0)\n"
        "    print('on', flush=True); time.sleep(99)\n"
        "time.sleep(99)"
    )
    run_id = submit(pipeline({"one": step(body)}))
    until(lambda: "on" in log(engine, run_id, "one"))
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    until(lambda: not processes(), timeout=3)


def test_a_forker_that_is_killed_takes_nothing_with_it(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Processes,
    tmp_path: Path,
) -> None:
    spec = pipeline(
        {
            "a": step(counted(tmp_path, "a", 1)),
            "b": step(counted(tmp_path, "b", 0), after=["a"]),
        }
    )
    run_id = submit(spec)
    until(lambda: (tmp_path / "counts" / "a").exists())
    (forker,) = forkers(processes())
    forker.kill()
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert counts(tmp_path) == {"a": 1, "b": 1}
    attempts = [one.attempts for one in engine.graph(run_id).tasks.values()]
    assert [len(one) for one in attempts] == [1, 1]


def test_a_shim_that_is_killed_leaves_no_task(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Processes,
    tmp_path: Path,
) -> None:
    run_id = submit(pipeline({"a": step(counted(tmp_path, "a", 99))}))
    until(lambda: (tmp_path / "counts" / "a").exists())
    start = json.loads((engine.layout.attempt(run_id, "a", 1) / "start.json").read_text())
    psutil.Process(start["pid"]).kill()
    run = finished(run_id)
    assert "outcome is unknown" in (run.error or "")
    until(lambda: not processes(), timeout=3)


def test_what_is_read_at_start_gets_a_process_of_its_own(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    spec = pipeline({"one": step("import sys; print('FLAG', sys.flags.optimize)")})
    container = spec["deploymentSpec"]["executors"]["exec-one"]["container"]
    container["env"] = [{"name": "PYTHONOPTIMIZE", "value": "2"}]
    run_id = submit(spec)
    assert finished(run_id).state is State.SUCCEEDED
    assert "FLAG 2" in log(engine, run_id, "one")
