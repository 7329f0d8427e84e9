"""The executed notebook of a cell step: each thing that its cells displayed is an output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..models import ArtifactRef, Output
from .documents import suffix
from .sandbox import html_bundle
from .source import MIB, CannotShow, Source

#: Types that the page may show by itself; HTML and SVG go into the sandbox, scripts nowhere.
_PLAIN = (
    "application/vnd.vegalite.v5+json",
    "application/vnd.vegalite.v4+json",
    "application/vnd.vega.v5+json",
    "application/vnd.plotly.v1+json",
    "application/geo+json",
    "image/png",
    "image/jpeg",
    "image/gif",
    "text/latex",
    "text/markdown",
    "application/json",
    "text/plain",
)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class ExecutedNotebook:
    """A notebook that a cell step wrote."""

    limit = 32 * MIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        return suffix(artifact) == ".ipynb" or (
            artifact.name == "notebook" and artifact.type == "system.Artifact"
        )

    def render(self, source: Source) -> list[Output]:
        if source.truncated:
            raise CannotShow("The notebook is larger than 32 MiB. Download it to open it.")
        try:
            notebook = json.loads(source.text)
        except ValueError as error:
            raise CannotShow("The notebook is not JSON.") from error
        return list(_outputs(source, notebook))


def _outputs(source: Source, notebook: dict[str, Any]) -> Iterator[Output]:
    cells = [cell for cell in notebook.get("cells", []) if cell.get("cell_type") == "code"]
    for number, cell in enumerate(cells, 1):
        place = str(cell.get("metadata", {}).get("title", "")).removeprefix("# %% ")
        place = place or f"Cell {number}"
        # Of earlier cells that only prepare the selected ones, nothing but an error matters.
        selected = cell.get("metadata", {}).get("selected", True)
        for index, output in enumerate(cell.get("outputs", [])):
            part = f"{number}.{index}"
            kind = output.get("output_type")
            if kind in {"display_data", "execute_result"} and selected:
                bundle = shown_bundle(output.get("data", {}))
                if bundle:
                    yield source.output(
                        _kind(bundle),
                        bundle,
                        part=part,
                        title=place,
                        metadata=output.get("metadata", {}),
                    )
            elif kind == "error":
                yield _error(source, output, part, place)


def _error(source: Source, output: dict[str, Any], part: str, place: str) -> Output:
    traceback = _ANSI.sub("", "\n".join(output.get("traceback", [])))
    name = f"{output.get('ename', 'Error')}: {output.get('evalue', '')}"
    return source.output(
        "traceback",
        {"text/plain": traceback or name},
        part=part,
        title=f"{place}: {name}",
    )


def shown_bundle(data: dict[str, Any]) -> dict[str, Any]:
    """The bundle as it may be shown: HTML and SVG sandboxed, scripts left out."""
    bundle = {mime: _joined(value) for mime, value in data.items() if mime in _PLAIN}
    page = data.get("text/html", data.get("image/svg+xml"))
    if page is not None and not any(mime.startswith("application/vnd.") for mime in bundle):
        sandboxed = html_bundle(str(_joined(page)))
        sandboxed.update({"text/plain": bundle["text/plain"]} if "text/plain" in bundle else {})
        bundle = {**bundle, **sandboxed}
    return bundle


def _joined(value: Any) -> Any:
    """Text in a notebook file may be a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return value


def _kind(bundle: dict[str, Any]) -> str:
    if any(mime.startswith("image/") for mime in bundle):
        return "figure"
    if any("vega" in mime or "plotly" in mime for mime in bundle):
        return "chart"
    if "text/html" in bundle:
        return "html"
    return "markdown" if "text/markdown" in bundle else "text"
