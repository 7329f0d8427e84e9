"""The store: many threads and processes, migrations, network folders, full disks."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.local import database as database_module
from jupyterlab_pipelines.backends.local.database import (
    Database,
    bump,
    from_micros,
    now,
    on_network,
    to_micros,
)
from jupyterlab_pipelines.errors import Conflict, StoreBlocked


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "folder" / "engine.sqlite")
    yield database
    database.close()


def counter(database: Database) -> int:
    row = database.one("SELECT value FROM meta WHERE key = 'changed'")
    assert row
    return int(row["value"])


def test_times_keep_their_microseconds() -> None:
    moment = now() + timedelta(microseconds=1)
    assert from_micros(to_micros(moment)) == moment
    assert to_micros(None) is None
    assert from_micros(None) is None


def test_a_failed_block_changes_nothing(database: Database) -> None:
    def stopped() -> None:
        with database.write() as connection:
            bump(connection)
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stopped()
    assert counter(database) == 0
    with database.write(durable=True) as connection:
        assert bump(connection) == 1
    assert counter(database) == 1


def test_threads_write_one_after_another(database: Database) -> None:
    def work() -> None:
        for _ in range(20):
            with database.write() as connection:
                bump(connection)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter(database) == 160


def test_two_openers_of_a_new_store_make_it_once(tmp_path: Path) -> None:
    databases = [Database(tmp_path / "new" / "engine.sqlite") for _ in range(6)]
    errors: list[Exception] = []

    def open_(database: Database) -> None:
        try:
            counter(database)
        except Exception as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=open_, args=(one,)) for one in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_fork_opens_its_own_connection(database: Database) -> None:
    counter(database)
    ours = database.connection()
    child = os.fork()
    if child == 0:
        os._exit(0 if database.connection() is not ours and counter(database) == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_others_commits_are_noticed(database: Database, tmp_path: Path) -> None:
    before = database.data_version()
    assert database.data_version() == before
    other = Database(database.path)
    with other.write() as connection:
        bump(connection)
    other.close()
    assert database.data_version() != before


def test_a_network_folder_gets_a_rollback_journal(tmp_path: Path) -> None:
    path = tmp_path / "engine.sqlite"
    for network, mode in ((False, "wal"), (True, "delete")):
        database = Database(path, network=network)
        row = database.one("PRAGMA journal_mode")
        assert row
        assert row[0] == mode
        with database.write() as connection:
            bump(connection)
        database.close()


@pytest.mark.parametrize(
    ("kind", "network"),
    [("ext4", False), ("nfs4", True), ("fuse.sshfs", True), ("fuseblk", False), ("cifs", True)],
)
def test_network_file_systems_are_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str, network: bool
) -> None:
    mounts = [("/", "ext4"), (str(tmp_path), kind), (f"{tmp_path}-other", "nfs")]
    monkeypatch.setattr(database_module, "_mounts", lambda: mounts)
    assert on_network(tmp_path / "not" / "there") is network


def test_an_old_store_is_copied_and_migrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.sqlite"
    monkeypatch.setattr(database_module, "MIGRATIONS", database_module.MIGRATIONS[:1])
    old = Database(path)
    with old.write() as connection:
        bump(connection)
    old.close()
    newer = [*database_module.MIGRATIONS, "CREATE TABLE more (x); CREATE TABLE most (x)"]
    monkeypatch.setattr(database_module, "MIGRATIONS", newer)
    database = Database(path)
    assert database.read("SELECT * FROM most") == []
    assert counter(database) == 1
    database.close()
    copy = sqlite3.connect(tmp_path / "engine.sqlite.v1.bak")
    assert copy.execute("SELECT value FROM meta WHERE key = 'changed'").fetchone() == (1,)
    copy.close()
    monkeypatch.setattr(database_module, "MIGRATIONS", newer[:1])
    refused = Database(path)
    with pytest.raises(Conflict, match="newer version"):
        counter(refused)
    refused.close()


def test_many_openers_of_an_old_store_copy_and_migrate_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.sqlite"
    newest = database_module.MIGRATIONS
    monkeypatch.setattr(database_module, "MIGRATIONS", newest[:1])
    old = Database(path)
    with old.write() as connection:
        bump(connection)
    old.close()
    (tmp_path / "engine.sqlite.v1.part").write_bytes(b"from a process that was killed")
    monkeypatch.setattr(database_module, "MIGRATIONS", newest)
    errors: list[Exception] = []

    def open_() -> None:
        database = Database(path)
        try:
            assert counter(database) == 1
            assert database.read("SELECT * FROM recurring_runs") == []
        except Exception as error:
            errors.append(error)
        finally:
            database.close()

    threads = [threading.Thread(target=open_) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    copies = sorted(one.name for one in tmp_path.iterdir() if ".v" in one.name)
    assert copies == ["engine.sqlite.v1.bak"]
    copy = sqlite3.connect(tmp_path / "engine.sqlite.v1.bak")
    assert copy.execute("PRAGMA user_version").fetchone() == (1,)
    copy.close()


def test_a_full_disk_is_said_and_harms_nothing(database: Database) -> None:
    pages = database.one("PRAGMA page_count")
    assert pages
    database.connection().execute(f"PRAGMA max_page_count = {pages[0] + 2}")
    with (
        pytest.raises(StoreBlocked, match="is full") as error,
        database.write() as connection,
    ):
        connection.execute("INSERT INTO meta VALUES ('big', ?)", ("x" * 100_000,))
    assert error.value.http_status == 507
    database.connection().execute("PRAGMA max_page_count = 1000000")
    with database.write() as connection:
        bump(connection)
    check = database.one("PRAGMA integrity_check")
    assert check
    assert (check[0], counter(database)) == ("ok", 1)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    database = Database(tmp_path / "file" / "engine.sqlite")
    with pytest.raises(StoreBlocked, match="cannot be made"):
        counter(database)
