"""The second source, up to Kubeflow 2.17: ML Metadata's executions, events and artifacts.

It knows inputs, outputs, artifacts and what came from the cache, but no reason why a task failed,
and no attempt but the last.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from google.protobuf.struct_pb2 import Struct
from google.protobuf.struct_pb2 import Value as StructValue

from ....models import ArtifactRef, ArtifactStatus, Attempt, State, TaskIO, TaskStatus, TaskType
from ..mlmd import Origin, Snapshot
from ..mlmd.metadata_store_pb2 import Artifact, Event, Execution, Value
from .records import LOG, Pod, Record, link_artifacts
from .spec import Component, Pipeline, Task, named_type, type_of

_STATES = {
    Execution.NEW: State.PENDING,
    Execution.RUNNING: State.RUNNING,
    Execution.COMPLETE: State.SUCCEEDED,
    Execution.FAILED: State.FAILED,
    Execution.CACHED: State.CACHED,
    Execution.CANCELED: State.SKIPPED,  # the condition was not met
}
_OUTPUTS = (Event.OUTPUT, Event.DECLARED_OUTPUT)
_INPUTS = (Event.INPUT, Event.DECLARED_INPUT)
#: Custom properties of an artifact that are Kubeflow's own, not its producer's.
_OWN = ("display_name", "store_session_info")


def read_metadata(snapshot: Snapshot, pipeline: Pipeline) -> dict[str, Record]:
    """Records by scope path, parents before their children; the root DAG is left out."""
    children: dict[int, list[Execution]] = {}
    for execution in snapshot.executions.values():
        children.setdefault(_number(execution, "parent_dag_id") or 0, []).append(execution)
    reader = _Reader(snapshot, pipeline, children)
    records: dict[str, Record] = {}
    for root in children.get(0, ()):
        for record in reader.below(root, None, pipeline.root):
            records[record.task_id] = record
    link_artifacts(records.values())
    return records


def path_of(origin: Origin, pipeline: Pipeline) -> str:
    """The scope path of the execution that an origin ends in."""
    path, component = "", pipeline.root
    for execution in origin.path[1:]:  # the first is the root DAG
        task = _task(component, _text(execution, "task_name"))
        index = _number(execution, "iteration_index")
        if index is not None and path.rpartition("/")[2] == _name(execution, task):
            path = f"{path}[{index}]"
            continue
        name = _name(execution, task)
        path = f"{path}/{name}" if path else name
        component = pipeline.component_of(task) if task else Component("", {})
    return path


class _Reader:
    def __init__(
        self, snapshot: Snapshot, pipeline: Pipeline, children: Mapping[int, list[Execution]]
    ) -> None:
        self._snapshot = snapshot
        self._pipeline = pipeline
        self._children = children

    def below(
        self, above: Execution, parent: Record | None, component: Component
    ) -> Iterator[Record]:
        """The records of everything inside an execution of this component."""
        groups: dict[tuple[str, int | None], list[Execution]] = {}
        looping = parent is not None and parent.type is TaskType.LOOP
        tasks = component.tasks or {}
        for execution in self._children.get(above.id, ()):
            index = _number(execution, "iteration_index") if looping else None
            task = _task(component, _text(execution, "task_name"), tasks)
            name = "" if index is not None else _name(execution, task)
            groups.setdefault((name, index), []).append(execution)
        for (name, index), executions in groups.items():
            # A driver that was started again made a second execution of its task.
            executions.sort(key=lambda one: one.id)
            if index is not None and parent is not None:
                record = self._iteration(executions, parent, component, index)
                inner = component
            else:
                task = tasks.get(name)
                inner = self._pipeline.component_of(task) if task else Component("", {})
                record = self._record(executions, name, task, inner, parent)
            yield record
            if executions[-1].id in self._children:
                yield from self.below(executions[-1], record, inner)

    def _iteration(
        self, executions: list[Execution], loop: Record, component: Component, index: int
    ) -> Record:
        leaf = TaskType.IMPORTER if component.importer else TaskType.RUNTIME
        group = component.tasks is not None or _is_dag(executions[-1])
        return self._filled(
            Record(
                task_id=f"{loop.task_id}[{index}]",
                uid=str(executions[-1].id),
                name=loop.name,
                display_name=f"Iteration {index}",
                type=TaskType.LOOP_ITERATION if group else leaf,
                parent=loop.task_id,
                iteration=index,
                status=_status(executions),
            ),
            executions[-1],
            component,
        )

    def _record(
        self,
        executions: list[Execution],
        name: str,
        task: Task | None,
        component: Component,
        parent: Record | None,
    ) -> Record:
        last = executions[-1]
        return self._filled(
            Record(
                task_id=name if parent is None else f"{parent.task_id}/{name}",
                uid=str(last.id),
                name=name,
                display_name=(task.display_name if task else _text(last, "display_name")) or name,
                type=type_of(task, component) if task else _guessed_type(last, name),
                parent=None if parent is None else parent.task_id,
                iteration=None,
                status=_status(executions),
            ),
            last,
            component,
        )

    def _filled(self, record: Record, execution: Execution, component: Component) -> Record:
        events = self._snapshot.events.get(execution.id, ())
        record.io = functools.partial(self._io, execution, component, events)
        record.cache_key = _text(execution, "cache_fingerprint")
        if record.status.state is State.CACHED:
            origin = _text(execution, "cached_execution_id")
            record.cached_from = ("", origin) if origin else None
        if record.type not in (TaskType.RUNTIME, TaskType.IMPORTER):
            record.members = _members(execution)
        else:
            log_uri = self._add_artifacts(record, events)
            self._add_pod(record, execution, log_uri)
            if record.status.state is State.RUNNING and not record.pods:
                # Its driver has written it down; its launcher has not begun.
                record.status.state, record.status.started_at = State.PENDING, None
        return record

    def _io(
        self, execution: Execution, component: Component, events: Sequence[Event]
    ) -> tuple[TaskIO, TaskIO]:
        """Inputs and outputs; the artifacts' ids are the store's own."""
        return (
            TaskIO(
                parameters=_parameters(execution, "inputs", component, "inputDefinitions"),
                artifacts=self._references(events, _INPUTS),
            ),
            TaskIO(
                parameters=_parameters(execution, "outputs", component, "outputDefinitions"),
                artifacts=self._references(events, _OUTPUTS),
            ),
        )

    def _references(self, events: Sequence[Event], kinds: Sequence[int]) -> list[ArtifactRef]:
        # Elements of one list follow each other, as the graph's own ids of them do.
        groups: dict[str, list[Artifact]] = {}
        for event in events:
            artifact = self._snapshot.artifacts.get(event.artifact_id)
            key = event.path.steps[0].key if event.path.steps else ""
            if event.type in kinds and artifact is not None and key != LOG:
                groups.setdefault(key, []).append(artifact)
        return [
            ArtifactRef(
                name=key,
                id=str(artifact.id),
                type=self._type(artifact),
                uri=artifact.uri,
                metadata=_metadata(artifact),
            )
            for key, artifacts in groups.items()
            for artifact in artifacts
        ]

    def _add_pod(self, record: Record, execution: Execution, log_uri: str) -> None:
        name = _text(execution, "pod_name")
        if name:
            record.pods = [Pod(attempt=1, name=name, log_uri=log_uri)]
            status = record.status
            status.attempts = [
                Attempt(
                    number=1,
                    state=status.state,
                    started_at=status.started_at,
                    finished_at=status.finished_at,
                )
            ]

    def _add_artifacts(self, record: Record, events: Iterable[Event]) -> str:
        """Notes what it made; where its log is, which is empty where that is not kept."""
        log_uri = ""
        made: dict[str, list[Artifact]] = {}
        for event in events:
            if event.type not in _OUTPUTS:
                continue
            artifact = self._snapshot.artifacts.get(event.artifact_id)
            if artifact is None:
                continue
            steps = event.path.steps
            key = steps[0].key if steps else ""
            if key == LOG:
                log_uri = artifact.uri
            else:
                made.setdefault(key, []).append(artifact)
        for key, artifacts in made.items():
            for index, artifact in enumerate(artifacts):
                suffix = f"[{index}]" if len(artifacts) > 1 else ""
                graph_id = f"{record.task_id}:{key}{suffix}"
                record.artifact_uids[graph_id] = str(artifact.id)
                record.artifact_types[graph_id] = self._type(artifact)
                session = artifact.custom_properties.get("store_session_info")
                if session is not None:
                    record.artifact_stores[graph_id] = session.string_value
                record.artifacts[graph_id] = ArtifactStatus(
                    uri=artifact.uri,
                    metadata=_metadata(artifact),
                    created_at=_moment(artifact.create_time_since_epoch),
                )
        return log_uri

    def _type(self, artifact: Artifact) -> str:
        return artifact.type or self._snapshot.types.get(artifact.type_id, "system.Artifact")


def _task(component: Component, name: str, tasks: Mapping[str, Task] | None = None) -> Task | None:
    """The task of a DAG by its key, or, as importers are recorded, by its shown name."""
    tasks = component.tasks or {} if tasks is None else tasks
    if name in tasks:
        return tasks[name]
    shown = [task for task in tasks.values() if task.display_name == name]
    return shown[0] if shown else None


def _name(execution: Execution, task: Task | None) -> str:
    if task is not None:
        return task.name
    return _text(execution, "task_name") or execution.name or str(execution.id)


def _guessed_type(execution: Execution, name: str) -> TaskType:
    """What an execution is where the pipeline is not known any more."""
    if _number(execution, "iteration_count") is not None:
        return TaskType.LOOP
    if execution.type.startswith("system.Importer"):
        return TaskType.IMPORTER
    if not _is_dag(execution):
        return TaskType.RUNTIME
    return named_type(name)


def _is_dag(execution: Execution) -> bool:
    return (
        execution.type == "system.DAGExecution" or "total_dag_tasks" in execution.custom_properties
    )


def _members(execution: Execution) -> int | None:
    """How many executions a DAG's will have inside; null where the release does not tell."""
    count = _number(execution, "iteration_count")
    return _number(execution, "total_dag_tasks") if count is None else count


