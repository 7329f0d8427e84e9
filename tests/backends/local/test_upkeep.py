"""What the engine takes on disk is told, and freed without touching what is active."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.backends.local.upkeep import Upkeep, disk_use
from jupyterlab_pipelines.errors import BadInput, NotFound
from jupyterlab_pipelines.models import Cleaning, Run, State
from tests.backends.local.sdk_pipelines import numbers
from tests.backends.local.steps import pipeline, step

Submit = Callable[..., str]
Finished = Callable[..., Run]
DAY = 86400.0


@pytest.fixture
def upkeep(engine: Engine) -> Upkeep:
    return Upkeep(engine.database, engine.layout)


def age(engine: Engine, run_id: str, days: float) -> None:
    """As if the run had ended so long ago."""
    with engine.database.write() as connection:
        connection.execute(
            "UPDATE runs SET finished_at = finished_at - ?, created_at = created_at - ? "
            "WHERE run_id = ?",
            (int(days * DAY * 1e6), int(days * DAY * 1e6), run_id),
        )


def grow_old(path: Path, days: float = 3) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def ids(engine: Engine) -> set[str]:
    return {row["run_id"] for row in engine.database.read("SELECT run_id FROM runs")}


WRITES = step("open('/dev/null'); import pathlib; pathlib.Path('big').write_bytes(bytes(300_000))")


def test_before_the_first_run_nothing_is_used(upkeep: Upkeep) -> None:
    storage = upkeep.storage()
    assert (storage.runs, storage.run_count, storage.environments) == (0, 0, [])
    assert storage.free > 0
    assert upkeep.clean(Cleaning(keep_bytes=0)).items == []


def test_disk_use_is_told_by_what_takes_it(
    engine: Engine, upkeep: Upkeep, submit: Submit, finished: Finished, wheels: Path
) -> None:
    spec = pipeline({"one": step("import tinything", packages=["tinything==1.0"])})
    run_id = submit(spec)
    assert finished(run_id).state is State.SUCCEEDED
    (engine.layout.snapshots).mkdir()
    (engine.layout.snapshots / "xs.pickle").write_bytes(bytes(50_000))
    storage = upkeep.storage()
    assert storage.runs >= disk_use(engine.layout.run(run_id)) > 0
    assert (storage.run_count, storage.active_run_count) == (1, 0)
    assert storage.snapshots >= 50_000
    (environment,) = storage.environments
    assert environment.packages == ["tinything==1.0"]
    assert environment.size > 0
    assert not environment.active
    parts = storage.runs + storage.snapshots + storage.other + environment.size
    assert parts == storage.total


def test_neither_age_nor_size_removes_nothing(upkeep: Upkeep) -> None:
    with pytest.raises(BadInput, match="Nothing says"):
        upkeep.clean(Cleaning())


def test_by_age_only_what_is_older_goes(
    engine: Engine, upkeep: Upkeep, submit: Submit, finished: Finished
) -> None:
    old, new = (submit(pipeline({"one": WRITES})) for _ in range(2))
    for run_id in (old, new):
        finished(run_id)
    age(engine, old, days=40)
    wanted = Cleaning(older_than_days=30, dry_run=True)
    told = upkeep.clean(wanted)
    assert [item.id for item in told.items] == [old]
    assert ids(engine) == {old, new}

    done = upkeep.clean(wanted.model_copy(update={"dry_run": False}))
    assert [(item.kind, item.id) for item in done.items] == [("run", old)]
    assert done.freed >= 300_000
    assert ids(engine) == {new}
    assert not engine.layout.run(old).exists()
    assert engine.layout.run(new).exists()


def test_by_size_the_oldest_go_until_it_is_enough(
    engine: Engine, upkeep: Upkeep, submit: Submit, finished: Finished
) -> None:
    runs = [submit(pipeline({"one": WRITES})) for _ in range(3)]
    for days, run_id in zip((3, 2, 1), runs, strict=True):
        finished(run_id)
        age(engine, run_id, days)
    room = upkeep.storage().total - 250_000
    done = upkeep.clean(Cleaning(keep_bytes=room))
    assert [item.id for item in done.items] == [runs[0]]
    assert done.total <= room
    assert abs(upkeep.storage().total - done.total) < 200_000  # the database moves meanwhile


def test_an_active_run_and_its_environment_stay(
    engine: Engine,
    upkeep: Upkeep,
    submit: Submit,
    finished: Finished,
    until: Callable[..., None],
    wheels: Path,
) -> None:
    waits = "import tinything, time, os\nwhile not os.path.exists('go'): time.sleep(0.05)"
    active = submit(pipeline({"one": step(waits, packages=["tinything==1.0"])}))
    folder = engine.layout.attempt(active, "one", 1)
    until(lambda: list(engine.layout.environments.glob("*/ready.json")))
    done = upkeep.clean(Cleaning(keep_bytes=0, older_than_days=0))
    assert done.items == []
    assert upkeep.storage().environments[0].active
    for place in (folder, *folder.rglob("*")):
        if place.is_dir():
            (place / "go").touch()
    assert finished(active).state is State.SUCCEEDED

    done = upkeep.clean(Cleaning(keep_bytes=0))
    assert sorted(item.kind for item in done.items) == ["environment", "run"]
    assert upkeep.storage().environments == []
    again = submit(pipeline({"one": step("import tinything", packages=["tinything==1.0"])}))
    assert finished(again).state is State.SUCCEEDED  # built anew


def test_files_that_a_cached_step_shows_go_with_the_last_run_that_shows_them(
    engine: Engine,
    upkeep: Upkeep,
    submit: Submit,
    finished: Finished,
    compiled: Callable[..., dict[str, object]],
) -> None:
    spec = compiled(numbers)
    first = submit(spec)
    assert finished(first).state is State.SUCCEEDED
    second = submit(spec)
    assert finished(second).state is State.SUCCEEDED
    age(engine, first, days=9)
    upkeep.clean(Cleaning(older_than_days=5))
    assert ids(engine) == {second}
    assert engine.artifact_file(second, "double:table")[0].read_text() == "8\n"

    left = engine.layout.run(first)
    grow_old(left)
    assert upkeep.clean(Cleaning(older_than_days=5)).items == []  # still shown
    age(engine, second, days=9)
    upkeep.clean(Cleaning(older_than_days=5))
    grow_old(left)
    upkeep.clean(Cleaning(older_than_days=5))
    assert not left.exists()
    with pytest.raises(NotFound):
        engine.get_run(second)


def test_what_nothing_refers_to_goes(engine: Engine, upkeep: Upkeep) -> None:
    engine.active_runs()
    layout = engine.layout
    upkeep.storage()
    broken = layout.environments / "0123"
    lost = layout.runs / "lost"
    for folder in (layout.snapshots, broken / "bin", lost):
        folder.mkdir(parents=True)
    for name in ("old", "new"):
        (layout.snapshots / name).write_bytes(bytes(9000))
    (broken / "bin" / "python").write_bytes(bytes(9000))
    (lost / "file").write_bytes(bytes(9000))
    for path in (layout.snapshots / "old", broken, lost):
        grow_old(path)
    done = upkeep.clean(Cleaning(older_than_days=365))
    assert {item.kind for item in done.items} == {"left-over"}
    assert not broken.exists()
    assert not lost.exists()
    assert [path.name for path in layout.snapshots.iterdir()] == ["new"]
