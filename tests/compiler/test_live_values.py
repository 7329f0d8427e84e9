"""A value of the kernel is proposed only where it is surely the one the selection starts with."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.compiler import plan_step
from jupyterlab_pipelines.models import CellSelection, KernelVariable, NotebookCell, StepRequest


def source_of(variable: str, *cells: str, selected: int) -> str:
    """Where the plan proposes to take a variable from; its value is JSON."""
    request = StepRequest(
        selection=CellSelection(
            cells=[NotebookCell(id=f"c{n}", source=text) for n, text in enumerate(cells, 1)],
            selected=[f"c{selected}"],
        ),
        variables=[KernelVariable(name=variable, type="list", value=[1], is_json=True)],
        interpreter="python",
    )
    (proposed,) = [one for one in plan_step(request).inputs if one.name == variable]
    return proposed.source


@pytest.mark.parametrize("use", ["print(xs)", "ys = sorted(xs)", "total = sum(xs)", "xs.count(1)"])
def test_the_kernels_value_of_what_is_only_read(use: str) -> None:
    assert source_of("xs", "xs = [1]", use, selected=2) == "parameter"


@pytest.mark.parametrize(
    "change",
    ["xs.append(2)", "xs[0] = 2", "del xs[0]", "xs += [2]", "xs = xs + [2]", "xs.sort()"],
)
def test_what_the_selection_changes_is_computed_again(change: str) -> None:
    """The user may have run the selected cells before, and would see the change twice."""
    assert source_of("xs", "xs = [1]", change, selected=2) == "recompute"


def test_what_a_later_cell_changes_is_computed_again() -> None:
    assert source_of("xs", "xs = [1]", "print(xs)", "xs.append(2)", selected=2) == "recompute"
