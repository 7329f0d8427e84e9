"""Makes and removes the volumes (PVCs) of pipelines that do so: folders below the engine's own.

Runs as a task of its own:

    python -m jupyterlab_pipelines.backends.local.volumes (create | delete) ROOT DIRECTORY [--reuse]

with the task's inputs in DIRECTORY/executor_input.json. Size, access modes and storage class are a
cluster's business. With --reuse, a volume that is there already is as good as made.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

from . import reasons
from .layout import Layout
from .settings import SettingsFile
from .this_machine import ThisMachine

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


class Refused(Exception):
    """What was asked cannot be done; the message is the task's reason."""


def create(machine: ThisMachine, inputs: dict[str, Any], reuse: bool) -> str:
    """Makes a volume and returns its name: the given one, or one of its own with a suffix."""
    given, suffix = inputs.get("pvc_name") or "", inputs.get("pvc_name_suffix") or ""
    if given and suffix:
        raise Refused("Give one of pvc_name and pvc_name_suffix, not both.")
    if inputs.get("data_source"):
        raise Refused("A volume cannot be made from a snapshot or another volume here.")
    name = given or f"{uuid.uuid4()}{suffix}"
    if not _NAME.fullmatch(name):
        raise Refused(f"{name!r} cannot be the name of a volume (PVC).")
    if machine.has_volume(name):
        if not reuse:
            raise Refused(f"There is a volume (PVC) {name!r} already.")
        print(f"The volume {name} is there already: {machine.volume(name)}")  # noqa: T201
        return name
    folder = machine.layout.volumes / name
    folder.mkdir(parents=True, mode=0o700, exist_ok=reuse)
    print(f"Made the volume {name}: {folder}")  # noqa: T201
    return name


def delete(machine: ThisMachine, inputs: dict[str, Any]) -> None:
    """Removes a volume that a pipeline has made; a folder of the user's own is never removed."""
    name = str(inputs.get("pvc_name") or "")
    if name in machine.settings.volumes:
        raise Refused(
            f"The volume {name!r} is your folder {machine.settings.volumes[name]}: it is not "
            f"deleted. Take it back with `jupyter pipelines unmap pvc {name}`."
        )
    folder = machine.volume(name)
    if folder is None:
        raise Refused(f"There is no volume (PVC) {name!r}.")
    shutil.rmtree(folder)
    print(f"Removed the volume {name}.")  # noqa: T201


def main(action: str, root: str, directory: str, *options: str) -> int:
    """Runs the command line above; its exit status."""
    executor_input = json.loads(Path(directory, "executor_input.json").read_bytes())
    inputs = executor_input["inputs"]["parameterValues"]
    machine = ThisMachine(SettingsFile().load(), Layout(Path(root)))
    try:
        if action == "delete":
            delete(machine, inputs)
        else:
            name = create(machine, inputs, "--reuse" in options)
            output = executor_input["outputs"]["parameters"].get("name")
            if output is not None:
                Path(output["outputFile"]).write_text(name)
    except (Refused, OSError) as reason:
        Path(directory, reasons.FILE).write_text(str(reason))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
