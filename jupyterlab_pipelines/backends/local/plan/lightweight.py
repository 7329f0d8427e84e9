"""Recognises the command of a lightweight Python component: its source, function and packages."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from .spec import Container

#: The script that runs the function, spaces made single: it writes the source and starts kfp.
_LAUNCH = re.compile(
    r'program_path=\$\(mktemp -d\) printf "%s" "\$0" > "\$program_path/ephemeral_component\.py" '
    r"(_KFP_RUNTIME=true )?python3? -m kfp(\.v2)?\.(dsl|components)\.executor_main "
    r'--component_module_path "\$program_path/ephemeral_component\.py" "\$@"'
)
_PIP = re.compile(r"python3? -m pip install (.*?)(?:&&|\n|$)", re.DOTALL)
_KFP = re.compile(r"kfp(\[[^\]]*\])?\s*($|[=<>!~;@ ])")
#: What else the SDK's set-up script holds: pip itself made sure of, a virtual environment made.
_SETUP_LINES = {
    'if ! [ -x "$(command -v pip)" ]; then',
    "python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip",
    "fi",
    "export PIP_DISABLE_PIP_VERSION_CHECK=1",
    "tmp=$(mktemp -d)",
    'python3 -m venv "$tmp/venv" --system-site-packages',
    '. "$tmp/venv/bin/activate"',
    "PIP_DISABLE_PIP_VERSION_CHECK=1",
    "",
}
_GO_ON = re.compile(r'&&\s*"\$0" "\$@"\s*$')
_SILENT_OPTIONS = {"--quiet", "-q", "--no-warn-script-location", "--upgrade", "-U"}


class UnknownShape(Exception):
    """The command is not one that the SDK writes; the message says what is different."""


@dataclass
class Lightweight:
    """A Python function as a component carries it."""

    source: str
    function: str
    packages: list[str] = field(default_factory=list)  # requirements, kfp itself left out
    index_urls: list[str] = field(default_factory=list)
    trusted_hosts: list[str] = field(default_factory=list)


def recognise(container: Container) -> Lightweight:
    """The function inside a container's command. Raises UnknownShape on any other command.

    The shape is `sh -c <pip install …> sh -ec <run the executor> <source>`, the first part only
    where there is something to install.
    """
    command, args = container.command, container.args
    if (
        len(command) not in (4, 7)
        or command[-4:-2] not in (("sh", "-ec"), ("sh", "-c"))
        or (len(command) == 7 and command[:2] != ("sh", "-c"))
        or not _LAUNCH.fullmatch(" ".join(command[-2].split()))
    ):
        raise UnknownShape("its command is not that of a Python function")
    found = Lightweight(source=command[-1], function=_function(args))
    if len(command) == 7:
        _read_pip(command[2], found)
    return found


def _function(args: tuple[str, ...]) -> str:
    options = dict(zip(args[::2], args[1::2], strict=False))
    known = {"--executor_input", "--function_to_execute"}
    if set(options) != known or len(args) != 4 or options["--executor_input"] != "{{$}}":
        raise UnknownShape("its arguments are not those of a Python function")
    return options["--function_to_execute"]


def _read_pip(script: str, found: Lightweight) -> None:
    """The requirements and indexes of a script that does nothing but `pip install`."""
    body, went_on = _GO_ON.subn("", script)
    others = _PIP.sub("\n", body).splitlines()
    if not went_on or any(line.strip() not in _SETUP_LINES for line in others):
        raise UnknownShape("its set-up script does more than install packages")
    for match in _PIP.finditer(body):
        try:
            words = shlex.split(match.group(1))
        except ValueError:
            raise UnknownShape("its pip line cannot be read") from None
        _read_words(words, found)


def _read_words(words: list[str], found: Lightweight) -> None:
    packages = []
    own_kfp = "--no-deps" in words  # the SDK installs itself, and only itself, that way
    remaining = iter(words)
    for word in remaining:
        option, _, value = word.partition("=")
        if option in ("--index-url", "--extra-index-url", "--trusted-host"):
            value = value or next(remaining, "")
            known = found.trusted_hosts if option == "--trusted-host" else found.index_urls
            if value not in known:
                known.append(value)
        elif word == "--no-deps" or word in _SILENT_OPTIONS:
            continue
        elif word.startswith("-"):
            raise UnknownShape(f"its pip line has the option `{word}`")
        else:
            packages.append(word)
    if not own_kfp:
        found.packages += [name for name in packages if not _KFP.match(name)]
