"""Works one run off, in a process of its own that outlives the server, kernel or shell behind it.

    python -m jupyterlab_pipelines.backends.local.supervisor ROOT RUN_ID [LOCK]

It holds the run's `supervisor.lock`; LOCK is an open descriptor that holds it already. Killed at
any point and started again, it goes on from the store and from what the shims left in their files.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from ...errors import NotFound, PipelinesError, StoreBlocked
from ...models import State
from . import cache, processes
from .active import Ended
from .attempts import Attempts
from .crash import crash_point
from .database import Database, now
from .disk import Disk
from .launcher import Launcher
from .layout import Layout
from .plan.ir import Pipeline
from .plan.scheduler import Scheduler
from .records import Outcome, ReadyTask, TaskRecord
from .settings import SettingsFile
from .store import RunStore, Tick, fail
from .tasks import AttemptRecord
from .this_machine import ThisMachine

#: Seconds between two looks while something is adopted, and while all processes are our own.
_BUSY, _CALM = 0.05, 0.25
#: How far a run steps back, as in `nice`.
_NICENESS = 10


@dataclass(order=True)
class Waiting:
    """A task that has its inputs and waits for a slot, or for its retry's time."""

    due: float  # on the monotonic clock; 0: at once
    turn: int  # among those due at once
    task: ReadyTask = field(compare=False)


