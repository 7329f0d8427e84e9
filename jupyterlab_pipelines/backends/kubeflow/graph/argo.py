"""The third source, on every Kubeflow: the Argo workflow of a run that was compiled from IR.

It knows phases, messages, pods and attempts, but no artifact of the pipeline's.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ....models import Attempt, State, TaskStatus, TaskType
from .records import Record
from .spec import Component, Pipeline, named_type, type_of
from .workflow import Node, Workflow

_ITERATION = re.compile(r"iteration-iterations\((\d+):.*\)")
_DRIVERS = ("system-dag-driver", "system-container-driver")
_POD = "system-container-impl"
_EXECUTOR = "system-container-executor"
_IMPORTER = "system-importer"


@dataclass(eq=False, slots=True)
class _Seen:
    """The nodes that Kubeflow's compiler made of one task."""

    own: Node | None = None
    driver: Node | None = None
    pod: Node | None = None
    iterates: bool = False


_All: TypeAlias = defaultdict[str, _Seen]
_Above: TypeAlias = tuple[str, bool]


def read_workflow(workflow: Workflow, pipeline: Pipeline) -> dict[str, Record]:
    """Records by scope path, parents before their children; the root DAG is left out."""
    seen: _All = defaultdict(_Seen)
    root = f"{workflow.name}.root."
    above: dict[str, _Above] = {"": ("", False)}
    # An iteration's node comes before that of the task in it, which has more to tell.
    for name in sorted(workflow.nodes):
        if name.startswith(root):
            _place(name[len(root) :], workflow.nodes[name], seen, above)
    return {
        task_id: _record(workflow, pipeline, task_id, seen)
        for task_id in sorted(seen, key=lambda one: one.count("/") * 2 + one.endswith("]"))
        if task_id
    }


def _place(name: str, node: Node, seen: _All, above: dict[str, _Above]) -> None:
    """Notes a node at the task that it is of. `name` is its own below the root DAG's."""
    prefix, _, last = name.rpartition(".")
    path, inside = _above(prefix, above)
    template = node.template
    is_driver = _DRIVERS[0] in template or _DRIVERS[1] in template
    iteration = _iteration(last)
    if iteration is not None:
        seen[path].iterates = True
        seen[f"{path}[{iteration}]"].own = node
    elif _POD in template:
        _set_pod(seen[path], node)
    elif is_driver and last in ("iteration-driver", "iteration-item-driver"):
        seen[path].driver = node
    elif is_driver and last.endswith("-driver"):
        seen[_below(path, last[: -len("-driver")])].driver = node
    elif inside and last == "iteration-item":
        seen[path].own = node
    elif last not in ("onExit", "iteration-iterations"):
        seen[_below(path, last)].own = node


def _above(name: str, known: dict[str, _Above]) -> _Above:
    """The task that a node's name leads to, and whether that is an iteration as such.

    Below an iteration lies only the loop's own task, which is the iteration itself.
    """
    found = known.get(name)
    if found is None:
        prefix, _, last = name.rpartition(".")
        path, inside = _above(prefix, known)
        iteration = _iteration(last)
        if iteration is not None:
            found = f"{path}[{iteration}]", True
        elif last == "onExit":  # its tasks are beside the task that they wait for
            found = path.rpartition("/")[0], False
        elif last == "iteration-iterations" or (inside and last == "iteration-item"):
            found = path, inside
        else:
            found = _below(path, last), False
        known[name] = found
    return found


def _iteration(name: str) -> str | None:
    """The index of an iteration by its node's own name; null where it is another node."""
    found = _ITERATION.fullmatch(name) if name.endswith(")") else None
    return found[1] if found else None


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _set_pod(seen: _Seen, node: Node) -> None:
    """The Retry node stands for its tries, whichever comes first."""
    if seen.pod is None or node.type == "Retry":
        seen.pod = node


