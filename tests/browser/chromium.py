"""Finds a Chromium for the tests, or installs one where that takes no download of Playwright's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Playwright

ROOT = Path(__file__).parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NPM_PACKAGE = "@sparticuz/chromium"
NOT_FOUND = (
    "No Chromium found for the browser tests. Install one (chromium or google-chrome on the path), "
    "or name one: CHROMIUM=/path/to/chromium make test-browser"
)


class BrowserNotFound(RuntimeError):
    """No browser, and none could be installed."""


def find(playwright: Playwright) -> str:
    """Path of a Chromium: `$CHROMIUM`, the path's, Playwright's, Debian's, at last npm's."""
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    for look in (_on_path, lambda: _playwrights(playwright), _debians, _npms):
        found = look()
        if found:
            return found
    raise BrowserNotFound(NOT_FOUND)


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _playwrights(playwright: Playwright) -> str | None:
    path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def _debians() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        subprocess.run(["apt-get", "-qq", *command], env=environment, check=False)
    return shutil.which("chromium")


def _npms() -> str | None:
    """A Chromium in an npm package, unpacked by the package into the temporary folder."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if not npm or not node:
        return None
    folder = ROOT / ".cache" / "chromium"
    folder.mkdir(parents=True, exist_ok=True)
    install = [npm, "install", "--silent", "--no-save", "--prefix", str(folder), NPM_PACKAGE]
    if subprocess.run(install, check=False).returncode != 0:
        return None
    script = f"import('{NPM_PACKAGE}').then(m => m.default.executablePath()).then(console.log)"
    answer = subprocess.run(
        [node, "--input-type=module", "-e", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    path = answer.stdout.strip()
    return path if path and Path(path).exists() else None
