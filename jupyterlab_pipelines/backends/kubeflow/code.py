"""What a task runs, read off its executor: the image, the command, the Python function."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ...models import TaskDetail

_PIP = re.compile(r"python3? -m pip install (.*?)(?:&&|\n|$)", re.DOTALL)
_OWN = re.compile(r"kfp(\[[^\]]*\])?\s*($|[=<>!~;@ ])")


def add_code(detail: TaskDetail, executor: Mapping[str, Any]) -> None:
    """Fills in what the IR says of a container; an importer has none of it."""
    container = executor.get("container") or {}
    detail.image = container.get("image", "")
    command = [str(word) for word in container.get("command") or []]
    detail.command = [*command, *map(str, container.get("args") or [])]
    if len(command) >= 2 and "executor_main" in command[-2]:
        detail.source = command[-1]
        for script in command[:-1]:
            detail.packages += [one for one in _installed(script) if one not in detail.packages]


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
