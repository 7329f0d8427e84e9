"""What runs take on disk is shown under the list, and freed from there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.screen import RUN_MS, FormDialog, RunsPanel

pytestmark = pytest.mark.labs("token")


def test_disk_use_is_shown_and_freed_but_not_of_an_active_run(
    page: Page, api: Api, compiled: Path
) -> None:
    panel = RunsPanel(page)
    ended = api.submit(compiled / "ticking.yaml", "ended", ticks=1)
    expect(panel.state("ended")).to_have_text("Succeeded", timeout=RUN_MS)
    active = api.submit(compiled / "ticking.yaml", "active", ticks=6000)
    expect(panel.state("active")).to_have_text("Running")

    line = panel.node.get_by_role("button", name=re.compile("^Disk"))
    expect(line).to_contain_text("used")
    line.click()
    dialog = FormDialog(page, "Disk use of runs")
    expect(dialog.node).to_contain_text(re.compile(r"\d+ runs \d"))
    expect(dialog.node).to_contain_text("There is nothing of that kind.")
    expect(dialog.accept).to_be_disabled()

    choice = dialog.field("Free disk by removing")
    choice.select_option(label="All that is not in use")
    expect(dialog.node).to_contain_text(re.compile(r"Frees .*: \d+ run"))
    dialog.accept.click()
    expect(dialog.node).to_be_hidden()
    expect(panel.row("ended")).to_have_count(0)
    expect(panel.state("active")).to_have_text("Running")
    assert not api.has(ended)
    panel.act("Stop", "active")
    expect(panel.state("active")).to_have_text("Canceled", timeout=RUN_MS)
    assert api.has(active)
