"""A full disk: the run says so, nothing is lost or done twice, and it goes on by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.errors import StoreBlocked
from jupyterlab_pipelines.models import Run, State
from tests.backends.local.steps import pipeline, step
from tests.backends.local.test_crashes import counts, diamond

Submit = Callable[..., str]
Finished = Callable[..., Run]

#: Read by every Python that is started: while FULL exists no file and no commit fits on the disk,
#: but for what the store's reserve makes room for.
_FULL_DISK = """
import errno, os, pathlib, sqlite3

FULL, RESERVE = pathlib.Path({full!r}), pathlib.Path({reserve!r})
write_text, connect = pathlib.Path.write_text, sqlite3.connect

def checked_write(path, *arguments, **options):
    if FULL.exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return write_text(path, *arguments, **options)

class Connection(sqlite3.Connection):
    def execute(self, sql, *arguments):
        if sql == "COMMIT" and FULL.exists() and RESERVE.exists():
            super().execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")
        return super().execute(sql, *arguments)

pathlib.Path.write_text = checked_write
sqlite3.connect = lambda *arguments, **options: connect(*arguments, factory=Connection, **options)
"""


@pytest.fixture
def full(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that fills the disk of supervisors for as long as it is there."""
    full, folder = tmp_path / "full", tmp_path / "site"
    folder.mkdir()
    text = _FULL_DISK.format(full=str(full), reserve=str(engine.layout.reserve))
    (folder / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return full


def test_a_run_goes_on_when_a_full_disk_has_space_again(
    engine: Engine, submit: Submit, finished: Finished, until: Any, full: Path, tmp_path: Path
) -> None:
    full.touch()
    run_id = submit(diamond(tmp_path, seconds=1))

    def blocked() -> bool:
        run = engine.get_run(run_id)
        return run.state is State.PAUSED and (run.error or "").startswith("blocked: disk")

    until(blocked)
    until(lambda: engine.graph(run_id).tasks["a"].attempts)
    assert not (tmp_path / "counts" / "a").exists()
    full.unlink()
    until(lambda: (tmp_path / "counts" / "b").exists())
    full.touch()  # b and c run, and end with nowhere to say so but in what their shims keep
    until(blocked)
    full.unlink()
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert counts(tmp_path) == dict.fromkeys("abcd", 1)
    assert [len(one.attempts) for one in engine.graph(run_id).tasks.values()] == [1] * 4
    (intact,) = engine.database.read("PRAGMA integrity_check")
    assert intact[0] == "ok"


def test_a_run_that_waits_for_space_can_be_stopped(
    engine: Engine, submit: Submit, finished: Finished, until: Any, full: Path, processes: Any
) -> None:
    full.touch()
    run_id = submit(pipeline({"one": step("pass")}))
    until(lambda: engine.get_run(run_id).state is State.PAUSED)
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    until(lambda: not processes(), timeout=3)


def test_a_full_disk_pauses_the_run(
    engine: Engine, submit: Submit, finished: Finished, until: Any
) -> None:
    with engine.database.write() as connection:
        connection.execute("INSERT INTO meta VALUES ('min_free_bytes', ?)", (2**60,))
    run_id = submit(pipeline({"one": step("pass")}))
    until(lambda: engine.get_run(run_id).state is State.PAUSED)
    assert (engine.get_run(run_id).error or "").startswith("blocked: disk")
    assert engine.graph(run_id).tasks["one"].attempts == []
    with engine.database.write() as connection:
        connection.execute("UPDATE meta SET value = 0 WHERE key = 'min_free_bytes'")
    run = finished(run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None)


def test_a_store_without_room_leaves_no_half_made_run(engine: Engine, submit: Submit) -> None:
    pages = engine.database.one("PRAGMA page_count")
    assert pages
    engine.database.connection().execute(f"PRAGMA max_page_count = {pages[0]}")
    spec = pipeline({"one": step("x = '" + "x" * 100_000 + "'")})
    with pytest.raises(StoreBlocked, match="is full"):
        submit(spec)
    assert engine.active_runs() == 0
    assert list(engine.layout.runs.iterdir()) == []
