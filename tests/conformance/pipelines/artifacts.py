"""Artifacts of every type, importers, files at places of a task's own choice."""

from pathlib import Path
from typing import NamedTuple

from kfp import dsl

from .components import component, read, say

HERE = Path(__file__).parent


@component
def report(
    scalars: dsl.Output[dsl.Metrics],
    curves: dsl.Output[dsl.ClassificationMetrics],
    page: dsl.Output[dsl.HTML],
    notes: dsl.Output[dsl.Markdown],
    model: dsl.Output[dsl.Model],
) -> None:
    scalars.log_metric("accuracy", 0.5)
    scalars.log_metric("whole", 1.0)
    curves.log_roc_curve([0.0, 1.0], [0.0, 1.0], [1.0, 0.0])
    curves.log_confusion_matrix(["cat", "dog"], [[9, 1], [2, 8]])
    with open(page.path, "w") as file:
        file.write("<h1>page</h1>")
    with open(notes.path, "w") as file:
        file.write("# notes")
    model.framework = "none"
    model.metadata["depth"] = {"max": 3, "layers": [1, 2]}
    with open(model.path, "w") as file:
        file.write("weights")


@component
def read_model(model: dsl.Input[dsl.Model]) -> dict:
    return {"text": open(model.path).read(), "name": model.name, **model.metadata}


@dsl.pipeline
def kinds() -> None:
    read_model(model=report().outputs["model"])


@component
def make_own() -> dsl.Dataset:
    made = dsl.Dataset(uri=dsl.get_uri("mine"), metadata={"k": "v"})
    with open(made.path, "w") as file:
        file.write("pythonic")
    return made


@component
def make_two() -> NamedTuple("Two", first=dsl.Dataset, second=dsl.Dataset, size=int):
    outputs = NamedTuple("Two", first=dsl.Dataset, second=dsl.Dataset, size=int)
    made = []
    for name in ("first", "second"):
        made.append(dsl.Dataset(uri=dsl.get_uri(name)))
        with open(made[-1].path, "w") as file:
            file.write(name)
    return outputs(first=made[0], second=made[1], size=2)


@component
def take_own(data: dsl.Dataset) -> str:
    with open(data.path) as file:
        return file.read() + str(data.metadata.get("k"))


@component
def folder(out: dsl.Output[dsl.Model]) -> None:
    import os

    os.makedirs(out.path)
    for name in ("a", "b"):
        with open(os.path.join(out.path, name), "w") as file:
            file.write(name)


@component
def list_folder(model: dsl.Input[dsl.Model]) -> str:
    import os

    return " ".join(sorted(os.listdir(model.path)))


@component
def put(where: str, out: dsl.Output[dsl.Dataset]) -> None:
    out.set_path(where)
    with open(where, "w") as file:
        file.write("at its own place")


@component
def old_style(text: dsl.InputPath("Dataset"), out: dsl.OutputPath("Dataset")):
    with open(text) as source, open(out, "w") as target:
        target.write(source.read().upper())


@dsl.pipeline
def places(where: str) -> dsl.Dataset:
    take_own(data=make_own().output)
    two = make_two()
    read(data=two.outputs["second"])
    list_folder(model=folder().outputs["out"])
    moved = put(where=where)
    read(data=moved.outputs["out"])
    shouted = old_style(text=moved.outputs["out"])
    read(data=shouted.outputs["out"])
    return two.outputs["first"]


@component
def describe(model: dsl.Input[dsl.Model]) -> str:
    return f"{model.uri} {model.metadata['n']}"


@dsl.pipeline
def imports(uri: str, owner: str = "me") -> None:
    constant = dsl.importer(
        artifact_uri="/dev/null", artifact_class=dsl.Model, reimport=True, metadata={"n": 1}
    )
    describe(model=constant.output)
    given = dsl.importer(
        artifact_uri=uri,
        artifact_class=dsl.Dataset,
        metadata={"owner": owner, "table": {"by": [owner]}},
    )
    read(data=given.output)
    produced = dsl.importer(artifact_uri=say(text=uri).output, artifact_class=dsl.Dataset)
    read(data=produced.output)


@dsl.pipeline
def import_of_what_is_made(uri: str) -> None:
    made = dsl.importer(artifact_uri=say(text=uri).output, artifact_class=dsl.Dataset)
    read(data=made.output)


@component(embedded_artifact_path=str(HERE / "asset"))
def look_inside(asset: dsl.EmbeddedInput[dsl.Dataset]) -> str:
    import os

    with open(os.path.join(asset.path, "words.txt")) as file:
        return file.read()


@dsl.notebook_component(notebook_path=str(HERE / "notebook.ipynb"), base_image="python:3.11")
def run_notebook(n: int) -> int:
    dsl.run_notebook(n=n)
    return n + 1


@dsl.pipeline
def embedded() -> None:
    look_inside()
    run_notebook(n=41)


@component
def write_and_fail(out: dsl.Output[dsl.Dataset]) -> None:
    with open(out.path, "w") as file:
        file.write("so far")
    raise ValueError("after writing")


@dsl.pipeline
def left_by_a_failure() -> None:
    write_and_fail()
