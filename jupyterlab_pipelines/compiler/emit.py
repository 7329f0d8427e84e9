"""Writes the pipeline of one step as IR, the form that kfp's compiler writes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..models import StepInput, StepPlan, StepRequest, Submission
from .pieces import SEPARATOR
from .plan import sliced_notebook, slug
from .slices import Slice

IMAGE = "python:3.12"
_SDK = "kfp-2.14.0"
_FUNCTION = "run_step"
#: What the runner needs where the interpreter has it not: nothing on a notebook's kernel.
_RUNNER_PACKAGES = ("ipython", "matplotlib-inline")
#: The texts of the component's module, in this order.
_CARRIED = ("record.py", "runner.py")
#: Names that the component's function uses itself.
_RESERVED = ("notebook", "report", "PARTS", "run_parts", "float")
#: Integers up to here are the same as the double that a pipeline's parameter may become.
_EXACT = 2**53

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


@dataclass(frozen=True)
class _Given:
    """The values that a step is given, each with the name of its port in the pipeline."""

    parameters: dict[str, StepInput]
    snapshots: dict[str, StepInput]
    #: Values that a parameter cannot carry, written into the code.
    constants: list[StepInput]

    @classmethod
    def of(cls, inputs: Sequence[StepInput], needed: Collection[str]) -> _Given:
        """Of a plan's inputs, those that are needed and not computed again."""
        given = [one for one in inputs if one.source != "recompute" and one.name in needed]
        ports = _ports([one.name for one in given])
        return cls(
            {ports[one.name]: one for one in given if _is_parameter(one)},
            {ports[one.name]: one for one in given if one.source == "snapshot"},
            [one for one in given if one.source == "parameter" and not _is_parameter(one)],
        )

    @property
    def importers(self) -> dict[str, str]:
        """Files to import → task names. Variables that share objects share a file."""
        files = dict.fromkeys(one.snapshot or "" for one in self.snapshots.values())
        return {file: f"snapshot-{number}" for number, file in enumerate(files, 1)}


def _ports(names: Sequence[str]) -> dict[str, str]:
    """Variables → input names; a variable may be called as something that the step has itself."""
    taken = {*_RESERVED, *names}
    ports = {}
    for name in names:
        port = name
        if name in _RESERVED:
            while port in taken:
                port += "_"
        taken.add(port)
        ports[name] = port
    return ports


def compile_step(request: StepRequest, plan: StepPlan) -> Submission:
    """The pipeline of a plan without problems, ready to be submitted."""
    sliced = sliced_notebook(request, plan.inputs)
    given = _Given.of(plan.inputs, sliced.inputs)
    parts = _parts(sliced, given, request.selection.selected)
    source = _source(parts, given, request.working_directory)
    return Submission(
        pipeline=_pipeline(plan, given, source, bool(request.caching)),
        display_name=plan.name,
        description=f"Cells of {request.selection.notebook}" if request.selection.notebook else "",
        parameters={one.name: one.value for one in given.parameters.values()},
        interpreter=request.interpreter,
    )


def _parts(sliced: Slice, given: _Given, selected: Collection[str]) -> list[dict[str, Any]]:
    """What the runner executes, and the inputs that it sets in between."""
    parts: list[dict[str, Any]] = []
    named = {one.name for one in (*given.parameters.values(), *given.snapshots.values())}
    for number, piece in enumerate(sliced.pieces):
        here = [name for name, place in sliced.needed_at.items() if place == number]
        inputs = [name for name in here if name in named]
        code = [f"{one.name} = {one.value!r}" for one in given.constants if one.name in here]
        if code or inputs:
            parts.append(_part(f"{SEPARATOR} Inputs", "\n".join(code), inputs, False))
        parts.append(_part(piece.title, piece.source, [], piece.cell.id in selected))
    return parts


def _part(title: str, source: str, inputs: list[str], selected: bool) -> dict[str, Any]:
    return {"title": title, "source": source, "inputs": inputs, "selected": selected}


def _source(parts: Sequence[dict[str, Any]], given: _Given, folder: str) -> str:
    """The component's module: kfp's imports, the runner, and the function that calls it."""
    folder_of_texts = Path(__file__).parent
    runner = "\n\n".join((folder_of_texts / name).read_text("utf-8") for name in _CARRIED)
    arguments = ["notebook: Output[Artifact]", "report: Output[HTML]"]
    arguments += [f"{port}: {_python_type(one)}" for port, one in given.parameters.items()]
    arguments += [f"{port}: Input[Artifact]" for port in given.snapshots]
    values = ", ".join(f"{x.name!r}: {_argument(p, x)}" for p, x in given.parameters.items())
    files = ", ".join(f"{one.name!r}: {port}.path" for port, one in given.snapshots.items())
    return (
        "\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n"
        f"{runner}\n\n"
        f"PARTS = json.loads({_literal(parts)})\n\n\n"
        f"def {_FUNCTION}({', '.join(arguments)}):\n"
        '    report.metadata["same_as"] = "notebook"\n'
        f"    run_parts(PARTS, {{{values}}}, {{{files}}}, notebook.path, report.path, {folder!r})\n"
    )


def _literal(parts: Sequence[dict[str, Any]]) -> str:
    """The parts as a Python text of JSON, in which no backend finds `{{…}}` to fill in."""
    return repr(json.dumps(list(parts)).replace("{{", "{\\u007b"))