class Supervisor:
    """One run, from where it stands to its end."""

    def __init__(self, layout: Layout, run_id: str) -> None:
        self.layout = layout
        self.store = RunStore(Database(layout.database), layout, run_id)
        store = self.store
        pipeline = Pipeline.parse(store.pipeline_spec, store.platform_spec)
        self.deadline = pipeline.deadline
        self.settings = SettingsFile()
        settings = self.settings.load()
        if store.interpreter is not None:  # a notebook's, which no image has
            settings = settings.model_copy(update={"images": "needed"})
        machine = ThisMachine(settings, layout)
        self.scheduler = Scheduler(
            pipeline, store.context, _resumable(store.tasks), machine=machine
        )
        self.wake_end, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        os.set_blocking(self.wake_end, False)
        self.launcher = Launcher(layout, run_id, store.interpreter, self.settings)
        self.attempts = Attempts(layout, store, self.scheduler, self.launcher, self.wake)
        self.waiting: list[Waiting] = []  # a heap
        self._turns = 0
        self.tick = Tick()
        self.canceling = False
        self.disk = Disk(layout, store)
        self._data_version = -1
        self._ends_at = float("inf")

    def run(self) -> None:
        """Works until the run is over."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # its byte in the pipe is what counts
        started_at = self.store.begin()
        if self.deadline is not None:
            left = started_at + timedelta(seconds=self.deadline) - now()
            self._ends_at = time.monotonic() + left.total_seconds()
        while True:
            self._hear_requests()
            self.disk.watch(no_room=self.attempts.no_room)
            for ended in self.attempts.poll():
                self._settle(ended)
            launches = self._plan()
            if self.tick:
                crash_point("before-commit")
                self._commit()
            for attempt in launches:
                self.attempts.launch(attempt)
                crash_point("after-launch")
            if launches:
                crash_point("after-all-launches")
                continue
            if self.tick.over:
                self.launcher.close()
                return
            self.tick = Tick()
            self._wait()

    # --- one tick ------------------------------------------------------------------------------

    def _plan(self) -> list[AttemptRecord]:
        """Lets the scheduler go on, until it has nothing new; the attempts to launch."""
        launches: list[AttemptRecord] = []
        while True:
            step = self.scheduler.advance()
            self.tick.records.update((record.task_id, record) for record in step.changed)
            if step.run_state is not None:
                self.tick.state, self.tick.error = step.run_state, step.run_error
                self.tick.over = True
                return launches
            moved = [self._receive(task) for task in step.ready]
            started = self._begin_waiting()
            launches += started
            if not (step.changed or any(moved) or started):
                return launches

    def _receive(self, task: ReadyTask) -> bool:
        """Takes a leaf whose inputs are complete: adopted, found in the cache, or made to wait."""
        if self.attempts.adopt(task):
            self.scheduler.started(task.task_id)
            return True
        hit = self._cached(task)
        if hit is not None:
            self.scheduler.finished(task.task_id, hit)
            return True
        self._await(task)
        return False

    def _await(self, task: ReadyTask) -> None:
        self._turns += 1
        heapq.heappush(self.waiting, Waiting(self.attempts.due(task), self._turns, task))

    def _cached(self, task: ReadyTask) -> Outcome | None:
        if not task.cache_key:
            return None
        store = self.store
        scope = cache.scope_of(store.interpreter)
        return cache.find(store.database, task.cache_key, store.pipeline_name, scope, task.task_id)

    def _begin_waiting(self) -> list[AttemptRecord]:
        """Commits intents for as many waiting tasks as have a slot and whose time has come."""
        if self.disk.blocked or self.canceling or not self.waiting:
            return []
        limit = self.settings.latest().slots
        moment = time.monotonic()
        begun = []
        while self.waiting and self.waiting[0].due <= moment and self.attempts.running < limit:
            task = heapq.heappop(self.waiting).task
            attempt = self.attempts.intend(task)
            self.tick.note(attempt)
            self.scheduler.started(task.task_id)
            begun.append(attempt)
        return begun

    def _settle(self, ended: Ended) -> None:
        """An attempt is over: the task with it, or another attempt follows."""
        self.tick.note(ended.attempt)
        state = State(ended.attempt.state)
        task = ended.task
        if state is State.FAILED and not self.canceling and self.attempts.may_retry(task):
            self._await(task)
            return
        error = ended.attempt.error if state is State.FAILED else None
        self.scheduler.finished(task.task_id, Outcome(state, ended.outputs, error))

    def _commit(self) -> None:
        """Writes the tick, and begins the next one unless the run is over."""
        ends = any(not attempt.open for attempt in self.tick.attempts.values())
        if ends:
            crash_point("before-commit-outcome")
        self.disk.commit(self.tick)
        if ends:
            crash_point("after-commit-outcome")
        if any(attempt.open for attempt in self.tick.attempts.values()):
            crash_point("after-commit-launching")
        if not self.tick.over:
            self.tick = Tick()

    # --- what comes from outside ---------------------------------------------------------------

    def _hear_requests(self) -> None:
        """Looks for the user's stop and for the run's deadline."""
        if self.canceling:
            return
        version = self.store.database.data_version()
        if version != self._data_version:
            self._data_version = version
            if self.store.cancel_requested():
                self._cancel(None)
        if time.monotonic() > self._ends_at and not self.canceling:
            self._cancel(f"Deadline: the run took longer than {self.deadline:g} s.")

    def _cancel(self, error: str | None) -> None:
        """Stops what runs and starts nothing more; first adopts attempts of an earlier life."""
        self.canceling = True
        self._plan()
        self.scheduler.cancel(error)
        for waiting in self.waiting:
            self.scheduler.finished(waiting.task.task_id, Outcome(State.CANCELED))
        self.waiting.clear()
        self.attempts.stop_all()

    # --- waiting -------------------------------------------------------------------------------

    def wake(self) -> None:
        """Ends the present wait; for other threads."""
        with contextlib.suppress(BlockingIOError):  # it is awake
            os.write(self._waker, b"w")

    def _wait(self) -> None:
        limit = _BUSY if self.attempts.watching else _CALM
        if self.waiting:
            left = self.waiting[0].due - time.monotonic()
            if left > 0:  # else it waits for a slot, which an end makes free
                limit = min(limit, max(left, 0.01))
        forkers = self.launcher.forkers
        ready, _, _ = select.select([self.wake_end, *forkers.ears], [], [], limit)
        if self.wake_end in ready:
            os.read(self.wake_end, 4096)
        forkers.hear()


def _resumable(records: dict[str, TaskRecord]) -> dict[str, TaskRecord]:
    """Records for the scheduler: what ran becomes ready again, to be met by its open attempt."""
    return {
        task_id: record if record.state.final else replace(record, state=State.PENDING)
        for task_id, record in records.items()
    }


def main(arguments: list[str]) -> int:
    """Runs the command line above; 0 once the run is over or somebody else has it."""
    layout = Layout(Path(arguments[0]))
    run_id = arguments[1]
    os.umask(0o077)
    _step_back()
    try:
        if len(arguments) < 3 and not _own(layout, run_id):
            return 0
        _supervise(layout, run_id)
    except (FileNotFoundError, NotFound):
        return 0  # deleted
    return 0


def _supervise(layout: Layout, run_id: str) -> None:
    """Works the run off. A run that cannot be worked off fails, instead of being begun for ever."""
    supervisor = None
    try:
        supervisor = Supervisor(layout, run_id)
        if not supervisor.store.finished:
            supervisor.run()
    except (StoreBlocked, NotFound):
        raise
    except Exception as error:
        traceback.print_exc()
        if supervisor is not None:
            supervisor.attempts.abandon()
        reason = str(error) if isinstance(error, PipelinesError) else f"{error!r}; a defect."
        fail(Database(layout.database), run_id, f"The run cannot be worked off: {reason}")


def _step_back() -> None:
    """Lets the server, the kernels and the user's programs come before the run and its tasks.

    Inside a container Linux weighs processes against each other, elsewhere also whole sessions.
    """
    os.nice(_NICENESS)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICENESS))


def _own(layout: Layout, run_id: str) -> bool:
    """Takes the run's lock for the rest of this process's life."""
    for _ in range(50):
        if processes.try_lock(layout.supervisor_lock(run_id)) is not None:
            return True
        time.sleep(0.02)  # somebody may just be looking
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
