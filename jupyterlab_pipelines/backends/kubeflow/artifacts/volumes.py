"""An artifact's bytes from a volume that is mounted in this pod too, and from nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import psutil

from ....errors import NotFound, UnsupportedFeature
from ....models import ObjectStore
from ...base import ArtifactContent
from ...folders import open_path
from .place import Place, media_type
from .source import Wanted

#: Where notebooks mount the user's volumes. Secrets and the system are mounted elsewhere.
_MOUNTED_BELOW = (Path("/mnt"), Path("/data"), Path("/media"), Path("/home"))


class Volumes:
    """Volumes by name: those whose folder the connection's stores give, then what is mounted.

    A store with the prefix `volume://name/` and a folder as its endpoint names one.
    """

    title = "the volumes of this machine"

    def __init__(self, settings: Sequence[ObjectStore]) -> None:
        self._settings = settings

    def configured(self, place: Place) -> ObjectStore | None:
        """The settings that name this volume; null: there are none."""
        prefix = f"volume://{place.bucket}"
        return next((one for one in self._settings if one.prefix.rstrip("/") == prefix), None)

    async def open(
        self, wanted: Wanted, place: Place, start: int, end: int | None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of a file; a folder as a tar.gz."""
        try:
            return await asyncio.to_thread(self._open, place, start, end)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "its name is not one"
            raise NotFound(f"{place.shown} cannot be read: {reason}.") from None

    async def close(self) -> None:
        """Nothing is held open."""

    def _open(self, place: Place, start: int, end: int | None) -> ArtifactContent:
        root = self._root(place).resolve()
        path = (root / place.key).resolve(strict=True)
        if not path.is_relative_to(root):
            raise NotFound(f"{place.shown} leads out of its volume.")
        if not (path.is_file() or path.is_dir()):
            raise NotFound(f"{place.shown} is no file.")
        return open_path(path, media_type(path.name), start, end)

    def _root(self, place: Place) -> Path:
        settings = self.configured(place)
        if settings is not None and settings.endpoint.startswith("/"):
            return Path(settings.endpoint)
        for partition in psutil.disk_partitions(all=True):
            mounted = Path(partition.mountpoint)
            if mounted.name == place.bucket and mounted.parent in (
                *_MOUNTED_BELOW,
                Path.home(),
            ):
                return mounted
        raise UnsupportedFeature(
            f"The volume {place.bucket} is not mounted here.",
            next_step=f"Mount it in this notebook and add a store with the prefix"
            f" volume://{place.bucket}/ and the folder as its endpoint to the connection.",
        )
