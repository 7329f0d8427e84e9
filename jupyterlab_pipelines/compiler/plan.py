"""Answers the dialog: what a selection of cells would run as, before anything starts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ..models import KernelVariable, Problem, StepInput, StepPlan, StepRequest
from .cells import Cell, read_cells
from .packages import imported_modules, requirements
from .slices import Notebook, Piece, Slice

#: The line before each part of the code, as editors that know cells in scripts understand it.
SEPARATOR = "# %%"


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
    inputs, sliced = choose_inputs(notebook, request, known)
    problems = _undefined(notebook, sliced, known) + _unusable(inputs, known)
    return StepPlan(
        name=request.name.strip() or _name(request),
        inputs=inputs,
        packages=_packages(sliced, request),
        code=code_of(sliced, inputs),
        included=[p.cell.id for p in sliced.pieces if p.cell.id not in notebook.selected],
        problems=problems,
    )


def _notebook(cells: Sequence[Cell], request: StepRequest) -> Notebook:
    """The notebook without unselected cells that cannot be read: they cannot come along."""
    selected = set(request.selection.selected)
    return Notebook([cell for cell in cells if cell.problem is None], selected)


def sliced_notebook(request: StepRequest, inputs: Sequence[StepInput]) -> Slice:
    """The code for a plan whose inputs are chosen."""
    notebook = _notebook(read_cells(request.selection.cells), request)
    return notebook.slice({one.name for one in inputs if one.source == "recompute"})


# --- inputs ------------------------------------------------------------------------------------


def choose_inputs(
    notebook: Notebook, request: StepRequest, known: dict[str, KernelVariable]
) -> tuple[list[StepInput], Slice]:
    """Every input with its source: the user's choice, or the best that the kernel offers."""
    chosen = {one.name: one for one in request.inputs or []}
    recomputed: dict[str, StepInput] = {}
    while True:
        sliced = notebook.slice(recomputed)
        given = []
        for name, makers in sliced.inputs.items():
            proposal = chosen.get(name) or _proposal(name, makers, known.get(name))
            given.append(_completed(proposal, makers, known.get(name)))
        again = {one.name: one for one in given if one.source == "recompute"}
        again |= {name: StepInput(name=name) for name in sliced.forced - again.keys()}
        if not again.keys() - recomputed.keys():
            # Recomputed inputs stay in the answer, so that the choice can be changed back.
            return [*given, *recomputed.values()], sliced
        recomputed.update(again)


def _proposal(name: str, makers: list[Cell], variable: KernelVariable | None) -> StepInput:
    proposed = StepInput(name=name, defined_in=[cell.id for cell in makers])
    if variable is None or variable.error:
        return proposed
    if variable.is_json:
        return proposed.model_copy(update={"source": "parameter", "value": variable.value})
    if variable.snapshot:
        return proposed.model_copy(update={"source": "snapshot", "snapshot": variable.snapshot})
    return proposed


def _completed(
    proposal: StepInput, makers: list[Cell], variable: KernelVariable | None
) -> StepInput:
    """What the kernel and the notebook know of an input, whoever chose its source."""
    known: dict[str, object] = {"defined_in": [cell.id for cell in makers]}
    if variable is not None:
        known |= {"type": variable.type, "preview": variable.preview or (variable.error or "")}
    if proposal.source == "snapshot" and proposal.snapshot is None and variable is not None:
        known["snapshot"] = variable.snapshot
    return proposal.model_copy(update=known)


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
    notebook: Notebook, sliced: Slice, known: dict[str, KernelVariable]
) -> list[Problem]:
    problems = []
    for name, (cell, line) in sliced.undefined.items():
        later = notebook.defined_later(name)
        if later is not None:
            reason = f"{name} is defined only in {later.title}, after the selection"
            step = f"Move {later.title} up, or select it too."
        elif name in known:
            reason = f"{name} is in the kernel, but no cell of the notebook defines it"
            step = f"Define {name} in a cell before the selection."
        else:
            reason = f"{name} is not defined in the notebook"
            step = f"Define {name} in a cell before the selection, or correct its name."
        problems.append(
            Problem(
                message=f"{cell.title.capitalize()}, line {line}: {reason}.",
                next_step=step,
                cell=cell.id,
                line=line,
                place=cell.title,
            )
        )
    return problems


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


# --- packages, name, code ----------------------------------------------------------------------


def _packages(sliced: Slice, request: StepRequest) -> list[str]:
    if request.packages is not None:
        return request.packages
    statements = [statement for piece in sliced.pieces for statement in piece.statements]
    return requirements(imported_modules(statements), request.distributions)


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
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_text).strip("-")[:60].strip("-") or "step"


def _code_of_cells(cells: Sequence[Cell], selected: Sequence[str]) -> str:
    return "\n\n".join(
        f"{SEPARATOR} {cell.title.capitalize()}\n{cell.source}"
        for cell in cells
        if cell.id in selected
    )


def code_of(sliced: Slice, inputs: Sequence[StepInput]) -> str:
    """The code as the dialog shows it; given inputs are named, not their values."""
    given = {one.name: one for one in inputs if one.source != "recompute"}
    parts = []
    for number, piece in enumerate(sliced.pieces):
        names = sorted(n for n in given if sliced.needed_at.get(n) == number)
        if names:
            parts.append(f"{SEPARATOR} Inputs: {', '.join(names)}")
        parts.append(f"{piece_title(piece)}\n{piece.source}")
    return "\n\n".join(parts)


def piece_title(piece: Piece) -> str:
    """The separator line of a part."""
    title = piece.cell.title
    return f"{SEPARATOR} {title.capitalize() if piece.whole else f'From {title}'}"
