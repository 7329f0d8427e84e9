"""Which names of the notebook a function, lambda or comprehension uses from inside."""

from __future__ import annotations

import ast
import symtable
from dataclasses import dataclass, field

_Comprehension = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass
class Free:
    """Global names seen from an inner scope: loaded, with their first lines, and stored."""

    loaded: dict[str, int] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)


def free_names(node: ast.AST) -> Free:
    """The global names of a function, lambda or comprehension.

    Python's own symbol table decides what is local, so every rule of scoping is Python's.
    """
    free = Free()
    lines: dict[str, int] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            lines.setdefault(part.id, part.lineno)
    if isinstance(node, _Comprehension):
        free.stored |= _walrus_targets(node)
    text = _text(node, free.stored)
    if text is None:
        free.loaded = lines
        return free
    first = getattr(node, "lineno", 1)
    for table in _tables(symtable.symtable(text, "<cell>", "exec")):
        for symbol in table.get_symbols():
            if symbol.is_global():
                name = symbol.get_name()
                if symbol.is_referenced():
                    free.loaded.setdefault(name, lines.get(name, first))
                if symbol.is_assigned():
                    free.stored.add(name)
    for name in free.stored & _changed(node):
        free.loaded.setdefault(name, lines[name])
    return free


def _changed(node: ast.AST) -> set[str]:
    """Names that `+=` and `del` need, which the symbol table only calls assigned."""
    found = set()
    for part in ast.walk(node):
        if isinstance(part, ast.AugAssign) and isinstance(part.target, ast.Name):
            found.add(part.target.id)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Del):
            found.add(part.id)
    return found


def _text(node: ast.AST, stored: set[str]) -> str | None:
    """A text whose inner scopes are those of the node; None where it cannot be written."""
    try:
        text = ast.unparse(node)
    except ValueError:  # f-strings that an older Python cannot quote
        return None
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return text
    awaits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.comprehension)
    is_async = any(
        isinstance(part, awaits) and getattr(part, "is_async", True) for part in ast.walk(node)
    )
    # Inside a function a comprehension has a scope on every Python, or is that function's.
    declared = f" global {', '.join(sorted(stored))};" if stored else ""
    return f"{'async ' if is_async else ''}def _():{declared} return {text}"


def _tables(top: symtable.SymbolTable) -> list[symtable.SymbolTable]:
    """All tables below the module's own."""
    found = list(top.get_children())
    for table in found:
        found += table.get_children()
    return found


def _walrus_targets(node: ast.AST) -> set[str]:
    """What `:=` in a comprehension binds outside it; a lambda keeps its own."""
    found: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Lambda):
            continue
        if isinstance(child, ast.NamedExpr):
            found.add(child.target.id)
        found |= _walrus_targets(child)
    return found
