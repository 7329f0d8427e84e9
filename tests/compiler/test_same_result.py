"""A step computes what the notebook does from top to bottom, whichever cells are selected."""

from __future__ import annotations

import contextlib
import io
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.compiler import plan_step
from jupyterlab_pipelines.compiler.plan import sliced_notebook
from jupyterlab_pipelines.models import StepPlan, StepRequest

from tests.compiler.notebooks import main_module, request, variables

#: What every generated notebook begins with, so that nearly all programs run.
BEGIN = [
    "import math",
    "import random",
    "import contextlib",
    "a = 1",
    "b = 2.0",
    "c = 'three'",
    "xs = [1, 2]",
    "ys = [3]",
    "zs = xs",
    "d = {'k': 1}",
    "e = {'inner': ys}",
    "t = (1, 'two', None)",
    "def f():\n    return a",
    "def g(values):\n    values.append(a)\n    return len(values)",
    "def s():\n    global a\n    a = a + 10\n    return a",
    "def h():\n    return g(xs) + f()",
    "class K:\n    limit = 3\n    def __init__(self, values):\n        self.values = values\n"
    "    def __eq__(self, other):\n        return type(other).__name__ == 'K' and "
    "self.values == other.values\n    __hash__ = None\n    def m(self):\n"
    "        self.values.append(self.limit)\n        return len(self.values) + len(d)",
    "k = K(ys)",
    "q = lambda: len(xs) + a",
    "w = [k, xs]",
]

STATEMENTS = [
    *("a = 5", "a = a + 1", "a += 2", "b = a * 2", "b += 1", "c = c + str(a)", "a = len(xs)"),
    *("a, b = b, a", "a = b = 7", "(a := a + 3)", "d['n'] = (b := a)", "del a", "a: int = 4"),
    *("xs = [a, b]", "xs = ys", "ys = list(xs)", "zs = xs", "xs.append(a)", "ys.append(b)"),
    *("xs[0] = a", "xs += [b]", "xs = xs + [9]", "zs.append(0)", "a, *ys = xs", "xs.sort(key=str)"),
    *("d['a'] = a", "d['xs'] = xs", "e['inner'].append(4)", "e = d", "d = dict(e)", "d.update(n=a)"),
    *("del d['k']", "d.setdefault('l', []).append(b)", "t = (a, xs)", "w.append(a)", "w[0] = k"),
    *("b = f()", "b = g(xs)", "b = g(ys)", "a = s()", "b = h()", "b = q()", "a = k.m()", "k.m()"),
    *("k = K(xs)", "k.values = [a]", "K.limit = 8", "k = K([a])", "w[0].m()", "f.seen = xs"),
    *("def f():\n    return a + b", "def f(n=a):\n    return n", "def f(n=xs):\n    n.append(1)"),
    *("def g(values):\n    return values[-1:]", "q = lambda: b", "q = f", "b = w[-1]"),
    "class K:\n    limit = a\n    def __init__(self, values):\n        self.values = values\n"
    "    def m(self):\n        return self.limit",
    "class L(K):\n    def m(self):\n        xs.append(self.limit)\n        return super().m()",
    "k = L(ys) if 'L' in globals() else K(ys)",
    "for i in range(3):\n    a += i",
    "for a in xs:\n    pass",
    "for i in xs:\n    ys.append(i)",
    "while len(ys) < 4:\n    ys.append(a)",
    "if len(xs) > 2:\n    b = 50",
    "if a:\n    c = 'yes'\nelse:\n    c = 'no'",
    "try:\n    a = 1 // 0\nexcept ZeroDivisionError as error:\n    b = 3",
    "try:\n    b = xs[1]\nexcept IndexError:\n    pass\nfinally:\n    c = 'end'",
    "with contextlib.suppress(Exception):\n    b = 1 // 0\n    a = 6",
    "with contextlib.suppress(Exception) as nothing:\n    a = xs[0]",
    "xs = [i for i in xs if i != a]",
    "ys = [(a := i) for i in xs]",
    "b = sum(len(str(i)) for i in xs for a in ys)",
    "d = {str(i): [a] for i in xs}",
    "match len(xs):\n    case 1:\n        a = 100\n    case n if n > 2:\n        b = n\n    case _:\n"
    "        c = 'many'",
    "def make():\n    count = a\n    def inner():\n        nonlocal count\n        count += 1\n"
    "        xs.append(count)\n        return count\n    return inner",
    "q = make() if 'make' in globals() else q",
    "def wrap(function):\n    ys.append(0)\n    return lambda *args: function(*args)",
    "@(wrap if 'wrap' in globals() else lambda x: x)\ndef f():\n    return b",
    "from math import *",
    "from math import floor as f",
    "import math as f",
    "len = len",
    "pow = 3",
    "b = pow if isinstance(pow, int) else 0",
    "exec('a = 12')",
    "globals()['b'] = 13",
    "b = eval('a')",
    "print(a, xs)",
    "print(d)",
    "assert True",
    "c = f'{a}-{xs!r}'",
    "random.seed(a if isinstance(a, int) else 0)",
    "a = 1.0",
    "a = 10**20",
    "b = float('inf')",
    "xs = [1.0, 2]",
    "d = {'10': 1, '2': 2}",
    "b = None",
]

cell = st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=3).map("\n".join)


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    """Cells and the numbers of the selected ones; the beginning is cut into cells anywhere."""
    cuts = sorted(draw(st.sets(st.integers(1, len(BEGIN) - 1), max_size=8)))
    head = [
        "\n".join(BEGIN[start:end])
        for start, end in zip([0, *cuts], [*cuts, len(BEGIN)], strict=True)
    ]
    cells = head + draw(st.lists(cell, min_size=1, max_size=7))
    count = len(cells)
    favoured = st.integers(max(1, len(head) - 1), count)
    selected = draw(st.sets(favoured, min_size=1, max_size=4))
    return cells, sorted(selected)


