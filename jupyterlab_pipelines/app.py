"""The Jupyter server extension: traits and wiring."""

from __future__ import annotations

from jupyter_server.extension.application import ExtensionApp


class PipelinesApp(ExtensionApp):
    """Serves the pipelines of every connection beside JupyterLab."""

    name = "jupyterlab_pipelines"
