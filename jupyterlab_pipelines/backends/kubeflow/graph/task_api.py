"""The first source: Kubeflow's native task API (`view=FULL`), tasks with inputs and outputs.

Kubeflow has no task for an iteration: what happens inside a loop lies directly below the LOOP, each
task with its `iteration_index`. The embedded engine's answers have one, with the loop's own name.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from ....models import (
    ArtifactRef,
    ArtifactStatus,
    Attempt,
    State,
    TaskIO,
    TaskStatus,
    TaskType,
)
from ..messages import error_text, moment, state
from .records import LOG, Pod, Record, link_artifacts
from .spec import named_type

#: The most iterations that are drawn before they begin.
MOST_ITERATIONS = 10_000
_TYPES = {one.value: one for one in TaskType}
_TITLE_KEY = "_kfp_schema_title"
_TITLES = {
    "Metric": "system.Metrics",
    "ClassificationMetric": "system.ClassificationMetrics",
    "SlicedClassificationMetric": "system.SlicedClassificationMetrics",
}


def read_tasks(tasks: Sequence[Mapping[str, Any]]) -> dict[str, Record]:
    """Records by scope path, parents before their children; the ROOT task is left out."""
    children: dict[str, list[Mapping[str, Any]]] = {}
    roots = {task["task_id"] for task in tasks if task.get("type") == "ROOT"}
    for task in tasks:
        if task["task_id"] not in roots:
            children.setdefault(task.get("parent_task_id") or "", []).append(task)
    records: dict[str, Record] = {}
    for above in ("", *roots):
        for record in _below(above, None, children):
            records[record.task_id] = record
    link_artifacts(records.values())
    return records


_Tasks: TypeAlias = Mapping[str, list[Mapping[str, Any]]]


def _below(uid: str, parent: Record | None, children: _Tasks) -> Iterator[Record]:
    told = children.get(uid, [])
    if parent is not None and parent.type is TaskType.LOOP:
        loose = [task for task in told if task["name"] != parent.name]
        told = [task for task in told if task["name"] == parent.name]
        if loose or not told:
            yield from _unfolded(parent, loose, children)
    for task in told:
        record = _record(task, parent)
        yield record
        yield from _below(record.uid, record, children)


def _unfolded(
    loop: Record, tasks: Sequence[Mapping[str, Any]], children: _Tasks
) -> Iterator[Record]:
    """The iterations of a loop, and what is in each: those that began, and those that will."""
    inside: dict[int, list[Mapping[str, Any]]] = {
        index: [] for index in range(min(loop.members or 0, MOST_ITERATIONS))
    }
    for task in tasks:
        inside.setdefault(_index(task) or 0, []).append(task)
    for index, members in sorted(inside.items()):
        begun = [moment(task.get("create_time")) for task in members]
        created = min((one for one in begun if one is not None), default=None)
        iteration = Record(
            task_id=f"{loop.task_id}[{index}]",
            uid="",
            name=loop.name,
            display_name=f"Iteration {index}",
            type=TaskType.LOOP_ITERATION,
            parent=loop.task_id,
            iteration=index,
            status=TaskStatus(
                state=State.RUNNING if members else State.PENDING,
                created_at=created,
                started_at=created,
            ),
        )
        yield iteration
        for task in members:
            record = _record(task, iteration)
            yield record
            yield from _below(record.uid, record, children)


def _index(task: Mapping[str, Any]) -> int | None:
    index = (task.get("type_attributes") or {}).get("iteration_index")
    return None if index is None else int(index)


def _record(task: Mapping[str, Any], parent: Record | None) -> Record:
    iteration = _index(task)
    name = task["name"]
    if iteration is not None and parent is not None and parent.type is TaskType.LOOP:
        task_id = f"{parent.task_id}[{iteration}]"
    else:
        task_id = name if parent is None else f"{parent.task_id}/{name}"
        iteration = None
    kind = _type(task, iteration)
    details = task.get("status_metadata") or {}
    properties = details.get("custom_properties") or {}
    attempts, pods = _attempts(task, properties)
    count = (task.get("type_attributes") or {}).get("iteration_count")
    record = Record(
        task_id=task_id,
        uid=task["task_id"],
        name=name,
        display_name=f"Iteration {iteration}"
        if iteration is not None
        else task.get("display_name") or name,
        type=kind,
        parent=None if parent is None else parent.task_id,
        iteration=iteration,
        status=_status(task, attempts),
        pods=pods,
        cache_key=task.get("cache_fingerprint") or "",
        members=None if count is None else int(count),
    )
    if properties.get("cached_from_run_id"):
        record.cached_from = (
            properties["cached_from_run_id"],
            properties.get("cached_from_task_id", ""),
        )
    record.io = functools.partial(_io, task)
    if kind in (TaskType.RUNTIME, TaskType.IMPORTER):
        _own_outputs(record, task.get("outputs") or {})
    return record


def _status(task: Mapping[str, Any], attempts: list[Attempt]) -> TaskStatus:
    now = state(task.get("state") or task.get("status"))
    kinds = {one.get("type") for one in task.get("pods") or []}
    if now is State.RUNNING and task.get("type") == "RUNTIME" and kinds == {"DRIVER"}:
        now = State.PENDING  # its driver has written it down; its launcher has not begun
    created = moment(task.get("create_time"))
    begun = now not in (State.PENDING, State.SKIPPED)
    details = task.get("status_metadata") or {}
    history = task.get("state_history") or []
    said = (error_text(one.get("error")) for one in reversed(history))
    error = error_text(task.get("error")) or details.get("message")
    return TaskStatus(
        state=now,
        created_at=created,
        # Kubeflow does not tell when a task's own container began.
        started_at=moment(task.get("start_time")) or (created if begun and kinds else None),
        finished_at=moment(task.get("end_time")),
        error=error or next((one for one in said if one), None),
        attempts=attempts,
    )


def _type(task: Mapping[str, Any], iteration: int | None) -> TaskType:
    text = task.get("type", "RUNTIME")
    if iteration is not None and text in ("DAG", "LOOP_ITERATION"):
        return TaskType.LOOP_ITERATION
    kind = _TYPES.get(text, TaskType.DAG)
    if kind in (TaskType.DAG, TaskType.CONDITION, TaskType.CONDITION_BRANCH):
        # Kubeflow's words for groups are guesses of its drivers: the SDK's names tell better.
        named = named_type(task["name"])
        return kind if named is TaskType.DAG else named
    return kind


def _attempts(
    task: Mapping[str, Any], properties: Mapping[str, Any]
) -> tuple[list[Attempt], list[Pod]]:
    """The attempts where the endpoint tells them; else each executor pod stands for one."""
    told = properties.get("attempts")
    if told:
        attempts = [
            Attempt(
                number=int(one["number"]),
                state=state(one.get("state")),
                started_at=moment(one.get("start_time")),
                finished_at=moment(one.get("end_time")),
                exit_code=one.get("exit_code"),
                error=one.get("error"),
            )
            for one in told
        ]
        return attempts, [Pod(int(one["number"]), one.get("pod_name", "")) for one in told]
    pods = [one["name"] for one in task.get("pods") or [] if one.get("type") == "EXECUTOR"]
    final = state(task.get("state") or task.get("status"))
    return (
        [
            Attempt(number=number, state=final if number == len(pods) else State.FAILED)
            for number, _ in enumerate(pods, 1)
        ],
        [Pod(number, name) for number, name in enumerate(pods, 1)],
    )


def _io(task: Mapping[str, Any]) -> tuple[TaskIO, TaskIO]:
    return _side(task.get("inputs") or {}), _side(task.get("outputs") or {})


def _side(content: Mapping[str, Any]) -> TaskIO:
    return TaskIO(
        parameters={
            one.get("parameter_key") or one.get("name") or "": one.get("value")
            for one in content.get("parameters") or []
        },
        artifacts=[
            _reference(one, artifact)
            for one in content.get("artifacts") or []
            if one.get("artifact_key") != LOG
            for artifact in _shown(one.get("artifacts") or [])
        ],
    )


def _shown(artifacts: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    metrics = artifacts and all(one.get("type") == "Metric" for one in artifacts)
    return [_as_one(artifacts)] if metrics else artifacts


def _reference(entry: Mapping[str, Any], artifact: Mapping[str, Any]) -> ArtifactRef:
    """`id` is the endpoint's own."""
    title, metadata = _title_and_metadata(artifact)
    return ArtifactRef(
        name=entry.get("artifact_key") or artifact.get("name") or "",
        id=artifact.get("artifact_id") or None,
        type=title,
        uri=artifact.get("uri") or "",
        metadata=metadata,
    )


