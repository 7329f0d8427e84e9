"""What a leaf is launched with, and what is made of the files it leaves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local.plan.lightweight import UnknownShape, recognise
from jupyterlab_pipelines.backends.local.plan.placeholders import Placeholders
from jupyterlab_pipelines.backends.local.plan.scheduler import Scheduler
from jupyterlab_pipelines.backends.local.plan.spec import Container
from jupyterlab_pipelines.backends.local.records import TaskFailure

LAUNCH = (
    'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main  "
    '--component_module_path  "$program_path/ephemeral_component.py"  "$@"\n'
)
ARGS = ("--executor_input", "{{$}}", "--function_to_execute", "f")


def container(install: str | None = None, **fields: Any) -> Container:
    command = ("sh", "-ec", LAUNCH, "def f(): ...")
    if install is not None:
        command = ("sh", "-c", f'{install} && "$0" "$@"\n', *command)
    return Container(image="python:3.11", **{"command": command, "args": ARGS, **fields})


def test_a_function_without_packages() -> None:
    found = recognise(container())
    assert (found.source, found.function, found.packages) == ("def f(): ...", "f", [])


@pytest.mark.parametrize(
    ("install", "packages", "indexes", "hosts"),
    [
        ("python3 -m pip install --quiet 'pandas>=2' \"x==1; python_version<'4'\"",
         ["pandas>=2", "x==1; python_version<'4'"], [], []),
        (("python3 -m pip install --quiet --no-warn-script-location 'kfp==2.17.0' '--no-deps' "
         "'typing-extensions>=3.7.4,<5; python_version<\"3.9\"'"), [], [], []),
        (("python3 -m pip install --index-url https://a/simple --extra-index-url https://b/simple "
         "--trusted-host a 'one'  &&  python3 -m pip install --index-url https://a/simple "
         "--trusted-host a 'kfp==2.17.0' '--no-deps'"),
         ["one"], ["https://a/simple", "https://b/simple"], ["a"]),
        ("python3 -m pip install 'one' 'kfp==2.0.1' 'kfp-kubernetes' 'kfp[all]'",
         ["one", "kfp-kubernetes"], [], []),
        (("python3 -m pip install 'git+https://x/y.git@v1#subdirectory=z' \n\ntmp=$(mktemp -d)\n"
         "python3 -m venv \"$tmp/venv\" --system-site-packages\n. \"$tmp/venv/bin/activate\"\n"
         " python3 -m pip install 'kfp==2.17.0' '--no-deps'"),
         ["git+https://x/y.git@v1#subdirectory=z"], [], []),
    ],
)  # fmt: skip
def test_packages_and_indexes_come_from_the_pip_lines(
    install: str, packages: list[str], indexes: list[str], hosts: list[str]
) -> None:
    found = recognise(container(install))
    assert (found.packages, found.index_urls, found.trusted_hosts) == (packages, indexes, hosts)


@pytest.mark.parametrize(
    "other",
    [
        container(command=("python3", "-m", "kfp.dsl.executor_main")),
        container(command=("echo", "hi"), args=()),
        container(command=("sh", "-c", "echo $0", "x"), args=ARGS),
        container(args=(*ARGS, "--more", "x")),
        container(args=("--executor_input", "x", "--function_to_execute", "f")),
        container("python3 -m pip install -r requirements.txt"),
        container("python3 -m pip install 'open"),
        container("apt-get install graphviz && python3 -m pip install 'x'"),
        container(command=("bash", "-ec", LAUNCH, "def f(): ...")),
    ],
)
def test_any_other_command_is_not_taken_for_a_function(other: Container) -> None:
    with pytest.raises(UnknownShape):
        recognise(other)


@pytest.fixture
def scheduler(ir: Any, plan: Any) -> Scheduler:
    spec = ir({"a": []})
    spec["components"]["comp-step"]["outputDefinitions"] = {
        "parameters": {
            "n": {"parameterType": "NUMBER_INTEGER"},
            "../up": {"parameterType": "STRING"},
        },
        "artifacts": {
            "model": {"artifactType": {"schemaTitle": "system.Model", "schemaVersion": "0.0.1"}},
            "many": {"artifactType": {"schemaTitle": "system.Dataset"}, "isArtifactList": True},
        },
    }
    spec["deploymentSpec"]["executors"]["exec-step"]["container"]["env"] = [
        {"name": "HOME_OF", "value": "x"},
        {"name": "PATH_OF", "value": "$(HOME_OF)/bin $$(HOME_OF) $(NOBODY)"},
    ]
    scheduler: Scheduler = plan(spec)
    scheduler.advance()
    return scheduler


def test_an_invocation_has_all_that_a_launch_needs(scheduler: Scheduler, tmp_path: Path) -> None:
    invocation = scheduler.invocation("a", 2, tmp_path / "attempt-2")
    assert invocation.source == "def step():\n    pass\n"
    assert invocation.function == "step"
    assert invocation.env == {"HOME_OF": "x", "PATH_OF": "x/bin $(HOME_OF) $(NOBODY)"}
    outputs = invocation.executor_input["outputs"]
    assert outputs["outputFile"] == str(tmp_path / "attempt-2" / "executor_output.json")
    paths = [outputs["parameters"][name]["outputFile"] for name in ("n", "../up")]
    paths += [outputs["artifacts"]["model"]["artifacts"][0]["uri"]]
    assert all(Path(path).resolve().is_relative_to(tmp_path / "attempt-2") for path in paths)
    assert len({*paths}) == 3
    json.dumps(invocation.executor_input)


def test_outputs_get_their_types_from_the_pipeline(scheduler: Scheduler, tmp_path: Path) -> None:
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters" / "%2E%2E%2Fup").write_text("from a file")
    said = {
        "parameterValues": {"n": 3.0},
        "artifacts": {
            "model": {"artifacts": [{"name": "m", "uri": "", "metadata": {"acc": 0.5}}]},
            "many": {"artifacts": [{"uri": "/x/1"}, {"uri": "file:///x/2%20a"}]},
        },
    }
    values = scheduler.collect("a", 1, tmp_path, said)
    assert values.parameters == {"n": 3, "../up": "from a file"}
    (model,) = values.artifacts["model"]
    assert (model.artifact_id, model.type) == ("a:model", "system.Model")
    assert model.uri == str(tmp_path / "artifacts" / "model")
    assert model.metadata == {"acc": 0.5}
    assert model.producer is not None
    assert model.producer.task_id == "a"
    assert [(one.artifact_id, one.uri) for one in values.artifacts["many"]] == [
        ("a:many[0]", "/x/1"),
        ("a:many[1]", "/x/2 a"),
    ]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "without giving its output `n`"),
        ({"parameterValues": {"n": "three"}}, "`n` does not fit: it must be a whole number"),
        ({"parameterValues": {"n": float("nan")}}, "NaN"),
        ({"parameterValues": [1]}, "damaged"),
        (
            {
                "parameterValues": {"n": 1, "../up": "x"},
                "artifacts": {"model": {"artifacts": [{"metadata": {"loss": float("inf")}}]}},
            },
            "metadata of its output `model` holds NaN",
        ),
    ],
)
def test_outputs_that_do_not_fit_fail_the_task(
    scheduler: Scheduler, tmp_path: Path, said: Any, reason: str
) -> None:
    with pytest.raises(TaskFailure, match=reason):
        scheduler.collect("a", 1, tmp_path, said)


EXECUTOR_INPUT = {
    "inputs": {
        "parameterValues": {"n": 3, "s": "text", "nil": None},
        "artifacts": {"d": {"artifacts": [{"uri": "/data/d", "metadata": {"k": 1}}]}},
    },
    "outputs": {
        "parameters": {"o": {"outputFile": "/out/o"}},
        "artifacts": {"m": {"artifacts": [{"uri": "/out/m"}]}},
        "outputFile": "/out/all.json",
    },
}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("-{{$.inputs.parameters['n']}}-", ["-3-"]),
        ("{{$.inputs.artifacts['d'].path}}", ["/data/d"]),
        ("{{$.inputs.artifacts['d'].metadata['k']}}", ["1"]),
        ("{{$.outputs.parameters['o'].output_file}}", ["/out/o"]),
        ("{{$.outputs.artifacts['m'].uri}}", ["/out/m"]),
        ("{{$.outputs.output_file}}", ["/out/all.json"]),
        ("{{$.pipeline_job_name}}", ["job"]),
        ('{"Concat": ["a-", "{{$.inputs.parameters[\'s\']}}"]}', ["a-text"]),
        ('{"IfPresent": {"InputName": "s", "Then": ["--s", "x"]}}', ["--s", "x"]),
        ('{"IfPresent": {"InputName": "nil", "Then": "a", "Else": ["b", "c"]}}', ["b", "c"]),
        ('{"IfPresent": {"InputName": "none", "Then": "a"}}', []),
        ('{"IfPresent": {"InputName": "d", "Then": {"Concat": ["x", "y"]}}}', ["xy"]),
        ("{{$.unknown}}", ["{{$.unknown}}"]),
    ],
)
def test_placeholders_of_a_command(word: str, expected: list[str]) -> None:
    placeholders = Placeholders({".pipeline_job_name": "job"}, EXECUTOR_INPUT)
    assert placeholders.command([word]) == expected


def test_a_placeholder_without_its_input_says_which(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match="needs the input `zz`"):
        Placeholders({}, EXECUTOR_INPUT).text("{{$.inputs.parameters['zz']}}")


def test_an_artifact_is_another_one_when_it_is_made_again(
    scheduler: Scheduler, tmp_path: Path
) -> None:
    said = {
        "parameterValues": {"n": 1, "../up": ""},
        "artifacts": {"model": {"artifacts": [{"uri": "s3://always/the-same"}]}},
    }

    def identity(attempt: int) -> str:
        directory = tmp_path / f"attempt-{attempt}"
        (model,) = scheduler.collect("a", attempt, directory, said).artifacts["model"]
        return model.identity

    assert identity(1) == identity(1) != identity(2)
