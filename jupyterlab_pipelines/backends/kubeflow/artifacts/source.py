"""What every way of reading an artifact offers, and what it is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ...base import ArtifactContent
from .place import Place


@dataclass(frozen=True)
class Wanted:
    """An artifact as a run names it. `session` is how its launcher reached the store, as JSON."""

    name: str
    uri: str
    type: str = ""
    #: The endpoint's own id of it.
    uid: str = ""
    namespace: str = ""
    session: str = ""
    #: It is in a tgz that Argo made of it.
    archived: bool = False

    @property
    def html(self) -> bool:
        """A page is what is asked for; else one is taken for a login."""
        return self.type == "system.HTML"

    def session_parameters(self) -> Mapping[str, str]:
        """What the launcher says of the store: `endpoint`, `region` and the like."""
        try:
            parameters = json.loads(self.session or "{}").get("Params") or {}
            return {str(name): str(value) for name, value in parameters.items()}
        except (ValueError, AttributeError, RecursionError):
            return {}


class Source(Protocol):
    """One way to an artifact's bytes. Every method raises only our errors."""

    #: What a message calls it.
    title: str

    async def open(
        self, wanted: Wanted, place: Place, start: int, end: int | None
    ) -> ArtifactContent:
        """The bytes `[start, end)`. Raises NotFound where nothing lies at the place."""
        ...

    async def close(self) -> None:
        """Closes every connection."""
        ...
