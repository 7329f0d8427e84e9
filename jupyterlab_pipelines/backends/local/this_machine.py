"""Finds here what the user has mapped for a cluster's volumes, secrets and config maps."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import mounts
from .layout import Layout
from .plan.spec import Kind
from .records import MappedVariable, Mount, TaskFailure
from .settings import Keys, Settings, Unusable

_WORDS = {"secret": "secret", "config-map": "config map"}


@dataclass(frozen=True)
class ThisMachine:
    """What `plan.machine.Machine` asks, answered from the settings and the engine's folder."""

    settings: Settings
    layout: Layout

    @property
    def containers(self) -> str:
        return "" if self.settings.containers == "off" else self.settings.containers

    @property
    def containers_found(self) -> bool:
        return bool(self.containers and shutil.which(self.containers))

    @property
    def every_image(self) -> bool:
        return self.settings.images == "always"

    def has_volume(self, name: str) -> bool:
        return self.volume(name) is not None

    def keys(self, kind: Kind, name: str) -> frozenset[str] | None:
        mapped = self._mapped(kind).get(name)
        return None if mapped is None else frozenset(mapped.names())

    def can_mount(self, path: str, kind: str, name: str) -> bool:
        folder = self._folder(kind, name) if name else None
        return (folder is not None and _same(folder, path)) or can_isolate()

    def volume(self, name: str) -> Path | None:
        """The folder of a volume (PVC): the user's, else one that a pipeline has made here."""
        mapped = self.settings.volumes.get(name)
        if mapped is not None:
            return mapped
        if "/" in name or name in ("", ".", ".."):
            return None
        made = self.layout.volumes / name
        return made if made.is_dir() else None

    def variables(self, wanted: Iterable[MappedVariable]) -> dict[str, str]:
        """The values of mapped variables. Raises TaskFailure, naming what is missing."""
        values = {}
        for one in wanted:
            mapped = self._mapped(one.kind).get(one.name)
            if mapped is None or one.key not in mapped.names():
                if one.optional:
                    continue
                raise TaskFailure(
                    f"It needs the key `{one.key}` of the {_WORDS[one.kind]} `{one.name}`, which "
                    f"is not mapped: `jupyter pipelines map {one.kind} {one.name} {one.key} …`."
                )
            values[one.variable] = _text(mapped, one)
        return values

    def binds(self, wanted: Iterable[Mount], scratch: Path) -> list[mounts.Bind]:
        """Where each mount's content lies; empty folders are made below `scratch`.

        Raises TaskFailure, naming what is missing.
        """
        return [self._bind(mount, scratch / str(index)) for index, mount in enumerate(wanted)]

    def _bind(self, mount: Mount, scratch: Path) -> mounts.Bind:
        if mount.kind == "pvc":
            return mounts.Bind(mount.path, source=str(self._part(mount)))
        if mount.kind != "scratch":
            keys = self._mapped(mount.kind).get(mount.name)
            if keys is not None:
                _check(keys, mount)
                return mounts.Bind(mount.path, kind=mount.kind, name=mount.name)
            if not mount.optional:
                raise TaskFailure(
                    f"It mounts the {_WORDS[mount.kind]} `{mount.name}`, which is not mapped: "
                    f"`jupyter pipelines map {mount.kind} {mount.name} …`."
                )
        scratch.mkdir(parents=True, exist_ok=True)
        return mounts.Bind(mount.path, source=str(scratch))

    def _part(self, mount: Mount) -> Path:
        """The folder of a volume, or of its part, which is made if it is missing."""
        volume = self.volume(mount.name)
        if volume is None:
            raise TaskFailure(
                f"It mounts the volume (PVC) `{mount.name}`, which is not mapped: "
                f"`jupyter pipelines map pvc {mount.name} FOLDER`."
            )
        if not volume.is_dir():
            raise TaskFailure(f"The folder {volume} of the volume `{mount.name}` is not there.")
        part = (volume / mount.sub_path).resolve()
        if not part.is_relative_to(volume.resolve()):
            raise TaskFailure(f"`{mount.sub_path}` leads out of the volume `{mount.name}`.")
        part.mkdir(parents=True, exist_ok=True)
        return part

    def _folder(self, kind: str, name: str) -> Path | None:
        if kind == "pvc":
            return self.volume(name)
        mapped = self._mapped(kind).get(name)
        return mapped.folder if mapped is not None and not mapped.keys else None

    def _mapped(self, kind: str) -> dict[str, Keys]:
        if kind == "secret":
            return self.settings.secrets
        return self.settings.config_maps if kind == "config-map" else {}


def is_there(bind: mounts.Bind) -> bool:
    """Whether a path shows its folder already, to every process."""
    return bool(bind.source) and _same(Path(bind.source), bind.path)


def _same(folder: Path, path: str) -> bool:
    try:
        return folder.samefile(path)
    except OSError:
        return False


def _text(mapped: Keys, one: MappedVariable) -> str:
    what = f"The key `{one.key}` of the {_WORDS[one.kind]} `{one.name}` cannot be used"
    try:
        text = mapped.read(one.key).decode()
    except Unusable as reason:
        raise TaskFailure(f"{what}: {reason}.") from None
    except UnicodeDecodeError:
        raise TaskFailure(f"{what} as a variable: it is not text.") from None
    if "\0" in text:
        raise TaskFailure(f"{what} as a variable: it is not text.")
    return text


def _check(keys: Keys, mount: Mount) -> None:
    try:
        for key in keys.names():
            keys.read(key)
    except Unusable as reason:
        what = f"The {_WORDS[mount.kind]} `{mount.name}`"
        raise TaskFailure(f"{what} cannot be used: {reason}.") from None


@functools.cache
def can_isolate() -> bool:
    """Whether a process may have mounts of its own here: Linux, where the kernel lets a user."""
    if sys.platform != "linux":
        return False
    try:
        done = subprocess.run(
            [sys.executable, "-I", mounts.__file__, "--probe"],
            capture_output=True,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
