"""The user's settings of the embedded engine, and what stands here for a cluster's own things.

One file beside the user's other Jupyter configuration, which server, supervisor, kernel and command
line read alike. It may hold secrets: only the user can read it, and no message repeats a value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_serializer,
    model_validator,
)

from ...errors import BadInput, StoreBlocked
from .processes import waited_lock
from .shim import write_whole

Name = Annotated[str, AfterValidator(lambda text: _checked(text, _NAME, "a name in Kubernetes"))]
Key = Annotated[str, AfterValidator(lambda text: _checked(text, _KEY, "a key"))]
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_KEY = re.compile(r"(?!\.\.?$)[A-Za-z0-9._-]{1,253}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_BYTES = 2**20  # of one value, as in Kubernetes


def _checked(text: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} cannot be {what}")
    return text


class Unusable(Exception):
    """What the user mapped cannot be read now; the message says why, and never a value."""


class _Part(BaseModel):
    # No message of pydantic's may repeat an input: it may be a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Source(_Part):
    """Where one value comes from: written down, a file, or an environment variable."""

    value: SecretStr | None = None
    file: Path | None = None
    variable: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Source:
        if sum(part is not None for part in (self.value, self.file, self.variable)) != 1:
            raise ValueError("give one of a value, a file and an environment variable")
        if self.variable is not None:
            _checked(self.variable, _VARIABLE, "an environment variable")
        return self

    @field_serializer("value", when_used="unless-none")
    def _shown(self, value: SecretStr) -> str:
        return value.get_secret_value()

    def read(self) -> bytes:
        """The value. Raises Unusable."""
        if self.value is not None:
            return self.value.get_secret_value().encode()
        if self.file is not None:
            return _content(self.file)
        text = os.environ.get(self.variable or "")
        if text is None:
            raise Unusable(f"the environment variable {self.variable} is not set")
        return text.encode()


class Keys(_Part):
    """A secret or a config map: values by key, or a folder with a file for each key."""

    keys: dict[Key, Source] = Field(default_factory=dict)
    folder: Path | None = None

    def names(self) -> set[str]:
        """The keys that there are."""
        found = set(self.keys)
        if self.folder is not None and self.folder.is_dir():
            found |= {
                path.name
                for path in self.folder.iterdir()
                if _KEY.fullmatch(path.name) and path.is_file()
            }
        return found

    def read(self, key: str) -> bytes:
        """A key's value. Raises Unusable."""
        if key in self.keys:
            return self.keys[key].read()
        if self.folder is None or not _KEY.fullmatch(key):
            raise Unusable(f"it has no key `{key}`")
        return _content(self.folder / key)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    if len(content) > _MOST_BYTES:
        raise Unusable(f"{path} is bigger than 1 MiB")
    return content


class Settings(_Part):
    """Everything that the user has set; see `DESCRIPTIONS`."""

    workers: int | None = Field(None, ge=1, le=1000)
    forks: bool = True
    containers: Literal["off", "docker", "podman"] = "off"
    images: Literal["needed", "always"] = "needed"
    volumes: dict[Name, Path] = Field(default_factory=dict)
    secrets: dict[Name, Keys] = Field(default_factory=dict)
    config_maps: dict[Name, Keys] = Field(default_factory=dict)

    def contents(self, kind: str, name: str) -> dict[str, bytes]:
        """The keys of a mapped secret or config map with their values. Raises Unusable."""
        keys = (self.secrets if kind == "secret" else self.config_maps)[name]
        return {key: keys.read(key) for key in keys.names()}

    @property
    def slots(self) -> int:
        """How many tasks of a run may run at once."""
        return self.workers or max(16, 4 * (os.cpu_count() or 1))


#: The settings that are one value each, in words.
DESCRIPTIONS = {
    "workers": "tasks of a run that may run at once",
    "forks": "on: tasks are forked off a process that has loaded kfp (Linux); off: never",
    "containers": "off, docker or podman: what runs the tasks that need an image",
    "images": "needed: only those tasks run in a container; always: Python functions too",
}


def settings_file() -> Path:
    """Where the settings are, beside the user's connections."""
    from jupyter_core.paths import jupyter_config_dir  # slow to load where nobody asks

    return Path(jupyter_config_dir()) / "jupyterlab_pipelines" / "settings.json"


class SettingsFile:
    """The settings in their file, read again whenever it has changed. Thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or settings_file()
        self._read: tuple[tuple[int, int, int] | None, Settings] | None = None

    def load(self) -> Settings:
        """The settings. Raises BadInput where the file is damaged, StoreBlocked on its disk."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            raise self._unreadable(error) from None
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        read = self._read
        if read is None or read[0] != stamp:
            self._read = read = (stamp, self._parse(status.st_mode))
        return read[1]

    def latest(self) -> Settings:
        """The settings, or those of the last look where the file has become unusable since."""
        try:
            return self.load()
        except (BadInput, StoreBlocked):
            if self._read is None:
                raise
            return self._read[1]

    def _parse(self, mode: int) -> Settings:
        try:
            if mode & 0o077:
                self.path.chmod(0o600)
            return Settings.model_validate_json(self.path.read_bytes())
        except OSError as error:
            raise self._unreadable(error) from None
        except ValidationError as error:
            raise BadInput(
                f"{self.path} is damaged: {_told(error)}.",
                next_step="Repair it, or delete it and set again what it held.",
            ) from None

    def _unreadable(self, error: OSError) -> StoreBlocked:
        return StoreBlocked(
            f"{self.path} cannot be read: {error.strerror}.",
            next_step="Check the file's permissions.",
        )

    def change(self, edit: Callable[[dict[str, Any]], None]) -> Settings:
        """Changes the settings as plain JSON; no other process's change in between is lost.

        Raises BadInput where what comes out is not valid; nothing is changed then.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with waited_lock(self.path.with_suffix(".lock")):
                content = self.load().model_dump(mode="json", exclude_defaults=True)
                edit(content)
                try:
                    settings = Settings.model_validate(content)
                except ValidationError as error:
                    raise BadInput(
                        f"This cannot be set: {_told(error)}.",
                        next_step="See: jupyter pipelines settings",
                    ) from None
                text = settings.model_dump_json(exclude_defaults=True, indent=2)
                write_whole(str(self.path), text + "\n")
        except OSError as error:
            raise StoreBlocked(
                f"{self.path} cannot be written: {error.strerror}.",
                next_step="Check the folder's permissions and its disk.",
            ) from error
        return settings


def _told(error: ValidationError) -> str:
    """Which places are wrong and why; what stands there is left out."""
    lines = []
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        place = ".".join(str(part) for part in one["loc"] if part != "[key]")
        reason = one["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {reason}" if place else reason)
    return "; ".join(lines)
