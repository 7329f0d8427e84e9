"""Rows as v2beta1 writes them: proto names, and nothing that is empty."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .records import Experiment, Pipeline, RecurringRun, Run, Version

#: How Argo's phases read as runtime states; others have none.
_PHASES = {"PENDING", "RUNNING", "SUCCEEDED", "SKIPPED", "FAILED"}


def moment(seconds: int) -> str:
    """A time; zero is written too, as 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def without_empty(content: Mapping[str, Any]) -> dict[str, Any]:
    """What protojson leaves out: empty text, zero, false, and null."""
    return {name: value for name, value in content.items() if value not in ("", 0, None, {}, [])}


def experiment(row: Experiment) -> dict[str, Any]:
    """An Experiment."""
    return without_empty(
        {
            "experiment_id": row.id,
            "display_name": row.name,
            "description": row.description,
            "created_at": moment(row.created_at),
            "namespace": row.namespace,
            "storage_state": storage(row.archived),
            "last_run_created_at": moment(row.last_run_created_at),
        }
    )


def pipeline(row: Pipeline) -> dict[str, Any]:
    """A Pipeline."""
    return without_empty(
        {
            "pipeline_id": row.id,
            "display_name": row.display_name,
            "description": row.description,
            "created_at": moment(row.created_at),
            "namespace": row.namespace,
            "name": row.name,
            "tags": row.tags,
        }
    )


def version(row: Version) -> dict[str, Any]:
    """A PipelineVersion."""
    return without_empty(
        {
            "pipeline_id": row.pipeline_id,
            "pipeline_version_id": row.id,
            "display_name": row.display_name,
            "description": row.description,
            "created_at": moment(row.created_at),
            "package_url": {"pipeline_url": row.package_url} if row.package_url else None,
            "code_source_url": row.code_source_url,
            "pipeline_spec": row.spec,
            "name": row.name,
            "tags": row.tags,
        }
    )


def run(row: Run) -> dict[str, Any]:
    """A Run, which never says its namespace."""
    details = task_details(row)
    return without_empty(
        {
            "experiment_id": row.experiment_id,
            "run_id": row.id,
            "display_name": row.display_name,
            "storage_state": storage(row.archived),
            "description": row.description,
            **_source(row),
            "runtime_config": _runtime_config(row),
            "service_account": row.service_account,
            "created_at": moment(row.created_at),
            "scheduled_at": moment(row.scheduled_at),
            "finished_at": moment(row.finished_at),
            "state": row.state,
            "error": row.error,
            "run_details": {"task_details": details} if details else None,
            "recurring_run_id": row.recurring_run_id,
            "state_history": [
                {"update_time": moment(one["update_time"]), "state": one["state"]}
                for one in row.state_history
            ],
        }
    )


def recurring_run(row: RecurringRun) -> dict[str, Any]:
    """A RecurringRun."""
    return without_empty(
        {
            "recurring_run_id": row.id,
            "display_name": row.display_name,
            "description": row.description,
            **_source(row),
            "runtime_config": _runtime_config(row),
            "service_account": row.service_account,
            "max_concurrency": str(row.max_concurrency),  # an int64
            "trigger": row.trigger or {},
            "mode": "ENABLE" if row.enabled else "DISABLE",
            "created_at": moment(row.created_at),
            "updated_at": moment(row.updated_at),
            "status": "ENABLED" if row.enabled else "DISABLED",
            "no_catchup": row.no_catchup,
            "namespace": row.namespace,
            "experiment_id": row.experiment_id,
        }
    )


def task_details(row: Run) -> list[dict[str, Any]]:
    """The run's tasks: as they were laid down, else one for each node of its workflow."""
    if row.task_details is not None:
        return row.task_details
    workflow = row.workflow or {}
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    created = (workflow.get("metadata") or {}).get("creationTimestamp") or moment(row.created_at)
    return [_task_detail(row, node, created) for _, node in sorted(nodes.items())]


def _task_detail(row: Run, node: Mapping[str, Any], created: str) -> dict[str, Any]:
    """What Kubeflow keeps of a node: never its own pod, nor its error, inputs and outputs."""
    state = str(node.get("phase", "")).upper()
    state = "FAILED" if state == "ERROR" else state if state in _PHASES else ""
    children = [{"pod_name": child} for child in node.get("children") or []]
    return without_empty(
        {
            "run_id": row.id,
            "task_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{row.id}/{node['id']}")),
            "display_name": node.get("displayName", ""),
            "create_time": created,
            "start_time": node.get("startedAt") or moment(0),
            "end_time": node.get("finishedAt") or moment(0),
            "state": state,
            "state_history": [{"update_time": node.get("startedAt") or created, "state": state}]
            if state
            else [],
            "child_tasks": children,
        }
    )


def storage(archived: bool) -> str:
    """A storage state."""
    return "ARCHIVED" if archived else "AVAILABLE"


def _source(row: Run | RecurringRun) -> dict[str, Any]:
    if row.version_id or row.pipeline_id:
        reference = {"pipeline_id": row.pipeline_id, "pipeline_version_id": row.version_id}
        return {"pipeline_version_reference": without_empty(reference)}
    return {"pipeline_spec": row.spec} if row.spec else {}


def _runtime_config(row: Run | RecurringRun) -> dict[str, Any]:
    return without_empty({"parameters": row.parameters, "pipeline_root": row.pipeline_root})
