"""A part of the code that will run, in the user's own words."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from .cells import Cell

#: The line before each part of the code, as editors that know cells in scripts understand it.
SEPARATOR = "# %%"


@dataclass
class Piece:
    """A whole cell, or the statements that come along of one."""

    cell: Cell
    statements: list[ast.stmt]
    whole: bool

    @property
    def title(self) -> str:
        """The separator line before the code."""
        cell = self.cell.title
        return f"{SEPARATOR} {cell.capitalize() if self.whole else f'From {cell}'}"

    @property
    def source(self) -> str:
        """The code: a whole cell as the user wrote it."""
        if self.whole:
            return self.cell.source
        return "\n".join(_text(self.cell, statement) for statement in self.statements)


def _text(cell: Cell, statement: ast.stmt) -> str:
    """A statement as the user wrote it, decorators included; unparsed where magics moved it."""
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
    text = "\n".join(cell.source.splitlines()[first - 1 : statement.end_lineno])
    try:
        parsed = ast.parse(text).body
    except (SyntaxError, ValueError):
        parsed = []
    if len(parsed) == 1 and ast.dump(parsed[0]) == ast.dump(statement):
        return text
    return ast.unparse(ast.fix_missing_locations(statement))
