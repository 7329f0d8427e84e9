"""What a selection of cells needs from the rest of the notebook, in the notebook's order.

Of the cells that are not selected, imports, functions, classes and settings of modules come along
as they are. What is left are variables: each becomes an input, whose value is a parameter, a
snapshot of the kernel's, or computed again by the cells that make it.

Recomputing is conservative. A cell that merely reads a variable may change it (`xs.append(1)`,
`f(xs)`, `ys = xs`), so every earlier cell that shares a variable with one that is recomputed is
recomputed too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .cells import Cell
from .names import BUILTINS, Names, names_of

#: Calls that set a module up, rather than draw or compute with it.
_SETTING = re.compile(
    r"(seed|\w*_seed|set|set_\w+|use|use_\w+|filterwarnings|simplefilter|basicConfig|register\w*"
    r"|enable\w*|disable\w*|config\w*|insert|append|update|setup|init|init_\w+|reset_\w+)$"
)
_SETTING_MAGICS = {"matplotlib", "load_ext", "autoreload", "config", "env", "set_env", "precision"}


@dataclass
class Piece:
    """A part of the code that will run: a whole cell, or what comes along of one."""

    cell: Cell
    statements: list[ast.stmt]
    whole: bool

    @property
    def source(self) -> str:
        """The code: a whole cell as the user wrote it."""
        if self.whole:
            return self.cell.source
        return "\n".join(_text(self.cell, statement) for statement in self.statements)


@dataclass
class Slice:
    """The answer for one selection and one choice of what to recompute."""

    pieces: list[Piece] = field(default_factory=list)
    #: Variables to be given: name → the cells that define them.
    inputs: dict[str, list[Cell]] = field(default_factory=dict)
    #: Before which piece a given variable has to be there.
    needed_at: dict[str, int] = field(default_factory=dict)
    undefined: dict[str, tuple[Cell, int]] = field(default_factory=dict)
    #: Variables that cannot be given, since the selection needs two values of them in turn.
    forced: set[str] = field(default_factory=set)


class Notebook:
    """A notebook's cells with the names of each, read once."""

    def __init__(self, cells: Sequence[Cell], selected: Iterable[str]) -> None:
        self.cells = list(cells)
        self.selected = set(selected)
        self.names = [names_of(cell.statements) for cell in self.cells]
        chosen = [index for index, cell in enumerate(self.cells) if cell.id in self.selected]
        self.chosen = chosen
        last = chosen[-1] if chosen else -1
        self.earlier = [i for i in range(last + 1) if self.cells[i].id not in self.selected]
        self._parts = {index: _Parts(self.cells[index]) for index in self.earlier}
        self._modules = {name for parts in self._parts.values() for name in parts.imports}
        self._fixed = self._names_of_fixed_parts()

    def _names_of_fixed_parts(self) -> set[str]:
        """Names that only imports, functions and classes bind, in every earlier cell."""
        fixed = {name for parts in self._parts.values() for name in parts.fixed}
        variable = {name for parts in self._parts.values() for name in parts.variables}
        return fixed - variable

    def slice(self, recompute: Iterable[str]) -> Slice:
        """The code and the inputs where the values of `recompute` are computed again."""
        again = set(recompute)
        while True:
            cells = self._cells_to_run(again)
            answer = self._assemble(cells)
            # A variable that is needed twice with a cell between that changes it has two values.
            if not answer.forced - again:
                return answer
            again |= answer.forced

    def _cells_to_run(self, again: set[str]) -> set[int]:
        """Selected cells, and every earlier one that shares a variable to be recomputed."""
        running: set[int] = set(self.chosen)
        names = set(again)
        while True:
            grown = {
                index
                for index in self.earlier
                if index not in running and names & self._variables(self.names[index])
            }
            if not grown:
                return running
            running |= grown
            for index in grown:
                names |= self._variables(self.names[index])

    def _variables(self, names: Names) -> set[str]:
        """Names of a cell that can hold data which another cell changes."""
        return (names.used | names.touched) - self._fixed - BUILTINS

    def _assemble(self, running: set[int]) -> Slice:
        answer = Slice()
        along = self._what_comes_along(running)
        available: set[str] = set()
        given: set[str] = set()
        for index, cell in enumerate(self.cells[: self.chosen[-1] + 1]):
            if index not in running:
                statements = along.get(index, [])
                if statements:
                    answer.pieces.append(Piece(cell, statements, whole=False))
                    available |= names_of(statements).touched
                hidden = self.names[index].touched & given
                answer.forced |= {
                    name for name in hidden if self._needed_after(name, index, running)
                }
                continue
            answer.pieces.append(Piece(cell, cell.statements, whole=True))
            names = self.names[index]
            for name, line in names.needed.items():
                if name in available or name in given:
                    continue
                makers = self._makers(name, index, running)
                if makers:
                    answer.inputs[name] = makers
                    answer.needed_at[name] = len(answer.pieces) - 1
                    given.add(name)
                elif not self._bound_by_selection(name, running):
                    answer.undefined.setdefault(name, (cell, line))
            available |= names.defined
        self._inputs_of_what_comes_along(answer, along, running, given)
        return answer

    def _inputs_of_what_comes_along(
        self, answer: Slice, along: dict[int, list[ast.stmt]], running: set[int], given: set[str]
    ) -> None:
        """Constants that functions use are inputs as much as those that the selection uses."""
        for index, statements in along.items():
            for name in names_of(statements).needed:
                if name in given or name in self._fixed or name in answer.inputs:
                    continue
                makers = self._makers(name, len(self.cells), running)
                if makers:
                    answer.inputs[name] = makers
                    places = [
                        p
                        for p, piece in enumerate(answer.pieces)
                        if piece.cell is self.cells[index]
                    ]
                    answer.needed_at[name] = places[0] if places else 0

    def _needed_after(self, name: str, index: int, running: set[int]) -> bool:
        return any(name in self.names[i].needed for i in running if i > index)

    def _makers(self, name: str, before: int, running: set[int]) -> list[Cell]:
        """Earlier cells that are not run and make a variable; none for what comes along."""
        if name in self._fixed:
            return []
        return [
            self.cells[i]
            for i in self.earlier
            if i < before and i not in running and name in self.names[i].touched
        ]

    def _bound_by_selection(self, name: str, running: set[int]) -> bool:
        """Bound somewhere in what runs, or by a star import, which may bind anything."""
        fixed = name in self._fixed
        return fixed or any(
            name in self.names[i].touched or self.names[i].star_imports
            for i in {*running, *self.earlier}
            if i in running or self.names[i].star_imports
        )

    def _what_comes_along(self, running: set[int]) -> dict[int, list[ast.stmt]]:
        """Per cell that is not run: its imports, definitions and settings that are needed."""
        wanted: set[str] = set()
        for index in running:
            wanted |= self.names[index].used
        kept: dict[int, list[ast.stmt]] = {}
        while True:
            kept = {
                index: self._parts[index].needed(wanted, self._fixed, self._modules)
                for index in self.earlier
                if index not in running
            }
            more = set(wanted)
            for statements in kept.values():
                more |= names_of(statements).used
            if more == wanted:
                return {index: statements for index, statements in kept.items() if statements}
            wanted = more

    def defined_later(self, name: str) -> Cell | None:
        """The first cell after the selection that defines a name."""
        start = self.chosen[-1] + 1 if self.chosen else 0
        for index in range(start, len(self.cells)):
            if name in self.names[index].touched:
                return self.cells[index]
        return None


