"""States can be told apart in every theme: the contrast of each mark, computed by the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.api import Api
from tests.browser.screen import ConnectionForm, RunsPanel

pytestmark = pytest.mark.labs("token")

# The last is the one that later tests see.
THEMES = ("JupyterLab Dark", "JupyterLab Dark High Contrast", "JupyterLab Light")
STATES = (
    *("PENDING", "RUNNING", "SUCCEEDED", "CACHED", "SKIPPED"),
    *("FAILED", "CANCELING", "CANCELED", "PAUSED"),
)
CONTRAST = Path(__file__).with_name("contrast.js").read_text()

#: What WCAG 2 wants of text, and of shapes that carry a meaning.
TEXT, SHAPE = 4.5, 3.0

#: What looks the same in each state of a run.
NO_STATE = ("",)

PANEL = ".jp-PipelinesRuns-"
NODE = ".jp-PipelinesGraph-"
INSIDE = [f"{NODE}ground", f"{NODE}shape"]
NODE_SHAPES = [
    {"selector": f"{NODE}shape", "paint": "stroke"},
    {"selector": f"{NODE}icon", "paint": "color", "under": INSIDE},
]
NODE_TEXTS = [
    {"selector": f"{NODE}label", "paint": "fill", "under": INSIDE},
    {"selector": f"{NODE}caption", "paint": "fill", "under": INSIDE},
]
FORM_TEXTS = [
    {"selector": selector, "paint": "color"}
    for selector in (
        *(".jp-Pipelines-fieldHint", ".jp-Pipelines-fieldFault", ".jp-Pipelines-fieldNote"),
        *(".jp-PipelinesTest-head button", ".jp-PipelinesTest-head [role=status]"),
        *("[data-state=failed] .jp-PipelinesTest-message", ".jp-PipelinesTest-next"),
        *("[data-state=skipped] .jp-PipelinesTest-title", "details > summary"),
    )
]
FORM_SHAPES = [
    {"selector": f"[data-state={state}] .jp-Pipelines-stateIcon", "paint": "color"}
    for state in ("ok", "failed", "skipped")
]
ITSELF = [{"selector": "", "paint": "color"}]


def test_every_state_stands_out_in_every_theme(page: Page, api: Api, compiled: Path) -> None:
    panel = RunsPanel(page)
    for name in ("first", "second"):
        api.submit(compiled / "ticking.yaml", name, ticks=1)
    viewer = panel.open("second")
    viewer.expect_success(3)
    expect(panel.state("first")).to_have_text("Succeeded")

    for theme in THEMES:
        use_theme(page, theme)
        check(theme, viewer.step("tick"), SHAPE, NODE_SHAPES)
        check(theme, viewer.step("tick"), TEXT, NODE_TEXTS)
        check(theme, viewer.state, TEXT, ITSELF)
        for row in ("first", "second"):  # the second is selected
            check(theme, panel.state(row), TEXT, ITSELF)
            check(theme, panel.row(row).locator(".jp-Pipelines-stateIcon"), SHAPE, ITSELF)
        tab = page.locator(".lm-TabBar-tab.lm-mod-current[data-pipelines-state]")
        check(theme, tab, SHAPE, [{"selector": ".lm-TabBar-tabIcon", "paint": "color"}])


def test_form_of_a_connection_is_read_in_every_theme(page: Page) -> None:
    panel = RunsPanel(page)
    for theme in THEMES:
        use_theme(page, theme)
        check(theme, panel.node, TEXT, [{"selector": f"{PANEL}quiet", "paint": "color"}], NO_STATE)
        panel.node.get_by_role("button", name="Add one…").click()
        form = ConnectionForm(page, "Add connection")
        form.field("Address").fill("http://127.0.0.1:9")
        form.test()
        expect(form.alerts).to_have_count(1)
        check(theme, form.node, TEXT, FORM_TEXTS, NO_STATE)
        check(theme, form.node, SHAPE, FORM_SHAPES, NO_STATE)
        form.cancel()


def check(
    theme: str,
    holder: Locator,
    least: float,
    parts: list[dict[str, Any]],
    states: Sequence[str] = STATES,
) -> None:
    """Every part in every state has at least this contrast to what lies under it."""
    found = holder.evaluate(CONTRAST, {"states": states, "parts": parts})
    assert len(found) == len(states) * len(parts)
    weak = {mark: round(ratio, 2) for mark, ratio in found.items() if ratio < least}
    assert not weak, f"{theme}, {holder}: below {least}"


def use_theme(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has=page.get_by_text(theme, exact=True)).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
