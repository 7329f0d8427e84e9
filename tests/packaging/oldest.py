"""The oldest environment supported: the wheel with the lower bounds it declares.

`python -m tests.packaging.oldest` makes it and prints its Python.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.packaging import wheel

FOLDER = wheel.ROOT / ".venv-oldest"
PINS = Path(__file__).with_name("oldest.txt")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def environment() -> Path:
    """The environment's Python; made anew when the wheel or the pins have changed."""
    built = wheel.build()
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / "made-of"
    wanted = f"{built.parent.name} {hashlib.sha256(PINS.read_bytes()).hexdigest()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    if not python.exists():
        shutil.rmtree(FOLDER, ignore_errors=True)
        subprocess.run([oldest_python(), "-m", "venv", str(FOLDER)], check=True)
    stamp.unlink(missing_ok=True)
    pip = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-r", str(PINS), f"{built}[examples]"], check=True)
    # The version number stays the same while its content changes.
    subprocess.run([*pip, "install", "--no-deps", "--force-reinstall", str(built)], check=True)
    stamp.write_text(wanted)
    return python


def oldest_python() -> str:
    """The oldest Python in the supported range that works here; at worst this one."""
    for version in PYTHONS:
        for candidate in _candidates(version):
            if _works(candidate, version):
                return candidate
    return sys.executable


def _candidates(version: str) -> list[str]:
    found = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
    return [*([found] if found else []), *map(str, installed)]


def _works(python: str, version: str) -> bool:
    """A launcher may exist without its Python, a Python without venv."""
    code = "import ensurepip, sys, venv; print('{}.{}'.format(*sys.version_info))"
    answer = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() == version


if __name__ == "__main__":
    sys.stdout.write(f"{environment()}\n")
