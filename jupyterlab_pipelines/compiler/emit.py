"""Writes the pipeline of one step as IR, the form that kfp's compiler writes."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..models import StepInput, StepPlan, StepRequest, Submission
from .plan import piece_title, sliced_notebook, slug
from .slices import Slice

IMAGE = "python:3.12"
_SDK = "kfp-2.14.0"
_FUNCTION = "run_step"
#: What the runner needs where the interpreter has it not: nothing on a notebook's kernel.
_RUNNER_PACKAGES = ("ipython", "matplotlib-inline")
#: Names that the component's function has for itself.
_RESERVED = {"notebook", "report", "PARTS", "run_parts", "float"}

_LAUNCH = (
    "\nprogram_path=$(mktemp -d)\n\n"
    'printf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main "
    '--component_module_path "$program_path/ephemeral_component.py" "$@"\n'
)
_INSTALL = (
    '\nif ! [ -x "$(command -v pip)" ]; then\n'
    "    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n"
    "PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location "
    "'kfp>=2.14,<3' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<\"3.9\"' "
    '&& python3 -m pip install --quiet --no-warn-script-location {packages} && "$0" "$@"\n'
)


def compile_step(request: StepRequest, plan: StepPlan) -> Submission:
    """The pipeline of a plan without problems, ready to be submitted."""
    sliced = sliced_notebook(request, plan.inputs)
    given = [one for one in plan.inputs if one.source != "recompute" and one.name in sliced.inputs]
    constants = [one for one in given if one.source == "parameter" and one.value is None]
    parameters = [
        _typed(one) for one in given if one.source == "parameter" and one.value is not None
    ]
    snapshots = [one for one in given if one.source == "snapshot"]
    selected = set(request.selection.selected)
    parts = _parts(sliced, given, {one.name for one in constants}, selected)
    source = _source(parts, parameters, snapshots, request.working_directory)
    return Submission(
        pipeline=_pipeline(plan, parameters, snapshots, source, bool(request.caching)),
        display_name=plan.name,
        description=f"Cells of {request.selection.notebook}" if request.selection.notebook else "",
        parameters={one.name: one.value for one in parameters},
        interpreter=request.interpreter,
    )


def _parts(
    sliced: Slice, given: Sequence[StepInput], constants: set[str], selected: set[str]
) -> list[dict[str, Any]]:
    """What the runner executes, and which inputs it sets before each part."""
    parts = []
    for number, piece in enumerate(sliced.pieces):
        names = [one.name for one in given if sliced.needed_at.get(one.name) == number]
        empty = "".join(f"{name} = None\n" for name in names if name in constants)
        if empty:
            parts.append({"title": "# %% Inputs", "source": empty, "inputs": [], "selected": False})
        parts.append(
            {
                "title": piece_title(piece),
                "source": piece.source,
                "inputs": [name for name in names if name not in constants],
                "selected": piece.cell.id in selected,
            }
        )
    return parts


def _typed(one: StepInput) -> StepInput:
    """The input with a value of its type: on its way through a browser 1.0 became 1."""
    if one.type == "float" and type(one.value) is int:
        return one.model_copy(update={"value": float(one.value)})
    return one


def port(name: str) -> str:
    """An input's name in the pipeline: a variable may be called as one of the step's artifacts."""
    return f"{name}_variable" if name in _RESERVED else name


def _source(
    parts: Sequence[dict[str, Any]],
    parameters: Sequence[StepInput],
    snapshots: Sequence[StepInput],
    folder: str,
) -> str:
    """The component's module: kfp's imports, the runner, and the function that calls it."""
    runner = Path(__file__).with_name("runner.py").read_text(encoding="utf-8")
    arguments = ["notebook: Output[Artifact]", "report: Output[HTML]"]
    arguments += [f"{port(one.name)}: {_PYTHON[_kind(one.value)]}" for one in parameters]
    arguments += [f"{port(one.name)}: Input[Artifact]" for one in snapshots]
    values = ", ".join(f"{one.name!r}: {_argument(one)}" for one in parameters)
    files = ", ".join(f"{one.name!r}: {port(one.name)}.path" for one in snapshots)
    return (
        "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
        f"{runner}\n\n"
        f"PARTS = json.loads({_literal(parts)})\n\n\n"
        f"def {_FUNCTION}({', '.join(arguments)}):\n"
        '    report.metadata["same_as"] = "notebook"\n'
        f"    run_parts(PARTS, {{{values}}}, {{{files}}}, notebook.path, report.path, {folder!r})\n"
    )


def _literal(parts: Sequence[dict[str, Any]]) -> str:
    """The parts as a Python text of JSON, in which no backend finds a placeholder to fill."""
    return repr(json.dumps(list(parts)).replace("{{$", "{{\\u0024"))


def _argument(one: StepInput) -> str:
    """A parameter as the function passes it on: Kubeflow hands 1.0 over as 1."""
    return f"float({port(one.name)})" if type(one.value) is float else port(one.name)


# --- types -------------------------------------------------------------------------------------

_IR = {
    bool: "BOOLEAN",
    int: "NUMBER_INTEGER",
    float: "NUMBER_DOUBLE",
    str: "STRING",
    list: "LIST",
    dict: "STRUCT",
}
_PYTHON = {
    "BOOLEAN": "bool",
    "NUMBER_INTEGER": "int",
    "NUMBER_DOUBLE": "float",
    "STRING": "str",
    "LIST": "list",
    "STRUCT": "dict",
}


def _kind(value: object) -> str:
    return _IR[type(value)]


# --- IR ----------------------------------------------------------------------------------------


def _pipeline(
    plan: StepPlan,
    parameters: Sequence[StepInput],
    snapshots: Sequence[StepInput],
    source: str,
    caching: bool,
) -> dict[str, Any]:
    step = slug(plan.name)
    component, executor = f"comp-{step}", f"exec-{step}"
    artifact = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}
    page = {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}
    types = {port(one.name): {"parameterType": _kind(one.value)} for one in parameters}
    inputs: dict[str, Any] = {}
    if parameters:
        inputs["parameters"] = types
    if snapshots:
        inputs["artifacts"] = {port(one.name): {"artifactType": artifact} for one in snapshots}
    outputs = {"notebook": {"artifactType": artifact}, "report": {"artifactType": page}}
    components: dict[str, Any] = {
        component: _present(
            executorLabel=executor,
            inputDefinitions=inputs,
            outputDefinitions={"artifacts": outputs},
        )
    }
    executors: dict[str, Any] = {executor: {"container": _container(plan.packages, source)}}
    tasks: dict[str, Any] = {step: _step_task(step, parameters, snapshots, caching)}
    for number, one in enumerate(snapshots, 1):
        name = _importer_name(number)
        components[f"comp-{name}"] = _importer_component(f"exec-{name}", artifact)
        executors[f"exec-{name}"] = _importer(one.snapshot or "", artifact)
        tasks[name] = _importer_task(name, one)
    root_inputs = {
        one.name: {"parameterType": _kind(one.value), "defaultValue": one.value}
        for one in parameters
    }
    return {
        "pipelineInfo": {"name": step},
        "schemaVersion": "2.1.0",
        "sdkVersion": _SDK,
        "components": components,
        "deploymentSpec": {"executors": executors},
        "root": _present(
            dag={"tasks": tasks},
            inputDefinitions={"parameters": root_inputs} if root_inputs else {},
        ),
    }


def _container(packages: Sequence[str], source: str) -> dict[str, Any]:
    wanted = " ".join(shlex.quote(package) for package in (*_RUNNER_PACKAGES, *packages))
    return {
        "image": IMAGE,
        "command": [
            *("sh", "-c", _INSTALL.format(packages=wanted)),
            *("sh", "-ec", _LAUNCH, source),
        ],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", _FUNCTION],
    }


def _step_task(
    step: str, parameters: Sequence[StepInput], snapshots: Sequence[StepInput], caching: bool
) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if parameters:
        inputs["parameters"] = {
            port(one.name): {"componentInputParameter": one.name} for one in parameters
        }
    if snapshots:
        inputs["artifacts"] = {
            port(one.name): {
                "taskOutputArtifact": {
                    "outputArtifactKey": "artifact",
                    "producerTask": _importer_name(number),
                }
            }
            for number, one in enumerate(snapshots, 1)
        }
    return _present(
        taskInfo={"name": step},
        componentRef={"name": f"comp-{step}"},
        # A snapshot is new each time, so there is nothing to find in a cache.
        cachingOptions={"enableCache": True} if caching and not snapshots else {},
        inputs=inputs,
        dependentTasks=[_importer_name(number) for number in range(1, len(snapshots) + 1)],
    )


def _importer_name(number: int) -> str:
    return f"snapshot-{number}"


def _importer_component(executor: str, artifact: dict[str, str]) -> dict[str, Any]:
    return {
        "executorLabel": executor,
        "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {"artifact": {"artifactType": artifact}}},
    }


def _importer(path: str, artifact: dict[str, str]) -> dict[str, Any]:
    return {"importer": {"artifactUri": {"constant": path}, "typeSchema": artifact}}


def _importer_task(name: str, one: StepInput) -> dict[str, Any]:
    return {
        "taskInfo": {"name": f"Snapshot of {one.name}"},
        "componentRef": {"name": f"comp-{name}"},
        "cachingOptions": {},
        "inputs": {"parameters": {"uri": {"runtimeValue": {"constant": one.snapshot or ""}}}},
    }


def _present(**fields: Any) -> dict[str, Any]:
    """The fields that hold something: the compiler leaves empty ones out."""
    return {name: value for name, value in fields.items() if value}
