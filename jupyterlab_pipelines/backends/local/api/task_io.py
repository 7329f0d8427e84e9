"""What went into a task and came out of it, as the task API shows it, and where from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....models import TaskType
from ..plan.ir import Pipeline
from ..plan.spec import Component, ComponentInput, Constant, OutputRef, Task
from ..records import ArtifactRecord, Values
from ..tasks import artifact_uid, values_to_json
from .render import message, timestamp

#: The API's artifact types by schema title; any other title is kept in the metadata.
_TYPES = {
    "system.Artifact": "Artifact",
    "system.Model": "Model",
    "system.Dataset": "Dataset",
    "system.HTML": "HTML",
    "system.Markdown": "Markdown",
    "system.Metrics": "Metric",
    "system.ClassificationMetrics": "ClassificationMetric",
    "system.SlicedClassificationMetrics": "SlicedClassificationMetric",
}
_SCHEMA_TITLE = "_kfp_schema_title"


@dataclass(frozen=True)
class Origin:
    """Where an input comes from: the API's word for it, and the task that made it, if one did."""

    kind: str
    task: str = ""


def origins(
    pipeline: Pipeline | None, rows: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Origin]]:
    """The origin of every input that the pipeline wires, by task id and input name."""
    if pipeline is None:
        return {}
    by_id = {row["task_id"]: row for row in rows}
    found = {}
    for row in rows:
        task = _task_of(pipeline, by_id, row)
        if task is not None:
            found[row["task_id"]] = {
                **{name: _origin(source.origin) for name, source in task.parameters.items()},
                **{name: _origin(source) for name, source in task.artifacts.items()},
            }
    return found


def render_inputs(values: Values, wired: Mapping[str, Origin], run_id: str) -> dict[str, Any]:
    """The inputs of a run's task. What nothing wires took its component's default."""
    default = Origin("COMPONENT_DEFAULT_INPUT")
    return message(
        parameters=[
            _io(wired.get(name, default), parameter_key=name, value=value)
            for name, value in values.parameters.items()
        ],
        artifacts=[
            _io(
                wired.get(name, Origin("TASK_OUTPUT_INPUT")),
                artifact_key=name,
                artifacts=[render_record(one, run_id) for one in group],
            )
            for name, group in values.artifacts.items()
        ],
    )


def render_outputs(values: Values, row: Mapping[str, Any]) -> dict[str, Any]:
    """A task's outputs; it is their producer itself."""
    iteration = row["iteration"]
    producer = message(
        task_name=row["name"], iteration=None if iteration is None else str(iteration)
    )
    kind = "OUTPUT" if iteration is None else "ITERATOR_OUTPUT"
    return message(
        parameters=[
            {"parameter_key": name, "type": kind, "producer": producer, "value": value}
            for name, value in values.parameters.items()
        ],
        artifacts=[
            {
                "artifact_key": name,
                "type": kind,
                "producer": producer,
                "artifacts": [render_record(one, row["run_id"]) for one in group],
            }
            for name, group in values.artifacts.items()
        ],
    )


def render_record(artifact: ArtifactRecord, run_id: str) -> dict[str, Any]:
    """An artifact as a task of the run holds it; an imported one was made by no task."""
    owner = artifact.producer.run_id if artifact.producer else run_id
    return render_artifact(
        uid=artifact_uid(owner, artifact.artifact_id),
        name=artifact.name,
        schema_title=artifact.type,
        uri=artifact.uri,
        metadata=artifact.metadata,
        created_at=None,
    )


def render_artifact(
    *,
    uid: str,
    name: str,
    schema_title: str,
    uri: str,
    metadata: Mapping[str, Any],
    created_at: int | None,
) -> dict[str, Any]:
    """An artifact as the API shows it; a metric is a number where it is only one."""
    kind = _TYPES.get(schema_title, "Artifact")
    numbers = [
        value
        for value in metadata.values()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    answer = message(
        artifact_id=uid,
        name=name,
        type=kind,
        uri=uri,
        metadata={
            **metadata,
            **({} if schema_title in _TYPES else {_SCHEMA_TITLE: schema_title}),
        },
        created_at=timestamp(created_at),
    )
    if kind == "Metric" and len(numbers) == 1:
        answer["number_value"] = numbers[0]
    return answer


def stored_parameters(parameters: Mapping[str, Any]) -> str:
    """Parameters alone, as the store keeps a task's inputs."""
    return values_to_json(Values(parameters=dict(parameters)))


def _io(origin: Origin, **fields: Any) -> dict[str, Any]:
    producer = {"producer": {"task_name": origin.task}} if origin.task else {}
    return {"type": origin.kind, **producer, **fields}


def _origin(source: object) -> Origin:
    if isinstance(source, OutputRef):
        return Origin("TASK_OUTPUT_INPUT", source.task)
    if isinstance(source, Constant):
        return Origin("RUNTIME_VALUE_INPUT")
    if isinstance(source, ComponentInput):
        return Origin("COMPONENT_INPUT")
    return Origin("TASK_FINAL_STATUS_OUTPUT", getattr(source, "task", ""))


def _task_of(
    pipeline: Pipeline, by_id: Mapping[str, Mapping[str, Any]], row: Mapping[str, Any]
) -> Task | None:
    """The task of the specification that a row belongs to; an iteration has its loop's."""
    parent = by_id.get(row["parent"] or "")
    if parent is not None and parent["type"] == TaskType.LOOP.value:
        row, parent = parent, by_id.get(parent["parent"] or "")
    scope: Component | None = (
        pipeline.root if parent is None else pipeline.components.get(parent["component"])
    )
    dag = scope.dag if scope is not None else None
    return dag.tasks.get(row["name"]) if dag is not None else None
