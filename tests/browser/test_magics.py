"""The example's second half: components made in cells, run by kfp's client, shown live below."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.screen import RUN_MS, Files, Notebook

pytestmark = pytest.mark.labs("token")

# Places of the example's cells in its notebook.
LOAD_EXTENSION, SHOW = 11, 17


def test_example_pipeline_runs_from_the_notebook(page: Page) -> None:
    Files(page).open("digits.ipynb")
    notebook = Notebook(page)
    notebook.run(LOAD_EXTENSION, SHOW)

    view = notebook.output(SHOW).locator(".widget-vbox")
    expect(view).to_be_visible()
    expect(view.get_by_role("row", name="train")).to_be_visible()
    expect(view.get_by_role("button", name="Stop")).to_be_enabled()
    expect(view.get_by_role("row", name="evaluate")).to_contain_text("Succeeded", timeout=RUN_MS)
    expect(view.locator("p").first).to_contain_text("Succeeded")
    expect(view.get_by_role("button", name="Stop")).to_be_disabled()
