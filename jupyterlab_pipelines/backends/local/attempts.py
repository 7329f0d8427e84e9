"""The attempts at work in one run: intended, launched, adopted, stopped, and how each ended."""

from __future__ import annotations

import errno
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from ...errors import PipelinesError
from ...models import State, TaskType
from . import containers, processes, reasons
from .active import Active, Ended
from .database import from_micros, now
from .launcher import Launch, Launcher
from .layout import Layout
from .plan.scheduler import Scheduler
from .processes import Phase, Sighting
from .records import ReadyTask, RetryPolicy, TaskFailure, Values
from .store import RunStore
from .tasks import LAUNCHING, AttemptRecord

_ASK_AGAIN = 0.5
_MOST_RELAUNCHES = 5
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_ROOM_AGAIN = 0.5  # seconds between two tries on a full disk


@dataclass
class Attempts:
    """The attempts of a run; `wake` is called from other threads when one of them moved."""

    layout: Layout
    store: RunStore
    scheduler: Scheduler
    launcher: Launcher
    wake: Callable[[], None]
    _active: dict[str, Active] = field(default_factory=dict)

    @property
    def running(self) -> int:
        """How many slots are taken."""
        return len(self._active)

    @property
    def watching(self) -> bool:
        """Whether any end must be looked for, since the process is not our child."""
        return any(one.launch is None or one.stopping for one in self._active.values())

    @property
    def no_room(self) -> bool:
        """Whether any cannot begin because the disk is full."""
        return any(one.no_room for one in self._active.values())

    # --- beginning -----------------------------------------------------------------------------

    def intend(self, task: ReadyTask) -> AttemptRecord:
        """A new attempt, to be committed before it is launched."""
        earlier = self.store.attempts.setdefault(task.task_id, [])
        number = earlier[-1].number + 1 if earlier else 1
        attempt = AttemptRecord(
            task_id=task.task_id,
            number=number,
            round=self.store.round,
            state=LAUNCHING,
            directory=self.layout.attempt(self.store.run_id, task.task_id, number),
            boot=processes.boot_identity(),
            started_at=now(),
        )
        earlier.append(attempt)
        self._active[task.task_id] = Active(task, attempt)
        return attempt

    def launch(self, attempt: AttemptRecord) -> None:
        """Starts a committed attempt. What goes wrong is told by `poll`."""
        active = self._active[attempt.task_id]
        directory, task_id = attempt.directory, attempt.task_id
        active.no_room = False
        try:
            if active.task.kind is TaskType.IMPORTER:
                collect = self.scheduler.collect
                active.outputs = collect(task_id, attempt.number, directory, None)
                self.wake()
                return
            invocation = self.scheduler.invocation(task_id, attempt.number, directory)
            invocation = self.launcher.prepare(invocation, directory)
        except (TaskFailure, PipelinesError, OSError) as error:
            if isinstance(error, OSError) and error.errno in _NO_ROOM:
                active.no_room = True
                active.relaunch_at = time.monotonic() + _ROOM_AGAIN
            else:
                active.error = str(error)
                self.wake()
            return
        active.launch = Launch(self.launcher, invocation, directory, self.wake)
        if active.launch.error is not None:
            self.wake()

    def adopt(self, task: ReadyTask) -> bool:
        """Takes over an attempt of an earlier supervisor whose end it did not see."""
        earlier = self.store.attempts.get(task.task_id, [])
        if not earlier or not earlier[-1].open:
            return False
        self._active[task.task_id] = Active(task, earlier[-1])
        return True

    # --- retries -------------------------------------------------------------------------------

    def _ended(self, task: ReadyTask) -> list[AttemptRecord]:
        return [
            one
            for one in self.store.attempts.get(task.task_id, [])
            if one.round == self.store.round and not one.open
        ]

    def may_retry(self, task: ReadyTask) -> bool:
        """Whether the task's policy allows one more attempt: so many, and within its time."""
        ended = self._ended(task)
        if len(ended) > task.retry.max_retries:
            return False
        first, last = ended[0].started_at, ended[-1].finished_at
        if first is None or last is None:
            return True
        waited = (last - first) / timedelta(seconds=1) + _backoff(task.retry, len(ended))
        return waited <= task.retry.window

    def due(self, task: ReadyTask) -> float:
        """When the next attempt may begin, on the monotonic clock: after the policy's backoff."""
        ended = self._ended(task)
        if not ended:
            return 0.0
        since = (now() - (ended[-1].finished_at or now())) / timedelta(seconds=1)
        return time.monotonic() + max(0.0, _backoff(task.retry, len(ended)) - since)

    # --- stopping ------------------------------------------------------------------------------

    def stop_all(self) -> None:
        """Begins to stop every attempt."""
        for active in self._active.values():
            active.stop()

    def abandon(self) -> None:
        """Kills every process at once; for a supervisor that cannot go on."""
        for active in self._active.values():
            active.stop()
            directory = active.attempt.directory
            processes.forbid(directory)
            processes.kill_all(directory, processes.start_of(directory))
            containers.remove(directory)

    def _press(self, active: Active, start: dict[str, Any] | None) -> None:
        """Asks a living shim to stop, and kills everything once it had its time."""
        if active.stop_since is None:
            return
        moment = time.monotonic()
        if moment - active.stop_since > processes.STOP_GRACE + 1:
            processes.kill_all(active.attempt.directory, start)
        elif start is not None and moment - active.asked_at > _ASK_AGAIN:
            active.asked_at = moment
            processes.ask_to_stop(start)

    # --- ending --------------------------------------------------------------------------------

    def poll(self) -> list[Ended]:
        """The attempts that have ended since the last call."""
        ended = []
        for active in list(self._active.values()):
            if self._overdue(active):
                active.timed_out = True
                active.stop()
            end = self._look(active)
            if end is not None:
                del self._active[active.task.task_id]
                ended.append(end)
        return ended

    @staticmethod
    def _overdue(active: Active) -> bool:
        started, timeout = active.attempt.started_at, active.task.timeout
        if timeout is None or started is None or active.stopping:
            return False
        return now() - started > timedelta(seconds=timeout)

    def _look(self, active: Active) -> Ended | None:
        launch = active.launch
        if active.outputs is not None:
            return self._end(active, State.SUCCEEDED, outputs=active.outputs)
        if launch is not None:
            active.error = active.error or launch.error
            if launch.preparing:
                return None
            if launch.process is not None and launch.process.poll() is None:
                if active.stopping:
                    self._press(active, processes.start_of(active.attempt.directory))
                return None
        if active.error is not None and not active.stopping:
            return self._fail(active, active.error)
        if active.relaunch_at > time.monotonic() and not active.stopping:
            return None
        return self._judge(active, processes.look(active.attempt.directory))

    def _judge(self, active: Active, sighting: Sighting) -> Ended | None:
        """What a look at the files of an attempt means that is not a living child of ours."""
        directory, phase = active.attempt.directory, sighting.phase
        if phase is Phase.RUNNING:
            active.launch = None
            self._press(active, sighting.start)
            return None
        if sighting.exit is not None:
            return self._of_exit(active, sighting.exit, sighting.start)
        if active.attempt.boot != processes.boot_identity():
            boot = active.attempt.boot
            return self._fail(active, reasons.of_restart(boot, processes.boot_identity()))
        if phase is Phase.UNKNOWN:
            processes.kill_all(directory, sighting.start)
            return self._fail(active, reasons.OUTCOME_UNKNOWN)
        if phase is Phase.UNSTARTED:
            processes.withdraw_claim(directory)
        return self._not_begun(active)

    def _not_begun(self, active: Active) -> Ended | None:
        """No command has run yet: launches the same attempt, or sees that none ever does."""
        if active.stopping:
            try:
                forbidden = processes.forbid(active.attempt.directory)
            except OSError:  # a full disk
                forbidden = False
            if forbidden:
                processes.kill_all(active.attempt.directory, None)  # an installation's remains
                return self._fail(active, "Stopped before it began.")
            return None
        active.relaunches += not active.no_room
        if active.relaunches > _MOST_RELAUNCHES:
            processes.forbid(active.attempt.directory)
            return self._fail(active, "The step's process could not be started; see the run's log.")
        if (
            active.relaunches > 1 and not active.no_room
        ):  # the first is at once; what stands against it may pass
            active.relaunch_at = time.monotonic() + 0.05 * 2**active.relaunches
        self.launch(active.attempt)
        return None

    def _of_exit(self, active: Active, end: processes.Exit, start: dict[str, Any] | None) -> Ended:
        attempt = active.attempt
        attempt.finished_at = from_micros(end.at)
        attempt.exit_code = end.code if end.signal is None else 128 + end.signal
        if end.stopped:
            processes.kill_all(attempt.directory, start)
        elif end.code == 0:
            return self._collect(active)
        return self._fail(active, reasons.of_exit(end, attempt.directory / "log.txt"))

    def _collect(self, active: Active) -> Ended:
        attempt = active.attempt
        try:
            output = _executor_output(attempt.directory)
            outputs = self.scheduler.collect(
                attempt.task_id, attempt.number, attempt.directory, output
            )
        except TaskFailure as error:
            return self._fail(active, str(error))
        return self._end(active, State.SUCCEEDED, outputs=outputs)

    def _fail(self, active: Active, reason: str) -> Ended:
        """Ends an attempt that did not succeed, by what we did to it and else for `reason`."""
        left = self.scheduler.collect_left(active.task.task_id, active.attempt.directory)
        if active.timed_out:
            reason = reasons.of_timeout(active.task.timeout or 0)
        elif active.stopping:
            return self._end(active, State.CANCELED, outputs=left)
        return self._end(active, State.FAILED, reason, left)

    def _end(
        self,
        active: Active,
        state: State,
        error: str | None = None,
        outputs: Values | None = None,
    ) -> Ended:
        attempt = active.attempt
        attempt.state = state.value
        attempt.error = error
        attempt.finished_at = attempt.finished_at or now()
        containers.remove(attempt.directory)
        shutil.rmtree(attempt.directory / "scratch", ignore_errors=True)
        return Ended(active.task, attempt, outputs or Values(), active.stopping)


def _executor_output(directory: Path) -> dict[str, Any] | None:
    """What the executor wrote of its outputs; null where it wrote nothing."""
    try:
        output = json.loads((directory / "executor_output.json").read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise TaskFailure(f"Its executor_output.json cannot be read: {error}.") from None
    if not isinstance(output, dict):
        raise TaskFailure("Its executor_output.json is not an object.")
    return output


def _backoff(policy: RetryPolicy, ended: int) -> float:
    """The seconds between the end of an attempt, the `ended`-th, and the next."""
    try:
        return float(policy.backoff * policy.factor ** (ended - 1))
    except OverflowError:
        return float("inf")
