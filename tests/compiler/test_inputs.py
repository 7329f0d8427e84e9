"""What a selection needs: which names become inputs, and what comes along by itself."""

from __future__ import annotations

import pytest

from tests.compiler.notebooks import code, inputs, plan

#: First cells, the selected last cell, the inputs.
SCOPES = {
    "a plain use": (["x = 1"], "print(x)", {"x"}),
    "own assignment": (["x = 1"], "x = 2\nprint(x)", set()),
    "assignment on one path": (["x = 1"], "if True:\n    x = 2\nprint(x)", {"x"}),
    "assignment on both paths": (["x = 1; y = 2"], "if y:\n    x = 1\nelse:\n    x = 2\nx", {"y"}),
    "a path that leaves": (["x = 1"], "if 0:\n    raise E\nelse:\n    x = 2\nx\nE = 1", set()),
    "augmented assignment": (["x = 1"], "x += 1", {"x"}),
    "augmented attribute": (["x = 1"], "x.y += 1", {"x"}),
    "annotated": (["x = 1"], "x: int\nprint(x)", {"x"}),
    "annotated with a value": (["x = 1"], "x: int = 2\nprint(x)", set()),
    "delete": (["x = 1"], "del x", {"x"}),
    "delete after assignment": (["x = 1"], "x = 2\ndel x", set()),
    "comprehension variable": (["x = 1; xs = []"], "[x for x in xs]", {"xs"}),
    "comprehension condition": (["x = 1; xs = []"], "[y for y in xs if y > x]", {"x", "xs"}),
    "nested comprehension": (["x = 1; xs = []"], "[[x for x in y] for y in xs]", {"xs"}),
    "outer name of the same comprehension": (["x = [1]"], "[x for x in x]", {"x"}),
    "dict comprehension": (["k = 1; d = {}"], "{k: v for k, v in d.items()}", {"d"}),
    "generator expression": (["n = 1"], "sum(n for _ in range(3))", {"n"}),
    "walrus": (["x = 1; n = 2"], "print(x := n)\nx", {"n"}),
    "walrus in a comprehension": (["x = 1; xs = []"], "[(x := y) for y in xs]\nx", {"x", "xs"}),
    "walrus after or": (["x = 1; n = 2"], "n or (x := 3)\nx", {"x", "n"}),
    "function body": (["x = 1"], "def f():\n    return x", {"x"}),
    "function's own name": (["x = 1"], "def f(x):\n    return x", set()),
    "function's local": (["x = 1"], "def f():\n    x = 2\n    return x", set()),
    "default value": (["x = 1"], "def f(y=x): pass", {"x"}),
    "decorator": (["x = 1"], "@x\ndef f(): pass", {"x"}),
    "closure": (
        ["x = 1"],
        "def f():\n    y = 1\n    def g():\n        return x + y\n    return g",
        {"x"},
    ),
    "nonlocal": (
        ["y = 1"],
        "def f():\n    y = 1\n    def g():\n        nonlocal y\n        y = 2",
        set(),
    ),
    "global": (["n = 0"], "def f():\n    global n\n    n += 1", {"n"}),
    "lambda": (["x = 1"], "f = lambda y: x + y", {"x"}),
    "lambda parameter": (["x = 1"], "f = lambda x: x", set()),
    "class body": (["x = 1"], "class A:\n    y = x", {"x"}),
    "class attribute is not a method's": (
        ["y = 1"],
        "class A:\n    y = 2\n    def f(self): return y",
        {"y"},
    ),
    "comprehension in a class": (
        ["n = 1"],
        "class A:\n    n = 2\n    m = [n for _ in 'ab']",
        {"n"},
    ),
    "class base": (["x = object"], "class A(x): pass", {"x"}),
    "global in a method": (
        ["n = 0"],
        "class A:\n    def f(self):\n        global n\n        n = 1\nprint(n)",
        {"n"},
    ),
    "for target": (["i = 1; xs = []"], "for i in xs: pass", {"xs"}),
    "for target after the loop": (["i = 1; xs = []"], "for i in xs: pass\nprint(i)", {"i", "xs"}),
    "while body": (["x = 1; y = 1"], "while y:\n    x = 2\nx", {"x", "y"}),
    "with": (["f = 1; x = 1"], "with f as x: pass\nx", {"f"}),
    "suppressed": (
        ["x = 1"],
        "import contextlib\nwith contextlib.suppress(E):\n    x = 2\nx\nE = 1",
        {"x"},
    ),
    "try": (["x = 1; f = 1"], "try:\n    x = f()\nexcept Exception:\n    pass\nx", {"x", "f"}),
    "try that reassigns": (["x = 1"], "try:\n    x = 2\nexcept Exception:\n    x = 3\nx", set()),
    "except name": (["e = 1"], "try:\n    pass\nexcept Exception as e:\n    print(e)", set()),
    "except name is deleted": (
        ["e = 1"],
        "try:\n    1/0\nexcept Exception as e:\n    pass\ne",
        {"e"},
    ),
    "finally": (["x = 1"], "try:\n    pass\nfinally:\n    x = 2\nx", set()),
    "match": (["x = 1; y = 1"], "match x:\n    case [y, *z]: print(y, z)", {"x"}),
    "match mapping": (["x = 1; r = 1"], "match x:\n    case {'a': 1, **r}: print(r)", {"x"}),
    "match class": (["x = 1; P = int"], "match x:\n    case P(): pass", {"x", "P"}),
    "match leaves what does not fit": (
        ["x = 1; y = 1"],
        "match x:\n    case 2: y = 1\ny",
        {"x", "y"},
    ),
    "unpacking": (["x = 1; y = [1, 2]"], "x, *z = y\nx", {"y"}),
    "starred": (["x = [1]"], "print(*x)", {"x"}),
    "f-string": (["x = 1"], "f'{x:{x}}'", {"x"}),
    "import binds": (["np = 1; os = 1"], "import numpy as np\nimport os.path\nnp, os", set()),
    "import as of a part": (["c = 1"], "import a.b as c\nc", set()),
    "redefined builtin": (["sum = 3"], "print(sum)", {"sum"}),
    "redefined builtin after use": (["x = []"], "sum(x)", {"x"}),
    "eval of a text": (["xs = 1"], "eval('xs')", {"xs"}),
    "query of a frame": (["df = 1; limit = 2"], "df.query('a > @limit')", {"df", "limit"}),
    "globals": (["x = 1"], "globals()['x']", {"x"}),
    "annotation": (["T = int"], "def f(x: T): pass", {"T"}),
    "top-level await": (["x = 1"], "import asyncio\nawait asyncio.sleep(x)", {"x"}),
    "async comprehension": (["xs = 1"], "[x async for x in xs]", {"xs"}),
    "async for": (["xs = 1"], "async for x in xs: print(x)", {"xs"}),
    "async with": (["cm = 1"], "async with cm as c: print(c)", {"cm"}),
}


