"""ParallelFor over everything that it may go over, and Collected."""

from __future__ import annotations

import pytest

from tests.conformance.desk import Ended


def outputs(run: Ended, loop: str, task: str) -> list[object]:
    """What `task` gave in each iteration, in order."""
    count = sum(node.parent == loop for node in run.graph.topology.tasks)
    return [run.output(f"{loop}[{index}]/{task}") for index in range(count)]


@pytest.mark.run("loops.raw")
def test_a_loop_over_values_of_the_pipeline(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("items-of") == "[6, 2, 4]"
    assert outputs(run, "for-loop-2", "kind-of") == ["int 3", "int 1", "int 2"]
    assert outputs(run, "for-loop-4", "say") == ["it's", "ünïcödé", '{"a": 1}', "[1]", "7"]
    assert outputs(run, "for-loop-6", "double-2") == [20, 40]


@pytest.mark.run("loops.given", numbers=[1, 2, 3])
def test_a_loop_over_an_input(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert outputs(run, "for-loop-1", "double-2") == [4, 8, 12]


@pytest.mark.run("loops.given")
def test_loops_over_the_parts_of_an_item(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert outputs(run, "for-loop-1", "double-2") == [20]
    assert outputs(run, "for-loop-2", "say") == ["x", "y"]
    inner = [key for key in run.states if key.endswith("/say-2")]
    assert [run.output(key) for key in sorted(inner)] == ["a", "b", "c"]
    assert [run.output(key.replace("say-2", "say-3")) for key in sorted(inner)] == ["x", "x", "y"]


@pytest.mark.run("loops.nested")
def test_nested_loops_collect_lists_of_lists_but_one_list_of_artifacts(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert outputs(run, "for-loop-2", "items-of") == ["['a1', 'a2']", "['b1', 'b2']"]
    assert outputs(run, "for-loop-2", "read-all") == ["a1 a2", "b1 b2"]
    assert run.output("items-of-2") == "[['a1', 'a2'], ['b1', 'b2']]"
    assert run.output("read-all-2") == "a1 a2 b1 b2"


@pytest.mark.run("loops.empty")
def test_an_empty_loop_collects_empty_lists(run: Ended) -> None:
    assert run.states == {
        "for-loop-1": "SUCCEEDED",
        "items-of": "SUCCEEDED",
        "read-all": "SUCCEEDED",
    }
    assert run.output("items-of") == "[]"
    assert run.output("read-all") == ""


@pytest.mark.run("loops.limited")
def test_a_limit_lets_only_so_many_iterations_run_at_once(run: Ended) -> None:
    spans = [run.output(f"for-loop-2[{index}]/moment") for index in range(5)]
    for begin, _ in spans:
        assert sum(one <= begin < end for one, end in spans) <= 2


@pytest.mark.run("loops.over_artifacts")
def test_a_loop_over_artifacts_gives_each_iteration_one(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("items-of") == "['a 1', 'bb 2', 'ccc 3']"


@pytest.mark.run("loops.conditional")
def test_each_iteration_takes_its_own_branch(run: Ended) -> None:
    states = [
        [run.state_of(f"for-loop-2[{i}]/condition-branches-3/condition-{n}") for n in (4, 5)]
        for i in range(4)
    ]
    assert states == [["SKIPPED", "SUCCEEDED"]] * 2 + [["SUCCEEDED", "SKIPPED"]] * 2


@pytest.mark.run("loops.failing")
def test_a_failed_iteration_fails_the_loop_and_lets_the_others_end(run: Ended) -> None:
    assert run.state == "FAILED"
    assert run.error == "for-loop-2[1]/fail-on: AssertionError: 2 is bad"
    assert [run.state_of(f"for-loop-2[{i}]/double") for i in range(3)] == [
        "SUCCEEDED",
        "SKIPPED",
        "SUCCEEDED",
    ]
    assert run.state_of("for-loop-2") == "FAILED"
    assert run.state_of("items-of") == "SKIPPED"
    assert run.state_of("say") == "SUCCEEDED"


@pytest.mark.run("loops.misfit", numbers=[1, "two"])
def test_an_item_of_another_type_fails_its_iteration(run: Ended) -> None:
    assert run.state == "FAILED"
    assert run.state_of("for-loop-1[0]") == "SUCCEEDED"
    assert "it must be a whole number" in run.error_of("for-loop-1[1]")
    assert run.state_of("for-loop-1[1]/double") == "SKIPPED"


@pytest.mark.run("loops.loops_of_pipelines")
def test_a_loop_of_pipelines_with_loops(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert outputs(run, "for-loop-2", "body") == ["['p1', 'p2']", "['q1', 'q2']"]
    assert run.output("items-of") == repr(["['p1', 'p2']", "['q1', 'q2']"])
    assert outputs(run, "for-loop-4", "read") == ["one", "one"]
