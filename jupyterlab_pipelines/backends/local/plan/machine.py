"""What the planner asks of the machine that tasks run on: containers, a cluster's mapped data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from .spec import Kind


class Machine(Protocol):
    """What stands on this machine for what a cluster has."""

    @property
    def containers(self) -> str:
        """What runs containers: `docker`, `podman`, or "" where the user has not turned them on."""

    @property
    def containers_found(self) -> bool:
        """Whether that is installed."""

    @property
    def every_image(self) -> bool:
        """Whether Python functions, too, run in a container of their image."""

    def has_volume(self, name: str) -> bool:
        """Whether a volume (PVC) of this name is mapped, or was made here by a pipeline."""

    def keys(self, kind: Kind, name: str) -> frozenset[str] | None:
        """The keys of a secret or config map; null where it is not mapped."""

    def can_mount(self, path: str, kind: str, name: str) -> bool:
        """Whether a process can see a volume, secret, config map or empty folder at `path`.

        `kind` is `pvc`, `secret`, `config-map` or `scratch`; `name` may be "": not known yet.
        """


@dataclass(frozen=True)
class Bare:
    """A machine with nothing mapped and no containers, on which paths are as they are."""

    containers: str = ""
    containers_found: bool = False
    every_image: bool = False

    def has_volume(self, name: str) -> bool:
        return False

    def keys(self, kind: Kind, name: str) -> frozenset[str] | None:
        return None

    def can_mount(self, path: str, kind: str, name: str) -> bool:
        return False


BARE = Bare()
