"""What the endpoint stores: its rows, as Kubeflow's database has them, times in whole seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Plan = list[tuple[float, str]]


@dataclass
class Experiment:
    """A row of experiments."""

    id: str
    name: str
    description: str = ""
    namespace: str = ""
    created_at: int = 0
    last_run_created_at: int = 0
    archived: bool = False


@dataclass
class Pipeline:
    """A row of pipelines."""

    id: str
    name: str
    display_name: str = ""
    description: str = ""
    namespace: str = ""
    created_at: int = 0
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Version:
    """A row of pipeline_versions; `spec` is the IR, with `platform_spec` beside it."""

    id: str
    pipeline_id: str
    name: str
    display_name: str = ""
    description: str = ""
    created_at: int = 0
    spec: dict[str, Any] = field(default_factory=dict)
    code_source_url: str = ""
    package_url: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """A row of run_details, with what the other stores know of it."""

    id: str
    display_name: str
    state: str = "SUCCEEDED"
    description: str = ""
    namespace: str = ""
    experiment_id: str = ""
    recurring_run_id: str = ""
    service_account: str = "pipeline-runner"
    created_at: int = 0
    scheduled_at: int = 0
    finished_at: int = 0
    archived: bool = False
    #: Its own, or that of its version; v2beta1 then says only which version.
    spec: dict[str, Any] | None = None
    pipeline_id: str = ""
    version_id: str = ""
    pipeline_name: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    pipeline_root: str = ""
    state_history: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    #: An Argo Workflow with its status.
    workflow: dict[str, Any] | None = None
    #: Served as they are; None: derived from the workflow's nodes.
    task_details: list[dict[str, Any]] | None = None
    #: The coming Task API's.
    tasks: list[dict[str, Any]] | None = None
    artifacts: list[dict[str, Any]] | None = None
    artifact_tasks: list[dict[str, Any]] | None = None
    metrics: list[dict[str, Any]] = field(default_factory=list)
    #: States still to come, in seconds after `planned_at`.
    plan: Plan = field(default_factory=list)
    planned_at: float = 0.0


@dataclass
class RecurringRun:
    """A row of jobs; `trigger` is as v2beta1 writes it."""

    id: str
    display_name: str
    description: str = ""
    namespace: str = ""
    experiment_id: str = ""
    service_account: str = "pipeline-runner"
    created_at: int = 0
    updated_at: int = 0
    max_concurrency: int = 1
    no_catchup: bool = False
    enabled: bool = True
    trigger: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] | None = None
    pipeline_id: str = ""
    version_id: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    pipeline_root: str = ""
