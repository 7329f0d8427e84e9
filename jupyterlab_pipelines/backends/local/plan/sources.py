"""Reads where the IR takes values from: constants, inputs of the enclosing component, outputs."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from .reader import Reader, canonical
from .spec import (
    ArtifactSource,
    ComponentInput,
    Constant,
    FinalStatus,
    OutputRef,
    ParameterSource,
)


def constant(body: dict[str, Any]) -> JsonValue:
    """The value of a `ValueOrRuntimeParameter`, in its present or its deprecated form."""
    if "constant" in body:
        return canonical(body["constant"])
    old = body.get("constantValue")
    if isinstance(old, dict):
        value = next(iter(old.values()), None)
        if "intValue" in old and isinstance(value, str) and value.lstrip("-").isdecimal():
            return int(value)  # protobuf's JSON writes 64-bit integers as text
        return canonical(value)
    return None


def parameter_source(reader: Reader, body: dict[str, Any], place: str) -> ParameterSource | None:
    """An `InputParameterSpec`; null, and a problem, where it names no source."""
    selector = reader.text(body, "parameterExpressionSelector", place)
    origin: Constant | ComponentInput | OutputRef | FinalStatus
    if "runtimeValue" in body:
        origin = Constant(constant(reader.mapping(body, "runtimeValue", place)))
    elif "componentInputParameter" in body:
        origin = ComponentInput(reader.text(body, "componentInputParameter", place))
    elif "taskOutputParameter" in body:
        ref = reader.mapping(body, "taskOutputParameter", place)
        origin = OutputRef(
            reader.text(ref, "producerTask", place), reader.text(ref, "outputParameterKey", place)
        )
    elif "taskFinalStatus" in body:
        status = reader.mapping(body, "taskFinalStatus", place)
        origin = FinalStatus(reader.text(status, "producerTask", place))
    else:
        reader.problem(place, "The input says nothing about where its value comes from.")
        return None
    return ParameterSource(origin, selector)


def artifact_source(reader: Reader, body: dict[str, Any], place: str) -> ArtifactSource | None:
    """An `InputArtifactSpec`; null, and a problem, where it names no source."""
    if "componentInputArtifact" in body:
        return ComponentInput(reader.text(body, "componentInputArtifact", place))
    if "taskOutputArtifact" in body:
        ref = reader.mapping(body, "taskOutputArtifact", place)
        return OutputRef(
            reader.text(ref, "producerTask", place), reader.text(ref, "outputArtifactKey", place)
        )
    reader.problem(place, "The input says nothing about where its artifact comes from.")
    return None