@pytest.mark.parametrize("case", SCOPES)
def test_scopes(case: str) -> None:
    cells, selected, expected = SCOPES[case]
    assert inputs([*cells, selected], [len(cells) + 1]) == expected


MAGICS = {
    "shell with a variable": ("!echo {x} $y", {"x", "y"}),
    "shell without one": ("!echo $HOME {1 + 1}", set()),
    "shell in an expression": ("!echo {x + len(xs)}", {"x", "xs"}),
    "shell, escaped": ("!echo $$x", set()),
    "shell's answer": ("files = !ls {x}\nprint(files)", {"x"}),
    "shell's answer is assigned": ("x = !ls\nprint(x)", set()),
    "awk's braces": ("!awk '{print $1}' $x", {"x"}),
    "line magic": ("%cd $x", {"x"}),
    "time with an assignment": ("%time y = x + 1\nprint(y)", {"x"}),
    "time with an expression": ("%time print(x)", {"x"}),
    "time's result": ("y = %time x + 1\ny", {"x"}),
    "timeit": ("%timeit -n 10 -r 3 x + y", {"x", "y"}),
    "timeit assigns nothing": ("%timeit y = x\nprint(y)", {"x", "y"}),
    "prun": ("%prun -l 5 y = x\nprint(y)", {"x"}),
    "bash": ("%%bash\necho $HOME\nfor i in 1 2; do echo $i; done", set()),
    "bash with an argument": ("%%bash -s {x}\necho $1", {"x"}),
    "bash's output": ("%%bash --out y\necho 1", set()),
    "time cell": ("%%time\ny = x\nprint(y)", {"x"}),
    "time cell after blank lines": ("\n\n%%time\ny = x\nprint(y)", {"x"}),
    "timeit cell": ("%%timeit y = 2\nx + y", {"x"}),
    "capture": ("%%capture y\nprint(x)", {"x"}),
    "capture without a name": ("%%capture --no-stderr\nprint(x)", {"x"}),
    "nested cell magics": ("%%capture y\n%%time\nprint(x)", {"x"}),
    "help": ("x?", set()),
    "help at the end": ("print(y)\ny?", {"y"}),
    "source": ("y.method??", set()),
    "html": ("%%html\n<b>{x}</b>", {"x"}),
    "unknown magic with Python": ("%%memit\nprint(x)", {"x"}),
    "unknown magic with a text": ("%%julia\nprintln($x)\nend", {"x"}),
    "unknown magic may assign": ("%%memit\ny = x\n", {"x"}),
    "magic in a block": ("if x:\n    %time y = xs", {"x", "xs"}),
    "continued shell line": ("!echo \\\n  {x}\nprint(y)", {"x", "y"}),
}


