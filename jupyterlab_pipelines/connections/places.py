"""Where the user's engine, connections and running servers are on disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from jupyter_core.paths import jupyter_config_dir, jupyter_data_dir

HOME_VARIABLE = "JUPYTERLAB_PIPELINES_HOME"
#: A server answers with its home's id, so that a client finds the server of its own home.
HOME_HEADER = "X-Pipelines-Home"


def default_home() -> Path:
    """The folder of the embedded engine: runs, logs and artifacts lie below it."""
    given = os.environ.get(HOME_VARIABLE)
    return Path(given).expanduser() if given else Path(jupyter_data_dir()) / "jupyterlab_pipelines"


def home_id(home: Path) -> str:
    """A name for a home that tells two servers of one home from two homes, but no path."""
    return hashlib.sha256(os.fsencode(os.path.realpath(home))).hexdigest()[:24]


def connections_file() -> Path:
    """The file of the connections that the user added, tokens included."""
    return Path(jupyter_config_dir()) / "jupyterlab_pipelines" / "connections.json"
