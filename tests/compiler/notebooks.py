"""Small notebooks: planned as steps, run top to bottom, and asked as a kernel would be."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.compiler import plan_step, probe_source
from jupyterlab_pipelines.models import (
    CellSelection,
    KernelVariable,
    NotebookCell,
    StepInput,
    StepPlan,
    StepRequest,
)


def request(cells: Sequence[str], selected: Sequence[int], **more: Any) -> StepRequest:
    """The order to run cells, which are numbered from 1 and called c1, c2 …"""
    return StepRequest(
        selection=CellSelection(
            notebook="notebook.ipynb",
            cells=[NotebookCell(id=f"c{n}", source=text) for n, text in enumerate(cells, 1)],
            selected=[f"c{number}" for number in selected],
        ),
        **more,
    )


def plan(cells: Sequence[str], selected: Sequence[int], **more: Any) -> StepPlan:
    """What the dialog would show."""
    return plan_step(request(cells, selected, **more))


def inputs(cells: Sequence[str], selected: Sequence[int]) -> set[str]:
    """Names of the inputs of a selection that has no problem."""
    answer = plan(cells, selected)
    assert answer.problems == []
    return {one.name for one in answer.inputs}


def code(cells: Sequence[str], selected: Sequence[int], **more: Any) -> list[str]:
    """The parts that would run, without their separators."""
    answer = plan(cells, selected, **more)
    assert answer.problems == []
    parts = answer.code.split("# %% ")[1:]
    return [text.partition("\n")[2].strip() for text in parts]


def probe(namespace: dict[str, Any], names: Sequence[str], folder: Path | None) -> dict[str, Any]:
    """What a kernel with this namespace answers."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(probe_source(names, str(folder) if folder else None), namespace)
    text = printed.getvalue().partition("<pipelines-probe>")[2].partition("</pipelines-probe>")[0]
    # As the browser does: its numbers know no difference between 1.0 and 1.
    answer: dict[str, Any] = json.loads(text, parse_float=_number)
    return answer


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def variables(
    namespace: dict[str, Any], names: Sequence[str], folder: Path
) -> list[KernelVariable]:
    """The kernel's variables as the dialog sends them."""
    found = probe(namespace, names, folder)["variables"]
    return [KernelVariable.model_validate(one) for one in found]


def given(name: str, value: Any) -> StepInput:
    """The user's choice of a value."""
    return StepInput(name=name, source="parameter", value=value)


@contextlib.contextmanager
def main_module() -> Iterator[dict[str, Any]]:
    """A namespace that is `__main__`, as a kernel's is."""
    module = types.ModuleType("__main__")
    before = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield module.__dict__
    finally:
        sys.modules["__main__"] = before
