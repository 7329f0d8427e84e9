"""Make the project's virtual environment, or say what this machine lacks for it."""

from __future__ import annotations

import subprocess
import sys

OLDEST = (3, 10)
NEWEST = (3, 13)


def missing() -> str:
    """What stops this Python from making the environment, with the next step; empty if nothing."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        return (
            f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed; "
            f"{sys.executable} is {version[0]}.{version[1]}.\n"
            "Name another one: make PYTHON=python3.12 …"
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return (
            f"{sys.executable} cannot make virtual environments: its venv module is missing.\n"
            f"On Debian and Ubuntu: apt-get install python{version[0]}.{version[1]}-venv"
        )
    return ""


def main() -> int:
    """Exit code 0 with the environment made, else 1 with a message."""
    message = missing()
    if message:
        sys.stderr.write(message + "\n")
        return 1
    return subprocess.call([sys.executable, "-m", "venv", sys.argv[1]])


if __name__ == "__main__":
    sys.exit(main())