def _status(executions: list[Execution]) -> TaskStatus:
    last = executions[-1]
    state = _STATES.get(last.last_known_state, State.PENDING)
    began = _moment(executions[0].create_time_since_epoch)
    return TaskStatus(
        state=state,
        created_at=began,
        started_at=None if state in (State.PENDING, State.SKIPPED) else began,
        finished_at=_moment(last.last_update_time_since_epoch) if state.final else None,
    )


def _parameters(
    execution: Execution, side: str, component: Component, definitions: str
) -> dict[str, Any]:
    """The values of one side. A number of a Struct is a float, whatever it was before."""
    value = execution.custom_properties.get(side)
    if value is None:
        return {}
    declared = (component.content.get(definitions) or {}).get("parameters") or {}
    return {
        key: one
        if (declared.get(key) or {}).get("parameterType") == "NUMBER_DOUBLE"
        else whole_numbers(one)
        for key, one in _content(value.struct_value).items()
    }


def whole_numbers(value: Any) -> Any:
    """The value with every float that is a whole number as an int."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole_numbers(one) for one in value]
    if isinstance(value, dict):
        return {key: whole_numbers(one) for key, one in value.items()}
    return value


def _metadata(artifact: Artifact) -> dict[str, Any]:
    return {
        key: _plain(values[key])
        for values in (artifact.properties, artifact.custom_properties)
        for key in values
        if key not in _OWN
    }


def _content(struct: Struct) -> dict[str, Any]:
    return {key: _one(value) for key, value in struct.fields.items()}


def _one(value: StructValue) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _content(value.struct_value)
    if kind == "list_value":
        return [_one(one) for one in value.list_value.values]
    return None if kind in (None, "null_value") else _finite(getattr(value, kind))


def _finite(value: Any) -> Any:
    """The value; a number that JSON does not have, by its name."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain(value: Value) -> Any:
    """A value as JSON has it; lists and structs are wrapped by the names `list` and `struct`."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind != "struct_value":
        return _finite(getattr(value, kind))
    content = whole_numbers(_content(value.struct_value))
    if set(content) == {"list"} or set(content) == {"struct"}:
        return next(iter(content.values()))
    return content


def _text(execution: Execution, key: str) -> str:
    value = execution.custom_properties.get(key)
    return value.string_value if value else ""


def _number(execution: Execution, key: str) -> int | None:
    value = execution.custom_properties.get(key)
    return value.int_value if value else None


def _moment(milliseconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, timezone.utc) if milliseconds else None
    except (ValueError, OverflowError, OSError):  # beyond any calendar
        return None
