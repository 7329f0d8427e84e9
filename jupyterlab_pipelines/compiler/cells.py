"""Reads a notebook's cells as Python with IPython's additions, without running them."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..models import NotebookCell, Problem
from .magics import python_tree
from .names import Names, names_of


@dataclass(frozen=True)
class Part:
    """A statement at a cell's top level, with its names."""

    statement: ast.stmt
    names: Names


@dataclass
class Cell:
    """A code cell: its text as the user wrote it, and its statements where it can be read."""

    id: str
    number: int  # among all cells of the notebook, from 1
    source: str
    parts: list[Part] = field(default_factory=list)
    names: Names = field(default_factory=Names)
    problem: Problem | None = None

    @property
    def title(self) -> str:
        """How a message names the cell."""
        return f"cell {self.number}"


def read_cells(cells: Sequence[NotebookCell]) -> list[Cell]:
    """The notebook's code cells, in order; markdown and empty cells are left out."""
    return [
        _read(cell, number)
        for number, cell in enumerate(cells, 1)
        if cell.cell_type == "code" and cell.source.strip()
    ]


def _read(cell: NotebookCell, number: int) -> Cell:
    read = Cell(cell.id, number, cell.source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            statements = python_tree(cell.source).body
            parts = [Part(statement, names_of([statement])) for statement in statements]
            read.names = names_of(statements)
    except (SyntaxError, ValueError) as error:
        read.problem = _problem(read, error)
    except RecursionError:
        read.problem = _problem(read, ValueError("the code is nested too deeply to be read"))
    else:
        read.parts = parts
    return read


def _problem(cell: Cell, error: Exception) -> Problem:
    line = getattr(error, "lineno", None) or 1
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    return Problem(
        message=f"{cell.title.capitalize()}, line {line}: {reason}.",
        next_step="Correct the cell, then open this dialog again.",
        cell=cell.id,
        line=line,
        column=getattr(error, "offset", None) or None,
        place=cell.title,
    )
