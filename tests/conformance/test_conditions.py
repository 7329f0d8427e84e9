"""If, Elif, Else and OneOf; conditions over every type and operator, and those that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.desk import Desk, Ended


@pytest.mark.run("conditions.coins")
def test_one_branch_runs_and_gives_what_one_of_picks(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    words = ["it is heads", "it is tails", "it stands"]
    data = ["head's data", "tail's data", "the edge's data"]
    for index, name in enumerate(["coin", "coin-2", "coin-3"]):
        suffix = name.removeprefix("coin")
        assert run.output(f"say{suffix}") == words[index]
        assert run.output(f"read{suffix}") == data[index]
        branches = [run.state_of(f"{name}/condition-branches-1/condition-{n}") for n in (2, 3, 4)]
        assert branches == ["SUCCEEDED" if n == index else "SKIPPED" for n in range(3)]
        inside = [
            run.state_of(f"{name}/condition-branches-1/condition-{n}/say-{n}") for n in (2, 3, 4)
        ]
        assert inside == branches


@pytest.mark.parametrize(
    ("ran", "skipped"),
    [
        pytest.param(
            ["say", "say-2"],
            ["say-3", "say-4", "mark", "mark-2", "mark-3"],
            marks=pytest.mark.run("conditions.nested"),
        ),
        pytest.param(
            ["say-3"],
            ["say", "say-2", "say-4", "mark", "mark-2", "mark-3"],
            marks=pytest.mark.run("conditions.nested", inner=0),
        ),
        pytest.param(
            ["say-4", "mark-2", "mark-3"],
            ["say", "say-2", "say-3", "mark"],
            marks=pytest.mark.run("conditions.nested", outer=False),
        ),
    ],
)
def test_conditions_inside_conditions(run: Ended, ran: list[str], skipped: list[str]) -> None:
    leaves = {key.rpartition("/")[2]: state for key, state in run.states.items()}
    assert run.state == "SUCCEEDED"
    assert {name: leaves[name] for name in ran} == dict.fromkeys(ran, "SUCCEEDED")
    assert {name: leaves[name] for name in skipped} == dict.fromkeys(skipped, "SKIPPED")


@pytest.mark.run("conditions.comparisons")
def test_every_type_and_operator(run: Ended) -> None:
    assert (run.state, run.error) == ("SUCCEEDED", None)
    names = {node.id: node.display_name for node in run.graph.topology.tasks}
    told = {names[key]: state for key, state in run.states.items() if names[key][:3] != "con"}
    wrong = {
        name: state
        for name, state in told.items()
        if ": " in name and state != ("SUCCEEDED" if name.startswith("yes: ") else "SKIPPED")
    }
    assert wrong == {}
    assert sum(": " in name for name in told) >= 32


@pytest.mark.run("conditions.errors")
def test_a_missing_value_fails_its_condition_alone(run: Ended) -> None:
    assert run.state == "FAILED"
    assert run.states == {
        "condition-1": "FAILED",
        "condition-1/mark": "SKIPPED",
        "condition-2": "SUCCEEDED",
        "condition-2/say": "SUCCEEDED",
        "condition-3": "FAILED",
        "condition-3/mark-2": "SKIPPED",
    }
    for condition in ("condition-1", "condition-3"):
        assert "has no value: it is null" in run.error_of(condition)


@pytest.mark.run("conditions.errors", maybe=3, word="x")
def test_an_optional_value_that_is_given_is_compared(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.state_of("condition-1/mark") == "SUCCEEDED"
    assert run.state_of("condition-3/mark-2") == "SUCCEEDED"


TEXT = "inputs.parameter_values['pipelinechannel--text']"


BROKEN = {
    TEXT: 'it gives "x", not true or false',
    "inputs.parameter_values['other'] == 'x'": 'there is no "other"',
    f"int({TEXT}) > 2": 'int("x") is not a whole number',
    f"{TEXT} > 2": "cannot be compared",
    f"parseJson({TEXT})['a'] == 1": "is not JSON",
}


@pytest.fixture(scope="module")
def broken(desk: Desk) -> Ended:
    """A run with a task `broken-<i>` for each condition, which the SDK would not write."""
    spec: Any = desk.spec("conditions.broken")["pipeline_spec"]
    tasks = spec["root"]["dag"]["tasks"]
    task = json.dumps(tasks.pop("condition-1"))
    for index, condition in enumerate(BROKEN):
        policy = {"triggerPolicy": {"condition": condition}}
        tasks[f"broken-{index}"] = {**json.loads(task), **policy}
    return desk.run("conditions.broken", {}, pipeline_spec=spec)


@pytest.mark.parametrize(("index", "condition"), list(enumerate(BROKEN)))
def test_a_condition_without_a_truth_fails_its_task_and_says_why(
    broken: Ended, index: int, condition: str
) -> None:
    error = broken.error_of(f"broken-{index}")
    assert error.startswith(f"Its condition `{condition}` fails: ")
    assert BROKEN[condition] in error
    assert broken.state_of(f"broken-{index}/mark") == "SKIPPED"


def test_such_a_failure_is_the_runs_and_no_other_tasks(broken: Ended) -> None:
    assert broken.state == "FAILED"
    assert broken.error == f"broken-0: {broken.error_of('broken-0')}"
    assert broken.state_of("say") == "SUCCEEDED"


@pytest.mark.run("conditions.beside_a_failure")
def test_a_failure_in_a_branch_skips_what_waits_for_it_and_nothing_else(run: Ended) -> None:
    assert (run.state, run.error) == ("FAILED", "condition-2/fail: ValueError: it broke")
    assert run.states == {
        "condition-1": "SKIPPED",
        "condition-1/say": "SKIPPED",
        "condition-1/say-2": "SKIPPED",
        "condition-2": "FAILED",
        "condition-2/fail": "FAILED",
        "condition-2/say-3": "SKIPPED",
        "condition-2/say-4": "SUCCEEDED",
    }
