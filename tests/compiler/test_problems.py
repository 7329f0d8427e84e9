"""Bad input: every problem names its cell, line and next step, and nothing is guessed."""

from __future__ import annotations

import sys

import pytest

from jupyterlab_pipelines.compiler import plan_step
from jupyterlab_pipelines.models import (
    CellSelection,
    KernelVariable,
    NotebookCell,
    StepInput,
    StepRequest,
)
from tests.compiler.notebooks import plan, request

#: The text of the one selected cell, the line and column of its problem, a word of the message.
SYNTAX = {
    "first line": ("x = (", 1, 5, "'(' was never closed"),
    "later line": ("x = 1\n\ny = 2 +\n", 3, 8, "invalid syntax"),
    "indentation": ("if x:\nprint(x)", 2, 1, "expected an indented block"),
    "return outside": ("x = 1\nreturn x", 2, 1, "'return' outside function"),
    "break outside": ("break", 1, 1, "'break' outside loop"),
    "in a timed cell": ("%%time\nx = 1\ny = (", 3, 5, "'(' was never closed"),
    "in a captured timed cell": ("\n%%capture\n%%time\n\ny = (", 5, 5, "'(' was never closed"),
    "return in a timed cell": ("%%time\nreturn 1", 2, 1, "'return' outside function"),
    "after a magic": ("%matplotlib inline\n!ls\nx = = 1", 3, 5, "invalid syntax"),
    "after a long shell line": ("!pip install \\\n  a \\\n  b\nx = = 1", 4, 5, "invalid syntax"),
    "after blank lines": ("\n\n\nx = = 1", 4, 5, "invalid syntax"),
    "two stars": ("def f(*, **k, a): pass", 1, None, ""),
    "null": ("x = '\0'", 1, None, "null bytes"),
}


@pytest.mark.parametrize("case", SYNTAX)
def test_a_syntax_error_names_its_place(case: str) -> None:
    source, line, column, words = SYNTAX[case]
    answer = plan(["ok = 1", source], [2])
    (problem,) = answer.problems
    assert (problem.cell, problem.line) == ("c2", line)
    if column is not None:
        assert problem.column == column
    assert problem.message.startswith(f"Cell 2, line {line}: ")
    assert words in problem.message
    assert problem.next_step
    assert answer.code.strip()


def test_all_broken_cells_are_named() -> None:
    assert [one.cell for one in plan(["x = (", "y = )", "print(1)"], [1, 2, 3]).problems] == [
        "c1",
        "c2",
    ]


def test_code_too_deep_to_read() -> None:
    source = "x = " + "+".join(["1"] * sys.getrecursionlimit() * 3)
    (problem,) = plan([source], [1]).problems
    assert problem.cell == "c1"
    assert "nested" in problem.message


#: Cells, the selected ones, the messages.
UNDEFINED = {
    "nowhere": (["print(1)", "a = 1\n\nprint(nope)"], [2], "Cell 2, line 3: nope is not defined"),
    "with a magic before": (["%time a = 1\n# a\n\nb = nope"], [1], "Cell 1, line 4: nope is not"),
    "in a timed cell": (["%%time\n\nb = nope"], [1], "Cell 1, line 3: nope is not defined"),
    "only later": (["print(x)", "x = 1"], [1], "Cell 1, line 1: x is defined only in cell 2"),
    "only later, both selected": (["print(x)", "x = 1"], [1, 2], "x is defined only in cell 2"),
    "function defined later": (["f()", "def f(): pass"], [1, 2], "f is defined only in cell 2"),
    "in a function that comes along": (
        ["def f():\n    return nope", "f()"],
        [2],
        "Cell 1, line 2: nope is not defined",
    ),
    "in a class": (
        ["class A:\n    def f(self):\n        return nope"],
        [1],
        "Cell 1, line 3: nope",
    ),
    "in a comprehension": (["[nope for x in 'ab']"], [1], "Cell 1, line 1: nope is not defined"),
    "in a cell that cannot be read": (
        ["x = 1\ny = (", "print(x)"],
        [2],
        "Cell 2, line 1: x is defined in cell 1, which cannot be read",
    ),
    "function in a broken cell": (["def f(:\n  pass", "f()"], [2], "f is defined in cell 1, which"),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_an_undefined_name_is_a_problem(case: str) -> None:
    cells, selected, message = UNDEFINED[case]
    (problem,) = plan(cells, selected, interpreter="python").problems
    assert message in problem.message
    assert problem.cell in problem.message.lower().replace("cell ", "c")
    assert problem.line
    assert problem.next_step


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    return g()\n\n\ndef g():\n    return 1",
        "class A:\n    @property\n    def x(self): return A, __class__, super().x",
        "class A:\n    print(__qualname__, __module__)",
        "for i in range(3):\n    last = i\nprint(last)",
        "if 'x' not in globals():\n    x = 1\nprint(x)",
        "try:\n    unicode\nexcept NameError:\n    unicode = str",
        "print(_, __name__, In, Out, get_ipython(), display)",
        "def f(x: 'Later', y: Later = None): pass",
        "exec(compile('x = 1', '', 'exec'))\nprint(x)",
        "%run other.py\nprint(whatever)",
        "from numpy import *\nprint(zeros(3))",
        "x = [y for y in (z for z in 'ab')]",
        "lambda *a, b=1, **c: (a, b, c)",
        "with open('a') as f, open('b') as g:\n    print(f, g)",
        "def f():\n    global x\n    x = 1\nf()\nprint(x)",
    ],
)
def test_no_false_alarm(source: str) -> None:
    assert plan([source], [1], interpreter="python").problems == []


