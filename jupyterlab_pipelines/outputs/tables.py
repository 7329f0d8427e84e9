"""Tables: the first rows of a CSV or TSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from ..models import ArtifactRef, Output
from .documents import suffix
from .markup import escaped, markdown_table
from .source import KIB, CannotShow, Source

ROWS = 50
COLUMNS = 30
_CELL = 120


class DelimitedTable:
    """A dataset whose file looks like CSV or TSV; one that does not is only a file."""

    limit = 256 * KIB

    def accepts(self, artifact: ArtifactRef) -> bool:
        plain_dataset = artifact.type == "system.Dataset" and suffix(artifact) in {"", ".txt"}
        return plain_dataset or suffix(artifact) in {".csv", ".tsv"}

    def render(self, source: Source) -> list[Output]:
        declared = suffix(source.artifact) in {".csv", ".tsv"}
        try:
            rows = _rows(source)
        except CannotShow:
            if declared:
                raise
            return []
        if len(rows) < 2 or (not declared and len(rows[0]) < 2):
            return []
        cut = source.truncated or len(rows) > ROWS + 1
        return [source.output("table", table_bundle(rows[0], rows[1 : ROWS + 1], cut))]


def _rows(source: Source) -> list[list[str]]:
    text = source.text
    if source.truncated:
        text = text[: text.rfind("\n") + 1]
    beginning = text[: 8 * KIB]
    delimiter = "\t" if beginning.count("\t") > beginning.count(",") else ","
    try:
        return [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if row]
    except csv.Error as error:
        raise CannotShow(f"The file is not a table: {error}.") from error


def table_bundle(
    head: Sequence[str], rows: Sequence[Sequence[str]], cut: bool = False
) -> dict[str, Any]:
    """A table as a MIME bundle: at most `COLUMNS` columns; `cut` says that rows are left out."""
    names = [_short(name) for name in head[:COLUMNS]]
    lines = [[_short(row[i]) if i < len(row) else "" for i in range(len(names))] for row in rows]
    notes = []
    if cut:
        notes.append(f"the first {len(lines)} rows")
    if len(head) > COLUMNS:
        notes.append(f"{COLUMNS} of {len(head)} columns")
    note = f"\n\n_Shown: {', '.join(notes)}._" if notes else ""
    return {
        "text/markdown": markdown_table([escaped(name) for name in names], lines) + note,
        "text/plain": "\n".join("\t".join(line) for line in [names, *lines]) + note,
    }


def _short(cell: str) -> str:
    return cell if len(cell) <= _CELL else cell[: _CELL - 1] + "…"
