"""What is shown of each kind of artifact, and what is said where it cannot be shown."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.models import ArtifactRef, Output
from jupyterlab_pipelines.outputs import HTML_MIME, content_limit, render
from jupyterlab_pipelines.outputs.charts import MAX_POINTS, VEGA_MIME, decimated

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def shown(
    name: str = "out",
    type_: str = "system.Artifact",
    content: bytes | str | None = None,
    uri: str = "",
    **metadata: Any,
) -> list[Output]:
    artifact = ArtifactRef(name=name, type=type_, uri=uri or f"/root/{name}", metadata=metadata)
    content = content.encode() if isinstance(content, str) else content
    return render(artifact, f"task:{name}", "task", content)


def only(outputs: list[Output]) -> Output:
    (output,) = outputs
    return output


def test_metrics_are_a_table_and_data_to_compare() -> None:
    output = only(shown("m", "system.Metrics", accuracy=0.9312345678, rounds=3.0, note="a|b"))
    assert "| accuracy | 0\\.931235 |" in output.bundle["text/markdown"]
    assert "| rounds | 3 |" in output.bundle["text/markdown"]
    assert "a\\|b" in output.bundle["text/markdown"]
    assert output.metadata["metrics"]["accuracy"] == 0.9312345678


CONFIDENCE = [
    {"confidenceThreshold": 1.0, "recall": 0.0, "falsePositiveRate": 0.0},
    {"confidenceThreshold": 0.5, "recall": 0.8, "falsePositiveRate": 0.5},
    {"confidenceThreshold": 0.0, "recall": 1.0, "falsePositiveRate": 1.0},
]
MATRIX = {
    "annotationSpecs": [{"displayName": "cat"}, {"displayName": "dog"}],
    "rows": [{"row": [5, 1]}, {"row": [2, 7]}],
}


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_roc_curve_and_a_confusion_matrix(wrapped: bool) -> None:
    metrics = {"list": CONFIDENCE} if wrapped else CONFIDENCE
    matrix = {"struct": MATRIX} if wrapped else MATRIX
    roc, confusion = shown(
        "c", "system.ClassificationMetrics", confidenceMetrics=metrics, confusionMatrix=matrix
    )
    assert roc.kind == "roc"
    assert roc.metadata["auc"] == pytest.approx(0.65)
    points = roc.bundle[VEGA_MIME]["layer"][1]["data"]["values"]
    assert [point["fpr"] for point in points] == [0.0, 0.5, 1.0]
    assert confusion.kind == "confusion_matrix"
    cells = confusion.bundle[VEGA_MIME]["data"]["values"]
    assert {"true": "dog", "predicted": "cat", "count": 2, "share": pytest.approx(2 / 9)} in cells
    assert "cat" in confusion.bundle["text/plain"]


def test_each_slice_is_shown_by_its_name() -> None:
    slices = [{"slice": "age<30", "sliceClassificationMetrics": {"confidenceMetrics": CONFIDENCE}}]
    output = only(shown("s", "system.SlicedClassificationMetrics", evaluationSlices=slices))
    assert output.title == "s: age<30"


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.none()), min_size=2, max_size=500).map(
        lambda points: sorted(points, key=lambda p: (p[0], p[1]))
    )
)
def test_a_decimated_curve_keeps_its_ends_and_its_size(points: list[Any]) -> None:
    kept = decimated(points, most=50)
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert len(kept) <= 52
    assert all(point in points for point in kept)


def test_a_curve_of_a_million_points_is_decimated() -> None:
    count = 100_000
    curve = [(i / count, (i / count) ** 0.2, None) for i in range(count + 1)]
    assert MAX_POINTS / 2 < len(decimated(curve)) <= MAX_POINTS


def test_markdown_and_html_artifacts() -> None:
    assert only(shown("r", "system.Markdown", "# Hi")).bundle["text/markdown"] == "# Hi"
    page = only(shown("h", "system.HTML", "<h1>Hi</h1><script>x</script>")).bundle
    assert page[HTML_MIME] == {"html": "<h1>Hi</h1><script>x</script>"}
    assert "<script>" not in page["text/html"]
    assert page["text/html"].count("<iframe") == 1
    assert "allow-same-origin" not in page["text/html"]
    assert "frame-src" in page["text/html"]


def test_an_mpld3_page_carries_its_scripts() -> None:
    page = '<div id="f"></div><script>mpld3_load_lib("https://d3js.org/d3.v5.js", f)</script>'
    html = only(shown("h", "system.HTML", page)).bundle[HTML_MIME]["html"]
    assert html.index("mpld3") < html.index('<div id="f">')
    assert len(html) > 100_000


def notebook(*outputs: dict[str, Any]) -> str:
    cell = {"cell_type": "code", "source": "", "metadata": {}, "outputs": list(outputs)}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


def display(**data: Any) -> dict[str, Any]:
    named = {key.replace("_", "/", 1): value for key, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": named}


def test_an_executed_notebook_gives_what_its_cells_displayed() -> None:
    content = notebook(
        {"output_type": "stream", "name": "stdout", "text": "in the log already"},
        display(image_png="AAAA", text_plain="<Figure>"),
        display(text_html=["<b>", "bold</b>"], text_plain="bold"),
        display(text_markdown="# Report"),
        {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\x1b[31mX"]},
    )
    figure, page, report, error = shown("notebook", content=content)
    assert figure.bundle["image/png"] == "AAAA"
    assert figure.kind == "figure"
    assert page.bundle[HTML_MIME] == {"html": "<b>bold</b>"}
    assert page.bundle["text/plain"] == "bold"
    assert "<b>" not in page.bundle["text/html"]
    assert report.bundle == {"text/markdown": "# Report"}
    assert error.title == "Cell 1: ValueError: no"
    assert error.bundle["text/plain"] == "X"
    assert len({output.id for output in (figure, page, report, error)}) == 4


def test_the_beginning_of_a_table() -> None:
    rows = "\n".join(f"{i},{i * i}" for i in range(100_000))
    output = only(shown("d", "system.Dataset", f"n,square\n{rows}", uri="/root/d"))
    assert output.bundle["text/plain"].startswith("n\tsquare\n0\t0\n")
    assert "first 50 rows" in output.bundle["text/markdown"]
    artifact = ArtifactRef(name="d", type="system.Dataset", uri="/root/d")
    assert 0 < content_limit(artifact) <= 1 << 20
    assert shown("d", "system.Dataset", b"\x00\xff\xfe") == []


def test_images_are_checked_and_svg_is_sandboxed() -> None:
    assert only(shown("i", content=PNG, uri="/x/i.png")).bundle["image/png"].startswith("iVBOR")
    assert "image/png" in (only(shown("i", content=b"<html>", uri="/x/i.png")).error or "")
    svg = only(shown("i", content="<svg onload='x'/>", uri="/x/i.svg"))
    assert "image/svg+xml" not in svg.bundle
    assert HTML_MIME in svg.bundle


def test_the_viewers_of_kfp_1() -> None:
    document = {
        "outputs": [
            {"type": "markdown", "storage": "inline", "source": "# One"},
            {
                "type": "table",
                "storage": "inline",
                "format": "csv",
                "header": ["a"],
                "source": "1\n2",
            },
            {
                "type": "confusion_matrix",
                "storage": "inline",
                "labels": ["x", "y"],
                "schema": [],
                "source": "x,x,3\nx,y,1\ny,x,0\ny,y,4",
            },
            {
                "type": "roc",
                "storage": "inline",
                "schema": [{"name": "fpr"}, {"name": "tpr"}, {"name": "threshold"}],
                "source": "0,0,1\n1,1,0",
            },
            {"type": "web-app", "storage": "inline", "source": "<p>app</p>"},
            {"type": "tensorboard", "source": "s3://logs"},
            {"type": "markdown", "source": "gs://b/report.md"},
            {"type": "dance"},
        ]
    }
    outputs = shown("mlpipeline-ui-metadata", content=json.dumps(document))
    kinds = [output.kind for output in outputs]
    assert kinds == [
        *("markdown", "table", "confusion_matrix", "roc", "html"),
        *("error", "error", "error"),
    ]
    assert "tensorboard --logdir s3://logs" in (outputs[5].error or "")
    assert "gs://b/report.md" in (outputs[6].error or "")

    metrics = {"metrics": [{"name": "acc", "numberValue": 0.5, "format": "PERCENTAGE"}]}
    output = only(shown("mlpipeline-metrics", content=json.dumps(metrics)))
    assert output.metadata["metrics"] == {"acc": "50.000%"}


def test_a_model_is_only_a_file() -> None:
    assert shown("m", "system.Model", b"\x80\x04") == []


KINDS = [
    ("r", "system.Markdown", "/x"),
    ("h", "system.HTML", "/x"),
    ("notebook", "system.Artifact", "/x"),
    ("mlpipeline-ui-metadata", "system.Artifact", "/x"),
    ("mlpipeline-metrics", "system.Artifact", "/x"),
    ("j", "system.Artifact", "/x.json"),
    ("c", "system.Dataset", "/x.csv"),
    ("t", "system.Artifact", "/x.txt"),
]
json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["outputs", "cells", "metrics", "type", "data", "output_type", "list"]),
            children,
            max_size=3,
        )
    ),
)


@given(st.sampled_from(KINDS), st.binary(max_size=60) | json_values.map(json.dumps) | st.none())
def test_bad_content_ends_in_a_message_never_in_an_exception(
    kind: tuple[str, str, str], content: bytes | str | None
) -> None:
    name, type_, uri = kind
    for output in shown(name, type_, content, uri):
        assert output.bundle or output.error


@given(
    st.sampled_from(["ClassificationMetrics", "SlicedClassificationMetrics", "Metrics"]),
    st.dictionaries(
        st.sampled_from(["confidenceMetrics", "confusionMatrix", "evaluationSlices", "x"]),
        json_values,
        max_size=3,
    ),
)
def test_bad_metadata_ends_in_a_message(type_: str, metadata: dict[str, Any]) -> None:
    for output in shown("a", f"system.{type_}", None, **metadata):
        assert output.bundle or output.error
