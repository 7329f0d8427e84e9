"""Exit handlers and what they are told, failures that are ignored, and retries."""

from __future__ import annotations

import time

import pytest

from tests.conformance.desk import Desk, Ended


@pytest.mark.run("exits.handled")
def test_an_exit_task_hears_of_success(run: Ended) -> None:
    assert run.state == "SUCCEEDED"
    told = run.output("tell")
    assert (told["word"], told["state"], told["task"]) == ("bye", "COMPLETE", "exit-handler-1")
    assert told["job"].startswith("handled-")
    assert run.state_of("exit-handler-1/condition-2/fail") == "SKIPPED"


@pytest.mark.run("exits.handled", fails=True)
def test_an_exit_task_hears_of_a_failure_deep_inside(run: Ended) -> None:
    reason = "exit-handler-1/condition-2/fail: ValueError: deep inside"
    assert (run.state, run.error) == ("FAILED", reason)
    told = run.output("tell")
    assert (told["state"], told["task"]) == ("FAILED", "exit-handler-1")
    assert (told["code"], told["message"]) == (2, reason)
    assert run.state_of("exit-handler-1/say-2") == "SUCCEEDED"


@pytest.mark.run("exits.side_by_side")
def test_each_handler_hears_of_its_own(run: Ended) -> None:
    assert run.state == "FAILED"
    assert [run.output(name)["state"] for name in ("tell", "tell-2")] == ["COMPLETE", "FAILED"]
    assert run.state_of("say-2") == "SUCCEEDED"


@pytest.mark.run("exits.nested")
def test_handlers_inside_handlers(run: Ended) -> None:
    assert run.state == "FAILED"
    inner, outer = run.output("exit-handler-1/guarded/tell"), run.output("tell")
    assert (inner["word"], inner["state"]) == ("inner", "FAILED")
    assert (outer["word"], outer["state"]) == ("outer", "FAILED")
    assert run.state_of("exit-handler-1/say") == "SKIPPED"


@pytest.mark.run("exits.pipeline_as_exit_task")
def test_a_pipeline_may_be_the_exit_task(run: Ended) -> None:
    assert (run.state, run.error) == ("FAILED", "exit-handler-1/fail: ValueError: it broke")
    assert run.output("farewell/say-2") == "bye"


@pytest.mark.run("exits.exit_task_fails")
def test_an_exit_task_that_fails_does_not_change_how_the_run_ended(run: Ended) -> None:
    assert (run.state, run.error) == ("SUCCEEDED", None)
    assert run.state_of("fail") == "FAILED"
    assert run.error_of("fail") == "ValueError: the exit task broke"


def test_a_run_that_is_stopped_runs_no_exit_task(desk: Desk) -> None:
    run_id = desk.start("exits.stopped", {})
    while desk.engine.graph(run_id).tasks["exit-handler-1/wait"].state.value != "RUNNING":
        time.sleep(0.05)
    desk.engine.terminate(run_id)
    run = desk.wait(run_id)
    assert run.states == {
        "exit-handler-1": "CANCELED",
        "exit-handler-1/wait": "CANCELED",
        "tell": "CANCELED",
    }
    assert run.state == "CANCELED"


@pytest.mark.run("exits.ignored")
def test_what_ignores_a_failure_runs_with_its_defaults(run: Ended) -> None:
    assert (run.state, run.error) == ("FAILED", "fail: ValueError: it broke")
    assert run.output("defaulted") == "default 7"
    assert run.output("defaulted-2") == "kept 3"
    told = run.output("tell")
    assert (told["state"], told["task"]) == ("FAILED", "fail-2")
    assert run.state_of("say-2") == "SKIPPED"


@pytest.mark.run("exits.retried", folder="FILES")
def test_retries_and_what_is_said_of_them(run: Ended) -> None:
    tries = {
        name: [attempt.state.value for attempt in run.graph.tasks[name].attempts]
        for name in ("flaky", "exit-handler-1/flaky-2", "exit-handler-2/flaky-3")
    }
    assert tries == {
        "flaky": ["FAILED", "SUCCEEDED"],
        "exit-handler-1/flaky-2": ["FAILED"] * 3,
        "exit-handler-2/flaky-3": ["FAILED", "FAILED", "SUCCEEDED"],
    }
    assert run.state == "FAILED"
    assert [run.output(name)["state"] for name in ("tell", "tell-2")] == ["FAILED", "COMPLETE"]
    assert "try 3 of never fails" in run.output("tell")["message"]
    assert "try number 2" in run.log("flaky")


@pytest.mark.run("exits.retried_too_late")
def test_what_fails_after_its_time_is_not_tried_again(run: Ended) -> None:
    assert run.state == "FAILED"
    assert 1 <= len(run.graph.tasks["slow-failure"].attempts) <= 2
    assert len(run.graph.tasks["slow-failure-2"].attempts) == 1  # the pause alone is too long
