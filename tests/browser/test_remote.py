"""A remote endpoint, added by hand with its token, works as the embedded one does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.lab import Lab
from tests.browser.screen import RUN_MS, Files, FormDialog, RunsPanel

pytestmark = pytest.mark.labs("token")


class Remote(NamedTuple):
    """A Kubeflow Pipelines API in a process of its own."""

    url: str
    token: str


@pytest.fixture
def remote(lab: Lab, tmp_path: Path) -> Iterator[Remote]:
    token_file = tmp_path / "token"
    command = [str(lab.python), "-m", "jupyterlab_pipelines.loopback"]
    options = ["--root", str(tmp_path / "engine"), "--token-file", str(token_file)]
    process = subprocess.Popen(
        [*command, *options], env=lab.environment(), cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        yield Remote(process.stdout.readline().strip(), token_file.read_text())
        process.terminate()


def test_remote_is_used_like_the_local_engine(
    page: Page, lab: Lab, api: Api, compiled: Path, remote: Remote
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    panel = RunsPanel(page)
    panel.connection_menu().get_by_role("menuitem", name="Add connection…").click()
    form = FormDialog(page, "Add connection")
    form.accept.click()
    expect(form.alerts).not_to_have_count(0)
    form.field("Name").fill("team")
    form.field("Address").fill(remote.url)
    form.field("Sign-in").select_option(label="Token")
    form.field("Token").fill(remote.token)
    form.submit()
    expect(panel.picker).to_contain_text("team")
    expect(panel.picker.get_by_role("img", name="Ready")).to_be_visible()
    expect(panel.node).to_contain_text("No runs yet")

    page.locator('.lm-TabBar-tab[data-id="filebrowser"]').click()
    dialog = Files(page).run_pipeline("tests", "reporting.yaml")
    expect(dialog.field("Run on")).to_have_value("team")
    dialog.field("Run name").fill("far away")
    dialog.field("text").fill("from afar")
    viewer = dialog.run()
    viewer.expect_success(1)
    viewer.open_task("report")
    expect(viewer.log()).to_contain_text("Written: from afar")
    viewer.tab("Outputs")
    expect(viewer.output("metrics")).to_contain_text("0.875")
    expect(viewer.output("page").get_by_role("heading", name="A small report")).to_be_visible()

    panel = RunsPanel(page)
    expect(panel.state("far away")).to_have_text("Succeeded")
    api.submit(compiled / "ticking.yaml", "stopped afar", "team", ticks=6000)
    expect(panel.state("stopped afar")).to_have_text("Running", timeout=RUN_MS)
    panel.act("Stop", "stopped afar")
    # Kubeflow's API calls a run that was stopped failed.
    expect(panel.state("stopped afar")).to_have_text("Failed", timeout=RUN_MS)
    assert "far away" not in [run["display_name"] for run in api.runs()]

    assert remote.token not in page.content()
    assert [url for url in asked if remote.token in url] == []
    assert remote.token not in lab.log.read_text()
    assert '"team"' in api.connections()
    assert remote.token not in api.connections()
    assert remote.token not in page.evaluate("JSON.stringify(localStorage)")
    panel.connection_menu().get_by_role("menuitem", name="Remove connection team").click()
    question = page.locator(".jp-Dialog", has_text="team")
    question.get_by_role("button", name="Remove").click()
    expect(panel.picker).to_contain_text("local")
    expect(panel.row("far away")).to_have_count(0)
