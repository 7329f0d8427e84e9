"""Vega-Lite charts that read on a light and on a dark page."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

VEGA_MIME = "application/vnd.vegalite.v5+json"
MAX_POINTS = 2000
_LINE = "#3d7ec9"
# Grey with a contrast of about 4.5 on white and on JupyterLab's dark page.
_INK = "#7d7d7d"

_CONFIG = {
    "background": "transparent",
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "tickColor": _INK,
        "domainColor": _INK,
        "gridColor": _INK,
        "gridOpacity": 0.2,
    },
    "legend": {"labelColor": _INK, "titleColor": _INK},
    "title": {"color": _INK},
    "view": {"stroke": None},
}


def chart(body: Mapping[str, Any]) -> dict[str, Any]:
    """A complete Vega-Lite 5 specification around `body`."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "config": _CONFIG,
        **body,
    }


def roc_chart(points: Sequence[tuple[float, float, float | None]], title: str) -> dict[str, Any]:
    """A ROC curve of `(false positive rate, true positive rate, threshold)`, ordered by rate."""
    values = [
        {"fpr": fpr, "tpr": tpr, "threshold": threshold}
        for fpr, tpr, threshold in decimated(points)
    ]
    fraction = {"type": "quantitative", "scale": {"domain": [0, 1]}}
    x = {"field": "fpr", "title": "False positive rate", **fraction}
    y = {"field": "tpr", "title": "True positive rate", **fraction}
    return chart(
        {
            "title": title,
            "width": 340,
            "height": 300,
            "layer": [
                {
                    "data": {"values": [{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}]},
                    "mark": {"type": "line", "strokeDash": [4, 4], "color": _INK, "strokeWidth": 1},
                    "encoding": {"x": x, "y": y},
                },
                {
                    "data": {"values": values},
                    "mark": {"type": "line", "color": _LINE, "strokeWidth": 2, "tooltip": True},
                    "encoding": {
                        "x": x,
                        "y": y,
                        "order": {"field": "fpr", "type": "quantitative"},
                        "tooltip": [
                            {"field": "fpr", "title": "False positive rate", "format": ".3f"},
                            {"field": "tpr", "title": "True positive rate", "format": ".3f"},
                            {"field": "threshold", "title": "Threshold", "format": ".3f"},
                        ],
                    },
                },
            ],
        }
    )


def matrix_chart(labels: Sequence[str], rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A confusion matrix: a cell's opacity is its share of its row, its text the count."""
    values = []
    for truth, row in enumerate(rows):
        total = sum(row) or 1
        for predicted, count in enumerate(row):
            values.append(
                {
                    "true": labels[truth],
                    "predicted": labels[predicted],
                    "count": count,
                    "share": count / total,
                }
            )
    side = max(180, min(460, 34 * len(labels)))
    nominal = {"type": "nominal", "sort": list(labels)}
    layers: list[dict[str, Any]] = [
        {
            "mark": {
                "type": "rect",
                "color": _LINE,
                "tooltip": True,
                "stroke": _INK,
                "strokeOpacity": 0.2,
            },
            "encoding": {
                "fillOpacity": {
                    "field": "share",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0.03, 1]},
                    "legend": None,
                }
            },
        }
    ]
    if len(labels) <= 30:
        layers.append(
            {
                "mark": {"type": "text"},
                "encoding": {
                    "text": {"field": "count", "type": "quantitative"},
                    "color": {
                        "condition": {"test": "datum.share > 0.5", "value": "white"},
                        "value": _INK,
                    },
                },
            }
        )
    return chart(
        {
            "data": {"values": values},
            "width": side,
            "height": side,
            "encoding": {
                "x": {
                    "field": "predicted",
                    "title": "Predicted",
                    "axis": {"labelAngle": 0},
                    **nominal,
                },
                "y": {"field": "true", "title": "True", **nominal},
            },
            "layer": layers,
        }
    )


def decimated(
    points: Sequence[tuple[float, float, float | None]], most: int = MAX_POINTS
) -> Sequence[tuple[float, float, float | None]]:
    """At most `most` points, evenly spaced along the curve, first and last kept.

    A ROC curve rises monotonically, so its length in steps right and up is at most 2: no point
    left out is further than `2 / most` from one that is kept.
    """
    if len(points) <= most:
        return points
    length = sum(abs(b[0] - a[0]) + abs(b[1] - a[1]) for a, b in itertools.pairwise(points))
    step = length / (most - 2)
    kept = [points[0]]
    walked = 0.0
    for before, point in itertools.pairwise(points):
        walked += abs(point[0] - before[0]) + abs(point[1] - before[1])
        if walked >= step:
            kept.append(point)
            walked = 0.0
    return [*kept, points[-1]] if kept[-1] != points[-1] else kept
