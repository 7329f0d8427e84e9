"""The server dies with tasks running: page and run go on as if it had not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.lab import Lab
from tests.browser.screen import RunsPanel

pytestmark = pytest.mark.labs("token")

TICKS = 70
#: What Chromium and JupyterLab say of a server that is not there. JupyterLab leaves a rejection
#: unhandled when it cannot save the workspace; ours must not.
UNREACHABLE = re.compile(
    "ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection to|"
    r"uncaught: TypeError: Failed to fetch(?![\s\S]*jupyterlab-pipelines)"
)


def test_run_goes_on_when_the_server_is_killed(
    page: Page, lab: Lab, compiled: Path, tmp_path: Path, expected_errors: list[re.Pattern[str]]
) -> None:
    expected_errors.append(UNREACHABLE)
    lost = page.locator(".jp-Dialog", has_text="Server Connection Error")
    page.add_locator_handler(lost, lambda: lost.get_by_role("button").last.click())
    ledger = tmp_path / "ledger"
    panel = RunsPanel(page)
    with Api(lab) as api:
        run_id = api.submit(compiled / "ticking.yaml", "survivor", ticks=TICKS, ledger=str(ledger))
    viewer = panel.open("survivor")
    viewer.select("tick")
    expect(viewer.log()).to_contain_text("left tick 0005")

    lab.kill()
    expect(viewer.node).to_contain_text("Live updates are interrupted")
    lab.start()
    expect(viewer.node).not_to_contain_text("Live updates are interrupted")
    viewer.expect_run("Succeeded")
    expect(panel.state("survivor")).to_have_text("Succeeded")

    viewer.panel.get_by_label("Find in log").fill("left tick")
    expect(viewer.panel.get_by_role("status")).to_have_text(str(TICKS))
    assert sorted(ledger.read_text().split()) == ["last", "left", "right"]
    with Api(lab) as api:
        tasks = api.graph(run_id)["tasks"].values()
    assert [len(task["attempts"]) for task in tasks] == [1, 1, 1]
