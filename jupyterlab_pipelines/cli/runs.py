"""`run`, `runs`, `logs`, `stop`, `retry` and `delete`: what is done with pipelines and runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from ..connections import Connections
from ..errors import BadInput, InvalidParameter, NotFound
from ..models import PipelineDescription, Problem, Run, RunGraph, RunQuery, State, Submission
from ..service import Service
from ..wording import age_text, duration_text, state_text, tasks_in_order

LOG_PIECE = 1 << 18  # bytes read at a time


def add(commands: Any, common: argparse.ArgumentParser) -> None:
    """Adds the commands; `common` has the connection."""
    run = commands.add_parser("run", parents=[common], help="run a compiled pipeline")
    run.add_argument("file", metavar="FILE.yaml", help="compiled by the kfp SDK")
    run.add_argument(
        "-p", "--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter"
    )
    run.add_argument("-n", "--name", default="", help="the run's name")
    run.add_argument("--no-cache", action="store_true", help="run every step again")
    run.add_argument("--no-wait", action="store_true", help="print the run's id and return")
    run.set_defaults(command=_run)

    runs = commands.add_parser("runs", parents=[common], help="list the newest runs")
    runs.add_argument("-n", "--count", type=int, default=20, metavar="N", help="how many")
    runs.add_argument("--json", action="store_true", help="as JSON")
    runs.set_defaults(command=_runs)

    logs = commands.add_parser("logs", parents=[common], help="print what a run's tasks printed")
    logs.add_argument("run", metavar="RUN", help="an id, the beginning of one, a name, or `last`")
    logs.add_argument("task", metavar="TASK", nargs="?", help="one task only")
    logs.set_defaults(command=_logs)

    for name, command, text in (
        ("stop", _stop, "stop a run"),
        ("retry", _retry, "run again what failed; finished tasks are kept"),
        ("delete", _delete, "delete a run and its files"),
    ):
        parser_ = commands.add_parser(name, parents=[common], help=text)
        parser_.add_argument("run", metavar="RUN", help="an id, the beginning of one, or a name")
        parser_.set_defaults(command=command)


# --- commands ----------------------------------------------------------------------------------


async def _run(connections: Connections, options: argparse.Namespace) -> int:
    service = connections.service(options.connection)
    text = _read(Path(options.file))
    description = await service.describe(text)
    run = await service.submit(
        Submission(
            pipeline=text,
            display_name=options.name,
            parameters=parse_parameters(description, options.param),
            caching=False if options.no_cache else None,
        )
    )
    print(run.run_id, flush=True)
    return 0 if options.no_wait else await _follow(service, run)


async def _runs(connections: Connections, options: argparse.Namespace) -> int:
    service = connections.service(options.connection)
    page = await service.list_runs(RunQuery(page_size=max(1, min(options.count, 200))))
    if options.json:
        print(json.dumps([run.model_dump(mode="json") for run in page.runs], indent=1))
        return 0
    if not page.runs:
        print("No runs yet. Start one: jupyter pipelines run FILE.yaml")
    for run in page.runs:
        took = duration_text(run.started_at or run.created_at, run.finished_at)
        print(
            f"{run.run_id}  {state_text(run.state):<12} {took:>12}"
            f"  {age_text(run.created_at):>12}  {run.display_name}"
        )
    return 0


async def _logs(connections: Connections, options: argparse.Namespace) -> int:
    service = connections.service(options.connection)
    run = await service.find_run(options.run)
    graph = await service.get_graph(run.run_id)
    nodes = [node for _, node, _ in tasks_in_order(graph)]
    if options.task is not None:
        nodes = [node for node in nodes if options.task in (node.id, node.name, node.display_name)]
        if not nodes:
            names = ", ".join(node.id for _, node, _ in tasks_in_order(graph))
            raise NotFound(
                f"The run has no task {options.task!r}.", next_step=f"Its tasks: {names}."
            )
    started = [node for node in nodes if graph.tasks[node.id].attempts]
    for node in started:
        if len(started) > 1:
            print(f"── {node.id}")
        await _print_log(service, run.run_id, node.id)
    return 0


async def _stop(connections: Connections, options: argparse.Namespace) -> int:
    service = connections.service(options.connection)
    run = await service.find_run(options.run)
    await service.terminate(run.run_id)
    print(f"Stopping {run.display_name}.")
    return 0


async def _retry(connections: Connections, options: argparse.Namespace) -> int:
    service = connections.service(options.connection)
    run = await service.find_run(options.run)
    await service.retry(run.run_id)
    return await _follow(service, run)


async def _delete(connections: Connections, options: argparse.Namespace) -> int:
    service = connections.service(options.connection)
    run = await service.find_run(options.run)
    await service.delete(run.run_id)
    print(f"Deleted {run.display_name}.")
    return 0


# --- parts -------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise BadInput(
            f"{path} cannot be read: {reason}.",
            next_step="Give the YAML file that the kfp compiler wrote.",
        ) from error


def parse_parameters(
    description: PipelineDescription, pairs: Sequence[str]
) -> dict[str, JsonValue]:
    """`name=value` pairs as values of the pipeline's own types; a string stays as written.

    Raises InvalidParameter naming every pair that does not fit.
    """
    types = {parameter.name: parameter.type for parameter in description.parameters}
    values: dict[str, JsonValue] = {}
    problems = []
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            problems.append(Problem(place=pair, message="is not name=value"))
        elif types.get(name, "STRING") == "STRING":
            values[name] = text
        else:
            try:
                values[name] = json.loads(text.lower() if types[name] == "BOOLEAN" else text)
            except ValueError:
                problems.append(
                    Problem(
                        place=name,
                        message=f"{text!r} is not a {_TYPE_WORDS.get(types[name], 'JSON value')}",
                    )
                )
    if problems:
        raise InvalidParameter(
            "Some parameters cannot be read.",
            problems=problems,
            next_step="Write -p name=value; lists and dictionaries as JSON.",
        )
    return values


_TYPE_WORDS = {
    "NUMBER_INTEGER": "whole number",
    "NUMBER_DOUBLE": "number",
    "BOOLEAN": "boolean: true or false",
    "LIST": "JSON list",
    "STRUCT": "JSON object",
    "TASK_FINAL_STATUS": "status",
}


async def _follow(service: Service, run: Run) -> int:
    """Prints a line whenever a task starts or ends, then how the run ended."""
    told: dict[str, State] = {}
    graph: RunGraph | None = None
    try:
        async for graph in service.follow(run.run_id):
            for depth, node, status in tasks_in_order(graph):
                if status.state is not told.get(node.id, State.PENDING):
                    told[node.id] = status.state
                    took = duration_text(status.started_at, status.finished_at)
                    took = took if status.state.final else ""
                    print(
                        f"{state_text(status.state):<12} {'  ' * depth}{node.id}  {took}".rstrip()
                    )
                    if status.error:
                        print(f"{'':<12} {'  ' * depth}{status.error}")
            sys.stdout.flush()
    except (KeyboardInterrupt, asyncio.CancelledError):
        print(
            f"\nThe run goes on. Stop it with: jupyter pipelines stop {run.run_id}",
            file=sys.stderr,
        )
        raise
    if graph is None:
        return 1
    ended = graph.run
    took = duration_text(ended.started_at or ended.created_at, ended.finished_at)
    print(f"{state_text(ended.state)} in {took}: {ended.display_name}")
    if ended.error:
        print(ended.error, file=sys.stderr)
        print(f"See: jupyter pipelines logs {ended.run_id}", file=sys.stderr)
    return 0 if ended.state is State.SUCCEEDED else 1


async def _print_log(service: Service, run_id: str, task_id: str) -> None:
    offset = 0
    while True:
        chunk = await service.read_log(run_id, task_id, None, offset, LOG_PIECE)
        sys.stdout.write(chunk.text)
        if chunk.next_offset >= chunk.size or chunk.next_offset == offset:
            return
        offset = chunk.next_offset
