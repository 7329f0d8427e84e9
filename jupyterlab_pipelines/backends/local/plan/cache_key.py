"""The key under which Kubeflow caches a task: equal inputs, outputs and command, equal key."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from ..records import Values
from .go_json import go_json
from .spec import Component, Container, Task


def cache_key(
    task: Task, component: Component, container: Container, inputs: Values, volumes: Sequence[str]
) -> str:
    """SHA-256 of the canonical JSON of what the task depends on; a key of the task's own wins.

    Input artifacts count by their identity, as by their ids on Kubeflow. `volumes` name the shared
    folders that the task mounts.
    """
    if task.cache_key:
        return sha256(f"{task.component}\0{task.cache_key}".encode()).hexdigest()
    key = {
        "inputArtifactNames": {
            name: _without_empty({"artifactNames": [item.identity for item in artifacts]})
            for name, artifacts in inputs.artifacts.items()
        },
        "inputParameterValues": inputs.parameters,
        "outputArtifactsSpec": {
            name: _without_empty({"name": name, "type": spec.schema, "metadata": spec.metadata})
            for name, spec in component.output_artifacts.items()
        },
        "outputParametersSpec": {
            name: spec.type.value for name, spec in component.output_parameters.items()
        },
    }
    key = _without_empty(key)
    key["containerSpec"] = _without_empty(
        {
            "image": container.image,
            "cmdArgs": [*container.command, *container.args],
            "pvcNames": sorted(set(volumes)),
        }
    )
    return sha256(go_json(key).encode()).hexdigest()


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Protobuf's JSON leaves out what is empty."""
    return {name: value for name, value in fields.items() if value not in ("", [], {}, None)}
