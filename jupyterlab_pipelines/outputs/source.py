"""What a kind receives and returns, and the errors it may raise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..models import ArtifactRef, Output

KIB = 1 << 10
MIB = 1 << 20


class CannotShow(Exception):
    """The artifact is not what its type says; the message is for the user."""


@dataclass(frozen=True)
class Source:
    """An artifact with the beginning of its bytes."""

    artifact: ArtifactRef
    artifact_id: str | None
    task_id: str
    content: bytes | None
    truncated: bool = False

    @property
    def text(self) -> str:
        """The content as text. Raises CannotShow where there is none, or it is not text."""
        if self.content is None:
            raise CannotShow("The file is missing. Retry the task to make it again.")
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError as error:
            # A cut in the middle of a character is the preview's fault, not the file's.
            if self.truncated and error.start >= len(self.content) - 4:
                return self.content[: error.start].decode("utf-8")
            raise CannotShow("The file is not text. Download it instead.") from error

    def output(
        self,
        kind: str,
        bundle: Mapping[str, Any],
        *,
        part: str = "",
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Output:
        """One thing to show. `part` tells several outputs of an artifact apart."""
        base = self.artifact_id or f"{self.task_id}:{self.artifact.name}"
        return Output(
            id=f"{base}#{part}" if part else base,
            task_id=self.task_id,
            title=title or self.artifact.name,
            kind=kind,
            artifact_id=self.artifact_id,
            bundle=dict(bundle),
            metadata=dict(metadata or {}),
        )


class Kind(Protocol):
    """One way to show an artifact."""

    #: Bytes it needs of the file at most; 0: none, everything is in the metadata.
    limit: int

    def accepts(self, artifact: ArtifactRef) -> bool:
        """Whether this kind knows how to show the artifact."""
        ...

    def render(self, source: Source) -> list[Output]:
        """The outputs. May raise CannotShow."""
        ...
