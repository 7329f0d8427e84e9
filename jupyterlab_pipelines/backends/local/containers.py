"""Orders an attempt's container, which `keeper.py` runs, and removes one that lost its keeper."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .records import ContainerWish, Invocation
from .this_machine import ThisMachine

#: In an attempt's folder, from before its container may exist until it is gone.
FILE = "container.json"
#: Seconds that docker or podman have to answer.
PATIENCE = 20.0
_MOST_INPUTS = 64  # each mounted for itself; with more, all runs are


@dataclass(frozen=True)
class Order:
    """What container.json says: all that is needed, but for the values of secrets."""

    tool: str
    root: str  # the engine's folder
    image: str
    command: list[str]
    pull_policy: str = ""
    env: dict[str, str] = field(default_factory=dict)
    variables: list[dict[str, Any]] = field(default_factory=list)  # of MappedVariable
    folders: list[str] = field(default_factory=list)  # to be seen where they are, for writing
    inputs: list[str] = field(default_factory=list)  # for reading
    cpu: str = ""
    memory: str = ""
    accelerators: str = ""
    shared_memory: str = ""


def order(wish: ContainerWish, invocation: Invocation, machine: ThisMachine, folder: Path) -> str:
    """The content of container.json for an attempt in `folder`."""
    directories = [folder, *invocation.directories]
    inputs = [path for path in wish.inputs if path.exists()]
    if len(inputs) > _MOST_INPUTS:
        inputs = [machine.layout.runs]
    written = Order(
        tool=machine.containers,
        root=str(machine.layout.root),
        image=wish.image,
        command=invocation.command,
        pull_policy=wish.pull_policy,
        env=invocation.env,
        variables=[asdict(one) for one in invocation.variables],
        folders=[str(one) for one in directories if one == folder or folder not in one.parents],
        inputs=[str(path) for path in dict.fromkeys(inputs)],
        cpu=wish.cpu,
        memory=wish.memory,
        accelerators=wish.accelerators,
        shared_memory=wish.shared_memory,
    )
    return json.dumps(asdict(written))


def name_of(directory: Path) -> str:
    """The name of an attempt's container."""
    return f"jupyterlab-pipelines-{hashlib.sha256(str(directory).encode()).hexdigest()[:24]}"


def remove(directory: Path) -> None:
    """Kills and removes an attempt's container, if it may have one. Cheap where it has none."""
    try:
        tool = json.loads((directory / FILE).read_bytes())["tool"]
    except (OSError, ValueError, KeyError):
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        run_tool([tool, "kill", name_of(directory)])  # `rm` alone would let podman wait
        done = run_tool([tool, "rm", "--force", name_of(directory)])
        if done.returncode == 0 or "no such container" in done.stderr.lower():
            (directory / FILE).unlink(missing_ok=True)


def unusable(tool: str) -> str:
    """Why docker or podman cannot be used now; "" where it can."""
    if shutil.which(tool) is None:
        return f"{tool} is not installed, or not on the PATH."
    try:
        done = run_tool([tool, "version"])
    except (OSError, subprocess.SubprocessError):
        return f"{tool} does not answer."
    return f"{tool} does not work: {last_line(done.stderr)}" if done.returncode else ""


def run_tool(command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Asks docker or podman something. Raises OSError or subprocess.TimeoutExpired."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, errors="replace", **options
    )


def last_line(text: str) -> str:
    """What a tool said last of why it failed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing about why."
