"""A step computes what the notebook does from top to bottom, whichever cells are selected."""

from __future__ import annotations

import contextlib
import io
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.compiler import plan_step
from jupyterlab_pipelines.compiler.plan import sliced_notebook
from jupyterlab_pipelines.models import StepPlan, StepRequest
from tests.compiler.notebooks import main_module, request, variables

#: What every generated notebook begins with, so that nearly all programs run.
BEGIN = [
    "import math",
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
    (
        "class K:\n    limit = 3\n    def __init__(self, values):\n        self.values = values\n"
        "    def __eq__(self, other):\n        return type(other).__name__ == 'K' and "
        "self.values == other.values\n    __hash__ = None\n    def m(self):\n"
        "        self.values.append(self.limit)\n        return len(self.values) + len(d)"
    ),
    "k = K(ys)",
    "q = lambda: len(xs) + a",
    "w = [k, xs]",
]

#: What ties variables together, and may be left out.
OPTIONAL = ["zs = xs", "e = {'inner': ys}", "k = K(ys)", "w = [k, xs]"]

STATEMENTS = [
    *("a = 5", "a = a + 1", "a += 2", "b = a * 2", "b += 1", "c = c + str(a)", "a = len(xs)"),
    *("a, b = b, a", "a = b = 7", "(a := a + 3)", "d['n'] = (b := a)", "del a", "a: int = 4"),
    *("xs = [a, b]", "xs = ys", "ys = list(xs)", "zs = xs", "xs.append(a)", "ys.append(b)"),
    *("xs[0] = a", "xs += [b]", "xs = xs + [9]", "zs.append(0)", "a, *ys = xs", "xs.sort(key=str)"),
    *(
        "d['a'] = a",
        "d['xs'] = xs",
        "e['inner'].append(4)",
        "e = d",
        "d = dict(e)",
        "d.update(n=a)",
    ),
    *("del d['k']", "d.setdefault('l', []).append(b)", "t = (a, xs)", "w.append(a)", "w[0] = k"),
    *("b = f()", "b = g(xs)", "b = g(ys)", "a = s()", "b = h()", "b = q()", "a = k.m()", "k.m()"),
    *("k = K(xs)", "k.values = [a]", "K.limit = 8", "k = K([a])", "w[0].m()", "f.seen = xs"),
    *("def f():\n    return a + b", "def f(n=a):\n    return n", "def f(n=xs):\n    n.append(1)"),
    *("def g(values):\n    return values[-1:]", "q = lambda: b", "q = f", "b = w[-1]"),
    (
        "class K:\n    limit = a\n    def __init__(self, values):\n        self.values = values\n"
        "    def m(self):\n        return self.limit"
    ),
    "class L(K):\n    def m(self):\n        xs.append(self.limit)\n        return super().m()",
    "k = L(ys)",
    "for i in range(3):\n    a += i",
    "for a in xs:\n    pass",
    "for i in list(xs):\n    ys.append(i)",
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
    (
        "match len(xs):\n    case 1:\n        a = 100\n    case n if n > 2:\n        b = n\n"
        "    case _:\n        c = 'many'"
    ),
    (
        "def make():\n    count = a\n    def inner():\n        nonlocal count\n        count += 1\n"
        "        xs.append(count)\n        return count\n    return inner"
    ),
    "q = make()",
    "def wrap(function):\n    ys.append(0)\n    return lambda *args: function(*args)",
    "@wrap\ndef f():\n    return b",
    "p = [1, a]",
    "p.append(len(p))",
    "r = {'p': p}",
    "r['p'].append(2)",
    "p = [0]\nu = lambda: p[-1]",
    "p.append(u())",
    "v = (p, None)",
    "v[0].append(3)",
    "p = [2]\nr = 0\ndef o():\n    p.append(r)\n    return len(p)",
    "a = o()",
    "class M:\n    def __init__(self, item):\n        self.values = item",
    "r = M(a)",
    "v = M(p)",
    "v.values.append(a)",
    "r = {1, 2}",
    "b = k.m() + len(w)",
    "w[1].append(k.m())",
    "zs.append(len(xs))",
    "e['inner'].append(len(k.values) + len(ys))",
    "a = len(w) + len(zs) + len(xs) + len(r)",
    "r = float('nan')",
    "p = [u]",
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
    "a = 1.0",
    "a = 10**20",
    "b = float('inf')",
    "xs = [1.0, 2]",
    "d = {'10': 1, '2': 2}",
    "b = None",
]


@st.composite
def notebooks(draw: st.DrawFn) -> tuple[list[str], list[int]]:
    """Cells that run from top to bottom, and the numbers of the selected ones."""
    dropped = draw(st.sets(st.sampled_from(OPTIONAL)))
    begin = [one for one in BEGIN if one not in dropped]
    drawn = draw(st.lists(st.sampled_from(STATEMENTS), min_size=4, max_size=16))
    rest = those_that_run([*begin, *drawn])[len(begin) :]
    assume(rest)
    cells = [*in_cells(draw, begin, most=3), *in_cells(draw, rest, most=12)]
    late = st.integers(max(1, len(cells) - 4), len(cells))
    selected = draw(st.sets(late, min_size=1, max_size=3))
    return cells, sorted(selected)