class _Parts:
    """An unselected cell's statements by what they are: fixed, settings, data."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.imports: set[str] = set()
        self.fixed: set[str] = set()
        self.variables: set[str] = set()
        for statement in cell.statements:
            names = names_of([statement])
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                self.imports |= names.touched
                self.fixed |= names.touched
            elif _is_definition(statement):
                self.fixed |= names.defined
                self.variables |= names.touched - names.defined
            elif _is_guarded_import(statement):
                self.imports |= names.touched
                self.fixed |= names.touched
            else:
                self.variables |= names.touched

    def needed(self, wanted: set[str], fixed: set[str], modules: set[str]) -> list[ast.stmt]:
        """The statements that come along for the names that are wanted."""
        return [
            statement
            for statement in self.cell.statements
            if self._is_needed(statement, wanted, fixed, modules)
        ]

    @staticmethod
    def _is_needed(
        statement: ast.stmt, wanted: set[str], fixed: set[str], modules: set[str]
    ) -> bool:
        names = names_of([statement])
        if names.star_imports or _is_future(statement):
            return True
        if _is_fixed(statement):
            return bool(names.touched & wanted & fixed)
        # A setting that uses a variable is data: the variable would have to come along.
        uses_data = (names.used - modules - fixed) | names.touched
        applies = not names.used or names.used & wanted
        return _is_setting(statement, modules) and not uses_data and bool(applies)


def _is_definition(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))


def _is_guarded_import(statement: ast.stmt) -> bool:
    """`try: import a except ImportError: import b`, and `if x: import a`."""
    if not isinstance(statement, (ast.Try, ast.If)):
        return False
    inner = [node for node in ast.walk(statement) if isinstance(node, ast.stmt)][1:]
    return bool(inner) and all(isinstance(n, (ast.Import, ast.ImportFrom, ast.Pass)) for n in inner)


def _is_fixed(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, (ast.Import, ast.ImportFrom))
        or _is_definition(statement)
        or _is_guarded_import(statement)
    )


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _is_setting(statement: ast.stmt, modules: set[str]) -> bool:
    """A statement that only sets a module or the notebook up: seeds, styles, options."""
    if isinstance(statement, ast.Assign):
        return all(
            isinstance(target, (ast.Attribute, ast.Subscript)) and _root(target) in modules
            for target in statement.targets
        )
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return False
    call = statement.value
    if isinstance(call.func, ast.Attribute) and _root(call.func) == "get_ipython":
        first = call.args[0] if call.args else None
        return isinstance(first, ast.Constant) and first.value in _SETTING_MAGICS
    if isinstance(call.func, ast.Attribute) and _root(call.func) in modules:
        return _SETTING.match(call.func.attr) is not None
    return (
        isinstance(call.func, ast.Name)
        and call.func.id in modules
        and bool(_SETTING.match(call.func.id))
    )


def _root(node: ast.expr) -> str:
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _text(cell: Cell, statement: ast.stmt) -> str:
    """A statement as the user wrote it, decorators included; unparsed where magics moved it."""
    first = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
    lines = cell.source.splitlines()[first - 1 : statement.end_lineno]
    text = "\n".join(lines)
    try:
        parsed = ast.parse(text).body
    except SyntaxError:
        return _unparsed(statement)
    same = len(parsed) == 1 and ast.dump(parsed[0]) == ast.dump(statement)
    return text if same else _unparsed(statement)


def _unparsed(statement: ast.stmt) -> str:
    return ast.unparse(ast.fix_missing_locations(statement))
