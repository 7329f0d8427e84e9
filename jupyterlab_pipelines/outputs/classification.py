"""Classification metrics: a ROC curve and a confusion matrix, of a whole or of slices."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from ..models import ArtifactRef, Output
from .charts import VEGA_MIME, matrix_chart, roc_chart
from .source import CannotShow, Source

Point = tuple[float, float, "float | None"]


class ClassificationMetrics:
    """`system.ClassificationMetrics`."""

    limit = 0

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.type == "system.ClassificationMetrics" and bool(artifact.metadata)

    def render(self, source: Source) -> list[Output]:
        return _render(source, source.artifact.metadata, "")


class SlicedClassificationMetrics:
    """`system.SlicedClassificationMetrics`: the same for each slice of the data."""

    limit = 0

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.type == "system.SlicedClassificationMetrics" and bool(artifact.metadata)

    def render(self, source: Source) -> list[Output]:
        slices = unwrapped(source.artifact.metadata.get("evaluationSlices")) or []
        outputs = []
        for number, one in enumerate(slices):
            metrics = unwrapped(one.get("sliceClassificationMetrics", {}))
            name = str(one.get("slice", number))
            outputs += _render(source, metrics, name)
        return outputs


def unwrapped(value: Any) -> Any:
    """A value without the `list` or `struct` that ML Metadata puts around it."""
    while isinstance(value, dict) and len(value) == 1 and next(iter(value)) in {"list", "struct"}:
        value = next(iter(value.values()))
    return value


def _render(source: Source, metadata: Any, part: str) -> list[Output]:
    title = f"{source.artifact.name}: {part}" if part else source.artifact.name
    outputs = []
    metrics = unwrapped(metadata.get("confidenceMetrics"))
    if metrics:
        points = [
            (
                float(metric.get("falsePositiveRate", 0)),
                float(metric.get("recall", 0)),
                _finite(metric.get("confidenceThreshold")),
            )
            for metric in map(unwrapped, metrics)
        ]
        bundle, area = roc_bundle(points)
        outputs.append(
            source.output("roc", bundle, part=f"roc{part}", title=title, metadata={"auc": area})
        )
    matrix = unwrapped(metadata.get("confusionMatrix"))
    if matrix:
        specs = [unwrapped(spec) for spec in unwrapped(matrix.get("annotationSpecs", []))]
        rows = [unwrapped(unwrapped(row)["row"]) for row in unwrapped(matrix.get("rows", []))]
        labels = [str(spec["displayName"]) for spec in specs]
        bundle = matrix_bundle(labels, rows)
        outputs.append(
            source.output("confusion_matrix", bundle, part=f"confusion{part}", title=title)
        )
    return outputs


def roc_bundle(points: Sequence[Point]) -> tuple[dict[str, Any], float]:
    """A ROC curve as a MIME bundle, with the area under it. Points may come in any order."""
    if not points or not all(math.isfinite(x) and math.isfinite(y) for x, y, _ in points):
        raise CannotShow("The ROC curve has points that are not numbers.")
    ordered = sorted(points, key=lambda point: (point[0], point[1]))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in itertools.pairwise(ordered))
    text = f"ROC curve, area under it {area:.4f}"
    return {VEGA_MIME: roc_chart(ordered, f"AUC {area:.4f}"), "text/plain": text}, area


def matrix_bundle(labels: Sequence[str], rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A confusion matrix as a MIME bundle. Rows are the true labels."""
    if not labels or len(rows) != len(labels) or any(len(row) != len(labels) for row in rows):
        raise CannotShow("The confusion matrix does not have a row and a column for each label.")
    counts = [[_whole(float(count)) for count in row] for row in rows]
    lines = [["", *labels]]
    lines += [[label, *map(str, row)] for label, row in zip(labels, counts, strict=True)]
    width = max(len(cell) for line in lines for cell in line)
    text = "\n".join(" ".join(cell.rjust(width) for cell in line) for line in lines)
    return {VEGA_MIME: matrix_chart(labels, counts), "text/plain": text}


def _whole(number: float) -> float | int:
    return int(number) if number.is_integer() else number


def _finite(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
