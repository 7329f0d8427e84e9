"""The sidebar's list moves by itself, and runs are found, stopped, retried and deleted there."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.lab import Lab
from tests.browser.screen import RUN_MS, RunsPanel

pytestmark = pytest.mark.labs("token", "kubeflow")


def test_list_moves_and_its_runs_are_stopped_and_deleted(
    page: Page, api: Api, compiled: Path
) -> None:
    panel = RunsPanel(page)
    short = api.submit(compiled / "ticking.yaml", "short one", ticks=15)
    expect(panel.state("short one")).to_have_text("Running")
    long = api.submit(compiled / "ticking.yaml", "long one", ticks=6000)
    expect(panel.state("long one")).to_have_text("Running")
    expect(panel.rows.first).to_contain_text("long one")
    expect(panel.state("short one")).to_have_text("Succeeded", timeout=RUN_MS)

    panel.search.fill("LONG o")
    expect(panel.rows).to_have_count(1)
    panel.search.fill("no such run")
    expect(panel.node).to_contain_text("No run matches")
    panel.search.fill("")
    expect(panel.row("short one")).to_be_visible()

    panel.act("Stop", "long one")
    expect(panel.state("long one")).to_have_text("Canceled", timeout=RUN_MS)

    panel.act("Delete", "long one")
    question = page.locator(".jp-Dialog", has_text="Delete the run “long one”?")
    question.get_by_role("button", name="Cancel").last.click()
    expect(question).to_be_hidden()
    assert api.has(long)
    panel.act("Delete", "long one")
    question.get_by_role("button", name="Delete").click()
    expect(panel.row("long one")).to_have_count(0)
    assert not api.has(long)
    assert api.has(short)


def test_failed_run_tells_why_and_is_retried(page: Page, lab: Lab, api: Api) -> None:
    panel = RunsPanel(page)
    api.submit(lab.root / "pipelines" / "failing.yaml", "fails")
    expect(panel.state("fails")).to_have_text("Failed", timeout=RUN_MS)

    viewer = panel.open("fails")
    expect(viewer.step("divide")).to_have_attribute("data-pipelines-state", "FAILED")
    viewer.panel.get_by_role("button", name="Show the failed step").click()
    expect(viewer.panel.get_by_role("heading", name="divide")).to_be_visible()
    expect(viewer.panel.get_by_role("alert")).to_contain_text("division by zero")
    viewer.panel.get_by_role("button", name="Read the log").click()
    log = viewer.panel.get_by_role("log")
    expect(log).to_contain_text("Dividing 1 by 0 …")
    expect(log).to_contain_text("ZeroDivisionError")

    viewer.node.get_by_role("button", name="Retry").click()
    expect(viewer.panel.get_by_label("Attempt")).to_contain_text("Attempt 2", timeout=RUN_MS)
    viewer.expect_run("Failed")
    expect(panel.state("fails")).to_have_text("Failed")
