"""Logs by offset, of pods that run and of pods that are gone, from sources without offsets."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from ....errors import NotFound, PipelinesError
from ....models import LogChunk, Run
from ...chunks import log_chunk
from ..artifacts import Artifacts
from ..endpoint import Endpoint
from ..graph import Record
from .kept import GONE, KeptLog, Text
from .ranged import ranged_piece
from .sources import PodLog, Sources

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
        #: The attempt was over when it was read.
        self.over = False
        self.reading: asyncio.Task[None] | None = None

    @property
    def final(self) -> bool:
        """Nothing will be added any more."""
        return self.over or self.kept.full

    @property
    def fresh(self) -> bool:
        """Whether a reading of this moment would hardly bring more."""
        pause = min(_FRESH + self.kept.size / _BYTES_PER_SECOND, _LONGEST_FRESH)
        return self.final or time.monotonic() - self.read_at < pause

    def was_read(self, reading: asyncio.Task[None]) -> None:
        """The next one who asks begins another reading; those who waited have what this gave."""
        self.reading = None
        if not reading.cancelled():
            reading.exception()  # it is theirs, also where nobody has waited to the end


class Logs:
    """The logs of an endpoint's runs."""

    def __init__(self, endpoint: Endpoint, ui: Endpoint, artifacts: Artifacts) -> None:
        self._endpoint = endpoint
        self._sources = Sources(endpoint, ui, artifacts)
        self._followed: OrderedDict[tuple[str, str, datetime | None], _Followed] = OrderedDict()
        #: Whether the endpoint honours ranges; null until it has been seen.
        self._ranged: bool | None = None

    async def read(
        self,
        run: Run,
        record: Record,
        attempt: int | None,
        offset: int,
        limit: int,
        *,
        namespace: str,
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
        pod, day, started = pods[-1], f"{run.created_at:%Y-%m-%d}", None
        for one in record.status.attempts:
            if one.number == pod.attempt:
                over, started = one.state.final, one.started_at
        log = PodLog(run.run_id, run.namespace or namespace, pod, day, over, started)
        offset = max(offset, 0)
        piece = await self._piece(log, offset, limit)
        if piece is None:
            followed = self._of(log)
            if not followed.fresh and not 0 < limit <= followed.kept.size - offset:
                await self._read_again(followed, log)
            size = followed.kept.size
            offset = min(offset, size)
            piece = followed.kept.read(offset, limit), offset, size
            over = over and followed.final
        return log_chunk(*piece, over=over, attempt=log.pod.attempt)

    # --- with ranges ---------------------------------------------------------------------------

    async def _piece(self, log: PodLog, offset: int, limit: int) -> tuple[bytes, int, int] | None:
        """What an endpoint with ranges answers; null from one that has none, or no such log."""
        if self._ranged is False:
            return None
        try:
            piece = await ranged_piece(self._endpoint, log.run_id, log.pod.name, offset, limit)
        except NotFound:
            return (b"", 0, 0) if self._ranged else None
        self._ranged = piece is not None
        return piece

    # --- without -------------------------------------------------------------------------------

    def _of(self, log: PodLog) -> _Followed:
        key = log.run_id, log.pod.name, log.started
        followed = self._followed.setdefault(key, _Followed())
        if followed.over and not log.over:  # it was retried, and nothing says when
            followed = self._followed[key] = _Followed()
        self._followed.move_to_end(key)
        while len(self._followed) > _KEPT:
            self._followed.popitem(last=False)
        return followed

    async def _read_again(self, followed: _Followed, log: PodLog) -> None:
        """Those who ask while it is read wait for the same reading."""
        if followed.reading is None:
            work = self._take(followed, log)
            followed.reading = asyncio.get_running_loop().create_task(work)
            followed.reading.add_done_callback(followed.was_read)
        await asyncio.shield(followed.reading)

    async def _take(self, followed: _Followed, log: PodLog) -> None:
        text = await self._text(log)
        if text is not None:
            await asyncio.to_thread(followed.kept.take, text)
        elif log.over and self._ranged is False:  # it is Kubeflow's: another may say it by a 404
            followed.kept.end_with(GONE)
        followed.read_at = time.monotonic()
        followed.over = log.over

    async def _text(self, log: PodLog) -> Text | None:
        """The log as the first source has it; null where none has it, or not yet.

        An attempt that is over may have outgrown what the node keeps of it: the archive comes
        first.
        """
        sources = self._sources
        ways: list[Callable[[], Awaitable[Text]]] = []
        if log.over:
            ways += [
                lambda: sources.stored(log),
                lambda: sources.declared(log),
            ]
        nodes = dict.fromkeys(name for name in (log.pod.name, log.pod.node) if name)
        ways += [lambda node=node: sources.api(log, node) for node in nodes]  # type: ignore[misc]
        ways.append(lambda: sources.ui(log))
        return await _first(ways, over=log.over)


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