def _record(
    workflow: Workflow, pipeline: Pipeline, task_id: str, all_seen: Mapping[str, _Seen]
) -> Record:
    seen = all_seen[task_id]
    above, _, last = task_id.rpartition("/")
    name, bracket, index = last.partition("[")
    iteration = int(index[:-1]) if bracket else None
    parent = task_id.removesuffix(f"[{iteration}]") if iteration is not None else above or None
    found = pipeline.find([one.partition("[")[0] for one in task_id.split("/")])
    if found is None:
        kind = _guessed_type(seen, name)
        if iteration is not None and kind not in (TaskType.RUNTIME, TaskType.IMPORTER):
            kind = TaskType.LOOP_ITERATION
    elif iteration is None:
        kind = type_of(*found)
    else:
        kind = iteration_type(found[1])
    leaf = kind in (TaskType.RUNTIME, TaskType.IMPORTER)
    record = Record(
        task_id=task_id,
        uid=seen.own.id if seen.own else "",
        name=name,
        display_name=f"Iteration {iteration}"
        if iteration is not None
        else found[0].display_name
        if found
        else name,
        type=kind,
        parent=parent,
        iteration=iteration,
        status=_leaf(workflow, seen) if leaf else _group(seen),
    )
    if leaf:
        run_by = seen.pod or seen.own
        if run_by is not None:
            record.status.attempts, record.pods = workflow.attempts(run_by)
    return record


def iteration_type(component: Component) -> TaskType:
    """What an iteration of a loop over this component is."""
    if component.tasks is not None:
        return TaskType.LOOP_ITERATION
    return TaskType.IMPORTER if component.importer else TaskType.RUNTIME


def _guessed_type(seen: _Seen, name: str) -> TaskType:
    """What a task is where the pipeline is not known any more."""
    own = seen.own
    if seen.iterates:
        return TaskType.LOOP
    if own is not None and _IMPORTER in own.template:
        return TaskType.IMPORTER
    if seen.pod is not None or own is None or _EXECUTOR in own.template or own.type == "Pod":
        return TaskType.RUNTIME
    return named_type(name)


def _leaf(workflow: Workflow, seen: _Seen) -> TaskStatus:
    """A step's state: its pod's, else its driver's while there is no pod."""
    own, driver, pod = seen.own, seen.driver, seen.pod
    idle = own is None or own.state in (State.PENDING, State.SKIPPED)
    if driver is not None and idle and driver.state in (State.FAILED, State.CANCELED):
        return driver.status(error=driver.error and f"Driver: {driver.error}")
    if driver is not None and (own is None or own.state is State.PENDING):
        # The step itself has not begun while its driver looks for inputs and cache.
        return TaskStatus(state=State.PENDING, created_at=driver.started, error=driver.error)
    if own is None:
        return pod.status() if pod is not None else TaskStatus(state=State.PENDING)
    if pod is None:
        return own.status()
    state = own.state
    last = _last_try(workflow, pod)
    if not state.final:
        state = State.RUNNING if pod.state.final else pod.state
    elif state is State.FAILED and State.CANCELED in (pod.state, last.state if last else None):
        state = State.CANCELED
    elif state is State.SUCCEEDED and driver is not None:
        cached = driver.parameters("outputs").get("cached-decision") == "true"
        state = State.CACHED if cached else state
    status = own.status(state, (last.error if last else None) or pod.error)
    if pod.state is not State.SKIPPED and status.started_at is not None:
        status.started_at = pod.started
    return status


def _last_try(workflow: Workflow, pod: Node) -> Attempt | None:
    """The last try, unless it ended well: what it died of, or waits for, is the step's."""
    if pod.type != "Retry" or pod.state is State.SUCCEEDED:
        return None
    attempts, _ = workflow.attempts(pod)
    return attempts[-1] if attempts else None


def _group(seen: _Seen) -> TaskStatus:
    own, driver = seen.own, seen.driver
    if driver is None:
        return own.status() if own is not None else TaskStatus(state=State.PENDING)
    if driver.state in (State.FAILED, State.CANCELED):
        return driver.status(error=driver.error and f"Driver: {driver.error}")
    if own is None:
        state = State.PENDING if driver.state is State.SUCCEEDED else driver.state
        return driver.status(state)
    # A loop's own DAG ends well with nothing in it where its condition is not met.
    unmet = driver.parameters("outputs").get("condition") == "false"
    status = own.status(State.SKIPPED if unmet else None)
    status.created_at = driver.started or status.created_at
    return status
