"""Parameter values: their types, their text, and what a run is given at the start."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import JsonValue

from ....errors import InvalidParameter
from ....models import Problem
from .go_json import go_json
from .ir import Pipeline
from .reader import canonical
from .spec import ParameterSpec, ParameterType

_WORDS = {
    ParameterType.DOUBLE: "a number",
    ParameterType.INTEGER: "a whole number",
    ParameterType.STRING: "a text",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.LIST: "a list",
    ParameterType.STRUCT: "an object",
    ParameterType.TASK_FINAL_STATUS: "a task's final status",
    ParameterType.TASK_CONFIG: "a task's configuration",
}
_BOOLEANS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "t": True,
    "T": True,
    "1": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "f": False,
    "F": False,
    "0": False,
}


class Misfit(ValueError):
    """A value is not of its parameter's type; the message says what is expected."""


def as_text(value: JsonValue) -> str:
    """A value as Kubeflow writes it: `3` for 3.0, `true`, Go's JSON, null as nothing."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return go_json(value)


def conform(value: JsonValue, spec: ParameterSpec) -> JsonValue:
    """The value in its parameter's type: any value has a text, a whole number may be a double.

    Raises Misfit where Kubeflow refuses the value too, and on one that is not among the literals.
    """
    fitted = _fit(value, spec.type)
    if spec.literals and not any(_same(fitted, literal) for literal in spec.literals):
        allowed = ", ".join(json.dumps(literal) for literal in spec.literals)
        raise Misfit(f"it must be one of {allowed}, not {_show(value)}")
    return fitted


def _same(left: JsonValue, right: JsonValue) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _fit(value: JsonValue, kind: ParameterType) -> JsonValue:
    if kind is ParameterType.STRING:
        return as_text(value)
    if isinstance(value, bool):
        if kind is ParameterType.BOOLEAN:
            return value
    elif isinstance(value, (int, float)):
        if isinstance(value, float) and not math.isfinite(value):
            raise Misfit(f"{value} has no place in JSON")
        if kind is ParameterType.INTEGER:
            return int(value) if float(value).is_integer() else value
        if kind is ParameterType.DOUBLE:
            return _double(value)
    elif isinstance(value, list):
        if kind is ParameterType.LIST:
            return value
    elif isinstance(value, dict) and kind in (
        ParameterType.STRUCT,
        ParameterType.TASK_FINAL_STATUS,
        ParameterType.TASK_CONFIG,
    ):
        return value
    raise Misfit(f"it must be {_WORDS[kind]}, not {_show(value)}")


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Misfit(f"{_show(value)} is out of a number's range") from None


def _show(value: JsonValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def from_text(text: str, kind: ParameterType) -> JsonValue:
    """A value written as text, as an output file or a command line holds it. Raises Misfit."""
    if kind is ParameterType.STRING:
        return text
    bare = text.strip()
    try:
        if kind is ParameterType.BOOLEAN:
            return _BOOLEANS[bare]
        if kind is ParameterType.INTEGER:
            return int(bare)
        value: Any = float(bare) if kind is ParameterType.DOUBLE else json.loads(bare)
        return _fit(value, kind)
    except (ValueError, KeyError, RecursionError):
        raise Misfit(f"it must be {_WORDS[kind]}, not {_show(text)}") from None


def check_parameters(pipeline: Pipeline, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The run's parameters: `values` in their types, defaults filled in, an optional one null.

    A text is accepted for any type, as a command line gives it: `3`, `true`, `[1, 2]`.
    Raises InvalidParameter, naming each parameter that is missing, unknown or of a wrong type.
    """
    problems = []
    checked: dict[str, JsonValue] = {}
    specs = pipeline.root.input_parameters
    for name in values:
        if name not in specs:
            known = ", ".join(sorted(specs)) or "none"
            problems.append(
                Problem(
                    place=name,
                    message=f"The pipeline has no parameter `{name}`.",
                    next_step=f"Its parameters are: {known}.",
                )
            )
    for name, spec in specs.items():
        value = values.get(name)
        if value is None:
            if not (spec.has_default or spec.optional):
                problems.append(
                    Problem(
                        place=name,
                        message=f"The parameter `{name}` has no value.",
                        next_step=f"Give it {_WORDS[spec.type]}.",
                    )
                )
            # A null is what the API sends for a parameter left out.
            value = spec.default
        if value is None:
            checked[name] = None
            continue
        try:
            checked[name] = _given(value, spec)
        except Misfit as misfit:
            problems.append(
                Problem(
                    place=name,
                    message=f"The parameter `{name}` does not fit: {misfit}.",
                    next_step=f"Give it {_WORDS[spec.type]}.",
                )
            )
    if problems:
        raise InvalidParameter(" ".join(problem.message for problem in problems), problems=problems)
    return checked


def _given(value: JsonValue, spec: ParameterSpec) -> JsonValue:
    if isinstance(value, str):
        value = from_text(value, spec.type)
    return conform(value if spec.type is ParameterType.DOUBLE else canonical(value), spec)
