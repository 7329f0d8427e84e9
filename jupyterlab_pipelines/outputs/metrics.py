"""Scalar metrics: a table of names and numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..models import ArtifactRef, Output
from .markup import markdown_table
from .source import KIB, CannotShow, Source


class ScalarMetrics:
    """`system.Metrics`: the scalars are the artifact's metadata."""

    limit = 0

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.type == "system.Metrics" and bool(artifact.metadata)

    def render(self, source: Source) -> list[Output]:
        scalars = {
            name: value
            for name, value in source.artifact.metadata.items()
            if isinstance(value, (int, float, str, bool)) and name != "display_name"
        }
        return [_output(source, scalars)] if scalars else []


class LegacyMetrics:
    """`mlpipeline-metrics` of kfp 1: a JSON file."""

    limit = 256 * KIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.name in {"mlpipeline-metrics", "mlpipeline_metrics"}

    def render(self, source: Source) -> list[Output]:
        try:
            document = json.loads(source.text)
        except ValueError as error:
            raise CannotShow("mlpipeline-metrics is not JSON.") from error
        scalars: dict[str, Any] = {}
        for metric in document["metrics"][:50]:
            value = float(metric["numberValue"])
            percent = metric.get("format") == "PERCENTAGE"
            scalars[str(metric["name"])] = f"{value:.3%}" if percent else value
        return [_output(source, scalars)]


def _output(source: Source, scalars: Mapping[str, Any]) -> Output:
    rows = [(name, _number(value)) for name, value in scalars.items()]
    bundle = {
        "text/markdown": markdown_table(("Metric", "Value"), rows),
        "text/plain": "\n".join(f"{name}: {value}" for name, value in rows),
    }
    return source.output("metrics", bundle, metadata={"metrics": dict(scalars)})


def _number(value: object) -> str:
    """A number as people read it: six significant digits, whole numbers whole."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return str(value)
