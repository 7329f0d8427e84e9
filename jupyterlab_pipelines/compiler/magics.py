"""Turns a cell's text, IPython's additions included, into the Python that it stands for."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager

#: Cell magics whose body is Python that runs in the notebook's own namespace.
_PYTHON = {"time", "capture", "prun", "debug"}
#: Cell magics whose body is a text for something else.
_TEXT = {
    *("bash", "sh", "script", "cmd", "system", "sx", "perl", "ruby", "pypy", "python", "python2"),
    *(
        "python3",
        "html",
        "HTML",
        "svg",
        "SVG",
        "latex",
        "markdown",
        "js",
        "javascript",
        "writefile",
    ),
    *("file", "R", "sql", "mermaid"),
}
#: Line magics whose argument is Python.
_PYTHON_LINES = {"time", "timeit", "prun"}
#: Line magics after which any name may mean something else.
_OPAQUE = {
    *("run", "store", "pylab", "load", "loadpy", "rerun", "macro", "reset", "reset_selective"),
    *("xdel", "recall", "runfile", "restore"),
}
_HELP = {"pinfo", "pinfo2", "psearch", "psource", "pdoc", "pfile", "pdef"}
_OPTIONS = re.compile(r"(\s*(--[\w-]+|-[A-Za-z](\s*\d+)?)(?=\s|$))*\s*")
_IN_TEXT = re.compile(r"(?<!\$)\$(?P<plain>[A-Za-z_]\w*)|\{(?P<code>[^{}]+)\}")
_SCRIPT_RESULT = re.compile(r"--(?:out|err|proc)[ =](?P<name>[A-Za-z_]\w*)")


def python_tree(source: str) -> ast.Module:
    """A cell as a syntax tree whose lines are the cell's own.

    A magic that runs Python is replaced by that Python; any other stays a call of IPython's.
    Raises SyntaxError (its line is the cell's), ValueError and RecursionError as `ast.parse` does.
    """
    text = _transformed(source)
    blank = len(source) - len(source.lstrip("\n \t"))
    shift = source[:blank].count("\n")
    with _shifted_errors(shift):
        tree = _Magics().visit(_parsed(text))
    assert isinstance(tree, ast.Module)
    return ast.increment_lineno(tree, shift)


def _transformed(source: str) -> str:
    manager = TransformerManager()  # type: ignore[no-untyped-call]
    text = manager.transform_cell(source)
    if text.rstrip("\n").count("\n") < source.strip("\n").count("\n"):
        # IPython joins continued lines of magics: blank lines in their place keep the numbers.
        text = manager.transform_cell(_joined(source))
    return text


def _joined(source: str) -> str:
    lines: list[str] = []
    rest = iter(source.split("\n"))
    for line in rest:
        joined, blanks = line, 0
        if re.match(r"\s*([\w, ]+=\s*)?[!%]", line):
            while joined.endswith("\\"):
                joined = joined[:-1] + next(rest, "")
                blanks += 1
        lines += [joined, *[""] * blanks]
    return "\n".join(lines)


def _parsed(text: str) -> ast.Module:
    tree = ast.parse(text)
    # Parsing alone accepts what only compiling refuses, `return` outside a function.
    compile(text, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    return tree


class _shifted_errors:  # noqa: N801 - read as the context manager that it is
    """Adds lines to the place of a SyntaxError, for a text that begins further down."""

    def __init__(self, lines: int) -> None:
        self.lines = lines

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, SyntaxError) and error.lineno is not None:
            error.lineno += self.lines


class _Magics(ast.NodeTransformer):
    """Puts the Python that magics run in the place of their calls."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        call = magic_call(node.value)
        if call is None or len(call[1]) < 2:
            return self.generic_visit(node)
        method, (name, line, *body) = call
        if method == "run_cell_magic" and body:
            return self._cell(node, name, line, body[0])
        if method == "run_line_magic" and name in _PYTHON_LINES:
            found = _statements(_OPTIONS.sub("", line, count=1), node.lineno - 1)
            if found is not None:
                return [_function(found, node)] if name == "timeit" else found
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """`x = %time f()`."""
        call = magic_call(node)
        if call is None or call[0] != "run_line_magic" or call[1][0] not in _PYTHON_LINES:
            return self.generic_visit(node)
        found = _statements(_OPTIONS.sub("", call[1][-1], count=1), node.lineno - 1)
        if found and len(found) == 1 and isinstance(found[0], ast.Expr):
            return found[0].value
        return node

    def _cell(self, node: ast.Expr, name: str, line: str, text: str) -> ast.AST | list[ast.stmt]:
        if name in _TEXT:
            return node
        if name in _PYTHON or name == "timeit":
            with _shifted_errors(node.lineno):
                body = python_tree(text).body
        else:
            # What an unknown magic does with its body is unknown, whether it is Python or not.
            try:
                body = python_tree(text).body
            except (SyntaxError, ValueError):
                return node
        for statement in body:
            ast.increment_lineno(statement, node.lineno)
        if name == "timeit":
            setup = _statements(_OPTIONS.sub("", line, count=1), node.lineno - 1) or []
            return [_function([*setup, *body], node)]
        if name == "capture":
            return [*body, *_captured(line, node)]
        if name in _PYTHON:
            return body
        return [node, ast.copy_location(ast.If(test=node.value, body=body, orelse=[]), node)]


def _statements(code: str, lines_before: int) -> list[ast.stmt] | None:
    try:
        body = _parsed(code).body
    except SyntaxError:
        return None
    for statement in body:
        ast.increment_lineno(statement, lines_before)
    return body or None


def _function(body: list[ast.stmt], place: ast.stmt) -> ast.stmt:
    """`%%timeit` runs its code in a function: what it assigns stays there."""
    function = ast.parse("def _(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = body
    return ast.copy_location(function, place)


def _captured(line: str, place: ast.stmt) -> list[ast.stmt]:
    """`%%capture out` assigns `out`."""
    words = [word for word in line.split() if not word.startswith("-")]
    if not words or not words[0].isidentifier():
        return []
    assignment = ast.parse(f"{words[0]} = get_ipython()").body[0]
    return [ast.increment_lineno(assignment, place.lineno - 1)]


# --- calls that stay ---------------------------------------------------------------------------


@dataclass
class MagicNames:
    """What a call of a magic may do with the notebook's names, as far as its text says."""

    mentioned: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    opaque: bool = False


def magic_call(node: ast.AST) -> tuple[str, list[str]] | None:
    """The method and string arguments of `get_ipython().method("…", "…")`."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and is_ipython(node.func.value)
        and node.args
    ):
        texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        strings = [text for text in texts if isinstance(text, str)]
        return (node.func.attr, strings) if len(strings) == len(node.args) else None
    return None


def is_ipython(node: ast.AST) -> bool:
    """`get_ipython()`."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "get_ipython"
    )


def magic_names(method: str, texts: list[str]) -> MagicNames:
    """The names in a magic's text: `$name` and `{expression}`, as IPython fills them in."""
    found = MagicNames()
    if method not in ("run_line_magic", "run_cell_magic"):
        found.opaque = method not in ("system", "getoutput", "magic")
        found.mentioned = names_in_text(" ".join(texts))
    elif texts[0] not in _HELP:
        found.opaque = texts[0] in _OPAQUE
        found.mentioned = names_in_text("\n".join(texts[1:]))
        if method == "run_cell_magic":
            found.assigned = set(_SCRIPT_RESULT.findall(texts[1]))
    return found


def names_in_text(text: str) -> set[str]:
    """What `$name` and `{expression}` in a text stand for."""
    names: set[str] = set()
    for match in _IN_TEXT.finditer(text):
        try:
            tree = ast.parse(match["plain"] or match["code"].strip(), mode="eval")
        except (SyntaxError, ValueError):
            continue
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return names
