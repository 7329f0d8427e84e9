"""`jupyter pipelines`: what a user at a shell gets, from a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyterlab_pipelines.cli.runs import parse_parameters
from jupyterlab_pipelines.errors import InvalidParameter
from jupyterlab_pipelines.models import PipelineDescription, PipelineParameter
from tests.backends.local.steps import pipeline, step

EXAMPLES = Path(__file__).parent.parent / "examples" / "pipelines"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "JUPYTERLAB_PIPELINES_HOME": str(tmp_path / "pipelines"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
    }


def pipelines(
    environment: dict[str, str], *arguments: str, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyterlab_pipelines.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def test_run_follows_to_the_end_and_says_how_it_ended(environment: dict[str, str]) -> None:
    done = pipelines(environment, "run", str(EXAMPLES / "digits.yaml"), "-p", "regularization=0.05")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    run_id = lines[0]
    assert len(run_id) == 36
    for task in ("load", "train", "evaluate"):
        assert any(line.startswith("✓ Succeeded") and task in line for line in lines), done.stdout
    assert lines[-1].startswith("✓ Succeeded in")

    listed = json.loads(pipelines(environment, "runs", "--json").stdout)
    assert [run["run_id"] for run in listed] == [run_id]
    assert listed[0]["parameters"]["regularization"] == 0.05
    assert run_id in pipelines(environment, "runs").stdout

    logs = pipelines(environment, "logs", "last", "train")
    assert "Trained on 1347 digits." in logs.stdout


def test_a_run_that_fails_exits_1_with_the_reason(environment: dict[str, str]) -> None:
    done = pipelines(environment, "run", str(EXAMPLES / "failing.yaml"))
    assert done.returncode == 1
    assert "✗ Failed" in done.stdout
    assert "ZeroDivisionError: division by zero" in done.stdout
    run_id = done.stdout.splitlines()[0]
    assert f"jupyter pipelines logs {run_id}" in done.stderr
    assert "Dividing 1 by 0" in pipelines(environment, "logs", run_id[:8], "divide").stdout


def test_no_wait_returns_at_once_and_the_run_goes_on(environment: dict[str, str]) -> None:
    done = pipelines(environment, "run", str(EXAMPLES / "failing.yaml"), "--no-wait")
    assert done.returncode == 0
    run_id = done.stdout.strip()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        (run,) = json.loads(pipelines(environment, "runs", "--json").stdout)
        if run["finished_at"]:
            break
        time.sleep(0.3)
    assert (run["run_id"], run["state"]) == (run_id, "FAILED")


def test_an_interrupt_leaves_the_run_going(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab_pipelines.cli", "run", str(EXAMPLES / "digits.yaml")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background has them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"jupyter pipelines stop {run_id}" in errors
    assert pipelines(environment, "stop", run_id).returncode == 0


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (None, [], "cannot be read"),
        ("a: [1,", [], "line 2"),
        ("just text", [], "pipeline"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", [], "Argo"),
        ("digits", ["-p", "nonsense=1"], "nonsense"),
        ("digits", ["-p", "regularization=much"], "regularization"),
        ("digits", ["-p", "regularization"], "name=value"),
        ("digits", ["-c", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_names_the_place_and_leaves_nothing(
    environment: dict[str, str],
    tmp_path: Path,
    content: str | None,
    arguments: list[str],
    said: str,
) -> None:
    file = tmp_path / "pipeline.yaml"
    if content == "digits":
        file.write_text((EXAMPLES / "digits.yaml").read_text())
    elif content is not None:
        file.write_text(content)
    done = pipelines(environment, "run", str(file), *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(pipelines(environment, "runs", "--json").stdout) == []


def test_parameters_get_the_types_that_the_pipeline_declares() -> None:
    description = PipelineDescription(
        name="p",
        parameters=[
            PipelineParameter(name="text", type="STRING"),
            PipelineParameter(name="count", type="NUMBER_INTEGER"),
            PipelineParameter(name="flag", type="BOOLEAN"),
            PipelineParameter(name="items", type="LIST"),
        ],
    )
    values = parse_parameters(description, ["text=3=4", "count=3", "flag=True", "items=[1, 2]"])
    assert values == {"text": "3=4", "count": 3, "flag": True, "items": [1, 2]}
    with pytest.raises(InvalidParameter) as caught:
        parse_parameters(description, ["count=x", "items=["])
    assert [problem.place for problem in caught.value.problems] == ["count", "items"]


def test_disk_is_shown_and_cleaned(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(json.dumps(pipeline({"one": step("print(1)")})))
    assert pipelines(environment, "run", str(file)).returncode == 0
    disk = pipelines(environment, "disk").stdout
    assert "runs (1)" in disk
    assert "free on the disk" in disk

    told = pipelines(environment, "clean", "--keep", "0", "--dry-run").stdout
    assert "Would free" in told
    assert pipelines(environment, "clean", "--older-than", "1d").stdout.startswith("Freed 0 B")
    cleaned = pipelines(environment, "clean", "--keep", "0").stdout
    assert "run test" in cleaned
    assert "No runs yet" in pipelines(environment, "runs").stdout


def test_clean_wants_to_know_what_may_go(environment: dict[str, str]) -> None:
    unsaid = pipelines(environment, "clean")
    assert unsaid.returncode == 2
    assert "Give an age" in unsaid.stderr
    assert "10x" in pipelines(environment, "clean", "--keep", "10x").stderr
