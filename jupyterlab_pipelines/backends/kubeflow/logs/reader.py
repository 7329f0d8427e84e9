"""Logs by offset, of pods that run and of pods that are gone, from sources without offsets."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ....errors import NotFound, PipelinesError
from ....models import LogChunk
from ..artifacts import Artifacts
from ..endpoint import Endpoint
from ..graph import Pod, Record
from .kept import GONE, KeptLog, Text
from .ranged import ranged_piece
from .sources import Sources

#: Seconds that a reading serves whoever else asks; longer for a log that takes long to read.
_FRESH = 1.0
_LONGEST_FRESH = 4.0
_BYTES_PER_SECOND = 20 << 20
#: Logs that are kept; the one that was asked for longest ago is read anew when it is asked again.
_KEPT = 16


class _Followed:
    """A pod's log, and the one reading of it that is under way."""

    def __init__(self) -> None:
        self.kept = KeptLog()
        self.read_at = float("-inf")
        #: Nothing will be added any more.
        self.final = False
        self.reading: asyncio.Task[None] | None = None

    @property
    def fresh(self) -> bool:
        """Whether a reading of this moment would hardly bring more."""
        pause = min(_FRESH + self.kept.size / _BYTES_PER_SECOND, _LONGEST_FRESH)
        return self.final or time.monotonic() - self.read_at < pause


class Logs:
    """The logs of an endpoint's runs."""

    def __init__(self, endpoint: Endpoint, ui: Endpoint, artifacts: Artifacts) -> None:
        self._endpoint = endpoint
        self._sources = Sources(endpoint, ui, artifacts)
        self._followed: OrderedDict[tuple[str, str], _Followed] = OrderedDict()
        #: Whether the endpoint honours ranges; null until it has been seen.
        self._ranged: bool | None = None

    async def read(
        self,
        run_id: str,
        namespace: str,
        record: Record,
        attempt: int | None,
        offset: int,
        limit: int,
    ) -> LogChunk:
        """Up to `limit` bytes from `offset`; empty where nothing has been printed yet.

        Raises NotFound on an attempt that there is not.
        """
        pods = [pod for pod in record.pods if attempt in (None, pod.attempt) and pod.name]
        over = record.status.state.final
        if not pods:
            if attempt is not None and record.pods:
                raise NotFound(f"Task {record.task_id!r} has no attempt {attempt}.")
            number = attempt or 1
            return LogChunk(text="", offset=0, next_offset=0, size=0, complete=over, attempt=number)
        pod = pods[-1]
        for one in record.status.attempts:
            if one.number == pod.attempt:
                over = one.state.final
        offset = max(offset, 0)
        piece = await self._piece(run_id, pod, offset, limit)
        if piece is None:
            followed = self._of(run_id, pod)
            if not followed.fresh and not 0 < limit <= followed.kept.size - offset:
                await self._read_again(followed, run_id, namespace, pod, over=over)
            size = followed.kept.size
            offset = min(offset, size)
            piece = followed.kept.read(offset, limit), offset, size
            over = over and followed.final
        return _chunk(*piece, over=over, attempt=pod.attempt)

    # --- with ranges ---------------------------------------------------------------------------

    async def _piece(
        self, run_id: str, pod: Pod, offset: int, limit: int
    ) -> tuple[bytes, int, int] | None:
        """What an endpoint with ranges answers; null from one that has none, or no such log."""
        if self._ranged is False:
            return None
        try:
            piece = await ranged_piece(self._endpoint, run_id, pod.name, offset, limit)
        except NotFound:
            return (b"", 0, 0) if self._ranged else None
        self._ranged = piece is not None
        return piece

    # --- without -------------------------------------------------------------------------------

    def _of(self, run_id: str, pod: Pod) -> _Followed:
        key = run_id, pod.name
        followed = self._followed.setdefault(key, _Followed())
        self._followed.move_to_end(key)
        while len(self._followed) > _KEPT:
            self._followed.popitem(last=False)
        return followed

    async def _read_again(
        self, followed: _Followed, run_id: str, namespace: str, pod: Pod, *, over: bool
    ) -> None:
        """Those who ask while it is read wait for the same reading."""
        if followed.reading is None:
            work = self._take(followed, run_id, namespace, pod, over=over)
            followed.reading = asyncio.get_running_loop().create_task(work)
            followed.reading.add_done_callback(lambda _: setattr(followed, "reading", None))
        await asyncio.shield(followed.reading)

    async def _take(
        self, followed: _Followed, run_id: str, namespace: str, pod: Pod, *, over: bool
    ) -> None:
        text = await self._text(run_id, namespace, pod, over=over)
        if text is not None:
            await asyncio.to_thread(followed.kept.take, text)
        elif over and self._ranged is False:  # it is Kubeflow's: another may say it by a 404
            followed.kept.end_with(GONE)
        followed.read_at = time.monotonic()
        followed.final = over or followed.kept.full

    async def _text(self, run_id: str, namespace: str, pod: Pod, *, over: bool) -> Text | None:
        """The log as the first source has it; null where none has it, or not yet.

        An attempt that is over may have outgrown what the node keeps of it: the archive comes
        first.
        """
        sources = self._sources
        ways: list[Callable[[], Awaitable[Text]]] = []
        if over:
            ways += [
                lambda: sources.stored(pod, namespace),
                lambda: sources.declared(run_id, pod),
            ]
        nodes = dict.fromkeys(name for name in (pod.name, pod.node) if name)
        ways += [lambda node=node: sources.api(run_id, node) for node in nodes]  # type: ignore[misc]
        ways.append(lambda: sources.ui(run_id, pod, namespace))
        return await _first(ways, over=over)


async def _first(ways: Sequence[Callable[[], Awaitable[Text]]], *, over: bool) -> Text | None:
    """The first text; null where there is none. Raises the first trouble.

    While the attempt runs, the API server's word is enough: the pod may not have begun.
    """
    trouble: PipelinesError | None = None
    for number, way in enumerate(ways):
        answer = await _tried(way)
        if isinstance(answer, Text):
            return answer
        if not isinstance(answer, NotFound) and (over or number == 0):
            trouble = trouble or answer
    if trouble is not None:
        raise trouble
    return None


async def _tried(way: Callable[[], Awaitable[Any]]) -> Text | PipelinesError:
    try:
        text: Text = await way()
    except PipelinesError as error:
        return error
    return text


# --- a piece ------------------------------------------------------------------------------------


def _chunk(data: bytes, offset: int, size: int, *, over: bool, attempt: int) -> LogChunk:
    if not (over and offset + len(data) >= size):
        data = data[: _whole_characters(data)]
    end = offset + len(data)
    return LogChunk(
        text=data.decode("utf-8", "replace"),
        offset=offset,
        next_offset=end,
        size=size,
        complete=over and end >= size,
        attempt=attempt,
    )


def _whole_characters(data: bytes) -> int:
    """How many bytes at the front end with a whole UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:
            break
        if byte >= 0xC0:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) if needed <= back else len(data) - back
    return len(data)
