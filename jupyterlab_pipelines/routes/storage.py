"""`<connection>/storage`: what is on disk; `<connection>/clean` frees some of it."""

from __future__ import annotations

from ..models import Cleaning
from .base import PipelinesHandler, allowed


class StorageHandler(PipelinesHandler):
    """Disk use, and the environments that were built."""

    @allowed("read")
    async def get(self, connection: str) -> None:
        self.answer(await (await self.service(connection)).storage())


class CleanHandler(PipelinesHandler):
    """Removes what is old or too much."""

    @allowed("write")
    async def post(self, connection: str) -> None:
        wanted = self.body(Cleaning)
        self.answer(await (await self.service(connection)).clean(wanted))
