"""Runs one attempt of a task in a container, through the command line of docker or podman.

    python -m jupyterlab_pipelines.backends.local.keeper DIRECTORY

is the command of the attempt's shim. It pulls the image, makes the container as container.json in
DIRECTORY says, runs it with its output as its own, and removes it. On SIGTERM the container has
some seconds to end. A container whose keeper was killed is found by its name.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from ...errors import PipelinesError
from . import containers, mounts, processes, reasons
from .containers import PATIENCE, last_line, run_tool
from .layout import Layout
from .quantities import read_quantity
from .records import MappedVariable, TaskFailure
from .settings import SettingsFile, Unusable
from .this_machine import ThisMachine

#: Seconds between SIGTERM and SIGKILL: before the shim kills what keeps the container.
_GRACE = processes.STOP_GRACE - 3


class Keeper:
    """The process that stands for the container on our side: it ends as the container ends."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.order = containers.Order(**json.loads((directory / containers.FILE).read_bytes()))
        self.name = containers.name_of(directory)
        self.stopped = False
        # The marker is for what a kill may find: never for what watches over containers.
        self.env = {name: one for name, one in os.environ.items() if name != processes.MARKER}

    def keep(self) -> int:
        """Runs the container; its exit code. Raises TaskFailure."""
        signal.signal(signal.SIGTERM, self._on_stop)
        machine = ThisMachine(SettingsFile().load(), Layout(Path(self.order.root)))
        self._pull()
        if not self.stopped:
            self._create(machine.variables(MappedVariable(**one) for one in self.order.variables))
            self._copy_keys(machine)
        if self.stopped:
            return 128 + signal.SIGTERM
        return self._start()

    def _on_stop(self, number: int, frame: object) -> None:
        self.stopped = True

    def _call(self, *words: str, **options: Any) -> str:
        """What the tool answers. Raises TaskFailure with its last word."""
        command = [self.order.tool, *words]
        try:
            done = run_tool(command, env=self.env, **options)
        except OSError as error:
            raise TaskFailure(f"{self.order.tool} cannot be started: {error.strerror}.") from None
        except subprocess.TimeoutExpired:
            raise TaskFailure(f"{self.order.tool} does not answer.") from None
        if done.returncode != 0:
            raise TaskFailure(last_line(done.stderr))
        if words[0] == "create" and done.stderr:  # a limit that cannot be kept, for example
            print(f"[{done.stderr.strip()}]", flush=True)  # noqa: T201
        return done.stdout

    # --- the image -----------------------------------------------------------------------------

    def _pull(self) -> None:
        image, policy = self.order.image, self.order.pull_policy
        if policy != "Always":
            try:
                self._call("image", "inspect", image)
            except TaskFailure as failure:
                if policy == "Never":
                    raise TaskFailure(
                        f"The image `{image}` is not here, and its pull policy is Never."
                    ) from failure
            else:
                return
        print(f"[Pulling the image {image}.]", flush=True)  # noqa: T201
        if self._attached("pull", image) != 0 and not self.stopped:
            raise TaskFailure(f"The image `{image}` cannot be pulled: the log says why.")

    # --- the container -------------------------------------------------------------------------

    def _create(self, values: dict[str, str]) -> None:
        wanted = self.order
        words = ["create", "--name", self.name, "--pull", "never", "--log-driver", "none"]
        words += ["--label", f"jupyterlab-pipelines.attempt={self.directory}"]
        words += ["--security-opt", "label=disable", *self._user(), *self._limits()]
        for folder in wanted.folders:
            words += _bind(folder, folder)
        for path in wanted.inputs:
            words += _bind(path, path, read_only=True)
        for bind in mounts.read(self.directory):
            if not bind.kind:
                words += _bind(bind.source, bind.path)
        for variable, value in wanted.env.items():
            words += ["--env", f"{variable}={value}"]
        for variable in values:
            words += ["--env", variable]  # its value is read from the tool's own environment
        if wanted.command:
            words += ["--entrypoint", wanted.command[0]]
        words += [wanted.image, *wanted.command[1:]]
        env = self.env
        self.env = {**env, **values}
        try:
            self._call(*words)
        except TaskFailure as failure:
            raise TaskFailure(f"The container cannot be made: {failure}") from None
        finally:
            self.env = env

    def _user(self) -> list[str]:
        """Whoever owns the run's folders: root, where the tool makes of root the user itself."""
        rootless = self.order.tool == "podman"
        if not rootless and os.getuid() != 0:
            said = self._call("info", "--format", "{{json .SecurityOptions}}")
            rootless = "rootless" in said
        if rootless or os.getuid() == 0:
            return ["--user", "0:0"]
        home = [] if "HOME" in self.order.env else ["--env", "HOME=/tmp"]
        return ["--user", f"{os.getuid()}:{os.getgid()}", *home]

    def _limits(self) -> list[str]:
        wanted = self.order
        words = []
        try:
            if wanted.cpu:
                words += ["--cpus", f"{read_quantity(wanted.cpu):g}"]
            if wanted.memory:
                size = f"{read_quantity(wanted.memory):.0f}"
                words += ["--memory", size, "--memory-swap", size]
            if wanted.shared_memory:
                words += ["--shm-size", f"{read_quantity(wanted.shared_memory):.0f}"]
            count = int(read_quantity(wanted.accelerators)) if wanted.accelerators else 0
        except ValueError as error:
            raise TaskFailure(f"Its resources cannot be read: {error}.") from None
        if count and wanted.tool == "docker":
            words += ["--gpus", str(count)]
        elif count:
            words += ["--device", "nvidia.com/gpu=all"]
        return words

    def _copy_keys(self, machine: ThisMachine) -> None:
        """Puts secrets and config maps into the container; they are in no folder of ours."""
        keyed = [bind for bind in mounts.read(self.directory) if bind.kind]
        if not keyed:
            return
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for bind in keyed:
                files = machine.settings.contents(bind.kind, bind.name)
                _add_folder(tar, bind.path.strip("/"), files)
        archive.seek(0)
        command = [self.order.tool, "cp", "-", f"{self.name}:/"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env
        ) as process:
            _, errors = process.communicate(archive.getvalue(), timeout=PATIENCE)
        if process.returncode != 0:
            words = last_line(errors.decode(errors="replace"))
            raise TaskFailure(f"The container cannot be given its secrets: {words}")

    def _start(self) -> int:
        kills = _memory_kills()
        code = self._attached("start", "--attach", self.name)
        state = self._state()
        while state.get("Running"):  # the tool's own process was lost, not the container
            self._call("kill", self.name)
            state = self._state()
        if state.get("Error") or state.get("Status") in ("created", "configured", "initialized"):
            words = state.get("Error") or "the log says why."
            raise TaskFailure(f"The container cannot be started: {words}")
        code = int(state.get("ExitCode", code))
        killed = code == 128 + signal.SIGKILL and not self.stopped
        if state.get("OOMKilled") or (killed and _memory_kills() > kills):
            limit = f"beyond its limit of {self.order.memory}" if self.order.memory else "too far"
            self.say(f"Out of memory: the container went {limit}. {reasons.MEMORY_STEP}")
        return code

    def _state(self) -> dict[str, Any]:
        state = json.loads(self._call("inspect", "--format", "{{json .State}}", self.name))
        assert isinstance(state, dict)
        return state

    def say(self, reason: str) -> None:
        """Notes why the attempt failed."""
        (self.directory / reasons.FILE).write_text(reason)

    def _attached(self, *words: str) -> int:
        """Runs the tool with its output as ours; its exit code.

        It is in a group of its own: on SIGTERM it would let go of the container and its output.
        """
        command = [self.order.tool, *words]
        stop = [self.order.tool, "stop", "-t", f"{_GRACE:.0f}", self.name]
        with subprocess.Popen(
            command, env=self.env, stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp
        ) as process:
            while process.poll() is None:
                if self.stopped and words[0] == "start":
                    with contextlib.suppress(subprocess.SubprocessError):
                        run_tool(stop, env=self.env)  # which fails as long as it does not run yet
                elif self.stopped:
                    process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.1)
        return process.returncode


def _memory_kills() -> int:
    """How many processes the kernel has killed for memory; podman is not told everywhere."""
    with contextlib.suppress(OSError), Path("/proc/vmstat").open() as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _bind(source: str, target: str, *, read_only: bool = False) -> list[str]:
    fields = ["type=bind", f"source={source}", f"target={target}"]
    fields += ["readonly"] if read_only else []
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(fields)
    return ["--mount", text.getvalue()]


def _add_folder(tar: tarfile.TarFile, path: str, files: dict[str, bytes]) -> None:
    folder = tarfile.TarInfo(path)
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(folder)
    for name, content in files.items():
        entry = tarfile.TarInfo(f"{path}/{name}")
        entry.size, entry.mode = len(content), 0o644  # as Kubernetes does
        tar.addfile(entry, io.BytesIO(content))


def main(directory: Path) -> int:
    """Runs the command line above; what stands against it becomes the attempt's reason."""
    keeper = Keeper(directory)
    try:
        return keeper.keep()
    except (TaskFailure, Unusable, PipelinesError) as failure:
        keeper.say(str(failure))
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        containers.remove(directory)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