@pytest.mark.parametrize("case", MAGICS)
def test_magics(case: str) -> None:
    selected, expected = MAGICS[case]
    assert inputs(["x = 1; y = 2; xs = []", selected], [2]) == expected


def test_a_cell_magic_defines_for_later_cells() -> None:
    cells = ["%%time\nx = 1", "%%capture out\nprint(x)", "out.stdout, x"]
    assert inputs(cells, [3]) == {"out", "x"}
    assert inputs(cells, [2, 3]) == {"x"}


ALONG = {
    "import": (["import json, os"], "json.dumps(1)", ["import json, os"]),
    "from import": (["from os import path as p"], "p.join('a')", ["from os import path as p"]),
    "star import": (["from math import *"], "sqrt(2)", ["from math import *"]),
    "guarded import": (
        ["try:\n    import a\nexcept ImportError:\n    a = None\n    import b as a"],
        "1",
        [],
    ),
    "guarded by another import": (
        ["try:\n    import ujson as json\nexcept ImportError:\n    import json"],
        "json.dumps(1)",
        ["try:\n    import ujson as json\nexcept ImportError:\n    import json"],
    ),
    "function": (["def f():\n    return 1\n\n\ny = 2"], "f()", ["def f():\n    return 1"]),
    "transitively": (
        ["import os", "def g():\n    return os", "class C:\n    def m(self):\n        return g()"],
        "C().m()",
        ["import os", "def g():\n    return os", "class C:\n    def m(self):\n        return g()"],
    ),
    "decorated": (
        ["import functools", "@functools.cache\ndef f():\n    return 1"],
        "f()",
        ["import functools", "@functools.cache\ndef f():\n    return 1"],
    ),
    "in a timed cell": (
        ["%%time\n# slow\ndef f():\n    return 1"],
        "f()",
        ["def f():\n    return 1"],
    ),
    "the last of two": (
        ["def f(): return 1", "def f(): return 2"],
        "f()",
        ["def f(): return 1", "def f(): return 2"],
    ),
    "named lambda": (["f = lambda x: x"], "f(1)", ["f = lambda x: x"]),
    "seed": (
        ["import random\nrandom.seed(0)"],
        "random.random()",
        ["import random\nrandom.seed(0)"],
    ),
    "style": (
        ["import matplotlib.pyplot as plt\nplt.style.use('ggplot')\nplt.rcParams['a'] = 1"],
        "plt.plot()",
        ["import matplotlib.pyplot as plt\nplt.style.use('ggplot')\nplt.rcParams['a'] = 1"],
    ),
    "setting of what is not used": (["import random\nrandom.seed(0)"], "print(1)", []),
    "inline figures": (
        ["%matplotlib inline"],
        "print(1)",
        ["get_ipython().run_line_magic('matplotlib', 'inline')"],
    ),
    "future import": (
        ["from __future__ import annotations"],
        "1",
        ["from __future__ import annotations"],
    ),
    "nothing": (["import os\nx = 1\nprint(x)\n!ls"], "1", []),
}


@pytest.mark.parametrize("case", ALONG)
def test_what_comes_along(case: str) -> None:
    cells, selected, expected = ALONG[case]
    assert code([*cells, selected], [len(cells) + 1]) == [*expected, selected]


def test_constants_that_functions_use_are_inputs() -> None:
    cells = ["rate = 0.1\nunused = 3", "def f(x):\n    return x * rate", "print(f(2))"]
    assert inputs(cells, [3]) == {"rate"}


