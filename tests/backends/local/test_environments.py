"""Steps on the user's interpreter, with packages of their own, and nothing changed for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.backends.local.environments import Interpreter, Wanted
from jupyterlab_pipelines.models import Run, State
from tests.backends.local.steps import pipeline, step

Submit = Callable[..., str]
Finished = Callable[..., Run]


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    """A venv without pip and kfp, and with a module of its own."""
    folder = tmp_path / "kernel"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "of_the_kernel.py").write_text("word = 'mine'\n")
    return folder / "bin" / "python"


def contents(python: Path) -> set[str]:
    return {
        str(path) for path in python.parent.parent.rglob("*") if "__pycache__" not in path.parts
    }


def test_kfp_is_supplied_to_an_interpreter_without_it(
    engine: Engine, submit: Submit, finished: Finished, interpreter: Path
) -> None:
    before = contents(interpreter)
    body = "import sys, of_the_kernel; print(sys.prefix, of_the_kernel.word, kfp.__version__)"
    run_id = submit(pipeline({"one": step(body)}), interpreter=str(interpreter))
    assert finished(run_id).state is State.SUCCEEDED
    log = engine.read_log(run_id, "one", None, 0, 99999).text
    assert f"{interpreter.parent.parent} mine 2." in log
    assert contents(interpreter) == before


def test_packages_are_installed_once_beside_the_interpreter(
    engine: Engine, submit: Submit, finished: Finished, interpreter: Path, wheels: Path
) -> None:
    before = contents(interpreter)
    body = "import tinything, of_the_kernel; print(tinything.word, of_the_kernel.word)"
    spec = pipeline({f"step-{i}": step(body, packages=["tinything==1.0"]) for i in range(2)})
    logs = []
    for _ in range(2):
        run_id = submit(spec, interpreter=str(interpreter))
        run = finished(run_id)
        assert (run.state, run.error) == (State.SUCCEEDED, None)
        logs += [engine.read_log(run_id, f"step-{i}", None, 0, 99999).text for i in range(2)]
    assert all("tiny mine" in log for log in logs)
    assert sum("Successfully installed tinything" in log for log in logs) == 1
    assert contents(interpreter) == before
    assert len([path for path in engine.layout.environments.iterdir() if path.is_dir()]) == 1


def test_packages_that_cannot_be_installed_fail_the_step(
    engine: Engine, submit: Submit, finished: Finished, interpreter: Path, wheels: Path
) -> None:
    spec = pipeline({"one": step("pass", packages=["nothing-of-that-name"])})
    run_id = submit(spec, interpreter=str(interpreter))
    run = finished(run_id)
    assert run.state is State.FAILED
    assert run.error
    assert "Failed installing nothing-of-that-name" in run.error
    assert "No matching distribution" in engine.read_log(run_id, "one", None, 0, 99999).text
    assert not [path for path in engine.layout.environments.iterdir() if path.is_dir()]


def test_what_the_interpreter_has_needs_no_environment(
    engine: Engine, submit: Submit, finished: Finished
) -> None:
    spec = pipeline({"one": step("import pydantic", packages=["pydantic>=2", "PyYAML"])})
    assert finished(submit(spec)).state is State.SUCCEEDED
    assert not engine.layout.environments.exists()


def test_an_interpreter_that_is_no_python_fails_the_step(
    submit: Submit, finished: Finished, tmp_path: Path
) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho no >&2\nexit 3\n")
    fake.chmod(0o700)
    run = finished(submit(pipeline({"one": step("pass")}), interpreter=str(fake)))
    assert (run.state, run.error) == (State.FAILED, "one: The step ended with exit code 3.")
    spec = pipeline({"one": step("pass", packages=["tinything"])})
    run = finished(submit(spec, interpreter=str(fake)))
    assert run.state is State.FAILED
    assert run.error
    assert "cannot be used" in run.error


@pytest.mark.parametrize(
    ("requirement", "satisfied"),
    [
        ("numpy", True),
        ("NumPy>=1.20,<2", True),
        ("numpy>=2", False),
        ("scikit_learn", True),
        ("pandas", False),
        ("pandas; python_version < '3.0'", True),
        ("numpy[extra]", False),
        ("numpy @ https://example.org/numpy.whl", False),
        ("git+https://example.org/numpy", False),
    ],
)
def test_requirements_are_compared_with_what_is_there(requirement: str, satisfied: bool) -> None:
    versions = {"numpy": "1.26.4", "scikit-learn": "1.4"}
    interpreter = Interpreter("3.11.0", versions, [], {"python_version": "3.11"})
    assert interpreter.satisfies(requirement) is satisfied


def test_an_environment_is_named_by_what_it_holds(tmp_path: Path) -> None:
    one = Wanted("/usr/bin/python3", ("a", "b"))
    assert one.key("3.11.1") == Wanted("/usr/bin/python3", ("b ", "a")).key("3.11.1")
    others = [
        Wanted("/usr/bin/python3", ("a",)).key("3.11.1"),
        Wanted("/usr/bin/python3", ("a", "b"), ("https://index",)).key("3.11.1"),
        Wanted("/opt/python3", ("a", "b")).key("3.11.1"),
        one.key("3.12.0"),
    ]
    assert one.key("3.11.1") not in others
    assert os.sep not in one.key("3.11.1")
