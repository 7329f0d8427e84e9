"""`disk` and `clean`: what runs and environments take on this machine, and how it is freed."""

from __future__ import annotations

import argparse
import re
from typing import Any

from ..connections import Connections
from ..models import Cleaning, Environment
from ..wording import age_text, size_text

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_DAYS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Adds the commands; `common` has the connection."""
    disk = commands.add_parser("disk", parents=[common], help="show what runs take on disk")
    disk.set_defaults(command=_disk)

    clean = commands.add_parser(
        "clean",
        parents=[common],
        help="free disk: old runs and environments, never an active run",
        description="Removes runs that ended and environments that no run uses, the least "
        "recently used first, and what nothing refers to. An active run always stays.",
    )
    clean.add_argument(
        "--older-than", type=_days, metavar="AGE", help="what is older: 12h, 30d, 8w"
    )
    clean.add_argument(
        "--keep", type=_bytes, metavar="SIZE", help="until no more than this is left: 500M, 10G"
    )
    clean.add_argument("--dry-run", action="store_true", help="only say what would go")
    clean.set_defaults(command=_clean)


async def _disk(connections: Connections, options: argparse.Namespace) -> int:
    storage = await connections.service(options.connection).storage()
    active = f", {storage.active_run_count} active" if storage.active_run_count else ""
    print(f"{size_text(storage.total):>9}  {storage.path}")
    print(f"{size_text(storage.runs):>9}  runs ({storage.run_count}{active})")
    environments = sum(one.size for one in storage.environments)
    print(f"{size_text(environments):>9}  environments ({len(storage.environments)})")
    for one in storage.environments:
        print(f"{size_text(one.size):>19}  {_described(one)}")
    print(f"{size_text(storage.snapshots):>9}  values saved by kernels")
    print(f"{size_text(storage.other):>9}  database and the rest")
    print(f"{size_text(storage.free):>9}  free on the disk")
    return 0


async def _clean(connections: Connections, options: argparse.Namespace) -> int:
    wanted = Cleaning(
        older_than_days=options.older_than, keep_bytes=options.keep, dry_run=options.dry_run
    )
    done = await connections.service(options.connection).clean(wanted)
    for item in done.items:
        print(f"{size_text(item.size):>9}  {item.kind} {item.name}, {age_text(item.used_at)}")
    verb = "Would free" if done.dry_run else "Freed"
    print(f"{verb} {size_text(done.freed)}; {size_text(done.total)} in use.")
    return 0


def _described(one: Environment) -> str:
    used = "in use" if one.active else f"used {age_text(one.used_at)}"
    return f"{', '.join(one.packages)} on {one.interpreter}, {used}"


def _days(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw]?)", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age such as 12h, 30d or 8w")
    return float(found[1]) * _DAYS[found[2] or "d"]


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", text.strip().lower())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500M or 10G")
    return int(float(found[1]) * _UNITS[found[2]])
