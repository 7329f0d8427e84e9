"""`<connection>/runs`: list and submit; one run: show, delete, stop, retry."""

from __future__ import annotations

from ..models import RunQuery, Submission
from .base import PipelinesHandler, allowed


class RunsHandler(PipelinesHandler):
    """The run list."""

    @allowed("read")
    async def get(self, connection: str) -> None:
        query = self.query(RunQuery, state="states")
        self.answer(await (await self.service(connection)).list_runs(query))

    @allowed("execute")
    async def post(self, connection: str) -> None:
        submission = self.body(Submission)
        self.answer(await (await self.service(connection)).submit(submission), status=201)


class RunHandler(PipelinesHandler):
    """One run."""

    @allowed("read")
    async def get(self, connection: str, run_id: str) -> None:
        self.answer(await (await self.service(connection)).get_run(run_id))

    @allowed("write")
    async def delete(self, connection: str, run_id: str) -> None:
        await (await self.service(connection)).delete(run_id)
        self.set_status(204)
        self.finish()


class TerminateHandler(PipelinesHandler):
    """Stops a run."""

    @allowed("write")
    async def post(self, connection: str, run_id: str) -> None:
        await (await self.service(connection)).terminate(run_id)
        self.answer({})


class RetryHandler(PipelinesHandler):
    """Runs again what failed."""

    @allowed("execute")
    async def post(self, connection: str, run_id: str) -> None:
        await (await self.service(connection)).retry(run_id)
        self.answer({})