def _argument(port: str, one: StepInput) -> str:
    """A parameter as the function passes it on: Kubeflow hands 1.0 over as 1."""
    return f"float({port})" if type(one.value) is float else port


# --- types -------------------------------------------------------------------------------------

_TYPES: dict[type, tuple[str, str]] = {
    bool: ("BOOLEAN", "bool"),
    int: ("NUMBER_INTEGER", "int"),
    float: ("NUMBER_DOUBLE", "float"),
    str: ("STRING", "str"),
    list: ("LIST", "list"),
    dict: ("STRUCT", "dict"),
}


def _ir_type(one: StepInput) -> str:
    return _TYPES[type(one.value)][0]


def _python_type(one: StepInput) -> str:
    return _TYPES[type(one.value)][1]


def _is_parameter(one: StepInput) -> bool:
    """Whether a value reaches the step unchanged as a pipeline's parameter."""
    return one.source == "parameter" and one.value is not None and _is_exact(one.value, top=True)


def _is_exact(value: object, top: bool = False) -> bool:
    """Whether protobuf's Struct, whose only number is the double, keeps a value.

    At the top the parameter's type says which number it is; inside, 1.0 would come back as 1.
    """
    if isinstance(value, int):
        return abs(value) <= _EXACT
    if isinstance(value, float):
        return top or not value.is_integer()
    if isinstance(value, list):
        return all(map(_is_exact, value))
    if isinstance(value, dict):
        return all(map(_is_exact, value.values()))
    return True


# --- IR ----------------------------------------------------------------------------------------

_ARTIFACT = {"schemaTitle": "system.Artifact", "schemaVersion": "0.0.1"}
_PAGE = {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}


def _pipeline(plan: StepPlan, given: _Given, source: str, caching: bool) -> dict[str, Any]:
    step = slug(plan.name)
    if step in given.importers.values():
        step = f"step-{step}"
    inputs = _present(
        parameters={p: {"parameterType": _ir_type(one)} for p, one in given.parameters.items()},
        artifacts={port: {"artifactType": _ARTIFACT} for port in given.snapshots},
    )
    outputs = {"notebook": {"artifactType": _ARTIFACT}, "report": {"artifactType": _PAGE}}
    components: dict[str, Any] = {
        f"comp-{step}": _present(
            executorLabel=f"exec-{step}",
            inputDefinitions=inputs,
            outputDefinitions={"artifacts": outputs},
        )
    }
    executors: dict[str, Any] = {f"exec-{step}": {"container": _container(plan.packages, source)}}
    tasks: dict[str, Any] = {step: _step_task(step, given, caching)}
    for file, name in given.importers.items():
        variables = [one.name for one in given.snapshots.values() if one.snapshot == file]
        components[f"comp-{name}"] = _importer_component(f"exec-{name}")
        executors[f"exec-{name}"] = _importer(file)
        tasks[name] = _importer_task(name, file, variables)
    root_inputs = {
        one.name: {"parameterType": _ir_type(one), "defaultValue": one.value}
        for one in given.parameters.values()
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
    # The plan refuses packages with quotes.
    wanted = " ".join(f"'{package}'" for package in (*_RUNNER_PACKAGES, *packages))
    return {
        "image": IMAGE,
        "command": [
            *("sh", "-c", _INSTALL.format(packages=wanted)),
            *("sh", "-ec", _LAUNCH, source),
        ],
        "args": ["--executor_input", "{{$}}", "--function_to_execute", _FUNCTION],
    }


def _step_task(step: str, given: _Given, caching: bool) -> dict[str, Any]:
    importers = given.importers
    parameters = {
        port: {"componentInputParameter": one.name} for port, one in given.parameters.items()
    }
    artifacts = {
        port: {
            "taskOutputArtifact": {
                "outputArtifactKey": "artifact",
                "producerTask": importers[one.snapshot or ""],
            }
        }
        for port, one in given.snapshots.items()
    }
    return _present(
        taskInfo={"name": step},
        componentRef={"name": f"comp-{step}"},
        # A snapshot is new each time, so there is nothing to find in a cache.
        cachingOptions={"enableCache": True} if caching and not artifacts else {},
        inputs=_present(parameters=parameters, artifacts=artifacts),
        dependentTasks=list(importers.values()),
    )


def _importer_component(executor: str) -> dict[str, Any]:
    return {
        "executorLabel": executor,
        "inputDefinitions": {"parameters": {"uri": {"parameterType": "STRING"}}},
        "outputDefinitions": {"artifacts": {"artifact": {"artifactType": _ARTIFACT}}},
    }


def _importer(path: str) -> dict[str, Any]:
    return {"importer": {"artifactUri": {"constant": path}, "typeSchema": _ARTIFACT}}


def _importer_task(name: str, path: str, variables: Sequence[str]) -> dict[str, Any]:
    return {
        "taskInfo": {"name": f"Snapshot of {', '.join(variables)}"},
        "componentRef": {"name": f"comp-{name}"},
        "cachingOptions": {},
        "inputs": {"parameters": {"uri": {"runtimeValue": {"constant": path}}}},
    }


def _present(**fields: Any) -> dict[str, Any]:
    """The fields that hold something: the compiler leaves empty ones out."""
    return {name: value for name, value in fields.items() if value}
