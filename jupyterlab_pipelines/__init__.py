"""Kubeflow Pipelines in JupyterLab: the extension points; importing this loads nothing heavy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import kfp
    from IPython.core.interactiveshell import InteractiveShell

try:
    from jupyterlab_pipelines._version import __version__
except ImportError:  # a source tree that was never installed has no generated version
    __version__ = "0+unknown"

__all__ = ["__version__", "client", "load_ipython_extension"]


def client(connection: str = "local") -> kfp.Client:
    """Return the official ``kfp.Client``, configured for the connection of this name.

    A connection that does not exist or cannot be reached raises
    ``jupyterlab_pipelines.errors.PipelinesError``, with the next step in its message.
    """
    connections = import_module("jupyterlab_pipelines.connections")
    return cast("kfp.Client", connections.kfp_client(connection))


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Answer ``%load_ext jupyterlab_pipelines``: register the magics in this kernel."""
    import_module("jupyterlab_pipelines.kernel.magics").load_ipython_extension(ipython)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyterlab-pipelines"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    app = import_module("jupyterlab_pipelines.app")
    return [{"module": "jupyterlab_pipelines.app", "app": app.PipelinesApp}]
