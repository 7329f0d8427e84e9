"""The first source: Kubeflow's native task API (`view=FULL`), tasks with inputs and outputs."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
from .records import Pod, Record, link_artifacts

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


def _below(
    uid: str, parent: Record | None, children: Mapping[str, list[Mapping[str, Any]]]
) -> Iterator[Record]:
    for task in children.get(uid, ()):
        record = _record(task, parent)
        yield record
        yield from _below(record.uid, record, children)


def _record(task: Mapping[str, Any], parent: Record | None) -> Record:
    index = (task.get("type_attributes") or {}).get("iteration_index")
    iteration = None if index is None else int(index)
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
        status=TaskStatus(
            state=state(task.get("state") or task.get("status")),
            created_at=moment(task.get("create_time")),
            started_at=moment(task.get("start_time")),
            finished_at=moment(task.get("end_time")),
            error=error_text(task.get("error")) or details.get("message") or None,
            attempts=attempts,
        ),
        pods=pods,
        cache_key=task.get("cache_fingerprint") or "",
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


def _type(task: Mapping[str, Any], iteration: int | None) -> TaskType:
    text = task.get("type", "RUNTIME")
    if iteration is not None and text in ("DAG", "LOOP_ITERATION"):
        return TaskType.LOOP_ITERATION
    return TaskType(text) if text in TaskType.__members__ else TaskType.DAG


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
            for artifact in one.get("artifacts") or []
        ],
    )


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
        for index, artifact in enumerate(made):
            graph_id = f"{record.task_id}:{key}" + (f"[{index}]" if len(made) > 1 else "")
            _, metadata = _title_and_metadata(artifact)
            record.artifact_uids[graph_id] = artifact.get("artifact_id") or ""
            record.artifacts[graph_id] = ArtifactStatus(
                uri=artifact.get("uri") or "",
                metadata=metadata,
                created_at=moment(artifact.get("created_at")),
            )


def _title_and_metadata(artifact: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    metadata = dict(artifact.get("metadata") or {})
    title = metadata.pop(_TITLE_KEY, None)
    kind = artifact.get("type") or "Artifact"
    return title or _TITLES.get(kind) or f"system.{kind}", metadata
