"""The link that the kfp client prints opens the run in the lab."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.lab import Lab
from tests.browser.screen import RunViewer


def test_link_of_the_client_opens_the_run(page: Page, lab: Lab, api: Api, compiled: Path) -> None:
    run_id = api.submit(compiled / "reporting.yaml", "linked", text="a link")
    # The user has the lab's cookie; the client's link holds no token.
    page.goto(f"{lab.base_url}pipelines/local/#/runs/details/{run_id}")
    viewer = RunViewer(page)
    expect(viewer.name).to_have_text("linked")
    viewer.expect_success(1)
    assert page.url.startswith(f"{lab.base_url}lab")
    assert "pipelines-run" not in page.url
