"""One watcher a backend: it looks for changes once and tells every listener what changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .backends.base import Backend
from .errors import NotFound, PipelinesError
from .models import Event, GraphDelta, RunGraph

logger = logging.getLogger(__name__)

#: The longest pause between two looks at a backend that does not answer, in seconds.
MAX_PAUSE = 30.0

#: Beyond the end of any log.
_END = 1 << 62

Listener: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Topic:
    """What a listener wants to hear of: the run list, one run, or one attempt's log."""

    kind: Literal["runs", "run", "log"]
    run_id: str = ""
    task_id: str = ""
    attempt: int | None = None


@dataclass
class _Log:
    """How far a log had grown when it was last told."""

    size: int = -1
    attempt: int | None = None
    complete: bool = False


@dataclass
class _Subject:
    """A topic with its listeners and what they were told."""

    listeners: list[Listener] = field(default_factory=list)
    graph: RunGraph | None = None
    log: _Log = field(default_factory=_Log)
    #: It must be looked at even if the backend reports no change.
    due: bool = True
    stale: str | None = None


class Watcher:
    """Looks at a backend while somebody listens, however many they are.

    Listeners are called in the event loop with events whose `seq` is 0; they must neither block
    nor raise.
    """

    def __init__(self, backend: Backend, connection: str) -> None:
        self._backend = backend
        self._connection = connection
        self._subjects: dict[Topic, _Subject] = {}
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._cursor: str | None = None
        self._stale: str | None = None

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        """Tells `listener` of the topic from now on.

        A run begins with an empty delta that carries the present revision, so that a listener
        which read the graph before knows whether it missed something.
        """
        subject = self._subjects.get(topic)
        if subject is None:
            subject = self._subjects[topic] = _Subject(stale=self._stale)
            self._wake.set()
        subject.listeners.append(listener)
        if subject.stale is not None:
            listener(self._event(topic, stale=subject.stale))
        elif subject.graph is not None:
            listener(self._event(topic, delta=_nothing(subject.graph)))
        elif subject.log.size >= 0:
            listener(self._log_event(topic, subject.log))
        if self._task is None or self._task.done():
            self._cursor = None
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def unsubscribe(self, topic: Topic, listener: Listener) -> None:
        """Stops telling `listener`; after the last one the watcher rests."""
        subject = self._subjects.get(topic)
        if subject is None or listener not in subject.listeners:
            return
        subject.listeners.remove(listener)
        if not subject.listeners:
            del self._subjects[topic]
        if not self._subjects and self._task is not None:
            self._task.cancel()
            self._task = None
            self._stale = None

    def move(self, backend: Backend) -> None:
        """Looks at another backend from now on, for the same listeners."""
        self._backend = backend
        self._cursor = None  # what the former one gave means nothing here
        for subject in self._subjects.values():
            subject.due = True
        if self._task is not None:
            self._task.cancel()
            self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self, reason: str = "") -> None:
        """Ends the watching; with a reason, every listener is told it."""
        if reason:
            self._tell_stale(reason)
        self._subjects.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # --- looking -------------------------------------------------------------------------------

    async def _watch(self) -> None:
        failures = 0
        while True:
            self._wake.clear()
            try:
                whole = await self._look()
                failures = 0 if whole else failures + 1
            except PipelinesError as error:
                failures += 1
                self._tell_stale(error.message)
            except Exception:
                logger.exception("Watching connection %s failed", self._connection)
                failures += 1
                self._tell_stale("Unexpected error; see the server's log.")
            await self._pause(failures)

    async def _pause(self, failures: int) -> None:
        """Until the next look; a new topic comes at once, unless the backend does not answer."""
        interval = self._backend.watch_interval
        if failures:
            longest = min(MAX_PAUSE, interval * 2 ** min(failures, 10))
            # Jitter: many servers must not meet a recovering endpoint in the same instant.
            await asyncio.sleep(longest * random.uniform(0.5, 1))  # noqa: S311 (no secret)
            return
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._wake.wait(), interval)

    async def _look(self) -> bool:
        """Asks for changes and tells them. False where some run could not be read."""
        if self._cursor is None:
            self._cursor = (await self._backend.changes(None)).cursor
        changes = await self._backend.changes(self._cursor)
        self._cursor = changes.cursor
        self._stale = None
        touched = {run.run_id for run in changes.runs} | {*changes.unsure}
        for topic, subject in list(self._subjects.items()):
            if topic.kind == "runs":
                self._recovered(topic, subject)
                if changes.runs or changes.deleted:
                    event = self._event(topic).model_copy(
                        update={"runs": list(changes.runs), "deleted": list(changes.deleted)}
                    )
                    self._tell(subject, event)
            elif topic.run_id in changes.deleted:
                self._tell_deleted(topic, subject)
            elif topic.run_id in touched or subject.stale is not None:
                subject.due = True
                subject.log.complete = False
        looks = [
            self._look_at(topic, subject)
            for topic, subject in list(self._subjects.items())
            if (topic.kind == "run" and subject.due)
            or (topic.kind == "log" and not subject.log.complete)
        ]
        return all(await asyncio.gather(*looks))

    async def _look_at(self, topic: Topic, subject: _Subject) -> bool:
        """One topic's trouble is its own: the others are still told. False where it had some."""
        try:
            if topic.kind == "run":
                await self._look_at_run(topic, subject)
            else:
                await self._look_at_log(topic, subject)
        except NotFound:
            if topic.kind == "run":
                self._tell_deleted(topic, subject)
            else:
                subject.log.complete = True  # nothing to read until the run moves
        except PipelinesError as error:
            self._tell(subject, self._event(topic, stale=error.message), once=True)
            return False
        else:
            self._recovered(topic, subject)
        return True

    async def _look_at_run(self, topic: Topic, subject: _Subject) -> None:
        graph = await self._backend.get_graph(topic.run_id)
        subject.due = False
        delta = _nothing(graph) if subject.graph is None else graph_delta(subject.graph, graph)
        if delta is not None:
            subject.graph = graph
            self._tell(subject, self._event(topic, delta=delta))

    async def _look_at_log(self, topic: Topic, subject: _Subject) -> None:
        chunk = await self._backend.read_log(topic.run_id, topic.task_id, topic.attempt, _END, 0)
        log = _Log(chunk.size, chunk.attempt, chunk.complete)
        if log != subject.log:
            subject.log = log
            self._tell(subject, self._log_event(topic, log))

    # --- telling -------------------------------------------------------------------------------

    def _event(
        self, topic: Topic, *, delta: GraphDelta | None = None, stale: str | None = None
    ) -> Event:
        return Event(
            seq=0,
            topic=topic.kind,
            connection=self._connection,
            run_id=topic.run_id,
            task_id=topic.task_id,
            attempt=topic.attempt,
            delta=delta,
            stale=stale,
        )

    def _log_event(self, topic: Topic, log: _Log) -> Event:
        update = {"log_size": log.size, "attempt": log.attempt}
        return self._event(topic).model_copy(update=update)

    def _tell(self, subject: _Subject, event: Event, *, once: bool = False) -> None:
        if once and subject.stale == event.stale:
            return
        subject.stale = event.stale
        for listener in list(subject.listeners):
            listener(event)

    def _tell_stale(self, reason: str) -> None:
        self._stale = reason
        for topic, subject in list(self._subjects.items()):
            self._tell(subject, self._event(topic, stale=reason), once=True)

    def _tell_deleted(self, topic: Topic, subject: _Subject) -> None:
        subject.due = False
        subject.log.complete = True
        if topic.kind == "run":
            event = self._event(topic).model_copy(update={"deleted": [topic.run_id]})
            self._tell(subject, event)

    def _recovered(self, topic: Topic, subject: _Subject) -> None:
        if subject.stale is not None:
            self._tell(subject, self._event(topic))


def graph_delta(before: RunGraph, after: RunGraph) -> GraphDelta | None:
    """What differs by value; null where nothing does, whatever the revisions say."""
    tasks = {key: task for key, task in after.tasks.items() if before.tasks.get(key) != task}
    artifacts = {
        key: artifact
        for key, artifact in after.artifacts.items()
        if before.artifacts.get(key) != artifact
    }
    same_shape = before.topology.key == after.topology.key
    if same_shape and not tasks and not artifacts and before.run == after.run:
        return None
    return GraphDelta(
        run=after.run,
        base_revision=before.revision,
        revision=after.revision,
        topology_key=after.topology.key,
        tasks=tasks,
        artifacts=artifacts,
    )


def _nothing(graph: RunGraph) -> GraphDelta:
    """A delta that changes nothing but tells the revision that the next one begins at."""
    return GraphDelta(
        run=graph.run,
        base_revision=graph.revision,
        revision=graph.revision,
        topology_key=graph.topology.key,
    )
