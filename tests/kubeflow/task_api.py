"""A run's tasks as Kubeflow's native task API tells them, which replaces ML Metadata.

Written from kubeflow/pipelines' `backend/api/v2beta1/run.proto` and drivers after the removal: a
loop's body lies directly below the LOOP, each metric is an artifact of its own, a task has no time
of its start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .steps import Step

_STATES = {"PENDING": "RUNNING", "CANCELED": "RUNNING"}
_TYPES = {
    "system.Artifact": "Artifact", "system.Model": "Model", "system.Dataset": "Dataset",
    "system.HTML": "HTML", "system.Markdown": "Markdown", "system.Metrics": "Metric",
    "system.ClassificationMetrics": "ClassificationMetric",
}  # fmt: skip


def make_tasks(run_id: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """The tasks of `view=FULL`."""
    root = {
        "task_id": f"{run_id}-root",
        "run_id": run_id,
        "name": "ROOT",
        "type": "ROOT",
        "state": "RUNNING",
        "create_time": "2026-08-01T10:00:00Z",
    }
    return [root, *_below(run_id, str(root["task_id"]), None, steps)]


def _below(
    run_id: str, parent: str, index: int | None, steps: Sequence[Step]
) -> Iterator[dict[str, Any]]:
    """Tasks inside a DAG; `index` is of the iteration around them, at any depth."""
    for step in steps:
        if step.kind == "iteration":
            yield from _below(run_id, parent, step.iteration, step.inside)
            continue
        own = step.iteration if step.iteration is not None else index
        task = _task(run_id, parent, own, step)
        yield task
        yield from _below(run_id, task["task_id"], own, step.inside)


def _task(run_id: str, parent: str, index: int | None, step: Step) -> dict[str, Any]:
    outcome, state = step.outcome, step.state
    attributes: dict[str, Any] = {}
    if index is not None:
        attributes["iteration_index"] = str(index)
    if step.kind == "loop":
        attributes["iteration_count"] = str(len(step.inside))
    pods = [{"name": f"{step.name}-driver", "uid": "d", "type": "DRIVER"}]
    if step.kind in ("leaf", "importer") and state not in ("PENDING", "SKIPPED", "CACHED"):
        tries = len(outcome.failures) + 1
        pods += [{"name": f"{step.name}-{n}", "uid": "e", "type": "EXECUTOR"} for n in range(tries)]
    task = {
        "task_id": f"{run_id}-{step.path}",
        "run_id": run_id,
        "parent_task_id": parent,
        "name": step.name,
        "display_name": "Loop" if step.kind == "loop" else step.title,
        "type": _type(step),
        "type_attributes": attributes,
        "state": _STATES.get(state, state),
        "create_time": "2026-08-01T10:00:01Z",
        "pods": pods,
        "outputs": {"parameters": [], "artifacts": []},
    }
    if state not in ("RUNNING", "PENDING", "CANCELED"):
        task["end_time"] = "2026-08-01T10:01:00Z"
    if outcome.message:
        task["status_metadata"] = {"message": outcome.message}
    if step.kind in ("leaf", "importer") and state in ("SUCCEEDED", "CACHED"):
        task["outputs"] = {"parameters": [], "artifacts": list(_made(run_id, step))}
    return task


def _type(step: Step) -> str:
    if step.kind in ("leaf", "importer"):
        return "RUNTIME" if step.kind == "leaf" else "IMPORTER"
    if step.kind == "loop":
        return "LOOP"
    return "CONDITION_BRANCH" if (step.task.get("triggerPolicy") or {}).get("condition") else "DAG"


def _made(run_id: str, step: Step) -> Iterator[dict[str, Any]]:
    for key, kind in step.outputs.items():
        metadata = dict(step.outcome.metadata.get(key, {}))
        base = f"{run_id}-{step.path}-{key}"
        if kind == "system.Metrics":
            values = metadata or {"accuracy": 0.5}
            artifacts = [
                {
                    "artifact_id": f"{base}-{name}",
                    "name": name,
                    "type": "Metric",
                    "number_value": value,
                    "metadata": {name: value},
                }
                for name, value in values.items()
            ]
        else:
            uri = f"minio://mlpipeline/v2/{step.name}/{key}"
            artifacts = [
                {"artifact_id": base, "name": key, "type": _TYPES[kind], "uri": uri}
                | {"metadata": metadata, "created_at": "2026-08-01T10:00:30Z"}
            ]
        yield {"artifact_key": key, "type": "OUTPUT", "artifacts": artifacts}
    log = {"artifact_id": f"{run_id}-{step.path}-log", "name": "executor-logs", "type": "Artifact"}
    log["uri"] = f"minio://mlpipeline/v2/{step.name}/executor-logs"
    yield {"artifact_key": "executor-logs", "type": "OUTPUT", "artifacts": [log]}
