"""`<connection>/pipelines/describe`: what a compiled pipeline takes, before it runs."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from ..models import PipelineSource
from .base import PipelinesHandler


class DescribeHandler(PipelinesHandler):
    """Name, parameters and problems of a pipeline; starts nothing."""

    @web.authenticated
    @authorized(action="read")
    async def post(self, connection: str) -> None:
        source = self.body(PipelineSource)
        self.answer(await self.service(connection).describe(source))
