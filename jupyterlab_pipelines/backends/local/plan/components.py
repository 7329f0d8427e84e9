"""Reads the IR's components, tasks and executors into the types of `spec`."""

from __future__ import annotations

from typing import Any

from ..records import RetryPolicy
from .kubernetes import read_options
from .reader import Reader, canonical
from .sources import artifact_source, constant, parameter_source
from .spec import (
    ArtifactSource,
    ArtifactSpec,
    Component,
    Container,
    Dag,
    Executor,
    FinalStatus,
    Importer,
    Iterator,
    Limits,
    OtherExecutor,
    OutputRef,
    ParameterSource,
    ParameterSpec,
    ParameterType,
    Task,
)

_OLD_TYPES = {"INT": "NUMBER_INTEGER", "DOUBLE": "NUMBER_DOUBLE", "STRING": "STRING"}
_COMPONENT_FIELDS = {
    "inputDefinitions",
    "outputDefinitions",
    "dag",
    "executorLabel",
    "singlePlatformSpecs",
    "taskConfigPassthroughs",
}
_TASK_FIELDS = {
    "taskInfo",
    "inputs",
    "dependentTasks",
    "cachingOptions",
    "componentRef",
    "triggerPolicy",
    "artifactIterator",
    "parameterIterator",
    "retryPolicy",
    "iteratorPolicy",
}
_CONTAINER_FIELDS = {"image", "command", "args", "env", "resources"}


def read_component(
    reader: Reader,
    name: str,
    body: dict[str, Any],
    executors: dict[str, Executor],
    options: dict[str, dict[str, Any]],
    place: str,
) -> Component:
    """A component; `executors` and `options` (its platform's) are looked up by executor label."""
    inputs = reader.mapping(body, "inputDefinitions", place)
    outputs = reader.mapping(body, "outputDefinitions", place)
    label = reader.text(body, "executorLabel", place)
    dag = None
    if "dag" in body:
        dag = _read_dag(reader, reader.mapping(body, "dag", place), f"{place}/dag")
    elif not label:
        reader.problem(place, "The component has neither a `dag` nor an `executorLabel`.")
    elif label not in executors:
        reader.problem(place, f"Its executor `{label}` is not in `deploymentSpec`.")
    return Component(
        name=name,
        input_parameters=_parameters(reader, inputs, f"{place}/inputDefinitions"),
        input_artifacts=_artifacts(reader, inputs, f"{place}/inputDefinitions"),
        output_parameters=_parameters(reader, outputs, f"{place}/outputDefinitions"),
        output_artifacts=_artifacts(reader, outputs, f"{place}/outputDefinitions"),
        dag=dag,
        executor=None if dag else executors.get(label),
        kubernetes=read_options(reader, options.get(label, {}), place),
        timeout=reader.number(options.get(label, {}), "activeDeadlineSeconds", place) or None,
        unknown=_unknown(body, _COMPONENT_FIELDS),
    )


def read_executor(reader: Reader, body: dict[str, Any], place: str) -> Executor:
    """An executor of the deployment spec."""
    if "container" in body:
        container = reader.mapping(body, "container", place)
        env = [
            (reader.text(entry, "name", place), reader.text(entry, "value", place))
            for entry in reader.objects(container, "env", place)
        ]
        return Container(
            image=reader.text(container, "image", place),
            command=reader.texts(container, "command", place),
            args=reader.texts(container, "args", place),
            env=tuple(env),
            limits=_read_limits(reader, container, place),
            unknown=_unknown(container, _CONTAINER_FIELDS),
        )
    if "importer" in body:
        return _read_importer(reader, reader.mapping(body, "importer", place), place)
    return OtherExecutor(next(iter(body), "empty"))