def _own_outputs(record: Record, content: Mapping[str, Any]) -> None:
    """Names a leaf's artifacts as the graph does: `<task id>:<key>`, in a list with `[i]`."""
    for entry in content.get("artifacts") or []:
        key = entry.get("artifact_key") or ""
        made = entry.get("artifacts") or []
        if key == LOG:
            record.pods = list(_with_logs(record.pods, [one.get("uri") or "" for one in made]))
            continue
        made = _shown(made)
        for index, artifact in enumerate(made):
            graph_id = f"{record.task_id}:{key}" + (f"[{index}]" if len(made) > 1 else "")
            title, metadata = _title_and_metadata(artifact)
            record.artifact_uids[graph_id] = artifact.get("artifact_id") or ""
            record.artifact_types[graph_id] = title
            record.artifacts[graph_id] = ArtifactStatus(
                uri=artifact.get("uri") or "",
                metadata=metadata,
                created_at=moment(artifact.get("created_at")),
            )


def _with_logs(pods: Sequence[Pod], uris: Sequence[str]) -> Iterator[Pod]:
    """The pods with the logs that their launchers kept; the last log is the last pod's."""
    first = len(pods) - len(uris)
    for number, pod in enumerate(pods):
        uri = pod.log_uri if number < first else uris[number - first]
        yield Pod(pod.attempt, pod.name, pod.node, uri)


def _as_one(metrics: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """An artifact of metrics, which Kubeflow stores each as one of its own."""
    metadata: dict[str, Any] = {}
    for one in metrics:
        metadata |= one.get("metadata") or {}
        if one.get("number_value") is not None:
            metadata.setdefault(one.get("name") or "", one["number_value"])
    return {**metrics[0], "metadata": metadata}


def _title_and_metadata(artifact: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    metadata = dict(artifact.get("metadata") or {})
    title = metadata.pop(_TITLE_KEY, None)
    kind = artifact.get("type") or "Artifact"
    return title or _TITLES.get(kind) or f"system.{kind}", metadata
