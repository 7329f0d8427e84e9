"""The kinds in the order they are asked, and the one place where a kind's failure is caught."""

from __future__ import annotations

from collections.abc import Sequence

from ..models import ArtifactRef, Output
from .classification import ClassificationMetrics, SlicedClassificationMetrics
from .documents import Html, Json, Markdown, PlainText
from .images import Image
from .metrics import LegacyMetrics, ScalarMetrics
from .notebooks import ExecutedNotebook
from .source import CannotShow, Kind, Source
from .tables import DelimitedTable
from .ui_metadata import UiMetadata

KINDS: Sequence[Kind] = (
    UiMetadata(),
    LegacyMetrics(),
    ScalarMetrics(),
    ClassificationMetrics(),
    SlicedClassificationMetrics(),
    ExecutedNotebook(),
    Markdown(),
    Html(),
    Image(),
    DelimitedTable(),
    Json(),
    PlainText(),
)


def content_limit(artifact: ArtifactRef) -> int:
    """How many bytes of the artifact's file `render` wants; 0: none."""
    kind = _kind_of(artifact)
    # One more than is shown, which tells a file that ends there from one that goes on.
    return kind.limit + 1 if kind is not None and kind.limit else 0


def render(
    artifact: ArtifactRef, artifact_id: str | None, task_id: str, content: bytes | None
) -> list[Output]:
    """What there is to show of an artifact; empty for one that is only a file, such as a model."""
    kind = _kind_of(artifact)
    if kind is None:
        return []
    truncated = content is not None and kind.limit > 0 and len(content) > kind.limit
    kept = content[: kind.limit] if content is not None and truncated else content
    source = Source(artifact, artifact_id, task_id, kept, truncated)
    try:
        return kind.render(source)
    except CannotShow as error:
        reason = str(error)
    except (ValueError, TypeError, KeyError, AttributeError, LookupError, RecursionError) as error:
        # The file or metadata of an artifact is the user's: any shape must end in a message.
        reason = f"It does not have the form of its type ({type(error).__name__})."
        reason += " Download the artifact to look at it."
    return [source.output("error", {}).model_copy(update={"error": reason})]


def _kind_of(artifact: ArtifactRef) -> Kind | None:
    return next((kind for kind in KINDS if kind.accepts(artifact)), None)
