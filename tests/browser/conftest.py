"""Fixtures of the browser tests: a running lab, and a page in it whose errors fail the test."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    expect,
    sync_playwright,
)

from tests.browser import chromium
from tests.browser.api import Api
from tests.browser.lab import Lab
from tests.packaging import oldest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "test-results"
LOAD_MS = 90_000
ACTION_MS = 30_000
EXPECT_MS = 15_000

# Messages of JupyterLab itself that say nothing about us. Keep each narrow and say why.
KNOWN_ERRORS: tuple[re.Pattern[str], ...] = ()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "labs(*kinds): the labs this browser test is for; without it, all of them"
    )
    expect.set_options(timeout=EXPECT_MS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the browser tests, and collect those only that are for the lab asked for."""
    kind = config.getoption("--lab")
    others = []
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            labs = item.get_closest_marker("labs")
            if labs is not None and kind not in labs.args:
                others.append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Save what a failed test saw: the page as a picture, and the server's log."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        folder = RESULTS / re.sub(r"[^\w.-]+", "-", f"{item.config.getoption('--lab')}-{item.name}")
        folder.mkdir(parents=True, exist_ok=True)
        page, lab = item.funcargs.get("page"), item.funcargs.get("lab")
        if isinstance(page, Page) and not page.is_closed():
            page.screenshot(path=folder / f"{report.when}.png")
        if isinstance(lab, Lab) and lab.log.exists():
            shutil.copy(lab.log, folder / "server.log")
        report.sections.append(("saved", f"screenshot and server log: {folder}"))
    return report


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """No event loop of pytest-jupyter's: Playwright keeps its own running."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """No server of pytest-jupyter's to clean up: the lab is a process of its own."""


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab that `--lab` names, running; all tests of a session share it."""
    kind = request.config.getoption("--lab")
    folder = tmp_path_factory.mktemp(kind)
    if kind == "kubeflow":
        running = Lab.in_kubeflow(Path(sys.executable), folder)
    elif kind == "oldest":
        running = Lab.with_token(oldest.environment(), folder, kind)
    else:
        running = Lab.with_token(Path(sys.executable), folder)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def api(lab: Lab) -> Iterator[Api]:
    """The lab's HTTP API."""
    with Api(lab) as api:
        yield api


@pytest.fixture(scope="session")
def compiled(lab: Lab) -> Path:
    """The folder with the tests' own pipelines, in the lab's root: `NAME.yaml` each."""
    folder = lab.root / "tests"
    folder.mkdir()
    # A process of its own: the compiler's settings are global, its warnings not ours.
    script = Path(__file__).with_name("pipelines.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the session."""
    with sync_playwright() as playwright:
        path = chromium.find(playwright)
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for the session: only the first page loads JupyterLab's scripts anew."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(ACTION_MS)
    yield context
    context.close()


@pytest.fixture
def expected_errors() -> list[re.Pattern[str]]:
    """What the page may say in its console; a test that provokes an error on purpose adds it."""
    return list(KNOWN_ERRORS)


@pytest.fixture
def page(
    context: BrowserContext, lab: Lab, expected_errors: list[re.Pattern[str]]
) -> Iterator[Page]:
    """A fresh page with the lab open and restored; any error in its console fails the test."""
    page = context.new_page()
    errors: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            place = message.location.get("url", "")
            errors.append(f"{message.text} ({place})")

    page.on("console", on_console)
    page.on("pageerror", lambda error: errors.append(f"uncaught: {error.stack or error}"))
    try:
        open_lab(page, lab)
        yield page
    finally:
        page.close()
    unknown = [text for text in errors if not any(k.search(text) for k in expected_errors)]
    assert not unknown, "errors in the browser's console:\n" + "\n".join(unknown)


def open_lab(page: Page, lab: Lab, path: str = "lab") -> None:
    """Open the lab in an empty workspace and wait until every plugin has started."""
    separator = "&" if lab.token else "?"
    page.goto(f"{lab.page_url(path)}{separator}reset", timeout=LOAD_MS)
    wait_for_lab(page)


def wait_for_lab(page: Page) -> None:
    """Wait until every plugin of a page that loads has started, and the focus stays where it is.

    A lab that starts gives the focus to the first thing that it opens.
    """
    page.wait_for_function("window.jupyterapp !== undefined", timeout=LOAD_MS)
    page.evaluate("async () => { await window.jupyterapp.restored; }")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=LOAD_MS)
    page.wait_for_function("window.jupyterapp.shell.currentWidget !== null", timeout=LOAD_MS)
    page.evaluate("() => new Promise(done => requestIdleCallback(done, {timeout: 2000}))")
