"""The vocabulary every room shares: runs, tasks, artifacts, graphs and outputs, with no I/O.

Names are Kubeflow's v2beta1 names. A task's id is its scope path with iterations, for instance
``for-loop-1[3]/train``: the same in every backend and at every refresh. An artifact's id is
``<task id>:<output key>``, with ``[i]`` appended for the i-th element of a list output.

The browser's ``src/api/types.ts`` is generated from this module (``make types``).
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Model(BaseModel):
    """Base of every model: unknown fields are an error, so that a typo never passes silently."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class State(str, Enum):
    """Kubeflow's runtime states, and CACHED, which only a task can be in."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    CACHED = "CACHED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"

    @property
    def final(self) -> bool:
        """Whether nothing will change any more unless the user retries."""
        return self in FINAL_STATES


FINAL_STATES = frozenset(
    {State.SUCCEEDED, State.CACHED, State.SKIPPED, State.FAILED, State.CANCELED}
)


class TaskType(str, Enum):
    """What a node of a run is; the coming Kubeflow Task API uses the same words."""

    RUNTIME = "RUNTIME"
    IMPORTER = "IMPORTER"
    DAG = "DAG"
    CONDITION = "CONDITION"
    CONDITION_BRANCH = "CONDITION_BRANCH"
    LOOP = "LOOP"
    LOOP_ITERATION = "LOOP_ITERATION"
    EXIT_HANDLER = "EXIT_HANDLER"


# --- connections -------------------------------------------------------------------------------


class ConnectionKind(str, Enum):
    """The engine behind a connection."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"


class ConnectionState(str, Enum):
    """What the last look at a connection found."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    SIGN_IN = "sign_in"
    UNSUPPORTED = "unsupported"


class Connection(Model):
    """A named backend as the browser sees it; it never carries a secret."""

    name: str
    kind: ConnectionKind
    host: str = Field("", description="The API's address without credentials; empty for local.")
    namespace: str = ""
    state: ConnectionState
    message: str = Field("", description="Why it is not ready and what to do; empty when ready.")
    removable: bool = False


class NewConnection(Model):
    """A connection the user adds. `token` is write-only: it is stored, never read back."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=63)
    kind: Literal["kubeflow"] = "kubeflow"
    host: str
    namespace: str = ""
    token: str | None = Field(None, repr=False)
    token_file: str | None = None
    token_env: str | None = None


# --- runs --------------------------------------------------------------------------------------


class Progress(Model):
    """How many executable tasks (leaves of the graph) a run has, by what became of them."""

    total: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0


class Run(Model):
    """One run of a pipeline. Times are UTC."""

    run_id: str
    display_name: str
    state: State
    description: str = ""
    created_at: datetime
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    experiment_id: str = ""
    pipeline_name: str = ""
    pipeline_id: str | None = None
    pipeline_version_id: str | None = None
    recurring_run_id: str | None = None
    namespace: str = ""
    archived: bool = False
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    progress: Progress | None = None


class RunQuery(Model):
    """What the run list asks for; every criterion narrows the list."""

    name: str = Field("", description="A part of the name, in any case.")
    states: list[State] = Field(default_factory=list)
    experiment_id: str | None = None
    pipeline_name: str | None = None
    archived: bool = False
    sort_by: Literal["created_at", "finished_at", "display_name", "state", "duration"] = (
        "created_at"
    )
    descending: bool = True
    page_size: int = Field(50, ge=1, le=200)
    page_token: str = ""


class RunPage(Model):
    """One page of the run list; an empty `next_page_token` means the last page."""

    runs: list[Run]
    next_page_token: str = ""
    total_size: int | None = None


# --- graph: topology apart from state ----------------------------------------------------------


class TaskNode(Model):
    """A step, or a group of steps, of a run's graph."""

    id: str
    name: str = Field(description="The task's key in the pipeline's DAG.")
    display_name: str
    type: TaskType
    parent: str | None = Field(None, description="Id of the enclosing group; null at the top.")
    iteration: int | None = Field(None, description="Index of a LOOP_ITERATION.")
    component: str | None = None


class ArtifactNode(Model):
    """An artifact of a run's graph, known from the pipeline before it exists."""

    id: str
    name: str = Field(description="The output's key.")
    type: str = Field("system.Artifact", description="Schema title, e.g. `system.Model`.")
    producer: str | None = Field(None, description="Id of the producing task.")
    parent: str | None = None


