"""A synchronous stand-in for the supervisor: runs a plan's Python functions in this process."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterlab_pipelines.backends.local.plan.ir import Pipeline
from jupyterlab_pipelines.backends.local.plan.parameters import check_parameters
from jupyterlab_pipelines.backends.local.plan.preflight import preflight
from jupyterlab_pipelines.backends.local.plan.scheduler import Scheduler
from jupyterlab_pipelines.backends.local.records import (
    Invocation,
    Outcome,
    RunContext,
    TaskFailure,
    TaskRecord,
)
from jupyterlab_pipelines.models import State, TaskType

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


def call_function(invocation: Invocation) -> dict[str, Any] | None:
    """Runs a lightweight component's function by the SDK's own executor."""
    from kfp.dsl.executor import Executor

    namespace: dict[str, Any] = {"__name__": "ephemeral_component"}
    exec(compile(invocation.source, "component", "exec", dont_inherit=True), namespace)
    for directory in invocation.directories:
        directory.mkdir(parents=True, exist_ok=True)
    executor = Executor(invocation.executor_input, namespace[invocation.function])
    try:
        output = executor.execute()
    finally:
        if embedded := namespace.get("__kfp_tmpdir"):
            embedded.cleanup()  # a process of its own does that when it ends
    return json.loads(Path(output).read_text()) if output else None


@dataclass
class Run:
    """One run of the stand-in, over or not."""

    pipeline: Pipeline
    context: RunContext
    root: Path
    scheduler: Scheduler
    stored: dict[str, TaskRecord] = field(default_factory=dict)  # as a supervisor would persist
    ran: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    state: State | None = None
    error: str | None = None

    def to_end(self, limit: int = 100_000) -> Run:
        """Goes on until the run is over; each turn ends one leaf."""
        while self.state is None and limit:
            self.turn()
            limit -= 1
        return self

    def turn(self) -> None:
        """Advances the plan and runs the first leaf that is ready."""
        step = self.scheduler.advance()
        self.stored.update({record.task_id: record for record in step.changed})
        self.state, self.error = step.run_state, step.run_error
        self.waiting.extend(task.task_id for task in step.ready)
        if self.waiting:
            self.run_leaf(self.waiting.pop(0))

    def run_leaf(self, task_id: str) -> None:
        self.scheduler.started(task_id)
        self.ran.append(task_id)
        directory = self.root / task_id.replace("/", "~") / f"attempt-{len(self.ran)}"
        try:
            output = None
            if self.stored[task_id].type is not TaskType.IMPORTER:
                output = call_function(self.scheduler.invocation(task_id, 1, directory))
            values = self.scheduler.collect(task_id, 1, directory, output)
            outcome = Outcome(State.SUCCEEDED, values)
        except TaskFailure as failure:
            outcome = Outcome(State.FAILED, error=str(failure))
        except (Exception, SystemExit) as error:
            outcome = Outcome(State.FAILED, error=f"{type(error).__name__}: {error}")
        self.scheduler.finished(task_id, outcome)

    def restarted(self) -> Run:
        """The same run under a new scheduler, from what had been persisted."""
        copies = {key: deepcopy(record) for key, record in self.stored.items()}
        scheduler = Scheduler(self.pipeline, self.context, copies)
        return Run(self.pipeline, self.context, self.root, scheduler, copies, self.ran)

    def output(self, task_id: str, key: str = "Output") -> Any:
        return self.stored[task_id].outputs.parameters[key]

    def text(self, task_id: str, key: str) -> str:
        """The content of an artifact."""
        (artifact,) = self.stored[task_id].outputs.artifacts[key]
        return Path(artifact.uri).read_text()

    def states(self) -> dict[str, str]:
        return {task_id: record.state.value for task_id, record in self.stored.items()}


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., Pipeline]:
    """Compiles a pipeline function with the SDK and parses what it wrote."""

    def compiled(function: Any) -> Pipeline:
        from kfp import compiler

        path = tmp_path / "pipeline.yaml"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiler.Compiler().compile(function, str(path))
        documents = list(yaml.safe_load_all(path.read_text()))
        return Pipeline.parse(documents[0], documents[1] if len(documents) > 1 else None)

    return compiled


@pytest.fixture
def begin(tmp_path: Path, compiled: Callable[..., Pipeline]) -> Callable[..., Run]:
    """Prepares a run of a pipeline function, or of a parsed pipeline."""

    def begin(pipeline: Any, /, context: dict[str, Any] | None = None, **arguments: Any) -> Run:
        if not isinstance(pipeline, Pipeline):
            pipeline = compiled(pipeline)
        assert preflight(pipeline) == []
        run = RunContext(
            run_id="11111111-2222-3333-4444-555555555555",
            job_name="my job",
            job_resource_name="my-pipeline-abc12",
            created_at=NOON,
            scheduled_at=NOON,
            artifacts_root=tmp_path / "run" / "artifacts",
            parameters=check_parameters(pipeline, arguments),
            **(context or {}),
        )
        return Run(pipeline, run, tmp_path / "run" / "tasks", Scheduler(pipeline, run))

    return begin


@pytest.fixture
def execute(begin: Callable[..., Run]) -> Callable[..., Run]:
    """Runs a pipeline function to its end."""

    def execute(pipeline: Any, /, **arguments: Any) -> Run:
        return begin(pipeline, **arguments).to_end()

    return execute


@pytest.fixture(autouse=True)
def _quiet_sdk() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="kfp")
        yield


LAUNCH = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main  "
    '--component_module_path  "$program_path/ephemeral_component.py"  "$@"\n'
)
STEP = {
    "container": {
        "image": "python:3.11",
        "command": ["sh", "-ec", LAUNCH, "def step():\n    pass\n"],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", "step"],
    }
}


@pytest.fixture
def ir() -> Callable[..., dict[str, Any]]:
    """Builds IR of steps that take and give nothing: a task's name with those it waits for."""

    def ir(
        tasks: Mapping[str, list[str]], options: Mapping[str, dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        return {
            "pipelineInfo": {"name": "built"},
            "schemaVersion": "2.1.0",
            "root": {
                "dag": {
                    "tasks": {
                        name: {
                            "componentRef": {"name": "comp-step"},
                            "taskInfo": {"name": name},
                            "dependentTasks": after,
                            **(options or {}).get(name, {}),
                        }
                        for name, after in tasks.items()
                    }
                }
            },
            "components": {"comp-step": {"executorLabel": "exec-step"}},
            "deploymentSpec": {"executors": {"exec-step": deepcopy(STEP)}},
        }

    return ir


@pytest.fixture
def plan(tmp_path: Path) -> Callable[..., Scheduler]:
    """A scheduler of some IR, without anything to run it."""

    def plan(
        spec: dict[str, Any],
        records: Mapping[str, TaskRecord] | None = None,
        parameters: dict[str, Any] | None = None,
        **context: Any,
    ) -> Scheduler:
        pipeline = Pipeline.parse(spec)
        run = RunContext(
            run_id="run",
            job_name="job",
            job_resource_name="built-1",
            created_at=NOON,
            scheduled_at=NOON,
            artifacts_root=tmp_path / "artifacts",
            parameters=parameters or {},
            **context,
        )
        return Scheduler(pipeline, run, records)

    return plan
