"""Answers the dialog: what a selection of cells would run as, before anything starts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..models import KernelVariable, Problem, StepInput, StepPlan, StepRequest
from .cells import Cell, read_cells
from .packages import requirements
from .pieces import SEPARATOR
from .slices import Notebook, Slice

#: A package by name, address or path, without what a shell or pip would take for something else.
REQUIREMENT = re.compile(r"[A-Za-z0-9./~][^'\n\\]*")


def plan_step(request: StepRequest) -> StepPlan:
    """What would run, with every problem named by cell and line; raises nothing."""
    cells = read_cells(request.selection.cells)
    problems = _problems_of_reading(cells, request)
    if problems:
        return StepPlan(
            name=request.name.strip() or _name(request),
            inputs=[],
            packages=request.packages or [],
            code=_code_of_cells(cells, request.selection.selected),
            included=[],
            problems=problems,
        )
    notebook = _notebook(cells, request)
    known = {variable.name: variable for variable in request.variables}
    inputs, sliced = choose_inputs(notebook, request)
    packages = _packages(sliced, request)
    problems = _undefined(notebook, sliced, cells, known)
    problems += _unusable(inputs, known) + _bad_packages(packages)
    if request.interpreter is None and not request.variables:
        inputs += _worth_asking(notebook, inputs, sliced)
    return StepPlan(
        name=request.name.strip() or _name(request),
        inputs=inputs,
        packages=packages,
        code=code_of(sliced, inputs),
        included=[p.cell.id for p in sliced.pieces if p.cell.id not in notebook.selected],
        problems=problems,
    )


def _notebook(cells: Sequence[Cell], request: StepRequest) -> Notebook:
    """The notebook without cells that cannot be read: none of the selected ones is.

    What cannot be read cannot have run, so no other cell can depend on it.
    """
    live = {variable.name for variable in request.variables if _is_usable(variable)}
    live |= {one.name for one in request.inputs or [] if one.source != "recompute"}
    readable = [cell for cell in cells if cell.problem is None]
    return Notebook(readable, request.selection.selected, live)


def sliced_notebook(request: StepRequest, inputs: Sequence[StepInput]) -> Slice:
    """The code for a plan whose inputs are chosen."""
    notebook = _notebook(read_cells(request.selection.cells), request)
    return notebook.slice(_names(inputs, "recompute"), _names(inputs, "snapshot"))


def _names(inputs: Iterable[StepInput], source: str) -> set[str]:
    return {one.name for one in inputs if one.source == source}


# --- inputs ------------------------------------------------------------------------------------


def choose_inputs(notebook: Notebook, request: StepRequest) -> tuple[list[StepInput], Slice]:
    """Every input with its source: the user's choice, or the best that the kernel offers.

    What is computed again may need less than what is given, and what a snapshot refers to may
    need more, so the answer is approached in rounds.
    """
    chosen = {one.name: one for one in request.inputs or []}
    known = {variable.name: variable for variable in request.variables}
    recomputed: dict[str, StepInput] = {}
    snapshots: set[str] = set()
    while True:
        sliced = notebook.slice(recomputed, snapshots)
        given = []
        for name, makers in sliced.inputs.items():
            variable = known.get(name)
            one = chosen.get(name) or _proposal(name, makers, variable, notebook)
            given.append(_completed(one, makers, variable))
        again = {one.name: one for one in given if one.source == "recompute" and one.defined_in}
        if again.keys() - recomputed.keys():
            recomputed.update(again)
        elif _names(given, "snapshot") - snapshots:
            snapshots |= _names(given, "snapshot")
        else:
            # Recomputed inputs stay in the answer, so that the choice can be changed back.
            return [*given, *recomputed.values()], sliced


def _worth_asking(
    notebook: Notebook, inputs: Sequence[StepInput], sliced: Slice
) -> list[StepInput]:
    """More names that a kernel which was not asked yet may know.

    It may have what no cell defines, and with its values the step needs what they refer to.
    """
    found = {one.name: list[Cell]() for one in inputs} | {name: [] for name in sliced.undefined}
    while True:
        more = notebook.slice((), snapshots=found).inputs
        if more.keys() <= found.keys():
            break
        found |= more
    known = {one.name for one in inputs}
    return [
        StepInput(name=name, defined_in=[cell.id for cell in makers])
        for name, makers in found.items()
        if name not in known
    ]


def _proposal(
    name: str, makers: list[Cell], variable: KernelVariable | None, notebook: Notebook
) -> StepInput:
    """The kernel's value where it is the one that the selection starts with."""
    proposed = StepInput(name=name)
    if variable is None or not _is_usable(variable):
        return proposed
    if makers and notebook.is_assigned_since(name):
        return proposed
    if variable.is_json:
        return proposed.model_copy(update={"source": "parameter", "value": variable.value})
    if makers and not notebook.can_be_saved(name):
        return proposed
    return proposed.model_copy(update={"source": "snapshot", "snapshot": variable.snapshot})


def _is_usable(variable: KernelVariable) -> bool:
    return variable.error is None and (variable.is_json or variable.snapshot is not None)


