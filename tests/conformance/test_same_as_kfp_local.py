"""Where kfp.local is right, a run gives what kfp.local gives; where it is wrong, each case by name.

What is wrong there was seen with kfp 2.17: some of it fails, some of it is silently otherwise.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.desk import Desk, Ended

ALIKE = [
    "artifacts.left_by_a_failure",
    "conditions.beside_a_failure",
    "conditions.nested",
    "exits.pipeline_as_exit_task",
    "loops.conditional",
    "loops.loops_of_pipelines",
    "nested.collisions",
    "nested.outermost",
]


@pytest.mark.soak
@pytest.mark.parametrize("pipeline", ALIKE)
def test_both_give_the_same(desk: Desk, pipeline: str) -> None:
    theirs = subprocess.run(
        [sys.executable, "-m", "tests.conformance.kfp_local", pipeline],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    )
    run = desk.run(pipeline, {})
    tasks = {node.id for node in run.graph.topology.tasks if node.type.value == "RUNTIME"}
    ours = [
        run.task(name).outputs.parameters for name in tasks if run.state_of(name) == "SUCCEEDED"
    ]
    assert multiset(ours) == multiset(json.loads(theirs.stdout))


def multiset(outputs: list[dict[str, object]]) -> list[str]:
    """Outputs to compare in any order; tasks without a parameter give none."""
    return sorted(json.dumps(one, sort_keys=True) for one in outputs if one)


def states_by_name(run: Ended) -> dict[str, str]:
    names = {node.id: node.display_name for node in run.graph.topology.tasks}
    return {names[task_id]: state for task_id, state in run.states.items()}


@pytest.mark.run("conditions.comparisons")
def test_an_apostrophe_in_data_does_not_change_a_condition(run: Ended) -> None:
    assert states_by_name(run)["yes: it's heads != heads"] == "SUCCEEDED"


@pytest.mark.run("conditions.comparisons")
def test_data_never_runs_as_code(run: Ended) -> None:
    assert states_by_name(run)["no: code == x"] == "SKIPPED"
    assert states_by_name(run)["yes: evil == evil"] == "SUCCEEDED"


@pytest.mark.run("conditions.comparisons")
def test_a_whole_number_is_compared_with_a_fraction(run: Ended) -> None:
    assert states_by_name(run)["yes: 3 > 2.5"] == "SUCCEEDED"


@pytest.mark.run("conditions.errors")
def test_a_condition_that_fails_is_no_success(run: Ended) -> None:
    assert run.state == "FAILED"


@pytest.mark.run("loops.raw")
def test_whole_numbers_stay_whole_where_they_are_collected(run: Ended) -> None:
    assert run.output("items-of") == "[6, 2, 4]"


@pytest.mark.run("values.texts")
def test_whole_numbers_become_text_without_a_decimal_point(run: Ended) -> None:
    assert run.output("say") == "21 0.1 3 true"


@pytest.mark.run("nested.optional")
def test_an_optional_parameter_needs_no_default(run: Ended) -> None:
    assert run.state == "SUCCEEDED"


@pytest.mark.run("loops.empty")
def test_an_empty_loop_can_be_collected(run: Ended) -> None:
    assert run.state == "SUCCEEDED"


@pytest.mark.run("loops.nested")
def test_artifacts_are_collected_over_nested_loops(run: Ended) -> None:
    assert run.output("read-all-2") == "a1 a2 b1 b2"


@pytest.mark.run("placeholders.names")
def test_a_jobs_resource_name_is_filled_in(run: Ended) -> None:
    assert run.output("echo")["resource"].startswith("names-")


@pytest.mark.run("loops.given")
def test_a_loop_goes_over_a_part_of_an_item(run: Ended) -> None:
    assert run.state == "SUCCEEDED"


@pytest.mark.run("conditions.coins")
def test_one_of_picks_an_artifact(run: Ended) -> None:
    assert run.output("read-3") == "the edge's data"
