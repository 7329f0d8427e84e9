"""The magics: `%pipelines` to see and steer runs, `%%component` to make a cell a component."""

from __future__ import annotations

from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ..errors import PipelinesError
from ..models import RunQuery
from . import runs
from .component import component_from_cell
from .tables import RunTable
from .widget import RunView

USAGE = """\
%pipelines runs                 the newest runs
%pipelines show RUN             a run, live
%pipelines logs RUN [TASK]      what its tasks printed
%pipelines stop RUN             stop it
%pipelines retry RUN            run again what failed

RUN is an id or the beginning of one, a name, or `last`.
Add --connection NAME for another connection than `local`."""


@magics_class
class PipelinesMagics(Magics):
    """`%pipelines` and `%%component`."""

    @magic_arguments()
    @argument("action", nargs="?", default="help")
    @argument("run", nargs="?", default="last")
    @argument("task", nargs="?", default=None)
    @argument("--connection", "-c", default="local", help="The connection to ask.")
    @argument("--count", "-n", type=int, default=20, help="How many runs to list.")
    @line_magic
    def pipelines(self, line: str) -> Any:
        """See and steer pipeline runs; `%pipelines` alone lists what it can do."""
        arguments = parse_argstring(self.pipelines, line)
        action = _ACTIONS.get(arguments.action)
        if action is None:
            if arguments.action == "help":
                print(USAGE)
                return None
            raise UsageError(f"%pipelines {arguments.action} is unknown.\n\n{USAGE}")
        try:
            return action(arguments)
        except PipelinesError as error:
            raise UsageError(f"{error.message} {error.next_step}") from error

    @magic_arguments()
    @argument("name", nargs="?", default="", help="Its name, for a cell without a function.")
    @argument("--input", "-i", action="append", default=[], help="x:int or x:int=3")
    @argument("--output", "-o", action="append", default=[], help="accuracy:float")
    @argument("--packages", "-p", nargs="+", default=[], help="Requirements to install.")
    @argument("--base-image", default=None, help="The container image on Kubeflow.")
    @cell_magic
    def component(self, line: str, cell: str) -> None:
        """Makes the cell a Kubeflow Pipelines component, under its function's name."""
        arguments = parse_argstring(self.component, line)
        try:
            name, component = component_from_cell(
                cell,
                self._namespace,
                name=arguments.name,
                inputs=arguments.input,
                outputs=arguments.output,
                packages=arguments.packages,
                base_image=arguments.base_image,
            )
        except PipelinesError as error:
            raise UsageError(f"%%component: {error.message} {error.next_step}") from error
        self._namespace[name] = component

    @property
    def _namespace(self) -> dict[str, Any]:
        """The notebook's own names."""
        if self.shell is None:
            raise UsageError("%%component needs a running IPython.")
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace


def _runs(arguments: Any) -> RunTable:
    query = RunQuery(page_size=max(1, min(arguments.count, 200)))
    page = runs.wait(runs.service(arguments.connection).list_runs(query))
    return RunTable(arguments.connection, page.runs)


def _show(arguments: Any) -> RunView:
    desk = runs.service(arguments.connection)
    return RunView(desk, runs.wait(desk.find_run(arguments.run)).run_id)


def _logs(arguments: Any) -> None:
    desk = runs.service(arguments.connection)
    run = runs.wait(desk.find_run(arguments.run))
    graph = runs.wait(desk.get_graph(run.run_id))
    started = [
        node
        for node in graph.topology.tasks
        if graph.tasks[node.id].attempts and arguments.task in (None, node.id, node.display_name)
    ]
    if not started:
        print("Nothing has been printed yet.")
    for node in started:
        if len(started) > 1:
            print(f"── {node.id}")
        offset = 0
        while True:
            chunk = runs.wait(desk.read_log(run.run_id, node.id, None, offset, 1 << 18))
            print(chunk.text, end="")
            # The last character of a running step's log may not be there yet.
            if chunk.next_offset >= chunk.size or chunk.next_offset == offset:
                break
            offset = chunk.next_offset


def _stop(arguments: Any) -> None:
    desk = runs.service(arguments.connection)
    run = runs.wait(desk.find_run(arguments.run))
    runs.wait(desk.terminate(run.run_id))
    print(f"Stopping {run.display_name}.")


def _retry(arguments: Any) -> RunView:
    desk = runs.service(arguments.connection)
    run = runs.wait(desk.find_run(arguments.run))
    runs.wait(desk.retry(run.run_id))
    return RunView(desk, run.run_id)


_ACTIONS = {"runs": _runs, "show": _show, "logs": _logs, "stop": _stop, "retry": _retry}


def load_ipython_extension(ipython: Any) -> None:
    """Registers the magics; called by ``%load_ext jupyterlab_pipelines``."""
    ipython.register_magics(PipelinesMagics)
