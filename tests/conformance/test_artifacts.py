"""Artifacts of every type, importers, files at places of a task's own choice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.desk import Desk, Ended


@pytest.mark.run("artifacts.kinds")
def test_each_type_keeps_its_metadata_and_its_file(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    kinds = {one.name: (one.type, one.metadata) for one in run.task("report").outputs.artifacts}
    assert kinds["scalars"] == ("system.Metrics", {"accuracy": 0.5, "whole": 1})
    kind, curves = kinds["curves"]
    assert kind == "system.ClassificationMetrics"
    assert curves["confidenceMetrics"] == [
        {"confidenceThreshold": 1, "falsePositiveRate": 0, "recall": 0},
        {"confidenceThreshold": 0, "falsePositiveRate": 1, "recall": 1},
    ]
    assert curves["confusionMatrix"] == {
        "annotationSpecs": [{"displayName": "cat"}, {"displayName": "dog"}],
        "rows": [{"row": [9, 1]}, {"row": [2, 8]}],
    }
    assert kinds["page"][0] == "system.HTML"
    assert run.text("report", "page") == "<h1>page</h1>"
    assert kinds["notes"][0] == "system.Markdown"
    assert run.text("report", "notes") == "# notes"
    metadata = {"framework": "none", "depth": {"max": 3, "layers": [1, 2]}}
    assert kinds["model"] == ("system.Model", metadata)
    assert run.output("read-model") == {"text": "weights", "name": "model", **metadata}


@pytest.mark.run("artifacts.places", where="FILES/own.txt")
def test_files_lie_where_their_task_put_them(run: Ended, desk: Desk) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("take-own") == "pythonicv"
    assert run.output("read") == "second"
    assert run.output("list-folder") == "a b"
    assert run.output("read-2") == "at its own place"
    assert run.output("read-3") == "AT ITS OWN PLACE"
    assert (desk.files / "own.txt").read_text() == "at its own place"
    assert run.text("put", "out") == "at its own place"
    root = desk.engine.layout.runs.resolve()
    for task in ("make-own", "make-two", "put"):
        for one in run.task(task).outputs.artifacts:
            assert Path(one.uri).resolve().is_relative_to(root)


@pytest.mark.run("artifacts.imports", uri="FILES/data.txt")
def test_an_importer_brings_in_what_is_on_this_machine(run: Ended, desk: Desk) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("describe") == "/dev/null 1"
    assert run.output("read") == "imported"
    assert run.output("read-2") == "imported"
    (given,) = run.artifacts("importer-2", "artifact")
    assert (given.type, given.uri) == ("system.Dataset", str(desk.files / "data.txt"))
    assert given.metadata == {"owner": "me", "table": {"by": ["me"]}}


@pytest.mark.run("artifacts.imports", uri="file://FILES/data.txt", owner="{{$.pipeline_job_name}}")
def test_an_importer_takes_its_address_and_metadata_from_parameters(run: Ended) -> None:
    assert run.output("read") == "imported"
    (given,) = run.artifacts("importer-2", "artifact")
    owner = "{{$.pipeline_job_name}}"
    assert given.metadata == {"owner": owner, "table": {"by": [owner]}}


@pytest.mark.run("artifacts.imports", uri="FILES/missing.txt")
def test_an_importer_that_finds_nothing_fails(run: Ended) -> None:
    assert run.state == "FAILED"
    assert "There is nothing at" in run.error_of("importer-2")
    assert run.state_of("read") == "SKIPPED"


@pytest.mark.run("artifacts.import_of_what_is_made", uri="s3://bucket/key")
def test_an_importer_says_what_is_in_a_cloud(run: Ended) -> None:
    assert run.state == "FAILED"
    reason = "`s3://bucket/key` is not on this machine: download it, and import its path."
    assert run.error_of("importer") == reason


@pytest.mark.run(
    "artifacts.import_of_what_is_made", uri="https://ada:s3cretpw@host/data.csv?sig=s3cret"
)
def test_an_importer_does_not_say_what_signs_in(run: Ended) -> None:
    reason = "`https://host/data.csv` is not on this machine: download it, and import its path."
    assert run.error_of("importer") == reason


@pytest.mark.run("artifacts.imports", uri="ftp://ada:s3cretpw@host/data.csv?sig=s3cret")
def test_an_importer_that_knows_no_such_address_does_not_say_what_signs_in(run: Ended) -> None:
    assert run.error_of("importer-2") == "There is nothing at `ftp://host/data.csv`."


@pytest.mark.run("artifacts.embedded")
def test_embedded_files_and_notebooks_are_components(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("look-inside") == "embedded words"
    assert run.output("run-notebook") == 42
    assert "the notebook got 41" in run.log("run-notebook")


@pytest.mark.run("artifacts.left_by_a_failure")
def test_what_a_failed_task_has_written_can_be_looked_at(run: Ended) -> None:
    assert run.state == "FAILED"
    assert run.text("write-and-fail", "out") == "so far"
