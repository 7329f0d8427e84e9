"""Resolves a task's inputs from its scope, and a group's outputs from its tasks."""

from __future__ import annotations

import json
import math

from pydantic import JsonValue

from ....models import State
from ..records import ArtifactRecord, RunContext, TaskFailure, Values
from .cel import CelError
from .conditions import select
from .parameters import Misfit, conform
from .placeholders import Placeholders, run_names
from .scopes import SUCCESSFUL, Node, Scope
from .spec import (
    ComponentInput,
    Constant,
    FinalStatus,
    OutputRef,
    ParameterSource,
    ParameterSpec,
    ParameterType,
)

#: Kubeflow's names for how a task ended, as PipelineTaskFinalStatus carries them.
_FINAL_STATES = {
    State.SUCCEEDED: "COMPLETE",
    State.CACHED: "CACHED",
    State.FAILED: "FAILED",
    State.SKIPPED: "CANCELED",
    State.CANCELED: "CANCELED",
}


class _Missing(Exception):
    """An input's source gave nothing; the message says which."""


def resolve_inputs(node: Node, run: RunContext) -> Values:
    """A task's inputs, typed, selectors applied and placeholders in constants filled in.

    Raises TaskFailure, naming the input.
    """
    return Values(parameters=_parameters(node, run), artifacts=_artifacts(node))


def _parameters(node: Node, run: RunContext) -> dict[str, JsonValue]:
    given: dict[str, JsonValue] = {}
    constants = {}
    for name, source in node.task.parameters.items():
        if isinstance(source.origin, Constant):
            constants[name] = source.origin.value
            continue
        try:
            given[name] = _origin(node, source, run)
        except _Missing as missing:
            if not _may_be_absent(node, name):
                raise TaskFailure(f"Its parameter `{name}` has no value: {missing}") from None
    names = run_names(run, node.id, node.task.name)
    placeholders = Placeholders(names, {"inputs": {"parameterValues": given}})
    filled = {name: placeholders.value(value) for name, value in constants.items()}
    values = {
        name: (filled | given)[name]
        for name in node.task.parameters
        if name in filled or name in given
    }
    for name in values:
        values[name] = _selected(name, values[name], node.task.parameters[name].selector)
    return _typed(node, values)


def _may_be_absent(node: Node, name: str) -> bool:
    spec = node.component.input_parameters.get(name)
    return node.task.whatever_happened and spec is not None and (spec.optional or spec.has_default)


def _origin(node: Node, source: ParameterSource, run: RunContext) -> JsonValue:
    origin = source.origin
    if isinstance(origin, ComponentInput):
        return node.scope.inputs.parameters.get(origin.name)
    if isinstance(origin, FinalStatus):
        return _final_status(node.scope.nodes[origin.task], run)
    assert isinstance(origin, OutputRef)
    producer = node.scope.nodes[origin.task]
    if origin.key not in producer.record.outputs.parameters:
        raise _Missing(_reason(producer, origin.key))
    return producer.record.outputs.parameters[origin.key]


def resolve_source(node: Node, source: ParameterSource, run: RunContext, what: str) -> JsonValue:
    """A value that the task's options take from its scope, as its own inputs do; `what` names it.

    Raises TaskFailure.
    """
    if isinstance(source.origin, Constant):
        names = run_names(run, node.id, node.task.name)
        value = Placeholders(names, {}).value(source.origin.value)
    else:
        try:
            value = _origin(node, source, run)
        except _Missing as missing:
            raise TaskFailure(f"There is no value for {what}: {missing}") from None
    return _selected(what, value, source.selector)


def _reason(producer: Node, key: str) -> str:
    name = producer.record.name
    if producer.record.state is State.SKIPPED:
        return f"task `{name}` was skipped."
    if producer.record.state not in SUCCESSFUL:
        return f"task `{name}` did not succeed."
    return f"task `{name}` gave no `{key}`: what makes it was skipped."


def _final_status(node: Node, run: RunContext) -> dict[str, JsonValue]:
    record = node.record
    error: dict[str, JsonValue] = {}
    if record.state is State.FAILED:
        error = {"code": 2, "message": record.error or "The task failed."}
    return {
        "state": _FINAL_STATES[record.state],
        "pipelineJobResourceName": run.job_resource_name,
        "pipelineTaskName": record.name,
        "error": error,
    }


def _selected(name: str, value: JsonValue, selector: str) -> JsonValue:
    if not selector:
        return value
    try:
        return select(value, selector)
    except CelError as error:
        raise TaskFailure(
            f"Its parameter `{name}` cannot be picked by `{selector}`: {error}."
        ) from None


