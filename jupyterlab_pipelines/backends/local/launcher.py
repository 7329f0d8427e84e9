"""Turns an invocation into a started shim: files, packages, environment, command."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from . import containers, forking, mounts, processes, runner
from .building import Building, EnvironmentFailed
from .environments import Environments, Wanted, kfp_folder
from .forking import Forked, Forkers
from .layout import Layout
from .records import Invocation
from .settings import SettingsFile
from .this_machine import ThisMachine, is_there


class Launch:
    """One attempt on its way to a running shim; installing packages happens on a thread.

    Poll it: `process` is set once the shim runs, `error` once it cannot.
    """

    def __init__(
        self,
        launcher: Launcher,
        invocation: Invocation,
        directory: Path,
        on_change: Callable[[], None],
    ) -> None:
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.error: str | None = None
        self._launcher = launcher
        self._invocation = invocation
        self._directory = directory
        self._on_change = on_change
        self._lock = threading.Lock()
        self._building = Building(directory)
        self._thread: threading.Thread | None = None
        if invocation.source and invocation.packages:
            self._thread = threading.Thread(target=self._install, name=f"install {directory}")
            self._thread.start()
        else:
            self._start(launcher.interpreter)

    @property
    def preparing(self) -> bool:
        """Whether packages are being installed. A stopped one is not: nothing will begin."""
        busy = self._thread is not None and self._thread.is_alive()
        return busy and not self._building.stopped

    def stop(self) -> None:
        """Ends an installation; the shim, if there is one, is not touched."""
        self._building.stop()
        with self._lock:
            pass  # whoever was starting the shim has done so

    def _install(self) -> None:
        invocation = self._invocation
        wanted = Wanted(
            self._launcher.interpreter,
            tuple(invocation.packages),
            tuple(invocation.pip_index_urls),
            tuple(invocation.pip_trusted_hosts),
        )
        try:
            with (self._directory / "log.txt").open("ab") as log:
                python = self._launcher.environments.python(wanted, log, self._building)
            self._start(python)
        except (EnvironmentFailed, OSError) as error:
            self.error = str(error)
        finally:
            self._on_change()

    def _start(self, python: str) -> None:
        with self._lock:
            try:
                self._building.go_on()
                self.process = self._launcher.start(self._invocation, self._directory, python)
            except EnvironmentFailed as error:
                self.error = str(error)
            except OSError as error:
                self.error = f"The step cannot be started: {error}"


class Launcher:
    """Launches the attempts of one run on the run's interpreter."""

    def __init__(
        self, layout: Layout, run_id: str, interpreter: str | None, settings: SettingsFile
    ) -> None:
        self.layout = layout
        self.settings = settings
        self.interpreter = interpreter or sys.executable
        self.environments = Environments(layout)
        self.forkers = Forkers(layout.run(run_id))
        self._calls = forking.CAN_FORK and settings.latest().forks
        self._kfp_folder = functools.cache(kfp_folder)

    def prepare(self, invocation: Invocation, directory: Path) -> Invocation:
        """Writes what the task reads; the invocation with the values of secrets as variables.

        May be repeated, even while a task reads it. Raises TaskFailure, OSError, PipelinesError.
        """
        (directory / "work").mkdir(parents=True, exist_ok=True)
        for folder in invocation.directories:
            folder.mkdir(parents=True, exist_ok=True)
        if invocation.source or invocation.volume_action:
            text = json.dumps(invocation.executor_input)
            _write_whole(directory / "executor_input.json", text)
            _write_whole(directory / "ephemeral_component.py", invocation.source)
        machine = ThisMachine(self.settings.latest(), self.layout)
        values = machine.variables(invocation.variables)
        binds = machine.binds(invocation.mounts, directory / "scratch")
        wish = invocation.container
        if wish is None:
            binds = [bind for bind in binds if not is_there(bind)]
        else:  # which gets the values itself
            order = containers.order(wish, invocation, machine, directory)
            _write_whole(directory / containers.FILE, order)
        if binds or wish:
            _write_whole(directory / mounts.FILE, mounts.as_text(binds))
        if wish:
            return invocation
        return replace(invocation, env=invocation.env | values, isolated=bool(binds))

    def start(
        self, invocation: Invocation, directory: Path, python: str
    ) -> subprocess.Popen[bytes] | Forked:
        """Starts the shim of a prepared attempt."""
        command = invocation.command
        variables = processes.task_variables(python) | invocation.env
        if invocation.source:
            own = python == sys.executable  # which has kfp itself
            folder = "" if own else str(self._kfp_folder(self.layout))
            if self._calls and forking.suits(invocation):
                forked = self.forkers.call(python, folder, directory, invocation)
                if forked is not None:
                    return forked
            command = [python, runner.__file__, folder, str(directory), invocation.function]
        if invocation.volume_action:
            command = [sys.executable, "-m", f"{__package__}.volumes", invocation.volume_action]
            command += [str(self.layout.root), str(directory)]
            command += ["--reuse"] if invocation.reuse_volume else []
        if invocation.container:
            command = [sys.executable, "-m", f"{__package__}.keeper", str(directory)]
            variables = {}
        elif invocation.isolated:
            command = [sys.executable, "-m", mounts.__name__, str(directory), *command]
        forked = self.forkers.run(directory, command, variables) if forking.CAN_FORK else None
        return forked or processes.launch(directory, command, variables)

    def close(self) -> None:
        """Ends what tasks are forked off; shims and tasks stay."""
        self.forkers.close()


def _write_whole(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