def test_type_parameters_are_no_variables() -> None:
    source = "class A[T]:\n    x: T\n    def f[S](self, y: S) -> T: ...\ntype B[U] = list[U]\nB"
    problems = plan([source], [1], interpreter="python").problems
    # An older Python than the kernel's cannot read them, and says where.
    assert [one.line for one in problems] == ([] if sys.version_info >= (3, 12) else [1])


def test_a_selection_without_code() -> None:
    (problem,) = plan_step(
        StepRequest(
            selection=CellSelection(
                cells=[NotebookCell(id="m", cell_type="markdown", source="# Title")], selected=["m"]
            )
        )
    ).problems
    assert problem.message == "The selection has no code."
    (problem,) = plan(["  \n", "x = 1"], [1]).problems
    assert problem.message == "The selection has no code."


# --- what only the kernel knows -----------------------------------------------------------------


def test_the_kernel_is_asked_for_what_no_cell_defines() -> None:
    """Cells that were deleted, `%run`: the value may be in the kernel."""
    first = plan(["print(x)"], [1])
    assert [one.name for one in first.inputs] == ["x"]
    assert first.problems[0].message == "Cell 1, line 1: x is not defined in the notebook."
    known = KernelVariable(name="x", type="int", value=3, is_json=True)
    second = plan(["print(x)"], [1], interpreter="python", variables=[known])
    assert second.problems == []
    assert [(one.source, one.value) for one in second.inputs] == [("parameter", 3)]


def test_a_value_that_cannot_be_had_is_a_problem() -> None:
    known = KernelVariable(name="x", type="generator", error="cannot pickle 'generator' object")
    (problem,) = plan(["print(x)"], [1], interpreter="python", variables=[known]).problems
    assert problem.line == 1
    assert "cannot pickle" in problem.message


def test_a_snapshot_that_is_not_there() -> None:
    chosen = StepInput(name="x", source="snapshot")
    (problem,) = plan(["x = object()", "print(x)"], [2], inputs=[chosen]).problems
    assert problem.message == "x has no snapshot."
    assert problem.cell == "c1"


@pytest.mark.parametrize("package", ["--index-url=x", "a'; rm -rf /", "", "a\nb", "$(x)"])
def test_what_is_no_package(package: str) -> None:
    (problem,) = plan(["x = 1"], [1], packages=[package]).problems
    assert problem.place == "packages"


@pytest.mark.parametrize(
    "package",
    [
        "numpy",
        "scikit-learn==1.8.0",
        "a[b]>=1,<2",
        'x; python_version<"3.9"',
        "./wheel.whl",
        "git+https://example.org/x.git@main#egg=x",
    ],
)
def test_what_is_a_package(package: str) -> None:
    assert plan(["x = 1"], [1], packages=[package]).problems == []


# --- names and packages


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("# Train model!", "train-model"),
        ("intro\n## Größe & Maß ##\ntext", "grosse-mass"),
        ("# 模型", "step"),
        ("no heading", "notebook"),
        ("# " + "x" * 100, "x" * 60),
    ],
)
def test_the_name_comes_from_the_heading(title: str, name: str) -> None:
    asked = request(["x = 1"], [1])
    asked.selection.cells.insert(0, NotebookCell(id="m", cell_type="markdown", source=title))
    assert plan_step(asked).name == name


def test_the_users_name_stays() -> None:
    assert plan(["x = 1"], [1], name="  Train model! ").name == "Train model!"


#: Code, the kernel's answer, the requirements.
PACKAGES = {
    "standard library": ("import json, os.path", {}, []),
    "guessed": ("import sklearn.svm\nimport my_module", {}, ["scikit-learn", "my-module"]),
    "from the kernel": (
        "import sklearn",
        {"sklearn": "scikit-learn==1.8.0"},
        ["scikit-learn==1.8.0"],
    ),
    "beside the notebook": ("import mine", {"mine": None}, []),
    "in a function": ("def f():\n    import numpy", {}, ["numpy"]),
    "relative": ("from . import x", {}, []),
    "supplied": ("import kfp, IPython", {}, []),
    "twice": ("import numpy\nfrom numpy import array", {}, ["numpy"]),
    "two of one package": ("import a, b", {"a": "ab==1", "b": "ab==1"}, ["ab==1"]),
    "optional and missing": (
        "try:\n    import ujson as j\nexcept ImportError:\n    import json as j",
        {},
        [],
    ),
    "optional and there": (
        "try:\n    import a\nexcept ImportError:\n    import b",
        {"a": "a==1"},
        ["a==1"],
    ),
    "optional here, needed there": (
        "try:\n    import a\nexcept ImportError:\n    pass\nimport a",
        {},
        ["a"],
    ),
}


@pytest.mark.parametrize("case", PACKAGES)
def test_packages(case: str) -> None:
    source, distributions, expected = PACKAGES[case]
    assert plan([source], [1], distributions=distributions).packages == expected


def test_packages_of_what_comes_along_count_and_others_do_not() -> None:
    cells = ["import numpy\nimport pandas", "numpy.zeros(3)"]
    assert plan(cells, [2]).packages == ["numpy"]
