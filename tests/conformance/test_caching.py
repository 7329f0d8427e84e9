"""What is taken from the cache, under Kubeflow's own key, and what never is."""

from __future__ import annotations

import json
import sys
import venv
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.desk import Desk, Ended

TASKS = ["stamp", "stamp-2", "stamp-again", "stamp-again-2", "read"]
Cached = Callable[..., list[str]]


@pytest.fixture
def cached(desk: Desk, request: pytest.FixtureRequest) -> Cached:
    """Runs the pipeline `cached` under a name of the test's own; which tasks were cached."""

    def run(**parameters: Any) -> list[str]:
        ended = execute(desk, request.node.name, **parameters)
        assert ended.state == "SUCCEEDED"
        return sorted(name for name, state in ended.states.items() if state == "CACHED")

    return run


def execute(desk: Desk, name: str, **parameters: Any) -> Ended:
    spec: Any = desk.spec("caching.cached")["pipeline_spec"]
    spec["pipelineInfo"]["name"] = name
    return desk.run("caching.cached", parameters, pipeline_spec=spec, caching=None)


def test_an_equal_task_is_found_and_its_outputs_are_the_first_ones(desk: Desk) -> None:
    first = execute(desk, "equal")
    second = execute(desk, "equal")
    assert second.states == {
        "stamp": "CACHED",
        "read": "CACHED",
        "stamp-2": "SUCCEEDED",
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


def test_other_inputs_miss_but_a_key_of_the_tasks_own_hits(cached: Cached) -> None:
    assert cached() == []
    assert cached(free="b") == ["read", "stamp", "stamp-again"]
    assert cached(number=4) == ["stamp-again", "stamp-again-2"]


def test_another_pipeline_misses(desk: Desk) -> None:
    assert "CACHED" not in execute(desk, "one pipeline").states.values()
    assert "CACHED" not in execute(desk, "another pipeline").states.values()


def test_a_run_may_switch_caching_off(desk: Desk) -> None:
    execute(desk, "off")
    spec: Any = desk.spec("caching.cached")["pipeline_spec"]
    spec["pipelineInfo"]["name"] = "off"
    again = desk.run("caching.cached", {}, pipeline_spec=spec, caching=False)
    assert "CACHED" not in again.states.values()


def test_a_hit_whose_files_are_gone_is_a_miss(desk: Desk, cached: Cached) -> None:
    first = execute(desk, "test_a_hit_whose_files_are_gone_is_a_miss")
    (artifact,) = first.artifacts("stamp", "out")
    Path(artifact.uri).unlink()
    assert cached() == ["stamp-again", "stamp-again-2"]
    assert cached() == ["read", "stamp", "stamp-again", "stamp-again-2"]


def test_a_failure_is_never_taken_from_the_cache(desk: Desk) -> None:
    parameters = {"folder": "FILES"}
    first = desk.run("caching.failed_once", parameters, caching=None)
    assert first.error_of("one-then-fail") == "ValueError: the first time"
    second = desk.run("caching.failed_once", parameters, caching=None)
    assert second.output("one-then-fail") == "the second time"
    third = desk.run("caching.failed_once", parameters, caching=None)
    assert third.state_of("one-then-fail") == "CACHED"


def test_the_key_is_kubeflows(desk: Desk) -> None:
    """Made here as its driver makes it: protobuf's JSON of a CacheKey, sorted, SHA-256."""
    run = execute(desk, "key")
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
    assert run.task("stamp").cache_key == sha256(go_json(key).encode()).hexdigest()
    own = sha256(b"comp-stamp-again\0my key").hexdigest()
    assert run.task("stamp-again").cache_key == own


def go_json(value: Any) -> str:
    """JSON as Go's encoding/json writes it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def test_another_python_makes_its_own(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "venv"
    venv.create(other, symlinks=True)
    spec: Any = desk.spec("caching.cached")["pipeline_spec"]
    spec["pipelineInfo"]["name"] = "pythons"

    def cached_on(interpreter: str | None) -> bool:
        run = desk.run(
            "caching.cached", {}, pipeline_spec=spec, caching=None, interpreter=interpreter
        )
        assert run.state == "SUCCEEDED"
        return "CACHED" in run.states.values()

    assert not cached_on(None)
    assert cached_on(sys.executable)
    assert not cached_on(str(other / "bin" / "python"))
    assert cached_on(str(other / "bin" / "python3"))
    assert cached_on(None)