def _read_importer(reader: Reader, body: dict[str, Any], place: str) -> Importer:
    uri = reader.mapping(body, "artifactUri", place)
    stated = constant(uri)
    metadata = canonical(reader.mapping(body, "metadata", place))
    return Importer(
        uri=stated if isinstance(stated, str) else "",
        parameter=reader.text(uri, "runtimeParameter", place),
        metadata=metadata if isinstance(metadata, dict) else {},
        to_workspace=reader.flag(body, "downloadToWorkspace", place),
        reimport=reader.flag(body, "reimport", place),
    )


def _read_limits(reader: Reader, container: dict[str, Any], place: str) -> Limits:
    resources = reader.mapping(container, "resources", place)
    accelerator = reader.mapping(resources, "accelerator", place)
    cpu = reader.number(resources, "cpuLimit", place)  # the deprecated fields
    gigabytes = reader.number(resources, "memoryLimit", place)
    count = reader.number(accelerator, "count", place)
    return Limits(
        cpu=reader.text(resources, "resourceCpuLimit", place) or (f"{cpu:g}" if cpu else ""),
        memory=reader.text(resources, "resourceMemoryLimit", place)
        or (f"{gigabytes:g}G" if gigabytes else ""),
        accelerators=reader.text(accelerator, "resourceCount", place)
        or (f"{count:g}" if count else ""),
    )


def _unknown(body: dict[str, Any], known: set[str]) -> tuple[str, ...]:
    return tuple(sorted(set(body) - known))


def _parameters(reader: Reader, body: dict[str, Any], place: str) -> dict[str, ParameterSpec]:
    parameters = {}
    for name, entry in reader.entries(body, "parameters", place):
        at = f"{place}/parameters/{name}"
        stated = reader.text(entry, "parameterType", at)
        stated = stated or _OLD_TYPES.get(reader.text(entry, "type", at), "")
        try:
            kind = ParameterType(stated)
        except ValueError:
            reader.problem(at, f"Its type `{stated}` is not known.")
            continue
        parameters[name] = ParameterSpec(
            name=name,
            type=kind,
            optional=reader.flag(entry, "isOptional", at),
            has_default="defaultValue" in entry,
            default=canonical(entry.get("defaultValue")),
            literals=tuple(canonical(item) for item in reader.sequence(entry, "literals", at)),
            description=reader.text(entry, "description", at),
        )
    return parameters


def _artifacts(reader: Reader, body: dict[str, Any], place: str) -> dict[str, ArtifactSpec]:
    artifacts = {}
    for name, entry in reader.entries(body, "artifacts", place):
        at = f"{place}/artifacts/{name}"
        schema = reader.mapping(entry, "artifactType", at)
        metadata = canonical(reader.mapping(entry, "metadata", at))
        artifacts[name] = ArtifactSpec(
            name=name,
            type=reader.text(schema, "schemaTitle", at) or "system.Artifact",
            schema={key: str(value) for key, value in schema.items()},
            is_list=reader.flag(entry, "isArtifactList", at),
            optional=reader.flag(entry, "isOptional", at),
            metadata=metadata if isinstance(metadata, dict) else {},
        )
    return artifacts


def _read_dag(reader: Reader, body: dict[str, Any], place: str) -> Dag:
    tasks = {
        name: _read_task(reader, name, entry, f"{place}/tasks/{name}")
        for name, entry in reader.entries(body, "tasks", place)
    }
    outputs = reader.mapping(body, "outputs", place)
    at = f"{place}/outputs"
    parameters = {}
    for name, entry in reader.entries(outputs, "parameters", at):
        if "valueFromOneof" in entry:
            oneof = reader.mapping(entry, "valueFromOneof", at)
            selectors = reader.objects(oneof, "parameterSelectors", at)
        else:
            selectors = [reader.mapping(entry, "valueFromParameter", at)]
        parameters[name] = _output_refs(reader, selectors, "outputParameterKey", f"{at}/{name}")
    artifacts = {
        name: _output_refs(
            reader,
            reader.objects(entry, "artifactSelectors", at),
            "outputArtifactKey",
            f"{at}/{name}",
        )
        for name, entry in reader.entries(outputs, "artifacts", at)
    }
    return Dag(tasks=tasks, parameters=parameters, artifacts=artifacts)


