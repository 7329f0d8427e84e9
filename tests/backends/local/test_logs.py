"""Logs by offset, and reasons found in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.local import logs, reasons
from jupyterlab_pipelines.backends.local.logs import exception_in, read_chunk
from jupyterlab_pipelines.backends.local.processes import Exit
from jupyterlab_pipelines.backends.local.shim import LOG_MARKER

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1, in work\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.txt"


def test_any_sequence_of_chunks_is_the_whole_text(log: Path) -> None:
    text = "naïve 🚀 日本 end\n" * 20
    log.write_text(text, encoding="utf-8")
    for limit in range(4, 30):
        offset, read = 0, ""
        while True:
            chunk = read_chunk(log, offset, limit, attempt=1, over=True)
            assert chunk.offset == offset
            read += chunk.text
            offset = chunk.next_offset
            if chunk.complete:
                break
        assert read == text


def test_a_character_that_is_still_being_written_is_left_for_later(log: Path) -> None:
    log.write_bytes("ab日".encode()[:-1])
    chunk = read_chunk(log, 0, 100, attempt=1, over=False)
    assert (chunk.text, chunk.next_offset, chunk.size, chunk.complete) == ("ab", 2, 4, False)
    chunk = read_chunk(log, 0, 100, attempt=1, over=True)
    assert (chunk.text, chunk.next_offset, chunk.complete) == ("ab\ufffd", 4, True)


def test_bytes_that_are_no_text_are_shown_as_such(log: Path) -> None:
    log.write_bytes(b"\xff\xfe\x80\x80\x80\x80\x80end")
    chunk = read_chunk(log, 0, 5, attempt=1, over=False)
    assert chunk.next_offset == 5
    assert "end" in read_chunk(log, 5, 50, attempt=1, over=False).text


def test_a_limit_of_nothing_asks_the_size(log: Path) -> None:
    missing = read_chunk(log, 7, 100, attempt=2, over=False)
    assert (missing.text, missing.offset, missing.size, missing.attempt) == ("", 0, 0, 2)
    log.write_text("12345")
    chunk = read_chunk(log, 99, 0, attempt=1, over=True)
    assert (chunk.text, chunk.offset, chunk.size, chunk.complete) == ("", 5, 5, True)


def test_what_a_shim_is_about_to_cut_is_not_shown(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_LIMIT", 10)
    log.write_bytes(b"0123456789overflow")
    assert read_chunk(log, 0, 99, attempt=1, over=False).text == "0123456789"
    log.write_bytes(b"0123456789" + LOG_MARKER + b"overflow")
    assert read_chunk(log, 0, 999, attempt=1, over=False).text.endswith(LOG_MARKER.decode())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("all is well\n", ""),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1\nKeyError: 3\n',
            "KeyError: 3",
        ),
        (
            f"{TRACEBACK}KeyError: 1\n\nThen came:\n\n{TRACEBACK}a.MyFault: one\ntwo\n\nrest",
            "a.MyFault: one\ntwo",
        ),
        (
            "Traceback (most recent call last):\n  File\nKeyboardInterrupt\n",
            "KeyboardInterrupt",
        ),
        (
            f"{TRACEBACK}ValueError: bad\n[KFP Executor 2026 INFO]: after\n",
            "ValueError: bad",
        ),
        ("Traceback (most recent call last):\n  File\n", ""),
    ],
)
def test_the_last_exception_is_found(log: Path, text: str, reason: str) -> None:
    log.write_text("x" * 100_000 + "\n" + text)
    assert exception_in(log) == reason


def test_reasons_name_signals_and_memory(log: Path) -> None:
    killed = Exit(code=None, signal=11, stopped=False, out_of_memory=False, at=0)
    assert reasons.of_exit(killed, log) == "Killed by signal 11 (SIGSEGV)."
    memory = Exit(code=None, signal=9, stopped=False, out_of_memory=True, at=0)
    assert reasons.of_exit(memory, log).startswith("Out of memory")
    plain = Exit(code=4, signal=None, stopped=False, out_of_memory=False, at=0)
    assert reasons.of_exit(plain, log) == "The step ended with exit code 4."
