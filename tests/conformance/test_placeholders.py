"""Every placeholder, the environment, the workspace, and deadlines."""

from __future__ import annotations

import re

import pytest

from tests.conformance.desk import Desk, Ended

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.run("placeholders.names")
def test_every_name_is_filled_in(run: Ended) -> None:
    values = run.output("echo")
    assert values["name"] == "placeholders.names"
    assert re.fullmatch(r"names-[0-9a-z]{5}", values["resource"])
    assert values["id"] == run.run_id
    assert values["task"] == "echo"
    assert UUID.fullmatch(values["uuid"])
    assert MOMENT.fullmatch(values["created"])
    assert MOMENT.fullmatch(values["scheduled"])
    assert run.run_id in values["root"]
    assert values["text"] == "placeholders.names/echo"


@pytest.mark.run("placeholders.names")
def test_a_placeholder_in_data_stays_data(run: Ended) -> None:
    expected = "<{{$.inputs.parameters['secret']}} {{$.pipeline_job_name}} {{$}}>"
    assert run.output("with-secret") == expected


@pytest.mark.run("placeholders.variables")
def test_variables_are_set_as_kubernetes_sets_them(run: Ended) -> None:
    assert run.output("look") == {
        "PLAIN": "plain",
        "FROM_ANOTHER": "<plain>",
        "ESCAPED": "$(PLAIN)",
        "MISSING": None,
        "EMPTY": "",
        "ODD": "a=b 'c' \"d\" é",
    }


@pytest.mark.run("placeholders.workspace")
def test_the_tasks_of_a_run_share_its_workspace(run: Ended, desk: Desk) -> None:
    assert [run.output("find"), run.output("find-2")] == ["nothing", "left"]
    other = desk.run("placeholders.workspace", {})
    assert [other.output("find"), other.output("find-2")] == ["nothing", "left"]


@pytest.mark.run("placeholders.deadline")
def test_a_run_that_takes_too_long_fails(run: Ended) -> None:
    assert run.state == "FAILED"
    assert run.error == "Deadline: the run took longer than 1 s."
    assert run.states["sleep"] == "CANCELED"
    assert run.states["say"] == "CANCELED"
