"""A step runs cells as a notebook does: streams, displays, figures, errors, `__main__`, await."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from jupyterlab_pipelines.compiler import plan_step
from tests.compiler.notebooks import main_module, request, variables
from tests.compiler.steps import Ran, run_cells, run_request, start

#: All cells of one step, so that one process shows most of what a notebook does.
CELLS = {
    "streams": "import sys\nprint('out')\nprint('err', file=sys.stderr)\nprint('out 2')",
    "result": "print('first')\n{'a': 1}",
    "no result": "41;",
    "assignment": "value = 5",
    "last result": "_oh if False else Out and 7",
    "display": "from IPython.display import HTML, Markdown, display\n"
    "display(Markdown('**bold**'), HTML('<b>x</b>'))",
    "update": "handle = display('before', display_id=True)\nhandle.update('after')",
    "clear": "from IPython.display import clear_output\n"
    "print('gone')\nclear_output()\nprint('kept')",
    "clear later": "print('gone')\nclear_output(wait=True)\nprint('kept')",
    "figure": "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    "two figures": "for i in range(2):\n    plt.figure()\n    plt.plot([i])\nplt.show()",
    "inline": "%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']\nplt.plot([3]);",
    "frame": "import pandas\npandas.DataFrame({'a': [1]})",
    "shell": "word = 'shell'\n!echo from the {word}",
    "shell's answer": "answer = !echo one two\nprint(answer[0].split())",
    "bash": "%%bash\necho from bash",
    "time": "%%time\nprint('timed')\ntimed = 3",
    "capture": "%%capture caught\nprint('caught')",
    "captured": "print(caught.stdout.upper())",
    "await": "import asyncio\nawait asyncio.sleep(0, result='slept')",
    "task": "task = asyncio.create_task(asyncio.sleep(0, result='background'))",
    "task's end": "print(await task)",
    "main": "if __name__ == '__main__':\n    print('main', [timed])",
    "class": "import pickle\nclass Point:\n    x = 1\n\n"
    "print(type(pickle.loads(pickle.dumps(Point()))) is Point, Point.__module__)",
    "source": "import inspect\ndef shown():\n    return 'its source'\n"
    "print(inspect.getsource(shown))",
    "processes": "import multiprocessing\ndef double(x):\n    return 2 * x\n"
    "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
    "    print(pool.map(double, [1, 2]))",
    "joblib": "from joblib import Parallel, delayed\n"
    "print(Parallel(n_jobs=2)(delayed(double)(x) for x in [3, 4]))",
    "odd texts": "print('\\ud800')\ndisplay({'application/json': {'a': float('nan')}}, raw=True)",
    "dunder file": "print('__file__' in globals())",
}
NUMBER = {name: number for number, name in enumerate(CELLS, 1)}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    ran = run_cells(tmp_path_factory.mktemp("step"), list(CELLS.values()))
    assert ran.code == 0, ran.log
    return ran


#: What each cell writes to its standard output.
WRITTEN = {
    "result": "first\n",
    "clear": "kept\n",
    "clear later": "kept\n",
    "shell's answer": "['one', 'two']\n",
    "bash": "from bash\n",
    "capture": "",
    "captured": "CAUGHT\n\n",
    "task's end": "background\n",
    "main": "main [3]\n",
    "class": "True __main__\n",
    "source": "def shown():\n    return 'its source'\n\n",
    "processes": "[2, 4]\n",
    "joblib": "[6, 8]\n",
    "odd texts": "\\ud800\n",
    "dunder file": "False\n",
}


@pytest.mark.parametrize("cell", WRITTEN)
def test_what_a_cell_writes(ran: Ran, cell: str) -> None:
    text = ran.text(NUMBER[cell])
    assert text.encode("ascii", "backslashreplace").decode() == WRITTEN[cell]


def test_streams_keep_their_order(ran: Ran) -> None:
    outputs = ran.cells[NUMBER["streams"] - 1]["outputs"]
    assert [(one["name"], one["text"]) for one in outputs] == [
        ("stdout", "out\n"),
        ("stderr", "err\n"),
        ("stdout", "out 2\n"),
    ]


def test_results_and_displays(ran: Ran) -> None:
    assert ran.data(NUMBER["result"]) == [{"text/plain": "{'a': 1}"}]
    assert ran.data(NUMBER["no result"]) == []
    assert ran.data(NUMBER["assignment"]) == []
    assert ran.data(NUMBER["last result"]) == [{"text/plain": "7"}]
    markdown, page = ran.data(NUMBER["display"])
    assert markdown["text/markdown"] == "**bold**"
    assert page["text/html"] == "<b>x</b>"
    assert ran.data(NUMBER["update"]) == [{"text/plain": "'after'"}]
    assert ran.data(NUMBER["await"]) == [{"text/plain": "'slept'"}]
    assert "<table" in ran.data(NUMBER["frame"])[0]["text/html"]
    assert ran.data(NUMBER["odd texts"])[-1]["application/json"] == {"a": None}


def test_figures(ran: Ran) -> None:
    assert [sorted(one) for one in ran.data(NUMBER["figure"])] == [["image/png", "text/plain"]]
    assert len(ran.data(NUMBER["two figures"])) == 2
    assert "image/svg+xml" in ran.data(NUMBER["inline"])[0]


def test_magics(ran: Ran) -> None:
    assert ran.text(NUMBER["shell"]).strip() == "from the shell"
    assert ran.text(NUMBER["time"]).startswith("timed\n")
    assert "Wall time" in ran.text(NUMBER["time"])


def test_the_log_and_the_report_have_it_too(ran: Ran) -> None:
    for text in ("out\n", "err\n", "{'a': 1}\n", "from the shell", "from bash\n"):
        assert text in ran.log
    assert '<img alt="Figure"' in ran.report
    assert "<b>x</b>" in ran.report
    assert [cell["execution_count"] for cell in ran.cells] == list(range(1, len(CELLS) + 1))


def test_the_log_comes_while_the_cell_runs(tmp_path: Path) -> None:
    cell = "import time\nprint('early', end='')\ntime.sleep(60)"
    process = start(tmp_path, request([cell], [1]))
    try:
        until = time.monotonic() + 30
        while not (tmp_path / "log.txt").read_text().endswith("early"):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("cell", "last"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys\nsys.exit('no data')", "SystemExit: no data"),
        ("name = input('Your name?')", "EOFError: A pipeline step cannot ask for input"),
        ("import asyncio\nawait asyncio.wait_for(asyncio.sleep(9), 0.01)", "TimeoutError"),
        ("%no_such_magic", "UsageError: Line magic function `%no_such_magic` not found."),
    ],
)
def test_what_fails(tmp_path: Path, cell: str, last: str) -> None:
    ran = run_cells(tmp_path, ["print('before')", cell, "print('after')"])
    assert ran.code == 1
    assert ran.log.strip().splitlines()[-1].startswith(last)
    assert ran.text(1) == "before\n"
    assert ran.cells[2]["outputs"] == []
    assert last.split(":")[0] in ran.report


def test_files_and_modules_beside_the_notebook(tmp_path: Path) -> None:
    beside = tmp_path / "notebooks"
    beside.mkdir()
    (beside / "data.txt").write_text("its data")
    (beside / "own_module.py").write_text("NAME = 'its module'")
    cell = "import own_module, os\nprint(open('data.txt').read(), own_module.NAME)\nos.chdir('/')"
    ran = run_cells(tmp_path / "step", [cell], working_directory=str(beside))
    assert ran.code == 0, ran.log
    assert ran.text(1) == "its data its module\n"


def test_a_folder_that_is_not_there_any_more(tmp_path: Path) -> None:
    ran = run_cells(tmp_path, ["print(1)"], working_directory=str(tmp_path / "gone"))
    assert ran.code == 0, ran.log


def test_huge_output_is_bounded_in_the_notebook_and_whole_in_the_log(tmp_path: Path) -> None:
    many = "for i in range(99_999):\n    print(i, 'x' * 10)"
    ran = run_cells(tmp_path, [many, "print('next')"])
    assert ran.code == 0
    text = ran.text(1)
    assert 1 << 20 <= len(text) < (1 << 20) + 100
    assert text.endswith("\n… The rest is in the log.\n")
    assert ran.text(2) == "next\n"
    assert "99998 xxxxxxxxxx\n" in ran.log


SETUP = (
    "class Point:\n    def __init__(self, x):\n        self.x = x\n"
    "    def double(self):\n        return FACTOR * self.x\n"
    "FACTOR = 2\n"
    "points = [Point(1), Point(2)]\nfirst = points[0]\nrates = {'a': [0.5, None]}\n"
    "notebook = 'own name'\nreport = 1.0\nPARTS = {1, 2}\nnothing = None\n"
    "big = 2**60\nwhole = [1.0]"
)


def test_inputs_from_the_kernel(tmp_path: Path) -> None:
    """Values arrive with their types; what was one object is one; classes of cells are known."""
    check = (
        "print(points[0] is first, points[1].double(), type(first) is Point)\n"
        "print(rates, notebook, report, PARTS, nothing, big, whole)"
    )
    names = [one.name for one in plan_step(request([SETUP, check], [2])).inputs]
    with main_module() as namespace:
        exec(SETUP, namespace)
        known = variables(namespace, names, tmp_path / "snapshots")
    asked = request([SETUP, check], [2], variables=known)
    ran = run_request(tmp_path / "step", asked)
    assert ran.code == 0, ran.log
    assert [cell["metadata"]["title"] for cell in ran.cells] == [
        "# %% From cell 1",
        "# %% Inputs",
        "# %% Cell 2",
    ]
    assert "notebook = 'own name'" in ran.cells[1]["source"]
    assert "# points: the kernel's value" in ran.cells[1]["source"]
    assert ran.text(3).splitlines() == [
        "True 4 True",
        f"{{'a': [0.5, None]}} own name 1.0 {{1, 2}} None {2**60} [1.0]",
    ]


def test_a_snapshot_that_cannot_be_loaded(tmp_path: Path) -> None:
    with main_module() as namespace:
        exec("import decimal\nx = decimal.Decimal(1)", namespace)
        known = variables(namespace, ["x"], tmp_path)
    Path(known[0].snapshot or "").write_bytes(b"nonsense")
    asked = request(["import decimal\nx = decimal.Decimal(1)", "print(x)"], [2], variables=known)
    ran = run_request(tmp_path / "step", asked)
    assert ran.code == 1
    last = ran.log.strip().splitlines()[-1]
    assert last.startswith("RuntimeError: The snapshot of x cannot be loaded (UnpicklingError")
    assert last.endswith("Choose to recompute x instead.")
