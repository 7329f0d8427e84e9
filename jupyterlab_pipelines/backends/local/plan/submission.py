"""What a pipeline and its parameters must pass before they become a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from ....errors import UnsupportedFeature
from .ir import Pipeline
from .machine import Machine
from .parameters import check_parameters
from .preflight import preflight

_MOST_NAMED = 5


def accept(
    pipeline_spec: dict[str, Any],
    platform_spec: dict[str, Any] | None,
    parameters: Mapping[str, JsonValue],
    machine: Machine,
) -> tuple[Pipeline, dict[str, JsonValue]]:
    """The pipeline, and its parameters in their types; `machine` is what it is to run on.

    Raises InvalidPipeline, InvalidParameter, or UnsupportedFeature whose problems name the tasks.
    """
    pipeline = Pipeline.parse(pipeline_spec, platform_spec)
    checked = check_parameters(pipeline, parameters)
    problems = preflight(pipeline, checked, machine)
    if problems:
        text = " ".join(problem.message for problem in problems[:_MOST_NAMED])
        rest = len(problems) - _MOST_NAMED
        raise UnsupportedFeature(
            f"The embedded engine cannot run this pipeline. {text}"
            + (f" ({rest} more.)" if rest > 0 else ""),
            next_step=" ".join(
                list(dict.fromkeys(one.next_step for one in problems))[:_MOST_NAMED]
            ),
            problems=problems,
        )
    return pipeline, checked
