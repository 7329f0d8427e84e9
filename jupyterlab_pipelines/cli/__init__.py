"""The command line: `jupyter pipelines run | runs | logs | stop | retry | delete | disk | clean |
settings | map | unmap | connections`.

Exit codes: 0 success, 1 the run did not succeed, 2 the input or the connection was at fault,
130 interrupted while following (the run goes on).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

from ..connections import Connections
from ..errors import PipelinesError
from . import connections, disk, runs, settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``jupyter-pipelines``; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run_command(options))
    except PipelinesError as error:
        _print_error(error)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has seen enough; the interpreter must not complain at exit.
        sys.stderr.close()
        return 0


async def _run_command(options: argparse.Namespace) -> int:
    known = Connections()
    try:
        command: Callable[[Connections, argparse.Namespace], Awaitable[int]] = options.command
        return await command(known, options)
    finally:
        await known.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jupyter pipelines", description="Run and follow Kubeflow pipelines."
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-c", "--connection", default="local", metavar="NAME", help="where to run (default: local)"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    runs.add(commands, common)
    disk.add(commands, common)
    settings.add(commands)
    connections.add(commands)
    return parser


def _print_error(error: PipelinesError) -> None:
    print(error.message, file=sys.stderr)
    for problem in error.problems:
        place = problem.place or problem.cell or ""
        where = f"{place}: " if place else ""
        line = f" (line {problem.line})" if problem.line else ""
        print(f"  {where}{problem.message}{line}", file=sys.stderr)
        if problem.next_step and problem.next_step != error.next_step:
            print(f"    {problem.next_step}", file=sys.stderr)
    if error.next_step:
        print(error.next_step, file=sys.stderr)
