"""What a selection of cells needs from the rest of the notebook, in the notebook's order.

Of the cells that are not selected, imports, functions, classes and settings of modules come along
as they are. What is left are variables: each becomes an input, whose value is given (a parameter,
a snapshot of the kernel's) or computed again, by cells that run whole before the selection.

Computing again is conservative. A cell that merely reads a variable may change it (`xs.append(1)`,
`f(xs)`, `ys = xs`), so every earlier cell that shares a variable with one that runs, runs too;
only cells that cannot but look at data, and variables that hold numbers and texts, are excepted.
For the same reason a cell *between* selected ones that shares a variable with a later one runs,
and all that it shares is computed again: whether the kernel's values are those of before it or of
after it cannot be known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from .cells import Cell, Part
from .definitions import Definitions
from .names import BUILTINS
from .pieces import Piece
from .statements import changed_names, defined_name, is_definition, is_future_import, is_import


@dataclass
class Slice:
    """The answer for one selection and one choice of what to compute again."""

    pieces: list[Piece] = field(default_factory=list)
    #: Variables to be given: name → the cells that define them.
    inputs: dict[str, list[Cell]] = field(default_factory=dict)
    #: The piece before which each of them is given.
    needed_at: dict[str, int] = field(default_factory=dict)
    #: Names that nothing defines: name → the place that needs it.
    undefined: dict[str, tuple[Cell, int]] = field(default_factory=dict)


class Notebook:
    """A notebook's cells up to the last selected one, and what their names stand for."""

    def __init__(
        self, cells: Sequence[Cell], selected: Iterable[str], live: Iterable[str] = ()
    ) -> None:
        """`live` are names that the kernel has values of, whether a cell defines them or not."""
        self.selected = set(selected)
        self.live = set(live)
        chosen = [index for index, cell in enumerate(cells) if cell.id in self.selected]
        self.cells = list(cells[: chosen[-1] + 1])
        self.after = list(cells[chosen[-1] + 1 :])
        self.chosen = chosen
        self.others = [i for i in range(len(self.cells)) if i not in set(chosen)]
        self.definitions = Definitions(self.cells)
        self._variables = [self._variables_of(cell) for cell in self.cells]
        self._changing = [i for i in self.others if not self.definitions.only_looks(self.cells[i])]

    def _variables_of(self, cell: Cell) -> set[str]:
        """What a cell uses that can hold data, through the functions that it calls too."""
        return self.definitions.variables(cell.names.used | cell.names.touched)

    def slice(self, recompute: Iterable[str], snapshots: Iterable[str] = ()) -> Slice:
        """The code and the inputs where the values of `recompute` are computed again.

        The functions and classes that `snapshots` may refer to come along.
        """
        running = self._cells_to_run(set(recompute))
        wanted = set().union(*(self.cells[i].names.used for i in running))
        for name in snapshots:
            wanted |= self._definitions_behind(name) & self.definitions.fixed
        return _Assembly(self, running, self._what_comes_along(running, wanted)).slice()

    # --- which cells run -----------------------------------------------------------------------

    def _cells_to_run(self, names: set[str]) -> set[int]:
        """Selected cells, those that compute `names`, and those between that have an effect."""
        while True:
            running = {*self.chosen, *self._linked(names)}
            later: set[str] = set()
            more = set(names)
            for index in range(len(self.cells) - 1, self.chosen[0], -1):
                if index not in running and index in self._linked(later, through=self.chosen):
                    running.add(index)
                    more |= self._variables[index]
                if index in running:
                    later |= self._variables[index]
            if more == names:
                return running
            names = more

    def _linked(self, names: set[str], through: Sequence[int] = ()) -> set[int]:
        """The cells that have to run for variables to be computed again.

        Cells in `through` may make two variables the same object, as all others may.
        """
        found: set[int] = set()
        names = set(names)
        cells = {*self._changing, *through}
        while True:
            more = {i for i in cells - found if self._may_change(i, names)}
            if not more:
                return found
            found |= more
            names = names.union(*(self._variables[i] for i in more))

    def _may_change(self, index: int, names: set[str]) -> bool:
        cell = self.cells[index]
        if names and cell.names.opaque:
            return True
        return bool(
            names & cell.names.touched or names & self._variables[index] - self.definitions.scalars
        )

    def _definitions_behind(self, name: str) -> set[str]:
        """Functions and classes that a variable's value may refer to."""
        return {
            used
            for index in self._linked({name})
            for used in self.cells[index].names.used | self.cells[index].names.touched
            if self.definitions.is_definition(used)
        }

    def can_be_saved(self, name: str) -> bool:
        """Whether what a variable's value may refer to is the same inside the step."""
        return not self._definitions_behind(name) & self.definitions.moving

    def is_assigned_since(self, name: str) -> bool:
        """Whether a selected or later cell assigns or changes a name.

        The kernel may have run it already, and then has the value of afterwards.
        """
        cells = [*(self.cells[i] for i in self.chosen), *self.after]
        return any(
            name in cell.names.touched
            or any(name in changed_names(part.statement) for part in cell.parts)
            for cell in cells
        )

    def is_assigned_after(self, name: str) -> bool:
        """Whether a cell after the last selected one assigns a name."""
        return any(name in cell.names.touched for cell in self.after)

    # --- what comes along ----------------------------------------------------------------------

    def _what_comes_along(self, running: set[int], wanted: set[str]) -> dict[int, list[Part]]:
        """Per cell that does not run: its imports, definitions and settings that are wanted."""
        idle = [i for i in self.others if i not in running]
        while True:
            kept = {i: [p for p in self.cells[i].parts if self._comes(p, wanted)] for i in idle}
            more = wanted.union(*(part.names.used for parts in kept.values() for part in parts))
            if more == wanted:
                return {index: parts for index, parts in kept.items() if parts}
            wanted = more

    def _comes(self, part: Part, wanted: Collection[str]) -> bool:
        if part.names.star_imports or is_future_import(part.statement):
            return True
        if is_definition(part.statement) or is_import(part.statement):
            return bool(part.names.touched & self.definitions.fixed & set(wanted))
        modules = part.names.used & self.definitions.modules.keys()
        applies = not modules or modules & set(wanted)
        return self.definitions.is_setting(part) and bool(applies)

    # --- for messages --------------------------------------------------------------------------

    def defined_later(self, name: str, cell: Cell) -> Cell | None:
        """The first cell after `cell` that defines a name."""
        for later in [*self.cells, *self.after]:
            if later.number > cell.number and name in later.names.touched:
                return later
        return None