def _typed(node: Node, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The values in their declared types; what is left out gets what its component says."""
    iterator = node.task.iterator
    typed: dict[str, JsonValue] = {}
    specs = node.component.input_parameters
    for name, value in values.items():
        spec = specs.get(name)
        # A loop's items are a list even where its component calls their parameter otherwise.
        if spec is None or (iterator and name == iterator.items):
            typed[name] = value
        elif value is not None:
            typed[name] = typed_value(spec, value)
    for name, spec in specs.items():
        if name not in typed and not (iterator and name == iterator.item):
            _fill_in(node, spec, name in values, typed)
    return typed


def _fill_in(node: Node, spec: ParameterSpec, was_null: bool, typed: dict[str, JsonValue]) -> None:
    """A parameter without a value: a group takes its default or null, a leaf decides by itself."""
    if node.component.dag is not None and (spec.optional or spec.has_default):
        typed[spec.name] = spec.default
    elif not spec.optional:
        if spec.has_default:
            typed[spec.name] = typed_value(spec, spec.default)
        elif was_null and spec.type is ParameterType.STRING and _is_made(node, spec.name):
            typed[spec.name] = ""  # a task's null is a text; a pipeline's is a value left out
        else:
            reason = "it is null" if was_null else "nothing gives it one"
            raise TaskFailure(f"Its parameter `{spec.name}` has no value: {reason}.")


def _is_made(node: Node, name: str) -> bool:
    """Whether the parameter comes from a task."""
    return isinstance(node.task.parameters[name].origin, OutputRef)


def typed_value(spec: ParameterSpec, value: JsonValue) -> JsonValue:
    """The value in the parameter's type. Raises TaskFailure, naming the parameter."""
    try:
        return conform(value, spec)
    except Misfit as misfit:
        raise TaskFailure(f"Its parameter `{spec.name}` does not fit: {misfit}.") from None


def _artifacts(node: Node) -> dict[str, list[ArtifactRecord]]:
    artifacts = {}
    for name, source in node.task.artifacts.items():
        spec = node.component.input_artifacts.get(name)
        if isinstance(source, ComponentInput):
            if source.name in node.scope.inputs.artifacts:
                artifacts[name] = node.scope.inputs.artifacts[source.name]
            elif not (spec and spec.optional):
                raise TaskFailure(f"Its artifact `{name}` was not given.")
            continue
        producer = node.scope.nodes[source.task]
        if source.key in producer.record.outputs.artifacts:
            artifacts[name] = producer.record.outputs.artifacts[source.key]
        elif not (spec and spec.optional and node.task.whatever_happened):
            raise TaskFailure(
                f"Its artifact `{name}` does not exist: {_reason(producer, source.key)}"
            )
    return artifacts


def loop_inputs(node: Node, inputs: Values) -> list[Values]:
    """The inputs of each iteration, its item as it came.

    Raises TaskFailure where there is nothing to go over.
    """
    iterator = node.task.iterator
    assert iterator is not None
    if iterator.over_artifacts:
        rest = {name: value for name, value in inputs.artifacts.items() if name != iterator.items}
        return [
            Values(dict(inputs.parameters), {**rest, iterator.item: [artifact]})
            for artifact in inputs.artifacts.get(iterator.items, [])
        ]
    parameters = dict(inputs.parameters)
    items = _items(iterator.raw or parameters.get(iterator.items))
    if not _is_used_inside(node, iterator.items):
        parameters.pop(iterator.items, None)  # a list in every iteration would grow by its square
    return [Values({**parameters, iterator.item: item}, dict(inputs.artifacts)) for item in items]


def iteration_inputs(node: Node) -> Values:
    """An iteration's inputs with its item in its type. Raises TaskFailure where it does not fit."""
    iterator, inputs = node.task.iterator, node.record.inputs
    assert iterator is not None
    spec = node.component.input_parameters.get(iterator.item)
    if spec is None or iterator.over_artifacts:
        return inputs
    item = typed_value(spec, inputs.parameters[iterator.item])
    return Values({**inputs.parameters, iterator.item: item}, inputs.artifacts)


def _is_used_inside(node: Node, name: str) -> bool:
    dag = node.component.dag
    return dag is not None and any(
        source.origin == ComponentInput(name)
        for task in dag.tasks.values()
        for source in task.parameters.values()
    )


def _items(items: JsonValue) -> list[JsonValue]:
    if isinstance(items, str):
        text = items
        try:
            items = json.loads(text)
        except (ValueError, RecursionError):
            raise TaskFailure(f"Its loop's items are not JSON: {text[:80]}") from None
    if not isinstance(items, list):
        raise TaskFailure(f"Its loop needs a list of items, not {json.dumps(items)[:80]}.")
    if any(isinstance(item, float) and not math.isfinite(item) for item in items):
        raise TaskFailure("Its loop's items hold NaN or Infinity, which JSON has not.")
    return items


def scope_outputs(scope: Scope) -> Values:
    """What a DAG gives: of several selectors, the first whose task succeeded."""
    dag = scope.component.dag
    assert dag is not None
    outputs = Values()
    for key, refs in dag.parameters.items():
        for ref in refs:
            record = scope.nodes[ref.task].record
            if record.state in SUCCESSFUL and ref.key in record.outputs.parameters:
                outputs.parameters[key] = record.outputs.parameters[ref.key]
                break
    for key, refs in dag.artifacts.items():
        for ref in refs:
            record = scope.nodes[ref.task].record
            if record.state in SUCCESSFUL and ref.key in record.outputs.artifacts:
                outputs.artifacts[key] = record.outputs.artifacts[ref.key]
                break
    return outputs


def loop_outputs(node: Node) -> Values:
    """What a loop gives: its iterations' outputs as lists, in order.

    Collecting over nested loops gives parameters as lists of lists, as the SDK types them, and
    artifacts as one list. An iteration that a condition kept from making an output adds nothing.
    """
    outputs = Values()
    iterations = [iteration.record.outputs for iteration in node.iterations]
    for key in node.component.output_parameters:
        outputs.parameters[key] = [
            one.parameters[key] for one in iterations if key in one.parameters
        ]
    for key in node.component.output_artifacts:
        lists = [one.artifacts[key] for one in iterations if key in one.artifacts]
        outputs.artifacts[key] = [item for one in lists for item in one]
    return outputs
