"""Pipelines inside pipelines: outputs of each kind, reused components, optional inputs."""

from __future__ import annotations

import pytest

from tests.conformance.desk import Ended


@pytest.mark.run("nested.outermost")
def test_outputs_of_each_kind_come_up_from_the_third_level(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("second", "number") == 12
    assert run.output("second", "texts") == ["a", "b"]
    assert run.output("kind-of") == "int 12"
    assert run.output("join") == "a+b"
    assert [run.output("read"), run.output("read-2")] == ["one", "two"]
    assert run.output("second-2/read") == "again"
    names = {node.id: node.display_name for node in run.graph.topology.tasks}
    assert names["second"] == "The first"


@pytest.mark.run("nested.optional")
def test_optional_inputs_that_are_left_out_take_the_functions_default(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("show") == "[None, 7, None, None, None, None]"
    assert run.output("show-2") == "[None, 7, None, None, None, None]"
    assert run.output("optional-inside/show") == "[None, 5, None, None, None, None]"
    assert run.output("optional-inside-2/show") == "[None, 5, None, None, None, None]"
    assert run.output("optional-inside-3/show") == "['', 5, False, [], None, None]"


@pytest.mark.run("nested.optional")
def test_optional_artifacts_may_be_left_out(run: Ended) -> None:
    assert run.output("optional-inside/peek") == "nothing"
    assert run.output("optional-inside-3/peek") == "there"


@pytest.mark.run(
    "nested.optional", text="t", number=4, flag=True, items=[1], table={"a": 1}, ratio=2
)
def test_optional_inputs_that_are_given_arrive(run: Ended) -> None:
    assert run.output("show") == "[None, 7, None, None, None, None]"
    assert run.output("show-2") == "['t', 7, True, [1], {'a': 1}, 2.0]"
    assert run.output("optional-inside-2/show") == "['t', 5, True, [1], None, None]"


@pytest.mark.run("nested.artifact_lists")
def test_lists_of_artifacts_go_out_of_a_pipeline_and_into_another(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("read-all") == "x y"
    assert run.output("reader-of-lists/read-all") == "x y"


@pytest.mark.run("nested.collisions")
def test_equal_names_are_kept_apart(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    assert run.output("say-4") == "abc"
    names = [node.display_name for node in run.graph.topology.tasks]
    assert names.count("same name") == 2
    assert [run.output(f"for-loop-2[{i}]/double") for i in (0, 1)] == [2, 4]