def in_cells(draw: st.DrawFn, statements: Sequence[str], most: int) -> list[str]:
    """Statements cut into up to `most` cells, anywhere."""
    places = st.integers(1, max(1, len(statements) - 1))
    cuts = sorted(draw(st.sets(places, min_size=min(most, len(statements)) // 2, max_size=most)))
    edges = zip([0, *cuts], [*cuts, len(statements)], strict=True)
    return ["\n".join(statements[start:end]) for start, end in edges if start < end]


def those_that_run(statements: Sequence[str]) -> list[str]:
    """Leaves out what fails after what is before it."""
    kept = []
    with main_module() as namespace:
        for statement in statements:
            try:
                run(statement, namespace)
            except Exception:
                continue
            kept.append(statement)
    return kept


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
        if type(value).__name__ in ("K", "L", "M"):
            return f"{type(value).__name__}({text(value.values)})"
        if callable(value) or type(value).__name__ == "module":
            return "callable"
        return f"{type(value).__name__} {value!r}"

    return {name: text(namespace[name]) for name in sorted(names) if name in namespace}


def variables_of(source: str) -> set[str]:
    """The variables that a cell deals with itself."""
    names = set(compile(source, "<cell>", "exec").co_names)  # those of its own scope
    return names & {*"abcdetkqwpruv", "xs", "ys", "zs"}


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
                    files[path] = loaded(Path(path), asked)
                namespace[name] = files[path][name]
            run(piece.source, namespace)
            if piece.whole:
                left[piece.cell.id] = shape(namespace, variables_of(piece.source))
    return left


def loaded(path: Path, asked: StepRequest) -> Any:
    """A snapshot's values. The step refuses one of a class that the selection defines anew."""
    try:
        return pickle.loads(path.read_bytes())
    except AttributeError:
        selected = set(asked.selection.selected)
        anew = [
            one for one in asked.selection.cells if one.id in selected and "class K" in one.source
        ]
        assume(not anew)
        raise


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


# --- the three ways that values come into a step -------------------------------------------------


def recomputed(cells: list[str], selected: list[int]) -> None:
    """Without a kernel everything is computed again."""
    asked = request(cells, selected)
    plan = plan_step(asked)
    assert plan.problems == []
    check(cells, selected, asked, plan)


def proposed(cells: list[str], selected: list[int]) -> None:
    """A kernel that has run what is before the selection gives its values."""
    with kernel(cells, selected) as asked:
        plan = plan_step(asked)
        assert plan.problems == []
        check(cells, selected, asked, plan)


def chosen(cells: list[str], selected: list[int]) -> None:
    """The user takes the kernel's value wherever the dialog offers it."""
    with kernel(cells, selected) as asked:
        known = {variable.name: variable for variable in asked.variables}
        choices = []
        for one in plan_step(asked).inputs:
            variable = known.get(one.name)
            change: dict[str, Any] = {}
            if variable is not None and variable.is_json:
                change = {"source": "parameter", "value": variable.value}
            elif variable is not None and variable.snapshot:
                change = {"source": "snapshot", "snapshot": variable.snapshot}
            choices.append(one.model_copy(update=change))
        asked = asked.model_copy(update={"inputs": choices})
        plan = plan_step(asked)
        assert plan.problems == []
        check(cells, selected, asked, plan)


@contextlib.contextmanager
def kernel(cells: list[str], selected: list[int]) -> Iterator[StepRequest]:
    """The request after asking a kernel that has run the cells before the first selected one."""
    names = [one.name for one in plan_step(request(cells, selected)).inputs]
    folder = Path(tempfile.mkdtemp())
    try:
        with main_module() as namespace:
            for source in cells[: selected[0] - 1]:
                run(source, namespace)
            known = variables(namespace, names, folder)
        yield request(cells, selected, variables=known, interpreter="python")
    finally:
        shutil.rmtree(folder)


def hold(how: Callable[[list[str], list[int]], None], examples: int) -> None:
    """Tries a way on generated notebooks."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(notebooks())
    def try_one(drawn: tuple[list[str], list[int]]) -> None:
        cells, selected = drawn
        assume(runs(cells[: selected[-1]]))
        how(cells, selected)

    try_one()


@pytest.mark.parametrize("how", [recomputed, proposed, chosen])
def test_same_result(how: Callable[[list[str], list[int]], None]) -> None:
    hold(how, examples=60)


@pytest.mark.soak
@pytest.mark.parametrize("how", [recomputed, proposed, chosen])
def test_same_result_for_long(how: Callable[[list[str], list[int]], None]) -> None:
    hold(how, examples=3000)
