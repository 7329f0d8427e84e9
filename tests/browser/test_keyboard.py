"""The graph is used without a mouse: arrows, Enter, Escape, zoom and F."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.api import Api
from tests.browser.screen import RunsPanel, RunViewer

pytestmark = pytest.mark.labs("token")


def test_graph_by_keyboard(page: Page, api: Api, compiled: Path) -> None:
    panel = RunsPanel(page)
    api.submit(compiled / "ticking.yaml", "by keyboard", ticks=1)
    panel.row("by keyboard").click()
    page.keyboard.press("Enter")
    viewer = RunViewer(page)
    viewer.expect_success(3)
    said = viewer.node.locator(".jp-PipelinesGraph-announcer")

    viewer.frame.focus()
    page.keyboard.press("ArrowDown")
    expect(said).to_contain_text("left, Step, Succeeded")
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("right, Step, Succeeded")
    page.keyboard.press("ArrowDown")
    expect(said).to_contain_text("last, Step, Succeeded")
    page.keyboard.press("ArrowUp")
    expect(said).to_contain_text("Step, Succeeded")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(viewer.panel.get_by_role("heading", name="last")).to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer.panel.get_by_role("tab", name="Tasks")).to_be_visible()
    expect(said).to_have_text("")

    for _ in range(5):
        page.keyboard.press("+")
    assert not all_in_sight(viewer)
    page.keyboard.press("f")
    assert all_in_sight(viewer)


def all_in_sight(viewer: RunViewer) -> bool:
    """Whether the frame shows every node whole."""
    frame = viewer.frame.bounding_box()
    nodes = [viewer.step(task) for task in ("tick", "tick-2", "tick-3")]
    boxes = [node.bounding_box() if node.count() else None for node in nodes]
    assert frame is not None
    return all(
        box is not None
        and frame["x"] <= box["x"]
        and frame["y"] <= box["y"]
        and box["x"] + box["width"] <= frame["x"] + frame["width"]
        and box["y"] + box["height"] <= frame["y"] + frame["height"]
        for box in boxes
    )
