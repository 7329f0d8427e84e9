"""The lab opens with the extension in it, on every kind of server it is made for."""

from __future__ import annotations

from playwright.sync_api import Page

from tests.browser.lab import Lab

OUR_PLUGINS = """
() => window.jupyterapp.listPlugins()
  .filter(id => id.startsWith('jupyterlab-pipelines:'))
  .map(id => [id, window.jupyterapp.isPluginActivated(id)])
"""


def test_every_plugin_is_activated_in_the_lab_asked_for(lab: Lab, page: Page) -> None:
    version = page.evaluate("window.jupyterapp.version")
    assert version.startswith("4.2." if lab.kind == "oldest" else "4.")
    plugins = page.evaluate(OUR_PLUGINS)
    assert plugins
    assert [name for name, activated in plugins if not activated] == []


def test_server_extension_is_loaded(lab: Lab) -> None:
    assert "jupyterlab_pipelines | extension was successfully loaded" in lab.log.read_text()
