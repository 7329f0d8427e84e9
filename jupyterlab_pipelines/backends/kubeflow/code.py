"""What a task runs, read off its executor: the image, the command, the Python function."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ...models import TaskDetail

_PIP = re.compile(r"python3? -m pip install (.*?)(?:&&|\|\||\n|$)", re.DOTALL)
_OWN = re.compile(r"kfp(\[[^\]]*\])?\s*($|[=<>!~;@ ])")


def add_code(detail: TaskDetail, executor: Mapping[str, Any]) -> None:
    """Fills in what IR, or Argo, says of a container; an importer has none of it."""
    container = executor.get("container") or {}
    detail.image = container.get("image", "")
    command = [str(word) for word in container.get("command") or []]
    detail.command = [*command, *map(str, container.get("args") or [])]
    # The function is the last word: of kfp 2's executor, or of the script that kfp 1 wrote it to.
    if len(command) >= 2 and any(one in command[-2] for one in ("executor_main", "program_path")):
        detail.source = command[-1]
        found = [one for script in command[:-1] for one in _installed(script)]
        detail.packages = list(dict.fromkeys(found))


def _installed(script: str) -> list[str]:
    """The requirements of every `pip install` of a script, kfp itself left out."""
    found = []
    for match in _PIP.finditer(script):
        try:
            listed = shlex.split(match.group(1))
        except ValueError:
            continue
        words = iter([] if "--no-deps" in listed else listed)  # the SDK installs itself that way
        for word in words:
            if word in ("--index-url", "--extra-index-url", "--trusted-host"):
                next(words, None)
            elif not word.startswith("-") and not _OWN.match(word):
                found.append(word)
    return found
