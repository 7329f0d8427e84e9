"""The IR as the drawing needs it: components, tasks and where an input comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ....models import TaskType
from ....pipeline_text import split


@dataclass(frozen=True)
class Source:
    """An input's origin: an output of `task`, or, where `task` is empty, an input `key`."""

    task: str
    key: str


@dataclass(frozen=True)
class Component:
    """A component by name. `content` is its IR."""

    name: str
    content: Mapping[str, Any]
    importer: bool = False

    @cached_property
    def tasks(self) -> dict[str, Task] | None:
        """The tasks of its DAG by name; null where it is a leaf."""
        dag = self.content.get("dag")
        if not isinstance(dag, dict):
            return None
        return {name: Task(name, content) for name, content in (dag.get("tasks") or {}).items()}

    @cached_property
    def artifact_types(self) -> dict[str, tuple[str, bool]]:
        """Its output artifacts by key: schema title, and whether it is a list."""
        declared = (self.content.get("outputDefinitions") or {}).get("artifacts") or {}
        return {
            key: (
                (one.get("artifactType") or {}).get("schemaTitle") or "system.Artifact",
                bool(one.get("isArtifactList")),
            )
            for key, one in declared.items()
        }

    def selected(self, key: str) -> list[Source]:
        """The tasks' outputs behind an output artifact of its DAG."""
        outputs = (self.content["dag"].get("outputs") or {}).get("artifacts") or {}
        selectors = (outputs.get(key) or {}).get("artifactSelectors") or []
        return [Source(one["producerSubtask"], one["outputArtifactKey"]) for one in selectors]


@dataclass(frozen=True)
class Task:
    """A task of a DAG. `content` is its IR."""

    name: str
    content: Mapping[str, Any]

    @property
    def display_name(self) -> str:
        return (self.content.get("taskInfo") or {}).get("name") or self.name

    @cached_property
    def component(self) -> str:
        return str(self.content["componentRef"]["name"])

    @property
    def caching(self) -> bool:
        return bool((self.content.get("cachingOptions") or {}).get("enableCache"))

    @property
    def iterated(self) -> tuple[str, str] | None:
        """What an iteration over artifacts calls its item, and the input it iterates over."""
        iterator = self.content.get("artifactIterator")
        if not iterator:
            return None
        return iterator.get("itemInput", ""), (iterator.get("items") or {}).get("inputArtifact", "")

    @property
    def is_loop(self) -> bool:
        return bool(self.content.get("parameterIterator") or self.content.get("artifactIterator"))

    @cached_property
    def artifacts(self) -> dict[str, Source]:
        """Its input artifacts by key."""
        found = {}
        for key, one in ((self.content.get("inputs") or {}).get("artifacts") or {}).items():
            output = one.get("taskOutputArtifact")
            if output:
                found[key] = Source(output["producerTask"], output["outputArtifactKey"])
            elif one.get("componentInputArtifact"):
                found[key] = Source("", one["componentInputArtifact"])
        return found

    @property
    def waits_for(self) -> dict[str, list[str]]:
        """The tasks it depends on, each with the parameters that travel."""
        found: dict[str, list[str]] = {
            name: [] for name in self.content.get("dependentTasks") or []
        }
        for one in ((self.content.get("inputs") or {}).get("parameters") or {}).values():
            output = one.get("taskOutputParameter")
            if output:
                keys = found.setdefault(output["producerTask"], [])
                if output["outputParameterKey"] not in keys:
                    keys.append(output["outputParameterKey"])
        return found


class Pipeline:
    """A pipeline's IR, whichever form it is stored in."""

    def __init__(self, pipeline: Mapping[str, Any]) -> None:
        self.spec, _ = split(pipeline)
        deployment = self.spec.get("deploymentSpec") or {}
        self.executors: Mapping[str, Any] = deployment.get("executors") or {}
        self._components: Mapping[str, Any] = self.spec.get("components") or {}
        self._parsed: dict[str, Component] = {}
        self.root = Component("root", self.spec.get("root") or {})

    @property
    def name(self) -> str:
        """The pipeline's name; empty where nothing of it is known."""
        return str((self.spec.get("pipelineInfo") or {}).get("name") or "")

    @property
    def known(self) -> bool:
        """Whether there is a pipeline at all: its version may be gone, or it may be Argo's own."""
        return bool(self.root.tasks)

    def component_of(self, task: Task) -> Component:
        """The component that a task runs."""
        found = self._parsed.get(task.component)
        if found is None:
            content = self._components.get(task.component) or {}
            executor = self.executors.get(content.get("executorLabel", "")) or {}
            found = Component(task.component, content, importer="importer" in executor)
            self._parsed[task.component] = found
        return found

    def find(self, names: list[str]) -> tuple[Task, Component] | None:
        """The task at a path of names from the root down."""
        component, task = self.root, None
        for name in names:
            task = (component.tasks or {}).get(name)
            if task is None:
                return None
            component = self.component_of(task)
        return None if task is None else (task, component)


def type_of(task: Task, component: Component) -> TaskType:
    """What a task is in the graph, from its IR and the names that the SDK gives groups."""
    if task.is_loop:
        return TaskType.LOOP
    if component.tasks is None:
        return TaskType.IMPORTER if component.importer else TaskType.RUNTIME
    if (task.content.get("triggerPolicy") or {}).get("condition"):
        return TaskType.CONDITION
    if component.name.startswith("comp-condition-branches-"):
        return TaskType.CONDITION_BRANCH
    if component.name.startswith("comp-exit-handler-"):
        return TaskType.EXIT_HANDLER
    return TaskType.DAG


def named_type(name: str) -> TaskType:
    """What a group is by the name that the SDK gives it."""
    if name.startswith("condition-branches-"):
        return TaskType.CONDITION_BRANCH
    if name.startswith("condition-"):
        return TaskType.CONDITION
    return TaskType.EXIT_HANDLER if name.startswith("exit-handler-") else TaskType.DAG