class Edge(Model):
    """`output`: task → artifact; `input`: artifact → task; `dependency`: task → task."""

    source: str
    target: str
    kind: Literal["output", "input", "dependency"]
    label: str = Field("", description="The name of the input or parameter that travels.")


class Topology(Model):
    """The shape of a run. It changes only when a loop or a group unfolds."""

    key: str = Field(description="A hash of the shape: same key, same layout.")
    tasks: list[TaskNode]
    artifacts: list[ArtifactNode]
    edges: list[Edge]


class Attempt(Model):
    """One try of a task; the first is number 1."""

    number: int
    state: State
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    error: str | None = None


class TaskRef(Model):
    """A task of some run."""

    run_id: str
    task_id: str


class TaskStatus(Model):
    """What moves while a task runs."""

    state: State
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = Field(None, description="One or a few lines: why it failed.")
    attempts: list[Attempt] = Field(default_factory=list)
    cached_from: TaskRef | None = None


class ArtifactStatus(Model):
    """An artifact that exists: where it is and what its producer said about it."""

    uri: str
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    size: int | None = Field(None, description="Bytes; null where unknown or a folder.")
    created_at: datetime | None = None


class RunGraph(Model):
    """A run's shape and state. `tasks` and `artifacts` are keyed by node id."""

    run: Run
    topology: Topology
    tasks: dict[str, TaskStatus]
    artifacts: dict[str, ArtifactStatus]
    revision: int = Field(description="Counts this run's changes; grows.")


class GraphDelta(Model):
    """What changed in a run since `base_revision`. A new `topology_key` means: fetch the graph."""

    run: Run
    base_revision: int
    revision: int
    topology_key: str
    tasks: dict[str, TaskStatus] = Field(default_factory=dict)
    artifacts: dict[str, ArtifactStatus] = Field(default_factory=dict)


# --- a task in detail --------------------------------------------------------------------------


class ArtifactRef(Model):
    """An artifact as an input or output of a task. `id` is null where it came from elsewhere."""

    name: str
    id: str | None = None
    type: str = "system.Artifact"
    uri: str = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    producer: str | None = None


class TaskIO(Model):
    """One side of a task."""

    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    artifacts: list[ArtifactRef] = Field(default_factory=list)


class TaskDetail(Model):
    """What the viewer shows of one clicked task."""

    run_id: str
    node: TaskNode
    status: TaskStatus
    inputs: TaskIO
    outputs: TaskIO
    image: str = ""
    command: list[str] = Field(default_factory=list)
    source: str = Field("", description="The Python function's source where the task has one.")
    packages: list[str] = Field(default_factory=list)
    caching: bool = False
    cache_key: str = ""


class LogChunk(Model):
    """A piece of an attempt's log. Offsets are bytes; a chunk never splits a character."""

    text: str
    offset: int
    next_offset: int
    size: int
    complete: bool = Field(description="The attempt is over and the chunk reaches its end.")
    attempt: int = 1


class Output(Model):
    """Something to show of a task: a MIME bundle as a notebook's output would hold it."""

    id: str
    task_id: str
    title: str
    kind: str = Field(description="e.g. markdown, html, metrics, roc, confusion_matrix, table.")
    artifact_id: str | None = None
    bundle: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    error: str | None = Field(None, description="Why it cannot be shown, and the next step.")


# --- submitting --------------------------------------------------------------------------------


class Submission(Model):
    """A pipeline to run. `pipeline` is IR: `pipeline_spec` fields, or with `platforms` beside."""

    pipeline: dict[str, Any] | str = Field(description="Compiled IR: YAML or JSON text, or parsed.")
    display_name: str = ""
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    experiment_id: str | None = None
    caching: bool | None = Field(None, description="Overrides every task's caching; null keeps.")
    interpreter: str | None = Field(
        None, description="Python that runs the steps on `local`; null: the engine's own."
    )


class NotebookCell(Model):
    """A cell as the notebook holds it."""

    id: str
    cell_type: Literal["code", "markdown", "raw"] = "code"
    source: str
    tags: list[str] = Field(default_factory=list)


class CellSelection(Model):
    """A notebook and the cells chosen in it, in the notebook's order."""

    notebook: str = Field("", description="The notebook's path, for names and messages.")
    cells: list[NotebookCell]
    selected: list[str] = Field(min_length=1, description="Ids of the chosen cells.")


class KernelVariable(Model):
    """What the kernel knows of a variable the selection needs."""

    name: str
    type: str = ""
    preview: str = ""
    value: JsonValue = None
    is_json: bool = Field(False, description="`value` is the variable, whole.")
    snapshot: str | None = Field(None, description="File the kernel saved the value to.")
    error: str | None = None


