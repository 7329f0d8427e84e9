"""The engine's contract, with real processes: what a run does, and what is seen of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local import database, reasons
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.backends.local.shim import LOG_MARKER
from jupyterlab_pipelines.errors import (
    BadInput,
    Conflict,
    InvalidParameter,
    InvalidPipeline,
    NotFound,
    UnsupportedFeature,
)
from jupyterlab_pipelines.models import Run, RunQuery, State
from tests.backends.local.sdk_pipelines import big, contained, imports, numbers
from tests.backends.local.steps import pipeline, step

Submit = Callable[..., str]
Finished = Callable[..., Run]
#: Takes more memory than it may have; the limit is far above what it has already.
_HUNGRY = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\nb'x' * 2**32"


def test_a_pipeline_of_the_sdk_runs(
    engine: Engine, compiled: Any, submit: Submit, finished: Finished
) -> None:
    run_id = submit(compiled(numbers), {"start": "21"})
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert run.parameters == {"start": 21}
    assert run.started_at
    assert run.finished_at
    assert run.started_at <= run.finished_at
    assert run.progress
    assert (run.progress.total, run.progress.done) == (2, 2)

    graph = engine.graph(run_id)
    assert {key: status.state for key, status in graph.tasks.items()} == {
        "double": State.SUCCEEDED,
        "read": State.SUCCEEDED,
    }
    assert graph.artifacts["double:table"].metadata == {"rows": 1}
    assert graph.artifacts["double:table"].size == 3
    assert graph.artifacts["double:notes"].metadata == {"accuracy": 0.5}

    detail = engine.task(run_id, "read")
    assert detail.outputs.parameters == {"Output": "42 42"}
    assert detail.inputs.artifacts[0].id == "double:table"
    assert "def read(" in detail.source

    log = engine.read_log(run_id, "double", None, 0, 100_000)
    assert "doubling 21" in log.text
    assert log.complete
    path, _ = engine.artifact_file(run_id, "double:table")
    assert path.read_text() == "42\n"


def test_independent_steps_run_at_the_same_time(submit: Submit, finished: Finished) -> None:
    nap = "import time; time.sleep(1)"
    run = finished(submit(pipeline({f"nap-{i}": step(nap) for i in range(8)})))
    assert run.state is State.SUCCEEDED
    assert run.started_at
    assert run.finished_at
    assert (run.finished_at - run.started_at).total_seconds() < 6


def test_the_worker_limit_holds(engine: Engine, submit: Submit, finished: Finished) -> None:
    engine.settings.change(lambda settings: settings.update(workers=1))
    run_id = submit(pipeline({f"nap-{i}": step("import time; time.sleep(.2)") for i in range(3)}))
    finished(run_id)
    attempts = sorted(
        (one.started_at, one.finished_at)
        for status in engine.graph(run_id).tasks.values()
        for one in status.attempts
    )
    assert all(before[1] <= after[0] for before, after in pairwise(attempts))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('no such number')", "ValueError: no such number"),
        ("import os; os._exit(7)", "The step ended with exit code 7."),
        ("import os; os.kill(os.getpid(), 9)", "Killed by signal 9 (SIGKILL)."),
        ("import sys; sys.exit('a word')", "The step ended with exit code 1."),
        (_HUNGRY, f"Out of memory: MemoryError. {reasons.MEMORY_STEP}"),
    ],
)
def test_a_failure_says_why(
    engine: Engine, submit: Submit, finished: Finished, body: str, reason: str
) -> None:
    run_id = submit(pipeline({"break": step(body), "after": step("pass", after=["break"])}))
    run = finished(run_id)
    assert (run.state, run.error) == (State.FAILED, f"break: {reason}")
    graph = engine.graph(run_id)
    assert graph.tasks["break"].error == reason
    assert graph.tasks["break"].attempts[0].error == reason
    assert graph.tasks["after"].state is State.SKIPPED


def test_an_endless_log_is_cut_at_100_mib(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    body = "import os\nline = b'x' * 2**20 + b'\\n'\nfor _ in range(130): os.write(1, line)"
    run_id = submit(pipeline({"talk": step(body)}))
    assert finished(run_id).state is State.SUCCEEDED
    end = engine.read_log(run_id, "talk", None, 100 * 2**20 - 10, 9999)
    assert end.text == "x" * 10 + LOG_MARKER.decode()
    assert end.complete
    assert (engine.layout.attempt(run_id, "talk", 1) / "log.txt").stat().st_size == end.size


def test_a_log_that_leads_elsewhere_is_not_read(
    engine: Engine, submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Traceback (most recent call last):\nError: canary")
    link = f"os.symlink({str(secret)!r}, '../log.txt')"
    body = f"import os; os.remove('../log.txt'); {link}; os._exit(3)"
    run_id = submit(pipeline({"link": step(body)}))
    assert finished(run_id).error == "link: The step ended with exit code 3."
    assert "canary" in (engine.layout.attempt(run_id, "link", 1) / "log.txt").read_text()
    with pytest.raises(NotFound, match="link"):
        engine.read_log(run_id, "link", None, 0, 9999)


def test_a_step_that_is_killed_from_outside_says_by_what(
    engine: Engine, submit: Submit, finished: Finished, until: Any
) -> None:
    run_id = submit(pipeline({"nap": step("import os, time; print(os.getpid()); time.sleep(99)")}))
    said = r"(?m)^\d+$"
    until(lambda: re.search(said, engine.read_log(run_id, "nap", None, 0, 9999).text))
    found = re.search(said, engine.read_log(run_id, "nap", None, 0, 9999).text)
    assert found
    os.kill(int(found[0]), signal.SIGKILL)
    assert finished(run_id).error == "nap: Killed by signal 9 (SIGKILL)."


def test_a_step_that_the_system_killed_for_memory_says_so(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any
) -> None:
    nap = "import time; print('on', flush=True); time.sleep(99)"
    run_id = submit(pipeline({"nap": step(nap)}))
    until(lambda: "on" in engine.read_log(run_id, "nap", None, 0, 9999).text)
    for process in processes():
        process.kill()
    # What a shim writes once the kernel has counted such a kill; no test can bring that about.
    told = {"code": None, "signal": 9, "stopped": False, "out_of_memory": True, "at": 1}
    (engine.layout.attempt(run_id, "nap", 1) / "exit.json").write_text(json.dumps(told))
    run = finished(run_id)
    assert run.error == f"nap: Out of memory: the system killed the step. {reasons.MEMORY_STEP}"


def test_a_step_is_tried_again_as_its_policy_says(
    engine: Engine, submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    body = (
        f"path = __import__('pathlib').Path({str(tmp_path)!r}) / 'tries'\n"
        "tries = len(path.read_text()) if path.exists() else 0\n"
        "path.write_text('x' * (tries + 1))\n"
        "print('try', tries)\n"
        "assert tries == 2, tries"
    )
    policy = {"maxRetryCount": 2, "backoffDuration": "0.3s", "backoffFactor": 2}
    run_id = submit(pipeline({"flaky": step(body, retryPolicy=policy)}))
    assert finished(run_id).state is State.SUCCEEDED
    attempts = engine.graph(run_id).tasks["flaky"].attempts
    assert [one.state for one in attempts] == [State.FAILED, State.FAILED, State.SUCCEEDED]
    pauses = [
        (after.started_at - before.finished_at).total_seconds()
        for before, after in pairwise(attempts)
    ]
    assert pauses[0] >= 0.29
    assert pauses[1] >= 0.59
    assert "try 1" in engine.read_log(run_id, "flaky", 2, 0, 9999).text
    assert "try 2" in engine.read_log(run_id, "flaky", None, 0, 9999).text


def test_an_equal_step_is_found_in_the_cache(
    engine: Engine, compiled: Any, submit: Submit, finished: Finished
) -> None:
    spec = compiled(numbers)
    first = submit(spec)
    finished(first)
    second = submit(spec)
    assert finished(second).state is State.SUCCEEDED
    graph = engine.graph(second)
    assert {status.state for status in graph.tasks.values()} == {State.CACHED}
    source = graph.tasks["double"].cached_from
    assert source
    assert (source.run_id, source.task_id) == (first, "double")
    assert graph.artifacts["double:table"].size == 2

    engine.delete(first)  # what the second run still shows stays
    assert engine.artifact_file(second, "double:table")[0].read_text() == "8\n"
    engine.artifact_file(second, "double:table")[0].unlink()
    third = submit(spec)
    finished(third)
    assert engine.graph(third).tasks["double"].state is State.SUCCEEDED

    assert finished(submit(spec, caching=False)).state is State.SUCCEEDED


def test_retry_keeps_what_succeeded(
    engine: Engine, submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    spec = pipeline(
        {
            "good": step("print('once')"),
            "bad": step(f"open({str(flag)!r})", after=["good"]),
            "last": step("pass", after=["bad"]),
            "hook": step(
                "pass",
                after=["bad"],
                triggerPolicy={"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
            ),
        }
    )
    run_id = submit(spec)
    assert finished(run_id).state is State.FAILED
    before = engine.graph(run_id)
    assert before.tasks["hook"].state is State.SUCCEEDED
    flag.touch()
    engine.retry(run_id)
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    after = engine.graph(run_id)
    assert {status.state for status in after.tasks.values()} == {State.SUCCEEDED}
    assert {key: len(status.attempts) for key, status in after.tasks.items()} == {
        "good": 1,
        "bad": 2,
        "last": 1,
        "hook": 2,
    }
    assert after.revision > before.revision
    with pytest.raises(Conflict, match="succeeded"):
        engine.retry(run_id)


def test_an_importer_needs_no_process(
    engine: Engine, compiled: Any, submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("7")

    run_id = submit(compiled(imports), {"path": str(data)})
    assert finished(run_id).state is State.SUCCEEDED
    assert engine.task(run_id, "read").outputs.parameters == {"Output": "7 1"}
    with pytest.raises(UnsupportedFeature, match="outside"):
        engine.artifact_file(run_id, "importer:artifact")


def test_bad_input_leaves_nothing(engine: Engine, compiled: Any, submit: Submit) -> None:
    spec = compiled(numbers)
    with pytest.raises(InvalidPipeline):
        submit({"root": {}})
    with pytest.raises(InvalidParameter, match="start"):
        submit(spec, {"start": "many"})
    with pytest.raises(InvalidParameter, match="strat"):
        submit(spec, {"strat": 1})
    with pytest.raises(BadInput, match="interpreter"):
        submit(spec, interpreter="/no/such/python")

    with pytest.raises(UnsupportedFeature, match="shell"):
        submit(compiled(contained))
    assert engine.list_runs(RunQuery()).runs == []
    assert not engine.layout.runs.exists()


def test_a_supervisor_that_cannot_start_leaves_nothing(
    engine: Engine, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(Exception, match="cannot be started"):
        submit(pipeline({"one": step("pass")}))
    assert engine.list_runs(RunQuery()).runs == []
    assert list(engine.layout.runs.iterdir()) == []


def test_a_supervisor_that_dies_at_once_ends_the_run_with_its_last_words(
    engine: Engine, submit: Submit, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    run = finished(submit(pipeline({"one": step("pass")})))
    assert run.state is State.FAILED
    assert run.error
    assert "cannot start" in run.error


def test_changes_tell_of_new_changed_and_deleted_runs(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    cursor = engine.changes(None).cursor
    assert engine.changes(cursor).runs == ()
    run_id = submit(pipeline({"one": step("pass")}))
    finished(run_id)
    told = engine.changes(cursor)
    assert [run.run_id for run in told.runs] == [run_id]
    assert told.runs[0].state is State.SUCCEEDED
    engine.delete(run_id)
    gone = engine.changes(told.cursor)
    assert list(gone.deleted) == [run_id]
    assert not engine.layout.run(run_id).exists()
    with pytest.raises(NotFound):
        engine.get_run(run_id)
    with pytest.raises(NotFound):
        engine.graph(run_id)


def test_secrets_of_the_server_do_not_reach_a_step(
    engine: Engine, submit: Submit, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_TOKEN", "canary-1")
    monkeypatch.setenv("JPY_API_TOKEN", "canary-2")
    monkeypatch.setenv("MY_SETTING", "kept")
    run_id = submit(pipeline({"env": step("import os; print(sorted(os.environ.items()))")}))
    finished(run_id)
    text = engine.read_log(run_id, "env", None, 0, 99999).text
    assert "kept" in text
    assert "canary" not in text


def test_a_big_parameter_travels(submit: Submit, finished: Finished, compiled: Any) -> None:
    run = finished(submit(compiled(big), {"words": ["word"] * 100_000}))
    assert run.state is State.SUCCEEDED


def test_a_store_on_a_network_folder_serves_supervisors_and_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no write-ahead log then: readers and writers have to wait for each other."""
    patch = "from jupyterlab_pipelines.backends.local import database\n"
    (tmp_path / "sitecustomize.py").write_text(patch + "database.on_network = lambda path: True\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(database, "on_network", lambda path: True)
    engine = Engine(tmp_path / "engine")
    naps = {f"nap-{i}": step("import time; time.sleep(0.1)") for i in range(8)}
    spec = pipeline({**naps, "last": step("pass", after=list(naps))})
    runs = [
        engine.create_run(display_name="x", pipeline_spec=spec, experiment_id="e") for _ in range(2)
    ]
    deadline = time.monotonic() + 60
    while not all((engine.get_run(run_id)).finished_at for run_id in runs):
        assert time.monotonic() < deadline
        for run_id in runs:
            engine.graph(run_id)
        engine.list_runs(RunQuery())
    assert {engine.get_run(run_id).state for run_id in runs} == {State.SUCCEEDED}
    mode = engine.database.one("PRAGMA journal_mode")
    assert mode
    assert mode[0] == "delete"
    assert not list((tmp_path / "engine").glob("*-wal"))
    engine.close()


def _submit_and_wait(root: Path, spec: dict[str, Any]) -> str:
    engine = Engine(root)
    run_id = engine.create_run(display_name="x", pipeline_spec=spec, experiment_id="e")
    for _ in range(600):
        engine.reconcile()
        run = engine.get_run(run_id)
        if run.finished_at:
            engine.close()
            return run.state.value
        time.sleep(0.05)
    return "late"


def test_many_processes_use_one_engine(engine: Engine) -> None:
    spec = pipeline({f"one-{i}": step("pass") for i in range(2)})
    context = multiprocessing.get_context("spawn")
    with context.Pool(3) as pool:
        jobs = [(engine.layout.root, spec)] * 6
        states = pool.starmap(_submit_and_wait, jobs)
        pool.close()
        pool.join()
    assert states == ["SUCCEEDED"] * 6
    rows = engine.database.read("SELECT COUNT(*) FROM attempts GROUP BY run_id, task_id")
    assert [row[0] for row in rows] == [1] * 12


def test_the_engine_can_be_imported_where_it_cannot_run() -> None:
    code = (
        "import sys; sys.modules['fcntl'] = None  # as on Windows\n"
        "from pathlib import Path\n"
        "from jupyterlab_pipelines.backends.local.backend import LocalBackend\n"
        "from jupyterlab_pipelines.errors import UnsupportedFeature\n"
        "try: LocalBackend(Path('x'))\n"
        "except UnsupportedFeature as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Linux or macOS" in done.stdout


def test_what_a_failed_step_had_written_is_shown_and_never_passed_on(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    spec = pipeline({"writes": step(""), "after": step("", after=["writes"])})
    spec["components"]["comp-writes"]["outputDefinitions"] = {
        "artifacts": {
            name: {"artifactType": {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}}
            for name in ("notes", "never")
        }
    }
    container = spec["deploymentSpec"]["executors"]["exec-writes"]["container"]
    container["command"][-1] = (
        "from kfp import dsl\nfrom kfp.dsl import Output, Artifact\n\n"
        "def work(notes: Output[Artifact], never: Output[Artifact]):\n"
        "    open(notes.path, 'w').write('as far as I got')\n"
        "    raise RuntimeError('too far')\n"
    )
    run_id = submit(spec)
    assert finished(run_id).state is State.FAILED
    graph = engine.graph(run_id)
    assert list(graph.artifacts) == ["writes:notes"]
    assert engine.artifact_file(run_id, "writes:notes")[0].read_text() == "as far as I got"
    shown = engine.task(run_id, "writes").outputs.artifacts
    assert [one.id for one in shown] == ["writes:notes"]
    assert graph.tasks["after"].state is State.SKIPPED
