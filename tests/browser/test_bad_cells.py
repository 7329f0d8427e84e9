"""Cells that cannot become a step: the dialog names the cell and the line, and nothing is made."""

from __future__ import annotations

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.lab import Lab
from tests.browser.screen import Files, Notebook

BROKEN, UNDEFINED = 2, 3
CELLS = (
    new_markdown_cell("Two cells that cannot run."),
    new_code_cell("count = 3"),
    new_code_cell("total = count\nprint(total +)"),
    new_code_cell("print(count)\nprint(nowhere_defined)"),
)
KERNEL = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


def test_bad_cells_are_named_with_their_line(page: Page, lab: Lab, api: Api) -> None:
    nbformat.write(
        new_notebook(cells=list(CELLS), metadata={"kernelspec": KERNEL}), lab.root / "bad.ipynb"
    )
    before = len(api.runs())
    Files(page).open("bad.ipynb")
    notebook = Notebook(page)

    dialog = notebook.run_as_step(BROKEN, BROKEN)
    expect(dialog.alerts).to_contain_text("Cell 3, line 2")
    expect(dialog.alerts).to_contain_text("syntax")
    expect(dialog.accept).to_be_disabled()
    dialog.cancel()

    dialog = notebook.run_as_step(UNDEFINED, UNDEFINED)
    expect(dialog.alerts).to_contain_text("Cell 4, line 2")
    expect(dialog.alerts).to_contain_text("nowhere_defined")
    expect(dialog.accept).to_be_disabled()
    dialog.alerts.get_by_role("button", name="Go to the cell").click()
    expect(dialog.node).to_be_hidden()
    expect(notebook.cell(UNDEFINED)).to_be_visible()

    assert len(api.runs()) == before