class StepInput(Model):
    """A variable the step needs, and where its value is to come from.

    `parameter`: a JSON value, editable; `snapshot`: the kernel's live value, saved to a file;
    `recompute`: the earlier cells that define it run first, inside the step.
    """

    name: str
    source: Literal["parameter", "snapshot", "recompute"] = "recompute"
    type: str = ""
    value: JsonValue = None
    snapshot: str | None = None
    preview: str = ""
    defined_in: list[str] = Field(default_factory=list, description="Ids of the defining cells.")


class Problem(Model):
    """Something wrong at a place: a cell and line, a task, a parameter."""

    message: str
    next_step: str = ""
    cell: str | None = None
    line: int | None = Field(None, description="1-based.")
    column: int | None = Field(None, description="1-based.")
    place: str = ""


class StepRequest(Model):
    """The dialog's question and, with the user's choices filled in, the order to run."""

    selection: CellSelection
    name: str = ""
    inputs: list[StepInput] | None = Field(None, description="The user's choices; null: propose.")
    variables: list[KernelVariable] = Field(default_factory=list)
    packages: list[str] | None = Field(None, description="Requirements to install; null: propose.")
    interpreter: str | None = Field(None, description="The kernel's Python, from the probe.")
    distributions: dict[str, str | None] = Field(
        default_factory=dict, description="Module → `name==version`, from the probe."
    )
    working_directory: str = Field("", description="The kernel's folder, from the probe.")
    caching: bool | None = None


class StepPlan(Model):
    """What will run: the answer the dialog shows before anything starts."""

    name: str
    inputs: list[StepInput]
    packages: list[str] = Field(description="Distributions the code imports, as requirements.")
    code: str = Field(description="The code that will run, cells separated by `# %%` lines.")
    included: list[str] = Field(description="Ids of earlier cells or parts that come along.")
    problems: list[Problem] = Field(default_factory=list)


class PipelineSource(Model):
    """A pipeline to look at before it runs."""

    pipeline: dict[str, Any] | str = Field(description="Compiled IR: YAML or JSON text, or parsed.")


class PipelineParameter(Model):
    """A parameter of a pipeline, as its IR declares it."""

    name: str
    type: str = Field("STRING", description="IR's word: STRING, NUMBER_INTEGER, LIST, STRUCT …")
    description: str = ""
    required: bool = Field(True, description="Neither optional nor given a default.")
    default: JsonValue = None
    choices: list[JsonValue] = Field(default_factory=list, description="The only values allowed.")


class PipelineDescription(Model):
    """What the submit dialog shows of a pipeline file; `problems` say why it cannot run."""

    name: str = ""
    description: str = ""
    parameters: list[PipelineParameter] = Field(default_factory=list)
    problems: list[Problem] = Field(default_factory=list)


# --- events ------------------------------------------------------------------------------------


class Subscription(Model):
    """Browser → server on the events socket."""

    action: Literal["subscribe", "unsubscribe"]
    topic: Literal["connections", "runs", "run", "log"]
    connection: str = ""
    run_id: str = ""
    task_id: str = ""
    attempt: int | None = None


class Event(Model):
    """Server → browser. `seq` counts this socket's events; a gap means: fetch again."""

    seq: int
    topic: Literal["connections", "runs", "run", "log"]
    connection: str = ""
    run_id: str = ""
    task_id: str = ""
    runs: list[Run] = Field(default_factory=list, description="topic runs: new or changed.")
    deleted: list[str] = Field(default_factory=list, description="topic runs: ids now gone.")
    delta: GraphDelta | None = Field(None, description="topic run.")
    log_size: int | None = Field(None, description="topic log: bytes there are now.")
    attempt: int | None = None
    connections: list[Connection] = Field(default_factory=list)
    stale: str | None = Field(None, description="Set while the backend cannot be reached: why.")


class ErrorBody(Model):
    """The body of every error of our own routes (`/apis` answers as Kubeflow does)."""

    code: str
    message: str
    next_step: str = ""
    problems: list[Problem] = Field(default_factory=list)


def contract_schema() -> dict[str, Any]:
    """The JSON schema of every model, from which the browser's types are generated."""
    from pydantic.json_schema import models_json_schema

    models = [
        model
        for model in list(globals().values())
        if isinstance(model, type) and issubclass(model, Model) and model is not Model
    ]
    _, schema = models_json_schema([(model, "serialization") for model in models])
    return {"title": "Contract", "type": "object", "additionalProperties": False, **schema}
