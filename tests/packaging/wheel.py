"""Builds the wheel as a user's `pip install .` does, from a copy of the bare source."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "wheel"
# What the wheel is made of; a change of anything else does not build it again.
SOURCES = (
    "jupyterlab_pipelines",
    "src",
    "style",
    "schema",
    "jupyter-config",
    "install.json",
    "package.json",
    "yarn.lock",
    ".yarnrc.yml",
    "tsconfig.json",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


def build() -> Path:
    """Path of the wheel of the source as it is now; built once for each state of the source."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:  # make runs two users of the wheel side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        files = _files()
        folder = CACHE / _digest(files)
        if not folder.exists():
            _build(files, folder)
    return next(folder.glob("*.whl"))


def _build(files: list[Path], folder: Path) -> None:
    """Build into `folder`, which appears only when the wheel is whole; older wheels go."""
    source, unfinished = CACHE / "source", CACHE / "unfinished"
    _copy(files, source)
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", "--wheel-dir", str(unfinished), str(source)], check=True)
    for old in CACHE.iterdir():
        if old.is_dir() and old not in (source, unfinished):
            shutil.rmtree(old)
    unfinished.rename(folder)


def _files() -> list[Path]:
    """The files git would commit, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SOURCES]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    paths = {Path(name) for name in listed.split("\0") if name}
    return sorted(path for path in paths if (ROOT / path).is_file())


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path}\0".encode())
        digest.update(hashlib.sha256((ROOT / path).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _copy(files: list[Path], target: Path) -> None:
    """Make `target` hold exactly `files`; node_modules alone stay, to spare their installation."""
    if target.exists():
        for old in target.iterdir():
            if old.name == "node_modules":
                continue
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
    for path in files:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target / path)
