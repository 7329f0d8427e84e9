"""Reads a notebook's cells as Python with IPython's additions, without running them."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

from ..models import NotebookCell, Problem

#: Cell magics whose body is Python that runs in the notebook's own namespace.
_PYTHON_MAGICS = {"time", "timeit", "capture", "prun", "debug", "python_in_kernel"}
#: Line magics whose argument is Python.
_PYTHON_LINE_MAGICS = {"time", "timeit", "prun"}
_CELL_MAGIC = re.compile(r"\A\s*%%(?P<name>\w+)(?P<line>[^\n]*)\n?(?P<body>.*)\Z", re.DOTALL)
_SHELL_NAMES = re.compile(r"(?<!\$)\$(?P<plain>[A-Za-z_]\w*)|\{(?P<code>[^{}]+)\}")


@dataclass
class Cell:
    """A code cell: its text as the user wrote it, and its statements where it can be read."""

    id: str
    number: int  # among all cells of the notebook, from 1
    source: str
    statements: list[ast.stmt] = field(default_factory=list)
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
    python, first_line = python_of(cell.source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(python)
            # Parsing alone accepts what only compiling refuses, `return` outside a function.
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            compile(tree, read.title, "exec", flags=flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError) as error:
        read.problem = _syntax_problem(read, error, first_line)
    else:
        read.statements = list(tree.body)
    return read


def _syntax_problem(cell: Cell, error: Exception, first_line: int) -> Problem:
    line = (getattr(error, "lineno", None) or 1) + first_line
    reason = error.msg if isinstance(error, SyntaxError) else str(error)
    return Problem(
        message=f"{cell.title.capitalize()}, line {line}: {reason}.",
        next_step="Correct the cell, then open this dialog again.",
        cell=cell.id,
        line=line,
        column=getattr(error, "offset", None),
        place=cell.title,
    )


def python_of(source: str) -> tuple[str, int]:
    """A cell's source as plain Python, and how many lines of the cell come before it.

    Line and shell magics become calls that name the variables they use. The body of a cell magic
    that runs Python is Python; that of another language is only its text, with no names.
    """
    magic = _CELL_MAGIC.match(source)
    if magic is None:
        return _without_magics(source), 0
    before = source[: magic.start("body")].count("\n")
    if magic["name"] in _PYTHON_MAGICS:
        captured = _captured_name(magic["name"], magic["line"])
        return _without_magics(magic["body"]) + captured, before
    return _calls_of_text(magic["line"] + magic["body"]), before


def _captured_name(name: str, line: str) -> str:
    """`%%capture out` defines `out`."""
    words = [word for word in line.split() if not word.startswith("-")]
    return f"\n{words[0]} = None" if name == "capture" and words and words[0].isidentifier() else ""


def _without_magics(source: str) -> str:
    transformer = TransformerManager()  # type: ignore[no-untyped-call]
    transformed = transformer.transform_cell(source)
    if "get_ipython()" not in transformed:
        return transformed
    try:
        tree = ast.parse(transformed)
    except SyntaxError:
        return transformed
    return ast.unparse(_MagicArguments().visit(tree)) if _has_magic(tree) else transformed


def _has_magic(tree: ast.AST) -> bool:
    return any(_magic_call(node) for node in ast.walk(tree))


def _magic_call(node: ast.AST) -> tuple[str, list[str]] | None:
    """The method and string arguments of `get_ipython().method("…", "…")`."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Call)
        and isinstance(node.func.value.func, ast.Name)
        and node.func.value.func.id == "get_ipython"
    ):
        texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        return node.func.attr, [text for text in texts if isinstance(text, str)]
    return None


class _MagicArguments(ast.NodeTransformer):
    """Puts the names that a magic's text uses where the analysis of names sees them."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        call = _magic_call(node)
        if call is None:
            return self.generic_visit(node)
        method, texts = call
        if method == "run_line_magic" and len(texts) == 2 and texts[0] in _PYTHON_LINE_MAGICS:
            code = re.sub(r"^(\s*-\w+(\s+\d+)?)*\s*", "", texts[1])
            try:
                return ast.parse(code, mode="eval").body
            except SyntaxError:
                return self._statement(code, node)
        node.args += _names_of_text(" ".join(texts))
        return node

    @staticmethod
    def _statement(code: str, node: ast.Call) -> ast.AST:
        """`%time x = f()` defines x: as an expression, `(x := f())`."""
        try:
            statement = ast.parse(code).body[0]
        except (SyntaxError, IndexError):
            return node
        if (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            return ast.NamedExpr(target=statement.targets[0], value=statement.value)
        return node


def _names_of_text(text: str) -> list[ast.expr]:
    """What `$name` and `{expression}` in a shell line or magic stand for."""
    texts = [match["plain"] or match["code"].strip() for match in _SHELL_NAMES.finditer(text)]
    return [body for body in map(_expression, texts) if body is not None]


def _expression(text: str) -> ast.expr | None:
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def _calls_of_text(text: str) -> str:
    """Code that uses the variables which a text in another language names.

    Only `$name` and `{name}` count: a brace in a script is seldom the notebook's.
    """
    names = [node.id for node in _names_of_text(text) if isinstance(node, ast.Name)]
    return f"print({', '.join(names)})"
