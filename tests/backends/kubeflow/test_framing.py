"""Chunks are found in whatever pieces they come, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.kubeflow.framing import (
    Chunked,
    Counted,
    Framing,
    FramingError,
)

CHUNKS = st.lists(
    st.binary(min_size=1, max_size=40) | st.sampled_from([b"?" * 16, b"0\r\n\r\n", b"a" * 16]),
    max_size=12,
)


def chunked(chunks: list[bytes], size: str = "%x") -> bytes:
    """All of them, without the end of the last one and the empty one behind it."""
    return b"\r\n".join((size % len(one)).encode() + b"\r\n" + one for one in chunks)


class Reader:
    """Gives a framing what comes, as whoever uses one must."""

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._rest = b""
        self.passed = b""
        self.content = b""
        self.ended = False

    def came(self, piece: bytes) -> None:
        self._rest += piece
        data = bytearray(self._rest) + b"\r\n7\r\nrubbish\r\n"  # of what lay there before
        framed = self._framing.take(data, len(self._rest))
        assert framed.length <= len(self._rest)
        self.passed += data[: framed.length]
        self.content += b"".join(data[start:stop] for start, stop in framed.content)
        self._rest = self._rest[framed.length :]
        self.ended = framed.ended


@given(CHUNKS, st.sampled_from(["%x", "%X", "%04x"]), st.data())
def test_chunks_are_found_in_any_pieces(
    chunks: list[bytes], size: str, data: st.DataObject
) -> None:
    body = chunked(chunks, size)
    end = (b"\r\n" if chunks else b"") + b"0\r\n"
    wire = body + end + b"Trailer: kept out\r\n\r\n"
    cuts = data.draw(st.lists(st.integers(0, len(wire)), max_size=8).map(sorted))
    reader = Reader(Chunked())
    for start, stop in zip([0, *cuts], [*cuts, len(wire)], strict=True):
        reader.came(wire[start:stop])
        if reader.ended:
            break
    assert reader.ended
    assert reader.content == b"".join(chunks)
    assert reader.passed == body


@given(CHUNKS.filter(bool), st.data())
def test_a_body_without_its_last_chunk_has_not_ended(
    chunks: list[bytes], data: st.DataObject
) -> None:
    wire = chunked(chunks) + b"\r\n0"
    framing = Chunked()
    reader = Reader(framing)
    reader.came(wire[: data.draw(st.integers(0, len(wire)))])
    assert not reader.ended
    with pytest.raises(FramingError):
        framing.cut()


@pytest.mark.parametrize(
    "wire",
    [
        b"\r\n3\r\nabc",
        b"x\r\n",
        b"-1\r\nabc",
        b"+3\r\nabc",
        b"0x3\r\nabc",
        b" 3\r\nabc",
        b"3 \r\nabc",
        b"3_0\r\nabc",
        b"3;name=value\r\nabc",
        b"3\nabc\n0\n\n" + b" " * 20,
        b"1234567890123456\r\nabc",
        b"3\r\nabcd\r\n0\r\n",
        b"3\r\nabc3\r\nabc\r\n",
        b"3\r\nabc\n\n3\r\nabc\r\n",
        b"3\r\nabc\r\n\r\n3\r\n",
        b"3\r\nabc\r\nHTTP/1.1 200 OK\r\n",
        b"<html>" + b" " * 100,
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_is_no_chunk_is_refused(wire: bytes, at_once: bool) -> None:
    reader = Reader(Chunked())
    pieces = [wire] if at_once else [wire[at : at + 1] for at in range(len(wire))]

    def read() -> None:
        for piece in pieces:
            reader.came(piece)

    with pytest.raises(FramingError):
        read()
    assert not reader.ended
    assert b"3\r\nabc".startswith(reader.passed[:6])


def test_a_counted_body_ends_with_its_last_byte() -> None:
    framing = Counted(5)
    reader = Reader(framing)
    reader.came(b"ab")
    with pytest.raises(FramingError):
        framing.cut()
    reader.came(b"cdefg")
    assert (reader.ended, reader.content) == (True, b"abcde")


def test_a_body_of_no_bytes_has_ended() -> None:
    reader = Reader(Counted(0))
    reader.came(b"")
    assert (reader.ended, reader.content) == (True, b"")


def test_a_body_without_a_length_ends_with_its_connection() -> None:
    framing = Counted(None)
    reader = Reader(framing)
    reader.came(b"abc")
    assert (reader.ended, reader.content) == (False, b"abc")
    framing.cut()
