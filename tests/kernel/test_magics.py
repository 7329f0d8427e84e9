"""The magics in a real kernel, and the example notebook as a user runs it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from jupyterlab_pipelines.backends.chunks import log_chunk
from jupyterlab_pipelines.kernel import magics

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "digits.ipynb"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERLAB_PIPELINES_HOME", str(tmp_path / "pipelines"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))


def execute(*sources: str, timeout: int = 120) -> list[nbformat.NotebookNode]:
    """Runs the sources as cells of one kernel and gives the last cell's outputs."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in sources]
    )
    NotebookClient(notebook, timeout=timeout, kernel_name="python3").execute()
    return list(notebook.cells[-1].outputs)


def text_of(outputs: list[nbformat.NotebookNode]) -> str:
    return "".join(output.get("text", "") for output in outputs)


PIPELINE = """\
from kfp import dsl
import jupyterlab_pipelines

@dsl.pipeline(name="sum")
def pipeline(x: int = 1):
    add(x=x, y=2)

run = jupyterlab_pipelines.client("local").create_run_from_pipeline_func(pipeline)
_ = jupyterlab_pipelines.client("local").wait_for_run_completion(run.run_id, timeout=60)
"""
ADD = "%%component\ndef add(x: int, y: int) -> int:\n    print('adding')\n    return x + y"
LOAD = "%load_ext jupyterlab_pipelines"


def test_a_component_cell_runs_and_its_run_is_shown() -> None:
    (shown,) = execute(LOAD, ADD, PIPELINE, "%pipelines show {run.run_id}")
    assert "application/vnd.jupyter.widget-view+json" in shown.data
    assert "✓ Succeeded" in shown.data["text/plain"]
    assert "add" in shown.data["text/html"]

    (listed,) = execute(LOAD, "%pipelines runs")
    assert "✓ Succeeded" in listed.data["text/plain"]
    assert "sum" in listed.data["text/html"]
    assert "adding" in text_of(execute(LOAD, "%pipelines logs last"))


def test_a_log_that_ends_inside_a_character_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, reads = "degrees: 20 °".encode()[:-1], []

    def read_log(run: str, task: str, attempt: None, offset: int, limit: int) -> Any:
        reads.append(offset)
        assert len(reads) < 5
        return log_chunk(log[offset:], offset, len(log), over=False, attempt=1)

    node = SimpleNamespace(id="train", display_name="train")
    graph = SimpleNamespace(
        topology=SimpleNamespace(tasks=[node]), tasks={"train": SimpleNamespace(attempts=[1])}
    )
    desk = SimpleNamespace(
        find_run=lambda run: SimpleNamespace(run_id=run),
        get_graph=lambda run: graph,
        read_log=read_log,
    )
    monkeypatch.setattr(magics.runs, "service", lambda connection: desk)
    monkeypatch.setattr(magics.runs, "wait", lambda answer: answer)
    magics._logs(SimpleNamespace(connection="cluster", run="r", task=None))
    assert capsys.readouterr().out == "degrees: 20 "


def test_without_ipywidgets_the_run_is_a_table() -> None:
    hide = "import sys; sys.modules['ipywidgets'] = None"
    (shown,) = execute(LOAD, ADD, PIPELINE, hide, "%pipelines show last")
    assert set(shown.data) == {"text/plain", "text/html"}


def test_no_runs_yet_is_said() -> None:
    (listed,) = execute(LOAD, "%pipelines runs")
    assert listed.data["text/plain"] == "No runs on local yet."


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%pipelines dance", "dance"),
        ("%pipelines show nosuchrun", "nosuchrun"),
        ("%pipelines runs --connection nowhere", "nowhere"),
    ],
)
def test_a_wrong_line_says_what_to_do(line: str, said: str) -> None:
    with pytest.raises(CellExecutionError, match=said) as caught:
        execute(LOAD, line)
    assert caught.value.ename == "UsageError"


def test_the_example_notebook_runs_from_top_to_bottom() -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": EXAMPLE.parent}},
    ).execute()
    shown = notebook.cells[-1].outputs[0]
    assert "evaluate" in shown.data["text/plain"]
    figures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert figures
