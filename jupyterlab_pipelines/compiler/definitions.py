"""Which names of a notebook mean the same wherever they are used, and which hold data."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from .cells import Cell, Part
from .names import BUILTINS
from .statements import (
    AttributeChanges,
    class_attributes,
    defined_name,
    executed_names,
    has_mutable_defaults,
    imported_names,
    is_definition,
    is_import,
    is_setting,
    only_looks,
    root,
    scalar_assignment,
)


class Definitions:
    """What the names of some cells stand for.

    A name is *fixed* where only imports, functions and classes bind it, none of which depends on
    data where it is defined or keeps data of its own. What is fixed can run again anywhere.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._parts = [part for cell in cells for part in cell.parts]
        self._makers: dict[str, list[Part]] = {}
        for part in self._parts:
            for name in part.names.touched:
                self._makers.setdefault(name, []).append(part)
        #: Imported names → top-level modules.
        self.modules: dict[str, str] = {}
        for part in self._parts:
            if is_import(part.statement):
                self.modules.update(imported_names(part.statement))
        self.fixed = self._fixed()
        self.scalars = self._scalars()
        self._defined = {
            defined_name(node)
            for part in self._parts
            for node in ast.walk(part.statement)
            if isinstance(node, ast.stmt) and is_definition(node)
        }
        #: Functions and classes that are not fixed: data that refers to them cannot be loaded.
        self.moving = self._defined - self.fixed

    def is_definition(self, name: str) -> bool:
        """Whether some cell binds a name to a function or a class."""
        return name in self._defined

    def is_builtin(self, name: str) -> bool:
        """Whether a name is Python's or IPython's own, and no cell binds it."""
        return name in BUILTINS and name not in self._makers

    def only_looks(self, cell: Cell) -> bool:
        """Whether running a cell can change no variable."""
        return not cell.names.opaque and all(
            (self.is_fixed(part) or self.is_setting(part))
            or only_looks(part.statement, self.modules, self._makers)
            for part in cell.parts
        )

    def is_fixed(self, part: Part) -> bool:
        """Whether a statement binds fixed names only."""
        binds = is_definition(part.statement) or is_import(part.statement)
        return binds and part.names.touched <= self.fixed

    def is_setting(self, part: Part) -> bool:
        """Whether a statement only sets a module or the notebook up, by what is fixed or scalar."""
        once = {name for name in self.scalars if len(self._makers[name]) == 1}
        known = self.modules.keys() | self.fixed | once
        return is_setting(part.statement, self.modules) and all(
            name in known or self.is_builtin(name) for name in part.names.used
        )

    def expand(self, names: Iterable[str]) -> set[str]:
        """Names with all that the functions and classes among them use and assign."""
        found = set(names)
        queue = list(found)
        while queue:
            for part in self._makers.get(queue.pop(), []):
                if is_definition(part.statement):
                    more = (part.names.used | part.names.touched) - found
                    found |= more
                    queue += more
        return found

    def variables(self, names: Iterable[str]) -> set[str]:
        """Of names and what is behind them: those that can hold data."""
        return {name for name in self.expand(names) if name not in self.fixed} - {
            name for name in BUILTINS if name not in self._makers
        }

    # --- what is fixed -------------------------------------------------------------------------

    def _fixed(self) -> set[str]:
        changes = AttributeChanges(part.statement for part in self._parts)
        fixed = {
            name
            for name, makers in self._makers.items()
            if all(_binds_fixed(part, name) for part in makers)
            and not any(_holds_data(part, name, changes) for part in makers)
        }
        while True:
            moved = {
                name
                for name in fixed
                for part in self._makers[name]
                if is_definition(part.statement) and self._depends_on_data(part, fixed)
            }
            if not moved:
                return fixed
            fixed -= moved

    def _depends_on_data(self, part: Part, fixed: set[str]) -> bool:
        """Whether defining it uses a variable: in a default value, a base, a decorator's body."""
        if any(name in self._makers and name not in fixed for name in part.names.needed):
            return True
        executed = executed_names(part.statement) | self._bases_with_hooks(part.statement)
        called = self.expand(executed & self._makers.keys())
        return any(name in self._makers and name not in fixed for name in called)

    def _bases_with_hooks(self, statement: ast.stmt) -> set[str]:
        """Bases that run code of their own when a class is derived from them."""
        bases = {root(b) for b in statement.bases} if isinstance(statement, ast.ClassDef) else set()
        return {
            base
            for base in bases
            for part in self._makers.get(base, [])
            if "__init_subclass__" in ast.dump(part.statement)
        }

    # --- what cannot be changed in place ---------------------------------------------------------

    def _scalars(self) -> set[str]:
        """Names that only ever hold numbers, texts and truth values."""
        scalars = {name for name in self._makers if name not in self.fixed}
        while True:
            others = {
                name
                for name in scalars
                if not all(scalar_assignment(p.statement, scalars) for p in self._makers[name])
            }
            if not others:
                return scalars
            scalars -= others


def _binds_fixed(part: Part, name: str) -> bool:
    if is_definition(part.statement):
        return defined_name(part.statement) == name
    return is_import(part.statement)


def _holds_data(part: Part, name: str, changes: AttributeChanges) -> bool:
    """Whether a definition keeps data of its own that some code changes."""
    if not is_definition(part.statement):
        return False
    if name in changes.roots or has_mutable_defaults(part.statement):
        return True
    if not isinstance(part.statement, ast.ClassDef):
        return False
    return any(
        attribute in changes.assigned or (mutable and attribute in changes.altered)
        for attribute, mutable in class_attributes(part.statement).items()
    )