class _Assembly:
    """Puts the pieces in order and finds what they need."""

    def __init__(self, notebook: Notebook, running: set[int], along: dict[int, list[Part]]) -> None:
        self.notebook = notebook
        self.running = running
        self.along = along
        self.answer = Slice()
        #: Certainly assigned by the pieces so far.
        self.sure: set[str] = set()
        #: Assigned by some piece, whichever it is.
        self.bound = {name for i in running for name in notebook.cells[i].names.touched}
        self.bound |= {n for parts in along.values() for p in parts for n in p.names.touched}
        ran = [notebook.cells[i].names for i in running]
        ran += [part.names for parts in along.values() for part in parts]
        #: Names come from where they cannot be read: a star import, `exec`.
        self.unknown = any(names.star_imports or names.opaque for names in ran)

    def slice(self) -> Slice:
        """The whole answer."""
        first = 0
        for index, cell in enumerate(self.notebook.cells):
            if index == self.notebook.chosen[0]:
                first = len(self.answer.pieces)
            if index in self.running:
                self._add(index, cell.parts, whole=True)
            elif index in self.along:
                self._add(index, self.along[index], whole=False)
        # No code before the first selected cell needs a given variable, apart from settings.
        for name in self.answer.inputs:
            self.answer.needed_at.setdefault(name, first)
        return self.answer

    def _add(self, index: int, parts: list[Part], whole: bool) -> None:
        piece = Piece(self.notebook.cells[index], [part.statement for part in parts], whole)
        self.answer.pieces.append(piece)
        for part in parts:
            names = part.names
            for name, line in names.needed.items():
                self._need(name, line, index, now=True)
            for name, line in names.deferred.items():
                if not self._give(name, before=len(self.notebook.cells)) and (
                    self._is_used(part) or not self.notebook.is_assigned_after(name)
                ):
                    self._need(name, line, index, now=False)
            for name in names.mentioned:
                self._give(name, before=len(self.notebook.cells))
            if names.opaque:
                for name in self._everything():
                    self._give(name, before=index)
            if not whole and self.notebook.definitions.is_setting(part):
                for name in names.used & self.answer.inputs.keys():
                    self.answer.needed_at.setdefault(name, len(self.answer.pieces) - 1)
            self.sure |= names.defined

    def _is_used(self, part: Part) -> bool:
        """Whether any code that runs uses a definition; code that defines none is used itself."""
        if not is_definition(part.statement):
            return True
        cells = (self.notebook.cells[i].parts for i in self.running)
        return any(
            defined_name(part.statement) in other.names.used
            for parts in (*cells, *self.along.values())
            for other in parts
            if other is not part
        )

    def _everything(self) -> set[str]:
        return {n for i in self.notebook.others for n in self.notebook.cells[i].names.touched}

    def _need(self, name: str, line: int, index: int, now: bool) -> None:
        """Finds where a name comes from: code that runs, an input, or nowhere."""
        if name in self.sure or self.notebook.definitions.is_builtin(name):
            return
        if self._give(name, before=index if now else len(self.notebook.cells)):
            return
        bound = self._bound_until(name, index) if now else name in self.bound
        # Before a cell binds it, a name may be Python's own.
        if bound or self.unknown or name in BUILTINS:
            return
        if name in self.notebook.live:
            self.answer.inputs.setdefault(name, [])
        else:
            cell = self.notebook.cells[index]
            self.answer.undefined.setdefault(name, (cell, line))

    def _give(self, name: str, before: int) -> bool:
        """Makes a name an input if cells that do not run define it before a cell."""
        if name in self.sure or name in self.notebook.definitions.fixed:
            return False
        makers = [
            self.notebook.cells[i]
            for i in self.notebook.others
            if i < before and i not in self.running and self._makes(i, name)
        ]
        if makers:
            self.answer.inputs.setdefault(name, makers)
        return bool(makers)

    def _makes(self, index: int, name: str) -> bool:
        return name in self.notebook.cells[index].names.touched

    def _bound_until(self, name: str, index: int) -> bool:
        """Whether code up to and with a cell assigns a name on some path."""
        if any(i <= index and self._makes(i, name) for i in self.running):
            return True
        parts = [part for i, parts in self.along.items() if i <= index for part in parts]
        return any(name in part.names.touched for part in parts)
