"""What a run consists of: its graph, a task's details, log and outputs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from pydantic import BaseModel, Field

from ..errors import BadInput
from ..models import LogChunk
from ..service import Service
from .base import PipelinesHandler, allowed
from .streams import send, set_content_headers

#: The most of a log that one answer carries, in bytes.
LOG_LIMIT = 1 << 20


class LogQuery(BaseModel):
    """Which piece of which log; `attempt` null: the last."""

    task: str
    attempt: int | None = Field(None, ge=1)
    offset: int = Field(0, ge=0)
    limit: int = Field(256 << 10, ge=0)
    download: bool = False


class GraphHandler(PipelinesHandler):
    """A run's shape and state."""

    @allowed("read")
    async def get(self, connection: str, run_id: str) -> None:
        self.answer(await (await self.service(connection)).get_graph(run_id))


class TaskHandler(PipelinesHandler):
    """One task with its inputs, outputs and code."""

    @allowed("read")
    async def get(self, connection: str, run_id: str) -> None:
        task_id = self.get_query_argument("task", "")
        if not task_id:
            raise BadInput("The query parameter `task` is missing.")
        self.answer(await (await self.service(connection)).get_task(run_id, task_id))


class OutputsHandler(PipelinesHandler):
    """What a task, or the whole run, has to show."""

    @allowed("read")
    async def get(self, connection: str, run_id: str) -> None:
        task_id = self.get_query_argument("task", "") or None
        outputs = await (await self.service(connection)).outputs(run_id, task_id)
        self.answer({"outputs": [output.model_dump(mode="json") for output in outputs]})


class LogHandler(PipelinesHandler):
    """A piece of an attempt's log, or the whole as a file."""

    @allowed("read")
    async def get(self, connection: str, run_id: str) -> None:
        query = self.query(LogQuery)
        service = await self.service(connection)
        limit = min(query.limit, LOG_LIMIT)
        if not query.download:
            chunk = await service.read_log(run_id, query.task, query.attempt, query.offset, limit)
            self.answer(chunk)
            return
        first = await service.read_log(run_id, query.task, query.attempt, 0, LOG_LIMIT)
        name = f"{query.task.replace('/', '-')}-{first.attempt}.log"
        set_content_headers(self, "text/plain; charset=utf-8", name, download=True)
        await send(self, _whole_log(service, run_id, query.task, first))


async def _whole_log(
    service: Service, run_id: str, task_id: str, first: LogChunk
) -> AsyncIterator[bytes]:
    """All there was when the download began; a log that still grows does not keep it open."""
    chunk, size = first, first.size
    while True:
        yield chunk.text.encode()
        if chunk.next_offset >= size or chunk.next_offset <= chunk.offset:
            return
        chunk = await service.read_log(run_id, task_id, first.attempt, chunk.next_offset, LOG_LIMIT)
