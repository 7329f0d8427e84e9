"""The key under which Kubeflow caches a task: equal inputs, outputs and command, equal key."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from ..records import Values
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
        "containerSpec": _without_empty(
            {
                "image": container.image,
                "cmdArgs": [*container.command, *container.args],
                "pvcNames": sorted(set(volumes)),
            }
        ),
    }
    return sha256(_canonical(_without_empty(key)).encode()).hexdigest()


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Protobuf's JSON leaves out what is empty."""
    return {name: value for name, value in fields.items() if value not in ("", [], {}, None)}


def _canonical(value: Any) -> str:
    """JSON as Go's encoding/json writes it: sorted keys, no spaces, `<`, `>` and `&` escaped."""
    text = json.dumps(_numbers(value), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _numbers(value: Any) -> Any:
    """Every number is a double in protobuf: a whole one has no decimal point."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return value
