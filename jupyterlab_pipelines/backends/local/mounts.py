"""Gives one process mounts of its own, as a pod gives its container, then becomes its command.

Linux only: it uses a mount namespace, and a user namespace where the user is not root. Nothing
outside the process changes but that a missing folder may be made to mount on, where the user may.

    mounts.py DIRECTORY COMMAND [ARGUMENT ...]      what to mount is in DIRECTORY/mounts.json
    mounts.py --probe                               exit status 0 where all this is possible
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

_NEW_NAMESPACE, _NEW_USER = 0x00020000, 0x10000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _REMOUNT, _BIND = 1, 2, 4, 32, 4096
_RECURSIVE, _SLAVE = 16384, 1 << 19
#: In an attempt's folder.
FILE = "mounts.json"


@dataclass(frozen=True)
class Bind:
    """A folder to show at `path`: `source`, or the keys of the secret or config map `name`."""

    path: str
    source: str = ""
    kind: str = ""
    name: str = ""


def as_text(binds: list[Bind]) -> str:
    """What FILE says of an attempt; no value of a secret is among it."""
    return json.dumps([asdict(bind) for bind in binds])


def read(directory: Path) -> list[Bind]:
    """What an attempt is to see, by its FILE."""
    return [Bind(**entry) for entry in json.loads((directory / FILE).read_bytes())]


# --- the kernel's calls ------------------------------------------------------------------------


def _call(name: str, *arguments: object) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    words = [os.fsencode(word) for word in (source, target, kind)]
    _call("mount", *words, ctypes.c_ulong(flags), os.fsencode(data))


def _bind(source: str, target: str) -> None:
    _mount(source, target, "", _BIND | _RECURSIVE)


def isolate() -> None:
    """Gives this process, which has one thread, mounts that nobody else sees. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    try:
        _call("unshare", _NEW_NAMESPACE)
    except OSError:
        _call("unshare", _NEW_NAMESPACE | _NEW_USER)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            Path("/proc/self", name).write_text(text)
    _mount("none", "/", "", _RECURSIVE | _SLAVE)


# --- mounting ----------------------------------------------------------------------------------


def show_folder(source: str, path: str, stage: Path) -> None:
    """Shows the folder `source` at `path` as well; `stage` is a folder to work in."""
    _make_room(path, stage)
    _bind(source, path)


def show_files(files: dict[str, bytes], path: str, stage: Path) -> None:
    """Shows files that are nowhere but in memory at `path`, for reading."""
    _make_room(path, stage)
    flags = _NO_SUID | _NO_DEVICES
    _mount("tmpfs", path, "tmpfs", flags, "mode=755")
    for name, content in files.items():
        Path(path, name).write_bytes(content)
        Path(path, name).chmod(0o644)  # as Kubernetes does; nobody else sees this mount
    _mount("tmpfs", path, "", flags | _REMOUNT | _READ_ONLY, "mode=755")


def _make_room(path: str, stage: Path) -> None:
    """Sees that there is a folder at `path`."""
    parent = Path(path)
    while not parent.exists():
        parent = parent.parent
    if parent == Path(path):
        if not parent.is_dir():
            raise NotADirectoryError(20, "is not a folder", path)
        return
    if not _is_the_users(parent):
        _cover(str(parent), stage)
    Path(path).mkdir(parents=True, exist_ok=True)


def _is_the_users(folder: Path) -> bool:
    """Whether others' files are unlikely in this folder, so that one more may be made there.

    Root may write everywhere; what of it is root's own can only be guessed.
    """
    if folder == Path("/") or not os.access(folder, os.W_OK | os.X_OK):
        return False
    own = [Path.home(), Path(tempfile.gettempdir())]
    return os.getuid() != 0 or any(folder.is_relative_to(one) for one in own if one.name)


def _cover(folder: str, stage: Path) -> None:
    """Puts a folder in memory over `folder`, in which its entries are seen and others can be made.

    Over the root, it becomes this process's root.
    """
    here = Path.cwd()
    stage.mkdir(parents=True, exist_ok=True)
    _mount("tmpfs", str(stage), "tmpfs", _NO_SUID | _NO_DEVICES, "mode=755")
    for entry in os.scandir(folder):
        target = stage / entry.name
        if entry.is_symlink():
            target.symlink_to(Path(entry.path).readlink())
            continue
        if entry.is_dir():
            target.mkdir()
        else:
            target.touch()
        _bind(entry.path, str(target))
    if folder == "/":
        os.chroot(stage)
        os.chdir(here)
    else:
        _bind(str(stage), folder)


# --- the command line --------------------------------------------------------------------------


def _contents(binds: list[Bind]) -> dict[str, dict[str, bytes]]:
    """The values of secrets and config maps, by path, as the user has mapped them now."""
    keyed = [bind for bind in binds if bind.kind]
    if not keyed:
        return {}
    from .settings import SettingsFile  # slow to load where nobody asks

    settings = SettingsFile().load()
    return {bind.path: settings.contents(bind.kind, bind.name) for bind in keyed}


def probe() -> None:
    """Does everything once. Raises OSError where the kernel does not let it."""
    isolate()
    seen_by_nobody_else = Path("/tmp")  # noqa: S108
    _mount("tmpfs", str(seen_by_nobody_else), "tmpfs", _NO_SUID | _NO_DEVICES)
    os.chdir("/")
    stage = seen_by_nobody_else / "stage"
    show_files({"file": b""}, "/jupyterlab-pipelines-files", stage)
    show_folder("/usr", "/jupyterlab-pipelines-folder", stage)


def main(arguments: list[str]) -> None:
    """Becomes the command; what stands against it becomes the attempt's reason."""
    try:
        if arguments == ["--probe"]:
            probe()
            return
        directory = Path(arguments[0])
        stage = directory / "scratch" / "stage"
        binds = read(directory)
        contents = _contents(binds)
        isolate()
        for bind in sorted(binds, key=lambda bind: bind.path):
            if bind.kind:
                show_files(contents[bind.path], bind.path, stage)
            else:
                show_folder(bind.source, bind.path, stage)
        os.execvp(arguments[1], arguments[1:])  # noqa: S606
    except Exception as error:
        if arguments != ["--probe"]:
            reason = f"The step's folders cannot be mounted: {error}"
            Path(arguments[0], "reason.txt").write_text(reason)
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
