"""Rows as v1beta1 writes them, which is still served beside v2beta1."""

from __future__ import annotations

import json
from typing import Any

from .records import Experiment, Pipeline, RecurringRun, Run, Version
from .v2beta1 import moment, without_empty

_STATUS = {
    "PENDING": "Pending", "PAUSED": "Pending", "RUNNING": "Running", "SUCCEEDED": "Succeeded",
    "SKIPPED": "Skipped", "FAILED": "Failed", "CANCELED": "Failed", "CANCELING": "Terminating",
}  # fmt: skip


def status(row: Run) -> str:
    """A run's state as version 1 said it."""
    return _STATUS.get(row.state, "Unknown")


def experiment(row: Experiment) -> dict[str, Any]:
    """An Experiment."""
    return without_empty(
        {
            "id": row.id,
            "name": row.name,
            "description": row.description,
            "created_at": moment(row.created_at),
            "resource_references": [_reference("NAMESPACE", row.namespace, "OWNER")],
            "storage_state": "STORAGESTATE_ARCHIVED" if row.archived else "STORAGESTATE_AVAILABLE",
        }
    )


def pipeline(row: Pipeline, default: Version | None) -> dict[str, Any]:
    """A Pipeline with its newest version."""
    namespaces = [_reference("NAMESPACE", row.namespace, "OWNER")] if row.namespace else []
    return without_empty(
        {
            "id": row.id,
            "created_at": moment(row.created_at),
            "name": row.name,
            "description": row.description,
            "default_version": version(default) if default else {},
            "resource_references": namespaces,
        }
    )


def version(row: Version) -> dict[str, Any]:
    """A PipelineVersion."""
    url = {"pipeline_url": row.code_source_url} if row.code_source_url else None
    return without_empty(
        {
            "id": row.id,
            "name": row.name,
            "created_at": moment(row.created_at),
            "code_source_url": row.code_source_url,
            "package_url": url,
            "resource_references": [_reference("PIPELINE", row.pipeline_id, "OWNER")],
            "description": row.description,
        }
    )


def run(row: Run) -> dict[str, Any]:
    """A Run; one that is not archived says nothing of it, since that is the enum's zero."""
    return without_empty(
        {
            "id": row.id,
            "name": row.display_name,
            "storage_state": "STORAGESTATE_ARCHIVED" if row.archived else "",
            "description": row.description,
            "pipeline_spec": _spec(row),
            "resource_references": _references(row),
            "service_account": row.service_account,
            "created_at": moment(row.created_at),
            "scheduled_at": moment(row.scheduled_at),
            "finished_at": moment(row.finished_at),
            "status": status(row),
            "metrics": row.metrics,
        }
    )


def run_detail(row: Run) -> dict[str, Any]:
    """A RunDetail: the run, and the whole Argo Workflow as text."""
    manifest = json.dumps(row.workflow) if row.workflow else ""
    return {
        "run": run(row),
        "pipeline_runtime": without_empty({"workflow_manifest": manifest}),
    }


def job(row: RecurringRun) -> dict[str, Any]:
    """A Job."""
    return without_empty(
        {
            "id": row.id,
            "name": row.display_name,
            "description": row.description,
            "pipeline_spec": _spec(row),
            "resource_references": _references(row),
            "service_account": row.service_account,
            "max_concurrency": str(row.max_concurrency),
            "trigger": row.trigger,
            "created_at": moment(row.created_at),
            "updated_at": moment(row.updated_at),
            "status": "Enabled" if row.enabled else "Disabled",
            "enabled": row.enabled,
            "no_catchup": row.no_catchup,
        }
    )


def _spec(row: Run | RecurringRun) -> dict[str, Any]:
    name = ((row.spec or {}).get("pipelineInfo") or {}).get("name", "")
    config = {"parameters": row.parameters, "pipeline_root": row.pipeline_root}
    return without_empty(
        {
            "pipeline_id": row.pipeline_id,
            "pipeline_name": getattr(row, "pipeline_name", "") or name,
            "pipeline_manifest": json.dumps(row.spec) if row.spec else "",
            "runtime_config": without_empty(config),
        }
    )


def _references(row: Run | RecurringRun) -> list[dict[str, Any]]:
    found = [_reference("EXPERIMENT", row.experiment_id, "OWNER")]
    if row.namespace:
        found.append(_reference("NAMESPACE", row.namespace, "OWNER"))
    if getattr(row, "recurring_run_id", ""):
        found.append(_reference("JOB", row.recurring_run_id, "CREATOR"))
    elif row.version_id:
        found.append(_reference("PIPELINE_VERSION", row.version_id, "CREATOR"))
    return found


def _reference(kind: str, row_id: str, relationship: str) -> dict[str, Any]:
    return {"key": without_empty({"type": kind, "id": row_id}), "relationship": relationship}
