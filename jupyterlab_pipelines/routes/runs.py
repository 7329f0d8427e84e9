"""`<connection>/runs`: list and submit; one run: show, delete, stop, retry."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..models import RunQuery, Submission
from .base import PipelinesHandler


class RunsHandler(PipelinesHandler):
    """The run list."""

    @web.authenticated
    @authorized(action="read")
    async def get(self, connection: str) -> None:
        query = self.query(RunQuery, state="states")
        self.answer(await self.service(connection).list_runs(query))

    @web.authenticated
    @authorized(action="execute")
    async def post(self, connection: str) -> None:
        submission = self.body(Submission)
        self.answer(await self.service(connection).submit(submission), status=201)


class RunHandler(PipelinesHandler):
    """One run."""

    @web.authenticated
    @authorized(action="read")
    async def get(self, connection: str, run_id: str) -> None:
        self.answer(await self.service(connection).get_run(run_id))

    @web.authenticated
    @authorized(action="write")
    async def delete(self, connection: str, run_id: str) -> None:
        await self.service(connection).delete(run_id)
        self.set_status(204)
        self.finish()


class TerminateHandler(PipelinesHandler):
    """Stops a run."""

    @web.authenticated
    @authorized(action="write")
    async def post(self, connection: str, run_id: str) -> None:
        await self.service(connection).terminate(run_id)
        self.answer({})


class RetryHandler(PipelinesHandler):
    """Runs again what failed."""

    @web.authenticated
    @authorized(action="execute")
    async def post(self, connection: str, run_id: str) -> None:
        await self.service(connection).retry(run_id)
        self.answer({})
