"""The state machine of a run: told what has started and ended, it says what runs next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ....models import State, TaskType, Topology
from ..records import (
    Invocation,
    Outcome,
    ReadyTask,
    RunContext,
    Step,
    TaskFailure,
    TaskRecord,
    Values,
)
from .cache_key import cache_key
from .cel import CelError
from .conditions import is_true
from .executor import build_invocation, collect_left, collect_outputs
from .ir import Pipeline
from .machine import BARE, Machine
from .placeholders import workspace_of
from .pod import VOLUME_ACTIONS, volume_names
from .scopes import SUCCESSFUL, Node, Scope
from .spec import Container
from .topology import build_topology
from .tree import Tree
from .values import iteration_inputs, loop_inputs, loop_outputs, resolve_inputs, scope_outputs

#: Most records a run may have, loops unfolded.
MAX_RECORDS = 200_000


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Scheduler:
    """One run's tasks. Not thread-safe; it reads no file but in `collect`.

    `records` are those of an earlier life: final ones are kept, a running leaf is waited for, the
    rest is planned again. Records in a Step are the scheduler's own: read them, do not change them.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        context: RunContext,
        records: Mapping[str, TaskRecord] | None = None,
        clock: Callable[[], datetime] = _now,
        machine: Machine = BARE,
    ) -> None:
        self._pipeline = pipeline
        self._context = context
        self._clock = clock
        self._machine = machine
        self._tree = Tree(pipeline, records or {}, clock)
        self._nodes = self._tree.nodes
        self._changed: dict[str, TaskRecord] = {}
        self._ready: list[ReadyTask] = []
        self._queue: deque[Node] = deque()
        self._canceled = False
        self._deadline_error: str | None = None
        self._over = False
        self._root = self._tree.scope(pipeline.root, "", None)
        self._activate(self._root, Values(parameters=dict(context.parameters)))

    @property
    def records(self) -> dict[str, TaskRecord]:
        """Every task known so far, by id."""
        return self._tree.records()

    # --- what the supervisor says --------------------------------------------------------------

    def advance(self) -> Step:
        """Plans on from what was told since the last call: what changed, what can be launched."""
        while self._queue:
            self._trigger(self._queue.popleft())
        over = self._root.unfinished == 0 and not self._over
        self._over = self._over or over
        changed = {**self._tree.take_new(), **self._changed}
        step = Step(
            changed=list(changed.values()),
            ready=self._ready,
            run_state=self._run_state() if over else None,
            run_error=self._run_error() if over else None,
        )
        self._changed, self._ready = {}, []
        return step

    def started(self, task_id: str) -> None:
        """The first attempt of a leaf has been launched."""
        node = self._nodes[task_id]
        if node.record.state is State.PENDING:
            self._set_running(node)

    def finished(self, task_id: str, outcome: Outcome) -> None:
        """A leaf has ended, after its last attempt. A second word on the same leaf is ignored."""
        node = self._nodes[task_id]
        if node.record.state.final:
            return
        node.record.cached_from = outcome.cached_from
        if outcome.state not in SUCCESSFUL:
            node.record.left = outcome.outputs
            self._finish(node, outcome.state, outcome.error)
            return
        self._finish(node, outcome.state, outcome.error, outcome.outputs)

    def cancel(self, error: str | None = None) -> None:
        """Starts nothing more: what runs becomes CANCELING until `finished` says how it ended.

        The run ends CANCELED; with `error` (a deadline has passed) it ends FAILED, for that reason.
        """
        if self._over:
            return
        self._canceled = True
        self._deadline_error = error
        self._ready.clear()
        for node in list(self._nodes.values()):
            if not node.is_leaf:
                continue
            if node.record.state is State.RUNNING:
                node.record.state = State.CANCELING
                self._touch(node)
            elif node.record.state is State.PENDING and node.waiting == 0 and node.scope.active:
                self._finish(node, State.CANCELED)

    # --- a leaf's launch and its outputs -------------------------------------------------------

    def invocation(self, task_id: str, attempt: int, directory: Path) -> Invocation:
        """What to launch for an attempt (the first is 1) whose files lie in `directory`.

        Raises TaskFailure where its command cannot be made.
        """
        return build_invocation(self._nodes[task_id], self._context, directory, self._machine)

    def collect(
        self, task_id: str, attempt: int, directory: Path, executor_output: dict[str, Any] | None
    ) -> Values:
        """The outputs of an attempt that succeeded, or of an importer, which needs no launch.

        Reads output files below `directory`, and copies there what was written at a custom path.
        Raises TaskFailure, saying which output is missing or does not fit.
        """
        return collect_outputs(self._nodes[task_id], self._context, directory, executor_output)

    def collect_left(self, task_id: str, directory: Path) -> Values:
        """What an attempt that failed had written below `directory` by then."""
        return collect_left(self._nodes[task_id], self._context, directory)

    def topology(self) -> Topology:
        """The run's shape as it is now."""
        return build_topology(self._pipeline, self.records)

    # --- a node's life -------------------------------------------------------------------------

    def _activate(self, scope: Scope, inputs: Values) -> None:
        scope.inputs = inputs
        scope.active = True
        self._queue.extend(node for node in scope.nodes.values() if node.waiting == 0)
        if scope.owner and scope.unfinished == 0:
            self._complete(scope.owner)

    def _trigger(self, node: Node) -> None:
        """Everything a node waited for is final: start it, or say why not."""
        record = node.record
        if record.state.final or (node.is_leaf and record.state is not State.PENDING):
            return
        if self._canceled:
            self._finish(node, State.CANCELED)
            return
        if not (node.loop or self._upstream_allows(node)):
            self._finish(node, State.SKIPPED)
            return
        try:
            if node.loop:
                record.inputs = iteration_inputs(node)
                self._start(node)
                return
            record.inputs = resolve_inputs(node, self._context)
            if node.task.condition and not self._holds(node):
                self._touch(node)
                self._finish(node, State.SKIPPED)
                return
            self._start(node)
        except TaskFailure as failure:
            self._finish(node, State.FAILED, str(failure))

    def _upstream_allows(self, node: Node) -> bool:
        """Whether the tasks before ended as this one needs it.

        One that runs whatever happened still needs that something happened: Kubeflow runs it as a
        hook of the tasks before, and a skipped task has no hooks.
        """
        states = [node.scope.nodes[name].record.state for name in node.task.dependencies]
        if node.task.whatever_happened:
            return not states or any(state is not State.SKIPPED for state in states)
        return all(state in SUCCESSFUL for state in states)

    def _holds(self, node: Node) -> bool:
        try:
            return is_true(node.task.condition, node.record.inputs.parameters)
        except CelError as error:
            raise TaskFailure(f"Its condition `{node.task.condition}` fails: {error}.") from None

    def _start(self, node: Node) -> None:
        if node.is_leaf:
            self._make_ready(node)
            return
        if node.record.type is TaskType.LOOP:
            self._unfold(node)
        elif node.inner:
            self._set_running(node)
            self._activate(node.inner, node.record.inputs)

    def _make_ready(self, node: Node) -> None:
        container = node.component.executor
        record = node.record
        record.cache_key = ""
        enabled = node.task.caching if self._context.caching is None else self._context.caching
        if isinstance(container, Container) and enabled and container.image not in VOLUME_ACTIONS:
            volumes = [*volume_names(node, self._context), *self._volumes(record.inputs)]
            record.cache_key = cache_key(
                node.task, node.component, container, record.inputs, volumes
            )
        self._touch(node)
        self._ready.append(
            ReadyTask(
                task_id=node.id,
                kind=record.type,
                cache_key=record.cache_key,
                retry=node.task.retry,
                timeout=node.component.timeout,
            )
        )

    def _volumes(self, inputs: Values) -> list[str]:
        """The run's own workspace, where the task has its path: no other run's outputs fit then."""
        workspace = str(workspace_of(self._context))
        texts = (value for value in inputs.parameters.values() if isinstance(value, str))
        return [workspace] if any(workspace in text for text in texts) else []

    def _unfold(self, loop: Node) -> None:
        """Makes the loop's iterations, and starts as many as its limit allows."""
        values = loop_inputs(loop, loop.record.inputs)
        if len(self._nodes) + len(values) > MAX_RECORDS:
            raise TaskFailure(
                f"Its loop has {len(values):,} iterations; a run has no room for them."
            )
        self._set_running(loop)
        for index, inputs in enumerate(values):
            loop.iterations.append(self._tree.iteration(loop, index, inputs))
        loop.unfinished = sum(not one.record.state.final for one in loop.iterations)
        if loop.unfinished == 0:
            self._complete(loop)
        self._start_iterations(loop)

    def _start_iterations(self, loop: Node) -> None:
        limit = loop.task.parallelism or len(loop.iterations)
        while loop.following < len(loop.iterations):
            if loop.running >= limit and not self._canceled:
                return
            node = loop.iterations[loop.following]
            loop.following += 1
            if not node.record.state.final:
                node.admitted = True
                loop.running += 1
                self._queue.append(node)

    def _set_running(self, node: Node) -> None:
        if node.record.state is not State.RUNNING:
            node.record.state = State.RUNNING
            node.record.started_at = node.record.started_at or self._clock()
        self._touch(node)

    def _touch(self, node: Node) -> None:
        self._changed[node.id] = node.record

    # --- the end of a node ---------------------------------------------------------------------

    def _finish(
        self, node: Node, state: State, error: str | None = None, outputs: Values | None = None
    ) -> None:
        """Ends a node, what is inside it and could not run, and every group that this completes."""
        ending: Node | None = node
        while ending is not None:
            self._end(ending, state, error, outputs)
            above = ending.over
            ending = None
            if above is not None and not above.record.state.final and self._is_complete(above):
                ending = above
                state, error, outputs = self._group_outcome(above)

    def _complete(self, group: Node) -> None:
        state, error, outputs = self._group_outcome(group)
        self._finish(group, state, error, outputs)

    def _end(self, node: Node, state: State, error: str | None, outputs: Values | None) -> None:
        record = node.record
        record.state = state
        record.error = error
        record.finished_at = self._clock()
        if outputs is not None:
            record.outputs = outputs
        self._touch(node)
        self._end_inside(node, State.CANCELED if state is State.CANCELED else State.SKIPPED)
        for dependent in node.dependents:
            dependent.waiting -= 1
            if dependent.waiting == 0 and dependent.scope.active:
                self._queue.append(dependent)
        if node.loop:
            node.loop.unfinished -= 1
            node.loop.running -= node.admitted
            self._start_iterations(node.loop)
        else:
            node.scope.unfinished -= 1

    def _end_inside(self, node: Node, state: State) -> None:
        """A group that ends before it started takes its tasks with it."""
        scopes = [node.inner] if node.inner and not node.inner.active else []
        while scopes:
            scope = scopes.pop()
            for inner in scope.nodes.values():
                if inner.record.state.final:
                    continue
                inner.record.state = state
                inner.record.finished_at = self._clock()
                self._touch(inner)
                if inner.inner:
                    scopes.append(inner.inner)
            scope.unfinished = 0

    def _is_complete(self, group: Node) -> bool:
        if group.record.type is TaskType.LOOP:
            return group.unfinished == 0
        return group.inner is not None and group.inner.active and group.inner.unfinished == 0

    def _group_outcome(self, group: Node) -> tuple[State, str | None, Values]:
        if group.record.type is TaskType.LOOP:
            nodes = group.iterations
            outputs = loop_outputs(group)
        else:
            assert group.inner is not None
            nodes = list(group.inner.nodes.values())
            outputs = scope_outputs(group.inner)
        failed = _first_failed(nodes)
        if failed:
            return State.FAILED, _told(failed), outputs
        if any(node.record.state is State.CANCELED for node in nodes):
            return State.CANCELED, None, outputs
        return State.SUCCEEDED, None, outputs

    # --- the end of the run --------------------------------------------------------------------

    def _run_state(self) -> State:
        if self._deadline_error:
            return State.FAILED
        if self._canceled:
            return State.CANCELED
        return State.FAILED if _first_failed(self._root.nodes.values()) else State.SUCCEEDED

    def _run_error(self) -> str | None:
        if self._canceled:
            return self._deadline_error
        failed = _first_failed(self._root.nodes.values())
        return _told(failed) if failed else None


def _first_failed(nodes: Iterable[Node]) -> Node | None:
    """The first task whose failure is its group's.

    On Kubeflow a task that runs whatever happened is a hook of those before it: the group ends as
    they do, whatever becomes of the hook.
    """
    return next(
        (
            node
            for node in nodes
            if node.record.state is State.FAILED and (node.loop or not node.task.whatever_happened)
        ),
        None,
    )


def _told(node: Node) -> str:
    """A failed task's reason as its group tells it: a leaf's with its name, a group's as it is."""
    reason = node.record.error or "it failed."
    return f"{node.id}: {reason}" if node.is_leaf or not reason.startswith(node.id) else reason
