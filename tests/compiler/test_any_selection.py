"""Whatever cells are selected, the step does what running the notebook from the top would do."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.compiler import compile_step, plan_step
from jupyterlab_pipelines.models import (
    CellSelection,
    KernelVariable,
    NotebookCell,
    StepRequest,
    Submission,
)

#: Everything that statements below use, so that most notebooks by chance can run.
FOUNDATION = [
    "a = 1",
    "b = 2",
    "c = 3",
    "xs = [1]",
    "ys = [2]",
    "d = {}",
    "e = d",
    "it = iter([5, 6, 7])",
    "def f():\n    return a",
    "def g(z):\n    return z",
    "def h(z):\n    return z",
    "def s():\n    return 0",
    "def gen():\n    yield 1",
    "class K:\n    def m(self):\n        return 1",
    "k = K()",
    "q = lambda: 0",
    "p = q",
    "import contextlib",
]
#: Assigning, changing in place, sharing, calling what changes something: each by several ways.
STATEMENTS = [
    *("a = 1", "b = 2", "c = a + b", "a = b * 2", "a += 1", "b += a", "b = c", "a, b = b, a"),
    *("xs = [1, 2]", "ys = xs", "ys = list(xs)", "xs = ys = [3]", "a, *r = xs", "del a"),
    *("xs.append(a)", "ys.append(b)", "xs[0] = a", "xs += [b]"),
    *("d = {}", "d['k'] = a", "d['k'] = xs", "d.setdefault('l', []).append(b)", "e = d"),
    *("b = f()", "c = g(b)", "ys = h(xs)", "c = s()", "c = q()", "f2 = f\nc = f2()"),
    *("w = [f]\nc = w[0]()", "k = K()", "c = k.m()"),
    *("c = [i for i in xs if i > a]", "c = sum(i * b for i in xs)", "(b := a + 2)"),
    *("c = [b := i for i in xs]", "for i in range(2):\n    a += i", "for a in xs:\n    pass"),
    *("while a < 3:\n    a += 1", "a = a if a else b", "assert xs or True"),
    *("it = iter(xs)", "c = next(it, 0)", "it = (i for i in xs)", "c = list(it)", "it = gen()"),
    *("import math\nc = math.floor(a / 2)", "import math as m\nc = m.floor(b / 2)"),
    *("import random\nrandom.seed(3)", "exec('a = 4')", "globals()['b'] = 8"),
    *("print(a)", "print(b)", "print(c)", "print(xs)", "print(ys)", "print(d)", "print(e)"),
    *("print(f())", "print(a, b, c)", "print(p())", "print(sorted(xs))", "print(len(ys))"),
    "def f():\n    return a + 1",
    "def f(z=a):\n    return z",
    "def g(z):\n    xs.append(z)\n    return len(xs)",
    "def h(zs):\n    zs.append(7)\n    return zs",
    "def s():\n    global a\n    a = a + 10\n    return a",
    "def gen():\n    yield a\n    yield b",
    "q = lambda: a * 3",
    "def outer():\n    t = a\n    def inner():\n        return t + b\n    return inner\np = outer()",
    "def deco(fn):\n    return lambda: fn() + 100\n@deco\ndef f():\n    return b",
    "def r2():\n    return r2b() + 1\ndef r2b():\n    return c\nc = r2()",
    "class K:\n    v = a\n    def m(self):\n        return b + self.v",
    "class K:\n    def m(self):\n        xs.append(1)\n        return len(xs)",
    "if a > 2:\n    b = 5\nelse:\n    c = 6",
    "if a > 2:\n    b = 50",
    "try:\n    b = a // 0\nexcept ZeroDivisionError as err:\n    c = 9",
    "with contextlib.suppress(Exception):\n    a = b // 0",
    "match a:\n    case 1:\n        b = 11\n    case other:\n        c = other",
]


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    """The cells' sources, and the numbers of the selected ones."""
    foundation = draw(st.permutations(FOUNDATION))
    size = -(-len(foundation) // draw(st.integers(1, 4)))
    cells = ["\n".join(foundation[i : i + size]) for i in range(0, len(foundation), size)]
    cell = st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4).map("\n".join)
    cells += draw(st.lists(cell, min_size=2, max_size=6))
    chosen = st.lists(st.integers(0, len(cells) - 1), min_size=1, max_size=4, unique=True)
    return cells, sorted(draw(chosen))


@contextlib.contextmanager
def fresh_main() -> Iterator[dict[str, Any]]:
    module, before = types.ModuleType("__main__"), sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        yield module.__dict__
    finally:
        sys.modules["__main__"] = before


def run_cell(source: str, namespace: dict[str, Any]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "<cell>", "exec", dont_inherit=True), namespace)
    return printed.getvalue()


def run_notebook(cells: list[str]) -> tuple[list[str], dict[str, Any]]:
    """What each cell prints, and the namespace afterwards."""
    with fresh_main() as namespace:
        return [run_cell(cell, namespace) for cell in cells], dict(namespace)


def run_step(submission: Submission) -> list[str]:
    """What each selected cell prints, the component's own code choosing values and order."""
    executors = submission.pipeline["deploymentSpec"]["executors"].values()
    (source,) = [one["container"]["command"][-1] for one in executors if "container" in one]
    module: dict[str, Any] = {"__name__": "component"}
    exec(source.replace("from kfp.dsl import *", FAKE_DSL), module)
    printed: list[str] = []

    def run_parts(parts: list[Any], values: Any, snapshots: Any, *_: Any) -> None:
        with fresh_main() as namespace:
            for part in parts:
                namespace.update({name: copy.deepcopy(values[name]) for name in part["inputs"]})
                text = run_cell(part["source"], namespace)
                if part["selected"]:
                    printed.append(text)

    module["run_parts"] = run_parts
    artifact = types.SimpleNamespace(path="", metadata={})
    function = next(value for name, value in module.items() if name == "run_step")
    function(notebook=artifact, report=artifact, **submission.parameters)
    return printed


FAKE_DSL = (
    "class _Any:\n    def __class_getitem__(cls, item): return cls\n"
    "Input = Output = Artifact = HTML = _Any"
)


def is_json(value: object) -> bool:
    if type(value) is list:
        return all(map(is_json, value))
    if type(value) is dict:
        return all(type(key) is str and is_json(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str)


def kernel_variables(namespace: dict[str, Any]) -> list[KernelVariable]:
    return [
        KernelVariable(
            name=name, type=type(value).__name__, value=json.loads(json.dumps(value)), is_json=True
        )
        for name, value in namespace.items()
        if not name.startswith("__") and is_json(value)
    ]


@pytest.mark.parametrize("kernel", ["not asked", "run up to the selection", "run to the end"])
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(notebook=notebooks())
def test_any_selection_prints_what_the_notebook_prints(
    kernel: str, notebook: tuple[list[str], list[int]]
) -> None:
    cells, selected = notebook
    variables: list[KernelVariable] = []
    try:
        printed, _ = run_notebook(cells[: selected[-1] + 1])
        if kernel != "not asked":
            until = len(cells) if kernel == "run to the end" else selected[0]
            variables = kernel_variables(run_notebook(cells[:until])[1])
    except Exception:
        assume(False)
    request = StepRequest(
        selection=CellSelection(
            cells=[NotebookCell(id=str(i), source=cell) for i, cell in enumerate(cells)],
            selected=[str(i) for i in selected],
        ),
        variables=variables,
    )
    plan = plan_step(request)
    assert plan.problems == []
    assert run_step(compile_step(request, plan)) == [printed[i] for i in selected], plan.code
