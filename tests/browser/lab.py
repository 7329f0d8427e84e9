"""A real JupyterLab in a process of its own, with its own home, for a browser to open."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psutil

EXAMPLES = Path(__file__).parents[2] / "examples"
START_SECONDS = 90
STOP_SECONDS = 15

# A Kubeflow notebook: under a prefix, signed in by the mesh and so without a token of its own.
KUBEFLOW_PREFIX = "/notebook/team-a/digits"
KUBEFLOW_FLAGS = (
    f"--ServerApp.base_url={KUBEFLOW_PREFIX}",
    "--ServerApp.token=",
    "--ServerApp.password=",
    "--ServerApp.allow_origin=*",
    "--ServerApp.authenticate_prometheus=False",
)

# The news pop-up would lie over the page.
QUIET = '{"fetchNews": "false", "checkForUpdates": false}'

# Of this process's environment a lab sees only what reaches the network and the screen.
INHERITED = ("LANG", "LC_ALL", "TMPDIR", "TZ")
INHERITED_PARTS = ("PROXY", "proxy", "CERT", "CA_BUNDLE", "PIP_")


class LabDied(RuntimeError):
    """The server ended, or did not answer in time; the message holds the end of its log."""


@dataclass
class Lab:
    """One server process: `start` it, open `page_url`, `stop` it with everything it started."""

    python: Path
    folder: Path
    kind: str
    flags: tuple[str, ...] = ()
    prefix: str = ""
    token: str = ""
    #: Of the server's environment, what a pod adds.
    variables: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def with_token(cls, python: Path, folder: Path, kind: str = "token") -> Lab:
        """A lab as a user starts it at home."""
        token = secrets.token_hex(16)
        return cls(python, folder, kind, (f"--IdentityProvider.token={token}",), token=token)

    @classmethod
    def in_kubeflow(cls, python: Path, folder: Path) -> Lab:
        """A lab with the flags that Kubeflow's images start it with."""
        return cls(python, folder, "kubeflow", KUBEFLOW_FLAGS, prefix=KUBEFLOW_PREFIX)

    @property
    def home(self) -> Path:
        """The home folder of everything that runs in this lab."""
        return self.folder / "home"

    @property
    def root(self) -> Path:
        """The folder the file browser shows: a copy of the examples."""
        return self.folder / "work"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / "server.log"

    @property
    def base_url(self) -> str:
        """Where the server answers, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}{self.prefix}/"

    def page_url(self, path: str = "lab") -> str:
        """Address of a page under the base URL, signed in where the lab has a token."""
        query = f"?token={self.token}" if self.token else ""
        return f"{self.base_url}{path}{query}"

    def start(self) -> None:
        """Start the server, at its old port where it ran before, and wait until it answers."""
        if not self.port:
            self._lay_out()
            self.port = _free_port()
        command = [
            *(str(self.python), "-m", "jupyterlab", "--no-browser", "--allow-root"),
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.root}",
            "--LabApp.expose_app_in_browser=True",
            *self.flags,
        ]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.root, env=self.environment(), stdout=log, stderr=log
            )
        self._wait()

    def stop(self) -> None:
        """End the server, then whatever else runs with this lab's home: kernels, supervisors."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
        left = self.processes()
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=STOP_SECONDS)

    def kill(self) -> None:
        """Kill the server as a crash would; what it started stays alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def processes(self) -> list[psutil.Process]:
        """The processes whose home is this lab's, the server included."""
        return [process for process in psutil.process_iter() if _home(process) == str(self.home)]

    def environment(self) -> dict[str, str]:
        """The environment of the server: nothing of the user's own Jupyter."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in INHERITED or any(part in name for part in INHERITED_PARTS)
        }
        jupyter = self.home / ".jupyter"
        return {
            **kept,
            "HOME": str(self.home),
            "PATH": f"{self.python.parent}:{os.defpath}:/usr/local/bin",
            "IPYTHONDIR": str(self.home / ".ipython"),
            "JUPYTER_CONFIG_DIR": str(jupyter / "config"),
            "JUPYTER_DATA_DIR": str(jupyter / "data"),
            "JUPYTER_RUNTIME_DIR": str(jupyter / "runtime"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTERLAB_SETTINGS_DIR": str(jupyter / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(jupyter / "workspaces"),
            "MPLCONFIGDIR": str(self.home / ".matplotlib"),
            **self.variables,
        }

    def _lay_out(self) -> None:
        shutil.copytree(EXAMPLES, self.root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        settings = self.home / ".jupyter" / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(QUIET)

    def _wait(self) -> None:
        assert self.process is not None
        url = self.page_url("api/status")
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise LabDied(f"The lab ended with {self.process.returncode}:\n{self._log_end()}")
            try:
                with urllib.request.urlopen(url, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.stop()
        raise LabDied(f"The lab did not answer in {START_SECONDS} s:\n{self._log_end()}")

    def _log_end(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


def _home(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("HOME")
    except psutil.Error:  # ended meanwhile, or somebody else's
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
