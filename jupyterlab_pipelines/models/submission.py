"""What is asked to run: pipelines, notebook cells, and what is known of them before."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue

from .base import Model, Problem


class Submission(Model):
    """A pipeline to run. `pipeline` is IR: `pipeline_spec` fields, or with `platforms` beside."""

    pipeline: dict[str, Any] | str = Field(description="Compiled IR: YAML or JSON text, or parsed.")
    display_name: str = ""
    description: str = ""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    experiment_id: str | None = None
    caching: bool | None = Field(None, description="Overrides every task's caching; null keeps.")
    interpreter: str | None = Field(
        None, description="Python that runs the steps on `local`; null: the engine's own."
    )


class NotebookCell(Model):
    """A cell as the notebook holds it."""

    id: str
    cell_type: Literal["code", "markdown", "raw"] = "code"
    source: str
    tags: list[str] = Field(default_factory=list)


class CellSelection(Model):
    """A notebook and the cells chosen in it, in the notebook's order."""

    notebook: str = Field("", description="The notebook's path, for names and messages.")
    cells: list[NotebookCell]
    selected: list[str] = Field(min_length=1, description="Ids of the chosen cells.")


class KernelVariable(Model):
    """What the kernel knows of a variable the selection needs."""

    name: str
    type: str = ""
    preview: str = ""
    value: JsonValue = None
    is_json: bool = Field(False, description="`value` is the variable, whole.")
    snapshot: str | None = Field(None, description="File the kernel saved the value to.")
    error: str | None = None


class StepInput(Model):
    """A variable the step needs, and where its value is to come from.

    `parameter`: a JSON value, editable; `snapshot`: the kernel's live value, saved to a file;
    `recompute`: the earlier cells that define it run first, inside the step.
    """

    name: str
    source: Literal["parameter", "snapshot", "recompute"] = "recompute"
    type: str = ""
    value: JsonValue = None
    snapshot: str | None = None
    preview: str = ""
    defined_in: list[str] = Field(default_factory=list, description="Ids of the defining cells.")


class StepRequest(Model):
    """The dialog's question and, with the user's choices filled in, the order to run."""

    selection: CellSelection
    name: str = ""
    inputs: list[StepInput] | None = Field(None, description="The user's choices; null: propose.")
    variables: list[KernelVariable] = Field(default_factory=list)
    packages: list[str] | None = Field(None, description="Requirements to install; null: propose.")
    interpreter: str | None = Field(None, description="The kernel's Python, from the probe.")
    distributions: dict[str, str | None] = Field(
        default_factory=dict, description="Module → `name==version`, from the probe."
    )
    working_directory: str = Field("", description="The kernel's folder, from the probe.")
    caching: bool | None = None


class StepPlan(Model):
    """What will run: the answer the dialog shows before anything starts."""

    name: str
    inputs: list[StepInput]
    packages: list[str] = Field(description="Distributions the code imports, as requirements.")
    code: str = Field(description="The code that will run, cells separated by `# %%` lines.")
    included: list[str] = Field(description="Ids of earlier cells or parts that come along.")
    problems: list[Problem] = Field(default_factory=list)


class PipelineSource(Model):
    """A pipeline to look at before it runs."""

    pipeline: dict[str, Any] | str = Field(description="Compiled IR: YAML or JSON text, or parsed.")


class PipelineParameter(Model):
    """A parameter of a pipeline, as its IR declares it."""

    name: str
    type: str = Field("STRING", description="IR's word: STRING, NUMBER_INTEGER, LIST, STRUCT …")
    description: str = ""
    required: bool = Field(True, description="Neither optional nor given a default.")
    default: JsonValue = None
    choices: list[JsonValue] = Field(default_factory=list, description="The only values allowed.")


class PipelineDescription(Model):
    """What the submit dialog shows of a pipeline file; `problems` say why it cannot run."""

    name: str = ""
    description: str = ""
    parameters: list[PipelineParameter] = Field(default_factory=list)
    problems: list[Problem] = Field(default_factory=list)