def _output_refs(
    reader: Reader, selectors: list[dict[str, Any]], key: str, place: str
) -> tuple[OutputRef, ...]:
    refs = tuple(
        OutputRef(reader.text(entry, "producerSubtask", place), reader.text(entry, key, place))
        for entry in selectors
    )
    if not refs:
        reader.problem(place, "The output selects nothing.")
    return refs


def _read_task(reader: Reader, name: str, body: dict[str, Any], place: str) -> Task:
    inputs = reader.mapping(body, "inputs", place)
    parameters = {
        key: source
        for key, entry in reader.entries(inputs, "parameters", place)
        if (source := parameter_source(reader, entry, f"{place}/inputs/{key}"))
    }
    artifacts = {
        key: artifact
        for key, entry in reader.entries(inputs, "artifacts", place)
        if (artifact := artifact_source(reader, entry, f"{place}/inputs/{key}"))
    }
    caching = reader.mapping(body, "cachingOptions", place)
    trigger = reader.mapping(body, "triggerPolicy", place)
    policy = reader.mapping(body, "iteratorPolicy", place)
    display_name = reader.text(reader.mapping(body, "taskInfo", place), "name", place)
    return Task(
        name=name,
        display_name=display_name or name,
        component=reader.text(reader.mapping(body, "componentRef", place), "name", place),
        parameters=parameters,
        artifacts=artifacts,
        dependencies=_dependencies(
            reader.texts(body, "dependentTasks", place), parameters, artifacts
        ),
        caching=reader.flag(caching, "enableCache", place),
        cache_key=reader.text(caching, "cacheKey", place),
        condition=reader.text(trigger, "condition", place),
        whatever_happened=reader.text(trigger, "strategy", place) == "ALL_UPSTREAM_TASKS_COMPLETED",
        iterator=_read_iterator(reader, body, place),
        parallelism=max(0, int(reader.number(policy, "parallelismLimit", place))),
        retry=_read_retry(reader, body, place),
        unknown=_unknown(body, _TASK_FIELDS),
    )


def _dependencies(
    stated: tuple[str, ...],
    parameters: dict[str, ParameterSource],
    artifacts: dict[str, ArtifactSource],
) -> tuple[str, ...]:
    found = dict.fromkeys(stated)
    for source in parameters.values():
        if isinstance(source.origin, (OutputRef, FinalStatus)):
            found[source.origin.task] = None
    for artifact in artifacts.values():
        if isinstance(artifact, OutputRef):
            found[artifact.task] = None
    return tuple(found)


def _read_iterator(reader: Reader, body: dict[str, Any], place: str) -> Iterator | None:
    if "parameterIterator" in body:
        iterator = reader.mapping(body, "parameterIterator", place)
        items = reader.mapping(iterator, "items", place)
        return Iterator(
            item=reader.text(iterator, "itemInput", place),
            raw=reader.text(items, "raw", place),
            items=reader.text(items, "inputParameter", place),
        )
    if "artifactIterator" in body:
        iterator = reader.mapping(body, "artifactIterator", place)
        items = reader.mapping(iterator, "items", place)
        return Iterator(
            item=reader.text(iterator, "itemInput", place),
            items=reader.text(items, "inputArtifact", place),
            over_artifacts=True,
        )
    return None


def _read_retry(reader: Reader, body: dict[str, Any], place: str) -> RetryPolicy:
    policy = reader.mapping(body, "retryPolicy", place)
    plain = RetryPolicy()
    return RetryPolicy(
        max_retries=max(0, int(reader.number(policy, "maxRetryCount", place))),
        backoff=max(0.0, reader.duration(policy, "backoffDuration", place)),
        factor=reader.number(policy, "backoffFactor", place) or plain.factor,
        window=reader.duration(policy, "backoffMaxDuration", place) or plain.window,
    )
