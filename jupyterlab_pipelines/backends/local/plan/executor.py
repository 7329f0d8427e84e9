"""What an attempt of a leaf is launched with, and what it has left behind."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pydantic import JsonValue

from ....models import TaskRef
from ..records import (
    ArtifactRecord,
    ContainerWish,
    Invocation,
    RunContext,
    TaskFailure,
    Values,
)
from .lightweight import recognise
from .machine import BARE, Machine
from .parameters import Misfit, as_text, conform, from_text
from .placeholders import Placeholders, run_names, workspace_of
from .pod import VOLUME_ACTIONS, mapped_variables, mounts, pod_fields, why_container
from .reader import canonical
from .scopes import Node
from .spec import (
    ArtifactSpec,
    Component,
    Container,
    Importer,
    ParameterSpec,
    ParameterType,
)

OUTPUT_FILE = "executor_output.json"
#: User info and query of an address: a password, a signature.
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@|\?.*", re.DOTALL)
_VARIABLE = re.compile(r"\$(\$)?\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
#: Where the embedded engine cannot read from.
CLOUD_SCHEMES = frozenset({"gs", "s3", "minio", "oci", "http", "https", "abfs", "hdfs"})


def file_name(key: str) -> str:
    """A name for a file that holds the output `key`, whatever the key is made of."""
    return quote(key, safe="").replace(".", "%2E")


def build_invocation(
    node: Node, run: RunContext, directory: Path, machine: Machine = BARE
) -> Invocation:
    """What to launch for an attempt whose files lie in `directory`. Raises TaskFailure."""
    container = node.component.executor
    if not isinstance(container, Container):
        raise TaskFailure("An importer has no command: collect its outputs.")
    executor_input = _executor_input(node, directory)
    directories = [directory / "parameters", directory / "artifacts"]
    if str(workspace_of(run)) in json.dumps(executor_input["inputs"]):
        directories.append(workspace_of(run))
    plain = Invocation(
        executor_input=executor_input,
        command=[*container.command, *container.args],
        env=_environment(container) | pod_fields(node, run),
        packages=[],
        directories=directories,
        variables=mapped_variables(node, run),
        mounts=mounts(node, run),
    )
    action = VOLUME_ACTIONS.get(container.image)
    if action:
        return replace(plain, volume_action=action, reuse_volume=node.task.caching)
    reason = why_container(container, plain.mounts, machine)
    if reason and not machine.containers:
        raise TaskFailure(f"It needs a container of the image `{container.image}`: {reason}.")
    if reason:
        return _contained(node, run, container, plain)
    function = recognise(container)
    return replace(
        plain,
        packages=function.packages,
        source=function.source,
        function=function.function,
        pip_index_urls=function.index_urls,
        pip_trusted_hosts=function.trusted_hosts,
    )


def _contained(node: Node, run: RunContext, container: Container, plain: Invocation) -> Invocation:
    """The invocation in a container, every placeholder filled in."""
    names = run_names(run, node.id, node.task.name)
    placeholders = Placeholders(names, _with_defaults(node, plain.executor_input))
    options, limits = node.component.kubernetes, container.limits
    artifacts = [item for group in node.record.inputs.artifacts.values() for item in group]
    wish = ContainerWish(
        image=placeholders.text(container.image),
        pull_policy=options.pull_policy,
        cpu=placeholders.text(limits.cpu),
        memory=placeholders.text(limits.memory),
        accelerators=placeholders.text(limits.accelerators),
        shared_memory=options.shared_memory,
        inputs=tuple(Path(item.uri) for item in artifacts if item.uri.startswith("/")),
    )
    words = [_expanded(word, plain.env) for word in placeholders.command(plain.command)]
    directories, workspace = [*plain.directories], workspace_of(run)
    if workspace not in directories and str(workspace) in " ".join([*words, *plain.env.values()]):
        directories.append(workspace)
    return replace(plain, container=wish, command=words, directories=directories)


def _environment(container: Container) -> dict[str, str]:
    """The variables, with `$(NAME)` filled in from those before, as Kubernetes does."""
    env: dict[str, str] = {}
    for name, value in container.env:
        env[name] = _expanded(value, env)
    return env


def _expanded(text: str, env: Mapping[str, str]) -> str:
    def known(match: re.Match[str]) -> str:
        escaped, variable = match.groups()
        return match.group()[1:] if escaped else env.get(variable, match.group())

    return _VARIABLE.sub(known, text)


def _executor_input(node: Node, directory: Path) -> dict[str, Any]:
    inputs = node.record.inputs
    component = node.component
    return {
        "inputs": {
            "parameterValues": dict(inputs.parameters),
            "artifacts": {
                name: {"artifacts": [_runtime_artifact(item) for item in artifacts]}
                for name, artifacts in inputs.artifacts.items()
            },
        },
        "outputs": {
            "parameters": {
                name: {"outputFile": str(_parameter_file(directory, name))}
                for name in component.output_parameters
            },
            "artifacts": {
                name: {
                    "artifacts": [
                        {
                            "name": name,
                            "type": _schema(spec.type),
                            "uri": str(_artifact_path(directory, name)),
                            "metadata": dict(spec.metadata),
                        }
                    ]
                }
                for name, spec in component.output_artifacts.items()
            },
            "outputFile": str(directory / OUTPUT_FILE),
        },
    }


def _parameter_file(directory: Path, name: str) -> Path:
    return directory / "parameters" / file_name(name)


def _artifact_path(directory: Path, name: str) -> Path:
    return directory / "artifacts" / file_name(name)


def _schema(title: str, version: str = "0.0.1") -> dict[str, str]:
    return {"schemaTitle": title, "schemaVersion": version}


def _runtime_artifact(artifact: ArtifactRecord) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "type": _schema(artifact.type, artifact.schema_version),
        "uri": artifact.uri,
        "metadata": dict(artifact.metadata),
    }


def _with_defaults(node: Node, executor_input: dict[str, Any]) -> dict[str, Any]:
    """The executor input that placeholders see: left-out parameters have their defaults there."""
    defaults = {
        spec.name: spec.default
        for spec in node.component.input_parameters.values()
        if spec.has_default
    }
    inputs = executor_input["inputs"]
    values = {**defaults, **inputs["parameterValues"]}
    return {**executor_input, "inputs": {**inputs, "parameterValues": values}}


def collect_outputs(
    node: Node, run: RunContext, directory: Path, executor_output: Mapping[str, Any] | None
) -> Values:
    """A succeeded attempt's outputs: from its `executor_output`, else from its output files.

    Raises TaskFailure where an output parameter is missing or is not of its type.
    """
    if isinstance(node.component.executor, Importer):
        return _imported(node, run, node.component.executor)
    output = executor_output or {}
    component = node.component
    values = _entries(output, "parameterValues")
    artifacts = _entries(output, "artifacts")
    outputs = Values()
    for name, spec in component.output_parameters.items():
        outputs.parameters[name] = _output_parameter(spec, values, directory)
    for name, artifact in component.output_artifacts.items():
        outputs.artifacts[name] = _output_artifacts(
            node, run, artifact, directory, artifacts.get(name)
        )
    return outputs


def collect_left(node: Node, run: RunContext, directory: Path) -> Values:
    """The artifacts that an attempt had written when it failed, to be looked at."""
    left = Values()
    for name, spec in node.component.output_artifacts.items():
        if not spec.is_list and _artifact_path(directory, name).exists():
            left.artifacts[name] = _output_artifacts(node, run, spec, directory, None)
    return left


def _entries(output: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    entries = output.get(key) or {}
    if not isinstance(entries, Mapping):
        raise TaskFailure(f"Its {OUTPUT_FILE} is damaged: `{key}` is not an object.")
    return entries


def _output_parameter(spec: ParameterSpec, values: Mapping[str, Any], directory: Path) -> JsonValue:
    try:
        if spec.name in values:
            value: JsonValue = values[spec.name]
            if _has_no_json(value):
                raise Misfit("it holds NaN or Infinity, which JSON has not")
            value = None if value is None else conform(value, spec)
        else:
            text = _parameter_file(directory, spec.name).read_text(encoding="utf-8")
            value = from_text(text, spec.type)
        # In protobuf's JSON, which travels between tasks, a list's or an object's 1.0 is a 1.
        return value if spec.type is ParameterType.DOUBLE else canonical(value)
    except Misfit as misfit:
        raise TaskFailure(f"Its output `{spec.name}` does not fit: {misfit}.") from None
    except FileNotFoundError:
        raise TaskFailure(
            f"It ended without giving its output `{spec.name}`: return a value for it."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskFailure(f"Its output `{spec.name}` cannot be read: {error}.") from None


def _has_no_json(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, list):
        return any(map(_has_no_json, value))
    return isinstance(value, dict) and any(map(_has_no_json, value.values()))


def _output_artifacts(
    node: Node, run: RunContext, spec: ArtifactSpec, directory: Path, entry: Any
) -> list[ArtifactRecord]:
    said = entry.get("artifacts") if isinstance(entry, Mapping) else None
    entries = [item for item in said or [] if isinstance(item, Mapping)]
    if not spec.is_list:
        entries = entries[:1] or [{}]
    base = f"{node.id}:{spec.name}"
    ids = [f"{base}[{index}]" for index in range(len(entries))] if spec.is_list else [base]
    return [
        _output_artifact(node, run, spec, directory, artifact_id, item)
        for artifact_id, item in zip(ids, entries, strict=True)
    ]


def _output_artifact(
    node: Node,
    run: RunContext,
    spec: ArtifactSpec,
    directory: Path,
    artifact_id: str,
    said: Mapping[str, Any],
) -> ArtifactRecord:
    metadata = {**spec.metadata, **_entries(said, "metadata")}
    if _has_no_json(metadata):
        raise TaskFailure(
            f"The metadata of its output `{spec.name}` holds NaN or Infinity, which JSON has not."
        )
    metadata = {key: canonical(value) for key, value in metadata.items()}
    uri = _local_uri(as_text(said.get("uri"))) or str(_artifact_path(directory, spec.name))
    custom_path = as_text(said.get("custom_path") or said.get("customPath"))
    if custom_path and custom_path != uri:
        _keep(Path(custom_path), Path(uri), spec.name)
    return ArtifactRecord(
        artifact_id=artifact_id,
        name=spec.name,
        type=spec.type,
        uri=uri,
        schema_version=spec.schema.get("schemaVersion", "0.0.1"),
        metadata=metadata,
        producer=TaskRef(run_id=run.run_id, task_id=node.id),
        custom_path=custom_path,
        identity=_identity(run.run_id, artifact_id, str(directory)),
    )


def _identity(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()


def _keep(source: Path, target: Path, name: str) -> None:
    """Copies what a task wrote at a path of its own choice to where its artifact lies."""
    try:
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    except OSError as error:
        raise TaskFailure(f"Its output `{name}` cannot be kept: {error}.") from None


def _local_uri(uri: str) -> str:
    """`file:///data/x` as the path that the SDK's artifacts open."""
    parts = urlsplit(uri)
    return unquote(parts.path) if parts.scheme == "file" else uri


