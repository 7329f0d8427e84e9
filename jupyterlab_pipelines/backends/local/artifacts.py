"""Finds the file of an artifact, and never one that the engine does not keep."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import NotFound, UnsupportedFeature

_TYPES = {"system.HTML": "text/html", "system.Markdown": "text/markdown"}


def local_path(uri: str) -> Path | None:
    """The absolute path that a URI names on this machine; null where it names something else."""
    parts = urlsplit(uri)
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        path = Path(unquote(parts.path))
    elif parts.scheme == "":
        path = Path(uri)
    else:
        return None
    return path if path.is_absolute() else None


def safe_file(uri: str, root: Path) -> Path:
    """The file or folder at `uri`, which must lie below `root` with every link resolved.

    Raises UnsupportedFeature where it lies elsewhere, NotFound where nothing is there.
    """
    path = local_path(uri)
    if path is None:
        raise UnsupportedFeature(
            "The artifact is not kept on this machine.",
            next_step="Open it where it is stored; its address is in the details.",
        )
    resolved = path.resolve()
    if not resolved.is_relative_to(root.resolve()):
        raise UnsupportedFeature(
            "The artifact lies outside the engine's folder.",
            next_step="Open it with the file browser or a terminal; its path is in the details.",
        )
    if not resolved.exists():
        raise NotFound(
            "The artifact's file is not there.",
            next_step="Read the step's log: the step may not have written it.",
        )
    return resolved


def media_type(path: Path, schema_title: str) -> str:
    """What the file is, by its artifact's type and else by its name."""
    if schema_title in _TYPES:
        return _TYPES[schema_title]
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"
