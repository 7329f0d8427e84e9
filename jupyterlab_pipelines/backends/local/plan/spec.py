"""A pipeline as small typed objects: what the IR says, without its wire format."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from pydantic import JsonValue

from ..records import RetryPolicy

Kind = Literal["secret", "config-map"]


class ParameterType(str, Enum):
    """The IR's parameter types."""

    DOUBLE = "NUMBER_DOUBLE"
    INTEGER = "NUMBER_INTEGER"
    STRING = "STRING"
    BOOLEAN = "BOOLEAN"
    LIST = "LIST"
    STRUCT = "STRUCT"
    TASK_FINAL_STATUS = "TASK_FINAL_STATUS"
    TASK_CONFIG = "TASK_CONFIG"


@dataclass(frozen=True)
class ParameterSpec:
    """A parameter that a component takes or gives."""

    name: str
    type: ParameterType
    optional: bool = False
    has_default: bool = False
    default: JsonValue = None
    literals: tuple[JsonValue, ...] = ()
    description: str = ""


@dataclass(frozen=True)
class ArtifactSpec:
    """An artifact that a component takes or gives. `type` is the schema's title."""

    name: str
    type: str = "system.Artifact"
    schema: dict[str, str] = field(default_factory=dict)  # the IR's artifactType, as it came
    is_list: bool = False
    optional: bool = False
    metadata: dict[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True)
class OutputRef:
    """An output of another task of the same DAG."""

    task: str
    key: str


@dataclass(frozen=True)
class Constant:
    """A value written into the pipeline; its strings may hold placeholders."""

    value: JsonValue


@dataclass(frozen=True)
class ComponentInput:
    """An input of the component that encloses the task."""

    name: str


@dataclass(frozen=True)
class FinalStatus:
    """How another task of the same DAG ended."""

    task: str


@dataclass(frozen=True)
class ParameterSource:
    """Where a task's parameter comes from, and the CEL expression that picks a part of it."""

    origin: Constant | ComponentInput | OutputRef | FinalStatus
    selector: str = ""


ArtifactSource = ComponentInput | OutputRef


@dataclass(frozen=True)
class Iterator:
    """What a loop goes over: `raw` (JSON text), or the input `items`; `item` names each element."""

    item: str
    raw: str = ""
    items: str = ""
    over_artifacts: bool = False


@dataclass(frozen=True)
class Task:
    """A node of a DAG. `dependencies` holds the stated ones and those its inputs imply."""

    name: str
    display_name: str
    component: str
    parameters: dict[str, ParameterSource] = field(default_factory=dict)
    artifacts: dict[str, ArtifactSource] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    caching: bool = False
    cache_key: str = ""
    condition: str = ""
    whatever_happened: bool = False  # ALL_UPSTREAM_TASKS_COMPLETED
    iterator: Iterator | None = None
    parallelism: int = 0  # 0: no limit
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    unknown: tuple[str, ...] = ()  # fields this planner does not know


@dataclass(frozen=True)
class Dag:
    """A group's tasks, and which of their outputs are the group's own.

    Several selectors of one output mean: the first whose task succeeded.
    """

    tasks: dict[str, Task]
    parameters: dict[str, tuple[OutputRef, ...]] = field(default_factory=dict)
    artifacts: dict[str, tuple[OutputRef, ...]] = field(default_factory=dict)

    def uses_artifact_of(self, name: str) -> bool:
        """Whether a task takes an artifact that task `name` gives."""
        sources = (source for task in self.tasks.values() for source in task.artifacts.values())
        return any(isinstance(source, OutputRef) and source.task == name for source in sources)

    def passes_on_artifact_of(self, name: str) -> bool:
        """Whether an artifact that task `name` gives is the DAG's own output."""
        return any(ref.task == name for refs in self.artifacts.values() for ref in refs)


@dataclass(frozen=True)
class Limits:
    """What a container may use at most, as quantities of Kubernetes: `500m`, `2Gi`; "": anything.

    Each may hold placeholders.
    """

    cpu: str = ""
    memory: str = ""
    accelerators: str = ""


@dataclass(frozen=True)
class Container:
    """A command in an image."""

    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    limits: Limits = Limits()
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Importer:
    """Brings an existing artifact into the run: `uri`, or the parameter that holds it."""

    uri: str = ""
    parameter: str = ""
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    to_workspace: bool = False
    reimport: bool = False


@dataclass(frozen=True)
class OtherExecutor:
    """An executor of a kind that only other platforms have."""

    kind: str


Executor = Container | Importer | OtherExecutor


@dataclass(frozen=True)
class KeysAsEnv:
    """Values of a secret or a config map as environment: pairs of key and variable."""

    kind: Kind
    name: ParameterSource
    variables: tuple[tuple[str, str], ...]
    optional: bool = False


@dataclass(frozen=True)
class KeysAsVolume:
    """A secret or a config map as a folder with a file for each key."""

    kind: Kind
    name: ParameterSource
    path: str
    optional: bool = False


@dataclass(frozen=True)
class VolumeMount:
    """A volume (PVC), or the part of it below `sub_path`, as a folder."""

    name: ParameterSource
    path: str
    sub_path: str = ""


@dataclass(frozen=True)
class KubernetesOptions:
    """What the platform spec asks for a task: only what a task can see of its pod.

    `scratch` are paths of folders that begin empty and end with the task; `fields` are variables
    that hold a field of the pod, by its path; `metadata` are the fields that the pipeline sets.
    """

    keys_as_env: tuple[KeysAsEnv, ...] = ()
    keys_as_volumes: tuple[KeysAsVolume, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()
    scratch: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    shared_memory: str = ""  # a quantity
    pull_policy: str = ""
    unknown: tuple[str, ...] = ()  # what this engine has not, in words
    problems: tuple[str, ...] = ()  # what a cluster would refuse, in words

    @property
    def mounts(self) -> bool:
        """Whether the task is to see a folder at a path of the pipeline's choice."""
        return bool(self.keys_as_volumes or self.volumes or self.scratch)


@dataclass(frozen=True)
class Component:
    """What a task runs: a DAG or an executor, with its inputs and outputs."""

    name: str
    input_parameters: dict[str, ParameterSpec] = field(default_factory=dict)
    input_artifacts: dict[str, ArtifactSpec] = field(default_factory=dict)
    output_parameters: dict[str, ParameterSpec] = field(default_factory=dict)
    output_artifacts: dict[str, ArtifactSpec] = field(default_factory=dict)
    dag: Dag | None = None
    executor: Executor | None = None
    kubernetes: KubernetesOptions = KubernetesOptions()
    timeout: float | None = None  # seconds an attempt may take
    unknown: tuple[str, ...] = ()
