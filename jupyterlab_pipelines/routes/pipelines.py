"""`<connection>/pipelines/describe`: what a compiled pipeline takes, before it runs."""

from __future__ import annotations

from ..models import PipelineSource
from .base import PipelinesHandler, allowed


class DescribeHandler(PipelinesHandler):
    """Name, parameters and problems of a pipeline; starts nothing."""

    @allowed("read")
    async def post(self, connection: str) -> None:
        source = self.body(PipelineSource)
        self.answer(await (await self.service(connection)).describe(source))
