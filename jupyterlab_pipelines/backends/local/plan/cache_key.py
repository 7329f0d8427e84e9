"""The key under which Kubeflow caches a task: equal inputs, outputs and command, equal key."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
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
    }
    key = _without_empty(key)
    key["containerSpec"] = _without_empty(
        {
            "image": container.image,
            "cmdArgs": [*container.command, *container.args],
            "pvcNames": sorted(set(volumes)),
        }
    )
    return sha256(_canonical(key).encode()).hexdigest()


def _without_empty(fields: dict[str, Any]) -> dict[str, Any]:
    """Protobuf's JSON leaves out what is empty."""
    return {name: value for name, value in fields.items() if value not in ("", [], {}, None)}


def _canonical(value: Any) -> str:
    """JSON as Go's encoding/json writes it: sorted keys, no spaces, `<`, `>` and `&` escaped."""
    if isinstance(value, dict):
        entries = (f"{_text(key)}:{_canonical(value[key])}" for key in sorted(value))
        return f"{{{','.join(entries)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(float(value))
    return json.dumps(value)


def _text(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _number(value: float) -> str:
    """A double, which every number is in protobuf: 3, 0.1, 0.00001, 1e-9, 1e+21."""
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"
