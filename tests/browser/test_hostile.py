"""Outputs that attack the page: nothing of them runs in it, and no request leaves."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.api import Api
from tests.browser.screen import RunsPanel

pytestmark = pytest.mark.labs("token")

#: What Chromium says of each attempt that the frames' policies stop.
STOPPED = re.compile(
    "Content Security Policy|Blocked (opening|form submission)|"
    r"Unsafe attempt|uncaught: (TypeError: )?Failed to fetch[\s\S]*(about:srcdoc|/module\.js)"
)

PLACE = "[document.title, location.origin, location.pathname, location.hash]"


class Canary(ThreadingHTTPServer):
    """A web server that nobody may call; it notes who does."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        super().__init__(("127.0.0.1", 0), _Note)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Note(BaseHTTPRequestHandler):
    server: Canary

    def do_GET(self) -> None:
        self.server.calls.append(f"{self.command} {self.path}")
        self.send_response(204)
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - its name there

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Quiet."""


@pytest.fixture
def canary() -> Iterator[Canary]:
    with Canary() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_hostile_outputs_do_nothing(
    page: Page, api: Api, compiled: Path, canary: Canary, expected_errors: list[re.Pattern[str]]
) -> None:
    expected_errors.append(STOPPED)
    requests: list[Request] = []
    page.context.on("request", lambda request: requests.append(request))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    panel = RunsPanel(page)
    api.submit(compiled / "hostile.yaml", "hostile", canary=canary.url)
    viewer = panel.open("hostile")
    viewer.expect_success(1)
    place = page.evaluate(PLACE)

    viewer.open_task("attack")
    viewer.tab("Outputs")
    document = viewer.html_output("page")
    expect(document.locator("#mark")).to_have_text("The script ran")
    document.get_by_text("Press me").click()
    expect(document.locator("#mark")).to_have_text("The script ran")

    expect(viewer.output("leaver").locator("iframe")).to_be_visible()

    markdown = viewer.output("text")
    expect(markdown.get_by_role("heading", name="Harmless")).to_be_visible()
    for name in ("script link", "data link", "command link", "command button", "send", "svg link"):
        markdown.get_by_text(name).last.click()
    expect(markdown.locator("iframe, script, style, form, svg, button")).to_have_count(0)
    expect(markdown.locator("[onerror], [onload], [style], .jp-Dialog")).to_have_count(0)
    expect(markdown.locator("[data-commandlinker-command]")).to_have_count(0)
    assert markdown.locator("img[src]").count() == 0
    expect(panel.node).to_be_visible()

    expect(viewer.log()).to_contain_text("red <img src=x onerror=window.hacked=true>")
    for attempt in ("/fetch", "/image", "/beacon", "/socket", "/popup", "/form", "Framing"):
        assert any(attempt in text for text in said), f"{attempt} was never tried"
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("localStorage.getItem('hacked')") is None
    assert page.evaluate(PLACE) == place
    assert len(page.context.pages) == 1
    assert dialogs == []
    # Chromium tells of requests that a policy stops, too: they failed before they left.
    tried = [request for request in requests if request.url.startswith(canary.url)]
    assert [(one.url, one.failure) for one in tried if one.failure != "csp"] == []
    assert canary.calls == []
