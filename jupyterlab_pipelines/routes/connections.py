"""`connections`: list, add, change and remove; a secret goes in and never comes out."""

from __future__ import annotations

import asyncio

from ..connections.places import HOME_HEADER, home_id
from ..models import NamespaceChoice, NewConnection, TokenSignIn
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
        given = self.body(NewConnection)
        await authorize_command(self, given)
        self.answer(await self.connections.add(given), status=201)


class ConnectionHandler(PipelinesHandler):
    """One connection that the user added: how it was given, without secrets."""

    @allowed("read")
    async def get(self, connection: str) -> None:
        self.answer(await asyncio.to_thread(self.connections.shown_settings, connection))

    @allowed("write")
    async def put(self, connection: str) -> None:
        given = self.body(NewConnection)
        await authorize_command(self, given)
        self.answer(await self.connections.change(connection, given))

    @allowed("write")
    async def delete(self, connection: str) -> None:
        await self.connections.remove(connection)
        self.set_status(204)
        self.finish()


class ConnectionTestHandler(PipelinesHandler):
    """The way to a connection that is not stored yet, step by step."""

    @allowed("write")
    async def post(self) -> None:
        given = self.body(NewConnection)
        await authorize_command(self, given)
        self.answer(await self.connections.test(given))


class KnownTestHandler(PipelinesHandler):
    """The way to a connection that there is, found or added, step by step."""

    @allowed("write")
    async def post(self, connection: str) -> None:
        self.answer(await self.connections.test_known(connection))


class NamespacesHandler(PipelinesHandler):
    """The namespaces that the user may see."""

    @allowed("read")
    async def get(self, connection: str) -> None:
        self.answer(await self.connections.namespaces(connection))


class NamespaceHandler(PipelinesHandler):
    """The namespace whose runs are shown."""

    @allowed("write")
    async def put(self, connection: str) -> None:
        choice = self.body(NamespaceChoice)
        self.answer(await self.connections.choose_namespace(connection, choice.namespace))


async def authorize_command(handler: PipelinesHandler, given: NewConnection) -> None:
    """A command that prints the token runs on the server: writing alone does not allow it."""
    if isinstance(given.sign_in, TokenSignIn) and given.sign_in.command:
        await handler.authorize("execute")
