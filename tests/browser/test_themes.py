"""States can be told apart in every theme: the contrast of each mark, computed by the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.api import Api
from tests.browser.screen import RunsPanel

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


def check(theme: str, holder: Locator, least: float, parts: list[dict[str, Any]]) -> None:
    """Every part in every state has at least this contrast to what lies under it."""
    found = holder.evaluate(CONTRAST, {"states": STATES, "parts": parts})
    assert len(found) == len(STATES) * len(parts)
    weak = {mark: round(ratio, 2) for mark, ratio in found.items() if ratio < least}
    assert not weak, f"{theme}, {holder}: below {least}"


def use_theme(page: Page, theme: str) -> None:
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item", has_text="Theme").first.hover()
    page.locator(".lm-Menu-item", has=page.get_by_text(theme, exact=True)).click()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