def _completed(one: StepInput, makers: list[Cell], variable: KernelVariable | None) -> StepInput:
    """What the kernel and the notebook know of an input, whoever chose its source."""
    known: dict[str, object] = {"defined_in": [cell.id for cell in makers]}
    if variable is not None:
        known |= {"type": variable.type, "preview": variable.preview or (variable.error or "")}
    kind = known.get("type", one.type)
    if one.source == "parameter" and kind == "float" and type(one.value) is int:
        known["value"] = float(one.value)  # JavaScript writes 1.0 as 1
    if one.source == "snapshot" and one.snapshot is None and variable is not None:
        known["snapshot"] = variable.snapshot
    return one.model_copy(update=known)


# --- problems ----------------------------------------------------------------------------------


def _problems_of_reading(cells: Sequence[Cell], request: StepRequest) -> list[Problem]:
    selected = set(request.selection.selected)
    chosen = [cell for cell in cells if cell.id in selected]
    if not chosen:
        return [
            Problem(
                message="The selection has no code.",
                next_step="Select one or more code cells.",
                cell=request.selection.selected[0],
            )
        ]
    return [cell.problem for cell in chosen if cell.problem is not None]


def _undefined(
    notebook: Notebook, sliced: Slice, cells: Sequence[Cell], live: dict[str, KernelVariable]
) -> list[Problem]:
    problems = []
    for name, (cell, line) in sliced.undefined.items():
        later = notebook.defined_later(name, cell)
        broken = _broken_definition(name, cells)
        if later is not None:
            reason = f"{name} is defined only in {later.title}, after it is used"
            step = f"Move {later.title} up."
        elif broken is not None:
            reason = f"{name} is defined in {broken.title}, which cannot be read"
            step = f"Correct {broken.title}, then open this dialog again."
        elif name in live:
            why = live[name].error or "its value could not be saved"
            reason = f"{name} is in the kernel, but no cell defines it and {why}"
            step = f"Define {name} in a cell before the selection."
        else:
            reason = f"{name} is not defined in the notebook"
            step = f"Define {name} in a cell before the selection, or correct its name."
        problems.append(_problem_at(cell, line, reason, step))
    return problems


def _problem_at(cell: Cell, line: int, reason: str, step: str) -> Problem:
    message = f"{cell.title.capitalize()}, line {line}: {reason}."
    return Problem(message=message, next_step=step, cell=cell.id, line=line, place=cell.title)


def _broken_definition(name: str, cells: Sequence[Cell]) -> Cell | None:
    """A cell that cannot be read and whose text seems to define a name."""
    definition = re.compile(rf"^\s*(?:def |class |import .*)?\b{re.escape(name)}\b(?!\s*==)", re.M)
    for cell in cells:
        if cell.problem is not None and definition.search(cell.source):
            return cell
    return None


def _unusable(inputs: Sequence[StepInput], known: dict[str, KernelVariable]) -> list[Problem]:
    problems = []
    for one in inputs:
        if one.source == "snapshot" and not one.snapshot:
            reason = known[one.name].error if one.name in known else None
            problems.append(
                Problem(
                    message=f"{one.name} has no snapshot{f': {reason}' if reason else ''}.",
                    next_step=f"Run the cell that defines {one.name}, or recompute it.",
                    cell=one.defined_in[0] if one.defined_in else None,
                    place=one.name,
                )
            )
    return problems


def _bad_packages(packages: Sequence[str]) -> list[Problem]:
    return [
        Problem(
            message=f"{package!r} is not a package that pip can install.",
            next_step="Write a name, with a version if need be: scikit-learn==1.8.0.",
            place="packages",
        )
        for package in packages
        if not REQUIREMENT.fullmatch(package)
    ]


# --- packages, name, code ----------------------------------------------------------------------


def _packages(sliced: Slice, request: StepRequest) -> list[str]:
    if request.packages is not None:
        return request.packages
    statements = [statement for piece in sliced.pieces for statement in piece.statements]
    return requirements(statements, request.distributions)


def _name(request: StepRequest) -> str:
    """A name from the nearest heading above the selection, else from the notebook's."""
    heading = ""
    for cell in request.selection.cells:
        if cell.cell_type == "markdown":
            found = re.findall(r"^#{1,6}\s+(.+?)\s*#*$", cell.source, re.MULTILINE)
            heading = found[-1] if found else heading
        if cell.id in request.selection.selected and cell.cell_type == "code":
            break
    stem = request.selection.notebook.rsplit("/", 1)[-1].removesuffix(".ipynb")
    return slug(heading or stem)


def slug(text: str) -> str:
    """A text as Kubernetes takes it for a name: lower case, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    ascii_text = plain.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:60].strip("-") or "step"


def _code_of_cells(cells: Sequence[Cell], selected: Sequence[str]) -> str:
    return "\n\n".join(
        f"{SEPARATOR} {cell.title.capitalize()}\n{cell.source}"
        for cell in cells
        if cell.id in selected
    )


def code_of(sliced: Slice, inputs: Sequence[StepInput]) -> str:
    """The code as the dialog shows it; given inputs are named, not their values."""
    given = [one.name for one in inputs if one.source != "recompute"]
    parts = []
    for number, piece in enumerate(sliced.pieces):
        names = [name for name in given if sliced.needed_at.get(name) == number]
        if names:
            parts.append(f"{SEPARATOR} Inputs: {', '.join(names)}")
        parts.append(f"{piece.title}\n{piece.source}")
    return "\n\n".join(parts)
