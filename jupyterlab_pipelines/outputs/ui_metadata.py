"""`mlpipeline-ui-metadata` of kfp 1: a JSON file that lists what to show."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from ..models import ArtifactRef, Output
from .classification import matrix_bundle, roc_bundle
from .sandbox import html_bundle
from .source import MIB, CannotShow, Source
from .tables import ROWS, table_bundle


class UiMetadata:
    """The viewers that Kubeflow's page knows, where their content is inline."""

    limit = 4 * MIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return artifact.name in {"mlpipeline-ui-metadata", "mlpipeline_ui_metadata"}

    def render(self, source: Source) -> list[Output]:
        try:
            listed = json.loads(source.text)["outputs"]
        except ValueError as error:
            raise CannotShow("mlpipeline-ui-metadata is not JSON.") from error
        return [_one(source, number, item) for number, item in enumerate(listed)]


def _one(source: Source, number: int, item: dict[str, Any]) -> Output:
    kind = str(item.get("type", ""))
    title = kind.replace("_", " ").capitalize() or "Output"
    try:
        bundle = _bundle(kind, item)
    except CannotShow as error:
        failed = source.output("error", {}, part=str(number), title=title)
        return failed.model_copy(update={"error": str(error)})
    except (ValueError, TypeError, KeyError, IndexError) as error:
        failed = source.output("error", {}, part=str(number), title=title)
        reason = f"Its description is not what {kind!r} needs ({type(error).__name__})."
        return failed.model_copy(update={"error": reason})
    return source.output(kind.replace("web-app", "html"), bundle, part=str(number), title=title)


def _bundle(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    if kind == "tensorboard":
        raise CannotShow(
            "TensorBoard is not shown here. Start it on the log folder: "
            f"tensorboard --logdir {item.get('source', '')}"
        )
    if kind not in {"markdown", "web-app", "table", "confusion_matrix", "roc"}:
        raise CannotShow(f"The viewer {kind!r} is unknown.")
    if item.get("storage") != "inline":
        raise CannotShow(f"Its content is at {item.get('source', '')}. Open it there.")
    content = str(item["source"])
    if kind == "markdown":
        return {"text/markdown": content, "text/plain": content}
    if kind == "web-app":
        return html_bundle(content, "Web app")
    rows = [row for row in csv.reader(io.StringIO(content)) if row]
    if kind == "table":
        return table_bundle([str(name) for name in item["header"]], rows[:ROWS], len(rows) > ROWS)
    if kind == "roc":
        return _roc(item, rows)
    return _confusion_matrix(item, rows)


def _roc(item: dict[str, Any], rows: list[list[str]]) -> dict[str, Any]:
    names = [str(column["name"]) for column in item["schema"]]
    fpr, tpr = names.index("fpr"), names.index("tpr")
    threshold = next((i for i, name in enumerate(names) if name.startswith("threshold")), None)
    points = [
        (float(row[fpr]), float(row[tpr]), None if threshold is None else float(row[threshold]))
        for row in rows
    ]
    bundle, _ = roc_bundle(points)
    return bundle


def _confusion_matrix(item: dict[str, Any], rows: list[list[str]]) -> dict[str, Any]:
    labels = [str(label) for label in item["labels"]]
    place = {label: index for index, label in enumerate(labels)}
    matrix = [[0.0] * len(labels) for _ in labels]
    for truth, predicted, count, *_ in rows:
        matrix[place[truth]][place[predicted]] = float(count)
    return matrix_bundle(labels, matrix)
