"""Parses compiled IR into a Pipeline, or names every place that is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....errors import InvalidPipeline
from .components import read_component, read_executor
from .reader import Reader
from .spec import Component, Executor
from .validation import validate


@dataclass(frozen=True)
class Pipeline:
    """A whole pipeline. `components` includes every component but the root."""

    name: str
    root: Component
    components: dict[str, Component] = field(default_factory=dict)
    display_name: str = ""
    description: str = ""
    workspace: bool = False
    deadline: float | None = None  # seconds a run may take
    platforms: tuple[str, ...] = ()  # those with options of their own, Kubernetes aside

    @classmethod
    def parse(
        cls, pipeline_spec: dict[str, Any], platform_spec: dict[str, Any] | None = None
    ) -> Pipeline:
        """Reads `pipeline_spec` (IR as parsed YAML or JSON) and `platform_spec` beside it.

        Raises InvalidPipeline, whose problems name places such as `root/tasks/train`.
        """
        _refuse_other_formats(pipeline_spec)
        reader = Reader()
        pipeline = _read(cls, reader, pipeline_spec, platform_spec or {})
        if not reader.problems:
            reader.problems.extend(validate(pipeline.root, pipeline.components))
        if reader.problems:
            first = reader.problems[0]
            more = len(reader.problems) - 1
            raise InvalidPipeline(
                f"The pipeline is not valid: {first.place}: {first.message}"
                + (f" ({more} more.)" if more else ""),
                problems=reader.problems,
            )
        return pipeline

    def component_of(self, name: str) -> Component:
        """The component that a task's `component` names."""
        return self.components[name]


def _refuse_other_formats(document: Any) -> None:
    if not isinstance(document, dict):
        raise InvalidPipeline("This is not a compiled pipeline: an object is expected.")
    if document.get("kind") == "Workflow" or "argoproj.io" in str(document.get("apiVersion", "")):
        raise InvalidPipeline(
            "This is an Argo Workflow: a package of the kfp SDK 1.x, which this engine cannot run.",
            next_step="Compile the pipeline with kfp 2 and submit the new file.",
        )
    if "root" not in document:
        raise InvalidPipeline("This is not a compiled pipeline: it has no `root`.")


def _read(
    cls: type[Pipeline], reader: Reader, spec: dict[str, Any], platform_spec: dict[str, Any]
) -> Pipeline:
    info = reader.mapping(spec, "pipelineInfo", "pipelineInfo")
    name = reader.text(info, "name", "pipelineInfo")
    if not name:
        reader.problem("pipelineInfo", "The pipeline has no name.")
    version = reader.text(spec, "schemaVersion", "schemaVersion")
    if version and not version.startswith("2."):
        reader.problem("schemaVersion", f"Schema version {version} is not known; 2.x is.")
    platforms = dict(reader.entries(platform_spec, "platforms", "platforms"))
    kubernetes = platforms.pop("kubernetes", {})
    config = reader.mapping(kubernetes, "pipelineConfig", "platforms/kubernetes")
    executors = _read_executors(reader, spec)
    components: dict[str, Component] = {}
    options = _executor_options(reader, kubernetes)
    for component_name, body in reader.entries(spec, "components", "components"):
        place = f"components/{component_name}"
        components[component_name] = read_component(
            reader, component_name, body, executors, options, place
        )
    root = read_component(
        reader, "root", reader.mapping(spec, "root", "root"), executors, options, "root"
    )
    deadline = reader.number(config, "activeDeadlineSeconds", "platforms/kubernetes")
    return cls(
        name=name,
        display_name=reader.text(info, "displayName", "pipelineInfo"),
        description=reader.text(info, "description", "pipelineInfo"),
        root=root,
        components=components,
        workspace="workspace" in config,
        deadline=deadline or None,
        platforms=tuple(sorted(name for name, options in platforms.items() if options)),
    )


def _read_executors(reader: Reader, spec: dict[str, Any]) -> dict[str, Executor]:
    deployment = reader.mapping(spec, "deploymentSpec", "deploymentSpec")
    return {
        label: read_executor(reader, body, f"deploymentSpec/executors/{label}")
        for label, body in reader.entries(deployment, "executors", "deploymentSpec")
    }


def _executor_options(reader: Reader, kubernetes: dict[str, Any]) -> dict[str, dict[str, Any]]:
    place = "platforms/kubernetes/deploymentSpec"
    deployment = reader.mapping(kubernetes, "deploymentSpec", place)
    return dict(reader.entries(deployment, "executors", place))