def test_a_seed_in_a_variable_comes_along_with_the_variable() -> None:
    cells = ["import random", "seed = 1", "random.seed(seed)", "random.random()"]
    assert inputs(cells, [4]) == {"seed"}
    assert code(cells, [4]) == cells


STATEFUL = {
    "default list": (["def f(x, seen=[]):\n    seen.append(x)\n    return seen", "f(1)"], "f(2)"),
    "default from a variable": (["n = 1", "def f(k=n):\n    return k", "n = 2"], "f()"),
    "class list": (
        ["class C:\n    seen = []\n    def f(self):\n        self.seen.append(1)", "C().f()"],
        "print(C.seen)",
    ),
    "class counter": (["class C:\n    n = 0", "C.n += 1"], "print(C.n)"),
    "function attribute": (["def f(): pass", "f.limit = 3"], "print(f.limit)"),
    "class from a variable": (["n = 1", "class C:\n    size = n", "n = 2"], "print(C.size)"),
    "registering decorator": (
        [
            "found = []",
            "def register(f):\n    found.append(f)\n    return f",
            "@register\ndef a(): pass",
        ],
        "print(found)",
    ),
    "global counter": (["n = 0", "def count():\n    global n\n    n += 1", "count()"], "print(n)"),
    "list behind a function": (["xs = []", "def add(x):\n    xs.append(x)", "add(1)"], "print(xs)"),
    "alias": (["xs = []", "ys = xs", "ys.append(1)"], "print(xs)"),
    "object": (
        [
            (
                "class C:\n    def __init__(self):\n        self.n = 0\n    def up(self):\n"
                "        self.n += 1"
            ),
            "c = C()",
            "c.up()",
        ],
        "print(c.n)",
    ),
}


@pytest.mark.parametrize("case", STATEFUL)
def test_what_keeps_data_is_computed_with_all_that_changes_it(case: str) -> None:
    cells, selected = STATEFUL[case]
    assert code([*cells, selected], [len(cells) + 1]) == [*cells, selected]


def test_cells_that_only_look_are_not_computed_again() -> None:
    cells = [
        "xs = [3]",
        "print(xs, len(xs))",
        "xs",
        "import matplotlib.pyplot as plt\nplt.plot(xs)",
        "f'{xs}'",
        "print(xs)",
    ]
    assert code(cells, [6]) == [cells[0], cells[5]]


def test_cells_that_share_only_numbers_are_not_computed_again() -> None:
    cells = ["n = 3", "xs = list(range(n))", "ys = slow(n)\ndef slow(n): pass", "print(n)"]
    assert code(cells, [4]) == [cells[0], cells[3]]


# --- selections ----------------------------------------------------------------------------------


def test_a_cell_between_selected_ones_that_matters_runs() -> None:
    cells = ["xs = [1]", "xs.append(2)", "xs = xs[:1]", "print(xs)"]
    assert code(cells, [2, 4]) == cells
    assert plan(cells, [2, 4]).included == ["c1", "c3"]


def test_a_cell_between_selected_ones_that_does_not_matter_is_left_out() -> None:
    cells = ["xs = [1]", "xs.append(2)", "ys = [3]", "xs[:1]", "print(xs)"]
    assert code(cells, [2, 5]) == [cells[0], cells[1], cells[4]]


def test_what_a_cell_between_selected_ones_makes_is_computed_again() -> None:
    cells = ["b = 1", "a = [b]", "b = a[0] + 5", "c = b"]
    assert code(cells, [2, 4]) == cells


def test_two_producers_of_one_variable_both_run() -> None:
    cells = ["x = [1]", "x = [*x, 2]", "print(x)"]
    answer = plan(cells, [3])
    assert [(one.name, one.defined_in) for one in answer.inputs] == [("x", ["c1", "c2"])]
    assert code(cells, [3]) == cells


def test_later_cells_do_not_count() -> None:
    assert inputs(["x = 1", "print(x)", "x = 3\ny = 4"], [2]) == {"x"}


def test_markdown_and_empty_cells_are_passed_over() -> None:
    answer = plan(["x = 1", "   \n", "print(x)"], [2, 3])
    assert answer.problems == []
    assert answer.code.endswith("# %% Cell 3\nprint(x)")