def run(code: str, namespace: dict[str, Any]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "<cell>", "exec", dont_inherit=True), namespace)


def shape(namespace: dict[str, Any], names: set[str]) -> dict[str, str]:
    """Values as texts that tell types and show which of them are the same object."""
    seen: dict[int, int] = {}

    def text(value: Any) -> str:
        if isinstance(value, (list, dict, tuple)) or hasattr(value, "values"):
            if id(value) in seen:
                return f"<{seen[id(value)]}>"
            seen[id(value)] = len(seen)
        if isinstance(value, (list, tuple)):
            return f"{type(value).__name__}({', '.join(map(text, value))})"
        if isinstance(value, dict):
            return f"dict({', '.join(f'{k!r}: {text(v)}' for k, v in value.items())})"
        if type(value).__name__ in ("K", "L"):
            return f"{type(value).__name__}({text(value.values)})"
        if callable(value) or type(value).__name__ == "module":
            return "callable"
        return f"{type(value).__name__} {value!r}"

    return {name: text(namespace[name]) for name in sorted(names) if name in namespace}


def variables_of(source: str) -> set[str]:
    """The variables that a cell deals with itself."""
    names = set(compile(source, "<cell>", "exec").co_names)  # those of its own scope
    return names & {*"abcdetkqw", "xs", "ys", "zs"}


def run_step(asked: StepRequest, plan: StepPlan) -> dict[str, dict[str, str]]:
    """Runs a plan's code in this process: what each selected cell left, by its id."""
    sliced = sliced_notebook(asked, plan.inputs)
    chosen = {one.name: one for one in plan.inputs if one.source != "recompute"}
    files: dict[str, Any] = {}
    left = {}
    with main_module() as namespace:
        for number, piece in enumerate(sliced.pieces):
            for name in [n for n, place in sliced.needed_at.items() if place == number]:
                one = chosen[name]
                if one.source == "parameter":
                    namespace[name] = one.value
                    continue
                path = one.snapshot or ""
                if path not in files:
                    files[path] = pickle.loads(Path(path).read_bytes())
                namespace[name] = files[path][name]
            run(piece.source, namespace)
            if piece.whole:
                left[piece.cell.id] = shape(namespace, variables_of(piece.source))
    return left


def check(cells: list[str], selected: list[int], asked: StepRequest, plan: StepPlan) -> None:
    """Every selected cell leaves the same in the step as in the notebook."""
    step = run_step(asked, plan)
    with main_module() as namespace:
        for number, source in enumerate(cells[: selected[-1]], 1):
            run(source, namespace)
            if number in selected:
                left = step[f"c{number}"]
                # What a cell assigns on some path only, and nothing reads, the step may lack.
                assert left == shape(namespace, set(left)), plan.code


def runs(cells: Sequence[str]) -> bool:
    """Whether a notebook runs from top to bottom."""
    with main_module() as namespace:
        try:
            for source in cells:
                run(source, namespace)
        except Exception:
            return False
    return True


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(notebooks())
def test_recomputed(drawn: tuple[list[str], list[int]]) -> None:
    """Without a kernel everything is computed again."""
    cells, selected = drawn
    assume(runs(cells[: selected[-1]]))
    asked = request(cells, selected)
    plan = plan_step(asked)
    assert plan.problems == []
    check(cells, selected, asked, plan)


@contextlib.contextmanager
def kernel(
    cells: list[str], selected: list[int], names: Sequence[str]
) -> Iterator[tuple[StepRequest, StepPlan]]:
    """The plan after asking a kernel that has run the cells before the first selected one."""
    folder = Path(tempfile.mkdtemp())
    try:
        with main_module() as namespace:
            for source in cells[: selected[0] - 1]:
                run(source, namespace)
            known = variables(namespace, names, folder)
        asked = request(cells, selected, variables=known, interpreter="python")
        yield asked, plan_step(asked)
    finally:
        shutil.rmtree(folder)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(notebooks())
def test_with_the_kernels_values(drawn: tuple[list[str], list[int]]) -> None:
    """A kernel that has run what is before the selection gives its values."""
    cells, selected = drawn
    assume(runs(cells[: selected[-1]]))
    names = [one.name for one in plan_step(request(cells, selected)).inputs]
    with kernel(cells, selected, names) as (asked, plan):
        assert plan.problems == []
        check(cells, selected, asked, plan)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(notebooks())
def test_with_as_many_values_as_possible(drawn: tuple[list[str], list[int]]) -> None:
    """The user may choose the kernel's value where the plan proposes to compute it again."""
    cells, selected = drawn
    assume(runs(cells[: selected[-1]]))
    names = [one.name for one in plan_step(request(cells, selected)).inputs]
    with kernel(cells, selected, names) as (asked, plan):
        known = {variable.name: variable for variable in asked.variables}
        chosen = []
        for one in plan.inputs:
            variable = known.get(one.name)
            if variable is not None and variable.is_json:
                one = one.model_copy(update={"source": "parameter", "value": variable.value})
            elif variable is not None and variable.snapshot and one.source == "snapshot":
                one = one.model_copy(update={"snapshot": variable.snapshot})
            chosen.append(one)
        asked = asked.model_copy(update={"inputs": chosen})
        plan = plan_step(asked)
        assert plan.problems == []
        check(cells, selected, asked, plan)