def shown_uri(uri: str) -> str:
    """A URI as messages show it: without what may be credentials. A path is shown as it is."""
    return _CREDENTIALS.sub("", uri) if "://" in uri else uri


def is_read(group: Component, name: str, outermost: bool) -> bool:
    """Whether a task may read what the importer `name` of `group` imports.

    An import that nobody reads only notes a URI, of whatever kind.
    """
    assert group.dag is not None
    passed_on = not outermost and group.dag.passes_on_artifact_of(name)
    return passed_on or group.dag.uses_artifact_of(name)


def _imported(node: Node, run: RunContext, importer: Importer) -> Values:
    """The artifact that an importer names, where this machine can read it."""
    executor_input = {"inputs": {"parameterValues": node.record.inputs.parameters}}
    names = run_names(run, node.id, node.task.name)
    placeholders = Placeholders(names, executor_input)
    uri = importer.uri
    if not uri:
        uri = as_text(node.record.inputs.parameters.get(importer.parameter))
    uri = _local_uri(placeholders.text(uri))
    scheme = urlsplit(uri).scheme
    if not uri:
        raise TaskFailure("The artifact to import has no URI.")
    if scheme in CLOUD_SCHEMES:
        if is_read(node.scope.component, node.task.name, outermost=node.scope.owner is None):
            raise TaskFailure(
                f"`{shown_uri(uri)}` is not on this machine: download it, and import its path."
            )
    elif not Path(uri).exists():
        raise TaskFailure(f"There is nothing at `{shown_uri(uri)}`.")
    metadata = placeholders.value(dict(importer.metadata))
    assert isinstance(metadata, dict)
    name, spec = next(iter(node.component.output_artifacts.items()))
    artifact = ArtifactRecord(
        artifact_id=f"{node.id}:{name}",
        name=name,
        type=spec.type,
        uri=uri,
        schema_version=spec.schema.get("schemaVersion", "0.0.1"),
        metadata=metadata,
        producer=TaskRef(run_id=run.run_id, task_id=node.id),
        # The same URI is the same artifact in every run, unless it is to be imported anew.
        identity=_identity(spec.type, uri, *([run.run_id, node.id] if importer.reimport else [])),
    )
    return Values(artifacts={name: [artifact]})
