"""`connections`: list, add and remove; a token goes in and never comes out."""

from __future__ import annotations

from ..connections.places import HOME_HEADER, home_id
from ..models import NewConnection
from .base import PipelinesHandler, allowed


class ConnectionsHandler(PipelinesHandler):
    """All connections."""

    @allowed("read")
    async def get(self) -> None:
        connections = await self.connections.list()
        self.set_header(HOME_HEADER, home_id(self.connections.home))
        _ = self.xsrf_token  # a client without a token needs the cookie that this sets
        self.answer({"connections": [one.model_dump(mode="json") for one in connections]})

    @allowed("write")
    async def post(self) -> None:
        added = await self.connections.add(self.body(NewConnection))
        self.answer(added, status=201)


class ConnectionHandler(PipelinesHandler):
    """One connection that the user added."""

    @allowed("write")
    async def delete(self, connection: str) -> None:
        await self.connections.remove(connection)
        self.set_status(204)
        self.finish()
