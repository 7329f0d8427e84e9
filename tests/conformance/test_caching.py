"""What is taken from the cache, under Kubeflow's own key, and what never is."""

from __future__ import annotations

import json
import sys
import venv
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.desk import Desk, Ended


@pytest.fixture(scope="module")
def first(desk: Desk) -> Ended:
    """The run that the others of this module find in the cache."""
    return execute(desk)


def execute(desk: Desk, name: str = "cached", **options: Any) -> Ended:
    """A run of the pipeline `cached` under a name that only these tests use."""
    spec: Any = desk.spec("caching.cached")["pipeline_spec"]
    spec["pipelineInfo"]["name"] = name
    parameters = options.pop("parameters", {})
    run = desk.run(
        "caching.cached", parameters, **{"pipeline_spec": spec, "caching": None, **options}
    )
    assert run.state == "SUCCEEDED"
    return run


def hits(run: Ended) -> list[str]:
    return sorted(name for name, state in run.states.items() if state == "CACHED")


def test_an_equal_task_is_found_and_its_outputs_are_the_first_ones(
    desk: Desk, first: Ended
) -> None:
    assert hits(first) == []
    second = execute(desk)
    assert second.states == {
        "stamp": "CACHED",
        "read": "CACHED",
        "stamp-2": "SUCCEEDED",  # which asks not to be
        "stamp-again": "CACHED",
        "stamp-again-2": "CACHED",
    }
    assert second.output("stamp", "at") == first.output("stamp", "at")
    assert second.output("stamp-2", "at") != first.output("stamp-2", "at")
    assert second.text("stamp", "out") == "<é> & 'x' 3"
    (artifact,) = second.artifacts("stamp", "out")
    assert artifact.metadata == {"number": 3}
    source = second.graph.tasks["stamp"].cached_from
    assert source
    assert (source.run_id, source.task_id) == (first.run_id, "stamp")


def test_other_inputs_miss_but_a_key_of_the_tasks_own_hits(desk: Desk, first: Ended) -> None:
    assert hits(execute(desk, parameters={"free": "b"})) == ["read", "stamp", "stamp-again"]
    assert hits(execute(desk, parameters={"number": 4})) == ["stamp-again", "stamp-again-2"]


def test_another_pipeline_misses(desk: Desk, first: Ended) -> None:
    assert hits(execute(desk, "another")) == []


def test_a_run_may_switch_caching_off(desk: Desk, first: Ended) -> None:
    assert hits(execute(desk, caching=False)) == []


def test_another_python_makes_its_own(desk: Desk, first: Ended, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", symlinks=True)
    assert hits(execute(desk, interpreter=sys.executable))
    assert hits(execute(desk, interpreter=str(tmp_path / "venv" / "bin" / "python"))) == []
    assert hits(execute(desk, interpreter=str(tmp_path / "venv" / "bin" / "python3")))
    assert hits(execute(desk))


def test_a_hit_whose_files_are_gone_is_a_miss(desk: Desk) -> None:
    (artifact,) = execute(desk, "gone").artifacts("stamp", "out")
    Path(artifact.uri).unlink()
    assert hits(execute(desk, "gone")) == ["stamp-again", "stamp-again-2"]
    assert hits(execute(desk, "gone")) == ["read", "stamp", "stamp-again", "stamp-again-2"]


def test_what_is_imported_anew_is_another_artifact(desk: Desk) -> None:
    parameters = {"uri": "FILES/data.txt"}
    runs = [desk.run("caching.imported", parameters, caching=None) for _ in range(2)]
    assert [hits(run) for run in runs] == [[], ["read"]]
    assert runs[1].output("read-2") == "imported"


def test_a_failure_is_never_taken_from_the_cache(desk: Desk) -> None:
    parameters = {"folder": "FILES"}
    runs = [desk.run("caching.failed_once", parameters, caching=None) for _ in range(3)]
    assert runs[0].error_of("one-then-fail") == "ValueError: the first time"
    assert runs[1].output("one-then-fail") == "the second time"
    assert runs[2].state_of("one-then-fail") == "CACHED"


def test_the_key_is_kubeflows(desk: Desk, first: Ended) -> None:
    """Made here as its driver makes it: protobuf's JSON of a CacheKey, sorted, SHA-256."""
    spec: Any = desk.spec("caching.cached")["pipeline_spec"]
    container = spec["deploymentSpec"]["executors"]["exec-stamp"]["container"]
    key = {
        "inputParameterValues": {"text": "<é> & 'x'", "number": 3},
        "outputArtifactsSpec": {
            "out": {
                "name": "out",
                "type": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"},
            }
        },
        "outputParametersSpec": {"at": "NUMBER_DOUBLE", "items": "LIST"},
        "containerSpec": {
            "image": "python:3.11",
            "cmdArgs": [*container["command"], *container["args"]],
        },
    }
    assert first.task("stamp").cache_key == sha256(go_json(key).encode()).hexdigest()
    own = sha256(b"comp-stamp-again\0my key").hexdigest()
    assert first.task("stamp-again").cache_key == own


def go_json(value: Any) -> str:
    """JSON as Go's encoding/json writes it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
