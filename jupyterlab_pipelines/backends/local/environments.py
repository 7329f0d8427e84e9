"""Gives a task the packages it asks for, without changing the interpreter it runs on.

An environment lies over the interpreter, is built once for each set of requirements, and is kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .building import Building, EnvironmentFailed
from .layout import Layout

#: Prints what `Interpreter` keeps; must run on any Python 3.8 or later.
_PROBE = """
import importlib.metadata as m, json, os, platform, site, sys
names = {}
for d in m.distributions():
    name = d.metadata["Name"]
    if name and name.lower() not in names:
        names[name.lower()] = d.version
paths = [p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")]
print(json.dumps({"version": platform.python_version(), "packages": names, "paths": paths,
    "markers": {"python_version": "%d.%d" % sys.version_info[:2],
        "python_full_version": platform.python_version(), "os_name": os.name,
        "sys_platform": sys.platform, "platform_machine": platform.machine(),
        "platform_system": platform.system(), "platform_release": platform.release(),
        "platform_version": platform.version(), "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "platform_python_implementation": platform.python_implementation()}}))
"""


#: Says of a built environment what it is; its time is when a step last asked for it.
READY = "ready.json"


@dataclass(frozen=True)
class Wanted:
    """What a task needs beyond its interpreter."""

    interpreter: str
    packages: tuple[str, ...]
    index_urls: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()

    def key(self, version: str) -> str:
        """The environment's name: the same for the same interpreter and set of requirements."""
        parts = [
            os.path.realpath(self.interpreter),
            os.path.abspath(self.interpreter),  # noqa: PTH100 - a venv's python is a link
            version,
            sorted({package.strip() for package in self.packages}),
            self.index_urls,
            self.trusted_hosts,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Interpreter:
    """What a Python says of itself: version, distributions, site folders, marker values."""

    version: str
    packages: dict[str, str]
    paths: list[str]
    markers: dict[str, str]

    @classmethod
    def probe(cls, path: str, building: Building) -> Interpreter:
        """Asks the interpreter. Raises EnvironmentFailed where it cannot run."""
        try:
            process = building.start(
                [path, "-c", _PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            output, _ = process.communicate(timeout=60)
            building.go_on()
            if process.returncode:
                raise ValueError(f"it ended with {process.returncode}")
            data: dict[str, Any] = json.loads(output)
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise EnvironmentFailed(f"The interpreter {path} cannot be used: {error}") from error
        return cls(**data)

    def satisfies(self, requirement: str) -> bool:
        """Whether the interpreter has what is required; false also where it is hard to say."""
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            wanted = Requirement(requirement)
        except InvalidRequirement:
            return False
        if wanted.marker is not None and not wanted.marker.evaluate(dict(self.markers)):
            return True
        if wanted.url or wanted.extras:
            return False
        names = {wanted.name.lower(), wanted.name.lower().replace("_", "-")}
        names.add(wanted.name.lower().replace("-", "_"))
        for name in names & set(self.packages):
            return wanted.specifier.contains(self.packages[name], prereleases=True)
        return False


class Environments:
    """The environments below the engine's root. One object serves a supervisor's threads."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._probed: dict[str, Interpreter] = {}
        self._probing = threading.Lock()

    def python(self, wanted: Wanted, log: IO[bytes], building: Building) -> str:
        """The interpreter that has the packages, built first if need be; pip writes into `log`.

        Raises EnvironmentFailed, also where `building` is stopped.
        """
        with self._probing:
            building.go_on()
            interpreter = self._probed.get(wanted.interpreter)
            if interpreter is None:
                interpreter = Interpreter.probe(wanted.interpreter, building)
                self._probed[wanted.interpreter] = interpreter
        if all(interpreter.satisfies(package) for package in wanted.packages):
            return wanted.interpreter
        folder = self.layout.environments / wanted.key(interpreter.version)
        python = folder / "bin" / "python"
        folder.parent.mkdir(parents=True, exist_ok=True)
        with building.waited_lock(folder.with_suffix(".lock")) as lock:
            if (folder / READY).exists():
                (folder / READY).touch()  # under the lock: a clean-up looks at the time there
            else:
                with _removed_on_failure(folder):
                    _Build(folder, interpreter, wanted, log, lock, building).run()
        return str(python)


@contextlib.contextmanager
def _removed_on_failure(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)  # the remains of a build that was killed
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Build:
    folder: Path
    interpreter: Interpreter
    wanted: Wanted
    log: IO[bytes]
    lock: int
    building: Building

    def run(self) -> None:
        """A venv over the interpreter, with the packages and a note that it is ready."""
        packages = list(self.wanted.packages)
        self._say(f"Installing {', '.join(packages)}, once for this interpreter.")
        venv = ["-m", "venv", "--system-site-packages", "--without-pip"]
        self._call([self.wanted.interpreter, *venv, str(self.folder)], "creating the environment")
        self._show_interpreter()
        options: list[str] = []
        for url in self.wanted.index_urls:
            options += ["--extra-index-url" if options else "--index-url", url]
        for host in self.wanted.trusted_hosts:
            options += ["--trusted-host", host]
        python = str(self.folder / "bin" / "python")
        self._call(
            [*self._pip(), "--python", python, "install", *options, "--", *packages],
            f"installing {', '.join(packages)}",
        )
        note = {"interpreter": self.wanted.interpreter, "packages": sorted(packages)}
        (self.folder / READY).write_text(json.dumps(note))

    def _show_interpreter(self) -> None:
        """Puts the interpreter's packages behind the environment's own.

        `--system-site-packages` shows those of the base Python only, not of a venv made from it.
        """
        version = ".".join(self.interpreter.version.split(".")[:2])
        site = self.folder / "lib" / f"python{version}" / "site-packages"
        lines = [f"import site; site.addsitedir({path!r})" for path in self.interpreter.paths]
        (site / "interpreter.pth").write_text("\n".join(lines) + "\n")

    def _pip(self) -> list[str]:
        if "pip" in self.interpreter.packages:
            return [self.wanted.interpreter, "-m", "pip"]
        if importlib.util.find_spec("pip") is not None:
            return [sys.executable, "-m", "pip"]
        raise EnvironmentFailed(
            f"{self.wanted.interpreter} has no pip: install it there, or the packages themselves."
        )

    def _call(self, command: list[str], doing: str) -> None:
        """Runs one command; it holds the lock too, so that it outlives nobody unnoticed."""
        quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        try:
            process = self.building.start(
                command,
                quiet,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                pass_fds=[self.lock],
            )
        except OSError as error:
            raise EnvironmentFailed(f"Failed {doing}: {error}") from error
        code = process.wait()
        self.building.go_on()
        if code != 0:
            raise EnvironmentFailed(f"Failed {doing}: pip ended with {code}; see the log.")

    def _say(self, text: str) -> None:
        self.log.write(f"[{text}]\n".encode())
        self.log.flush()


def kfp_folder(layout: Layout) -> Path:
    """A folder with nothing but the kfp package's modules, copied from this environment once.

    kfp's task side needs only the standard library, so a task can import it from here while its
    interpreter stays as it is.
    """
    import importlib.metadata  # slow to load, and seldom needed

    version = importlib.metadata.version("kfp")
    folder = layout.root / "sdk" / f"kfp-{version}"
    if folder.exists():
        return folder
    found = importlib.util.find_spec("kfp")
    if found is None or not found.submodule_search_locations:
        raise EnvironmentFailed("kfp is not installed beside jupyterlab-pipelines.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent))
    for source in found.submodule_search_locations:
        shutil.copytree(source, temporary / "kfp", ignore=_only_modules, dirs_exist_ok=True)
    try:
        temporary.rename(folder)
    except OSError:  # another thread or supervisor was faster
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _only_modules(folder: str, names: list[str]) -> list[str]:
    return [
        name
        for name in names
        if name in ("__pycache__", "test_data")
        or not (name.endswith(".py") or Path(folder, name).is_dir())
    ]
