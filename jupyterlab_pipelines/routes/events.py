"""`events`: one WebSocket a page; subscriptions in, numbered events out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from jupyter_server.auth.decorator import ws_authenticated
from jupyter_server.base.websocket import WebSocketMixin
from pydantic import ValidationError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from ..errors import PipelinesError
from ..models import Connection, Event, Subscription
from ..watch import Topic
from .base import Door

#: What may wait for a slow page. Beyond it the page gets a gap, and fetches again.
MAX_WAITING = 256
MAX_WAITING_CHARACTERS = 8 << 20
MAX_SUBSCRIPTIONS = 500
_MAX_MESSAGE = 16 << 10


class Outbox:
    """Events that wait to be sent to one page, numbered when they were offered."""

    #: The event that was written last: it goes to many pages, and is turned into text once.
    _written: ClassVar[tuple[Event | None, str]] = (None, "")

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, str]] = deque()
        self._characters = 0
        self._seq = 0
        self._filled = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Never waits: where too much waits already, all that is older is dropped."""
        if Outbox._written[0] is not event:
            Outbox._written = (event, event.model_dump_json(exclude={"seq"}))
        text = Outbox._written[1]
        if (
            len(self._waiting) >= MAX_WAITING
            or self._characters + len(text) > MAX_WAITING_CHARACTERS
        ):
            self._waiting.clear()
            self._characters = 0
        self._seq += 1
        self._waiting.append((self._seq, text))
        self._characters += len(text)
        self._filled.set()

    async def next(self) -> str:
        """The next event's JSON, once there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        seq, text = self._waiting.popleft()
        self._characters -= len(text)
        return f'{{"seq":{seq},{text[1:]}'


class EventsHandler(WebSocketMixin, Door, WebSocketHandler):
    """Tells a page what changed in what it subscribed to."""

    # The mixin comes first, since its `prepare` needs Jupyter's after it; the door's check stays.
    check_origin = Door.check_origin  # type: ignore[assignment]
    write_error = Door.write_error

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self._outbox = Outbox()
        self._subscriptions: dict[tuple[str, Topic | None], Callable[[], None]] = {}
        self._sender: asyncio.Task[None] | None = None
        self._left = False

    def set_default_headers(self) -> None:
        """A handshake has no page whose content a policy could restrict."""

    @ws_authenticated
    async def get(self, *args: Any, **kwargs: Any) -> None:
        self.check_origin()  # tornado asks only where there is an Origin header
        await self.authorize("read")
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        super().open(*args, **kwargs)
        self._sender = asyncio.create_task(self._send())

    async def on_message(self, message: str | bytes) -> None:
        try:
            if len(message) > _MAX_MESSAGE:
                raise ValueError
            order = Subscription.model_validate_json(message)
        except (ValueError, ValidationError):
            self.close(1008, "not a subscription")
            return
        key = (order.connection, _topic(order))
        if order.action == "unsubscribe":
            end = self._subscriptions.pop(key, None)
            if end is not None:
                end()
        elif len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            self.close(1008, "too many subscriptions")
        elif key not in self._subscriptions:
            try:
                end = await self._subscribe(*key)
            except PipelinesError as error:
                self._outbox.offer(_refusal(order, error.message))
                return
            if self._left:  # while the connection was opened
                end()
            else:
                self._subscriptions[key] = end

    def on_close(self) -> None:
        self._left = True
        for end in self._subscriptions.values():
            end()
        self._subscriptions.clear()
        if self._sender is not None:
            self._sender.cancel()

    async def _subscribe(self, connection: str, topic: Topic | None) -> Callable[[], None]:
        """Begins to listen; the result ends it. Raises NotFound."""
        connections, offer = self.connections, self._outbox.offer
        if topic is None:

            def tell(listed: list[Connection]) -> None:
                offer(Event(seq=0, topic="connections", connections=listed))

            connections.subscribe(tell)
            return lambda: connections.unsubscribe(tell)
        watcher = await connections.ready_watcher(connection)
        watcher.subscribe(topic, offer)
        return lambda: watcher.unsubscribe(topic, offer)

    async def _send(self) -> None:
        with suppress(WebSocketClosedError):
            while True:
                # Waits for the socket: what a slow page does not read stays in the outbox.
                await self.write_message(await self._outbox.next())


def _topic(order: Subscription) -> Topic | None:
    if order.topic == "connections":
        return None
    if order.topic == "runs":
        return Topic("runs")
    if order.topic == "run":
        return Topic("run", order.run_id)
    return Topic("log", order.run_id, order.task_id, order.attempt)


def _refusal(order: Subscription, reason: str) -> Event:
    return Event(
        seq=0,
        topic=order.topic,
        connection=order.connection,
        run_id=order.run_id,
        task_id=order.task_id,
        attempt=order.attempt,
        stale=reason,
    )
