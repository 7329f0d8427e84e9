"""Untrusted text inside Markdown: escaped, so that a name is a name and never markup."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+.!|~$<>&-])")


def escaped(text: str) -> str:
    """The text as Markdown that reads as the text itself, on one line."""
    one_line = " ".join(text.split())
    return _SPECIAL.sub(r"\\\1", one_line).replace("\\<", "&lt;").replace("\\&", "&amp;")


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of escaped cells."""
    lines = [head, ["---"] * len(head), *[[escaped(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
