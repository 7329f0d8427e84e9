"""What the user maps for a cluster's secrets, config maps and volumes is what tasks find."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.local import this_machine
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.backends.local.settings import Settings
from jupyterlab_pipelines.backends.local.this_machine import ThisMachine, can_isolate
from jupyterlab_pipelines.errors import UnsupportedFeature
from jupyterlab_pipelines.models import State

from .steps import pipeline, step

Submit = Callable[..., str]
Finished = Callable[..., Any]

CANARY = "canary-4711"
needs_mounts = pytest.mark.skipif(
    not can_isolate(), reason="this kernel lets no user have mounts of its own"
)


def named(name: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": name}}


def made_by(task: str) -> dict[str, Any]:
    return {"taskOutputParameter": {"producerTask": task, "outputParameterKey": "name"}}


def platform(**options: dict[str, Any]) -> dict[str, Any]:
    """A platform spec: options of Kubernetes by step."""
    executors = {f"exec-{name}": option for name, option in options.items()}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def volume(name: dict[str, Any], path: str, **more: Any) -> dict[str, Any]:
    return {"mountPath": path, "pvcNameParameter": name, **more}


def log(engine: Engine, run_id: str, task: str) -> str:
    return engine.read_log(run_id, task, None, 0, 1 << 20).text


@pytest.fixture
def data(engine: Engine, tmp_path: Path) -> Path:
    """A folder that is the volume `data`; the secret `db` and the config map `cfg` are mapped."""
    folder = tmp_path / "data"
    folder.mkdir()

    def edit(settings: dict[str, Any]) -> None:
        settings["volumes"] = {"data": str(folder)}
        settings["secrets"] = {"db": {"keys": {"password": {"value": CANARY}}}}
        settings["config_maps"] = {"cfg": {"keys": {"level": {"value": "debug"}}}}

    engine.settings.change(edit)
    return folder


@pytest.fixture
def nowhere() -> str:
    """A path that nobody has, and nobody but root could make."""
    return f"/jupyterlab-pipelines-{uuid.uuid4().hex}/data"


@pytest.mark.parametrize("forks", [True, False])
def test_values_are_variables_of_the_task_and_nowhere_else(
    engine: Engine, submit: Submit, finished: Finished, tmp_path: Path, data: Path, forks: bool
) -> None:
    engine.settings.change(lambda settings: settings.update(forks=forks))
    options = {
        "secretAsEnv": [
            {"keyToEnv": [{"secretKey": "password", "envVar": "PW"}], "secretName": "db"},
            {
                "keyToEnv": [{"secretKey": "none", "envVar": "NONE"}],
                "secretName": "db",
                "optional": True,
            },
        ],
        "configMapAsEnv": [
            {
                "keyToEnv": [{"configMapKey": "level", "envVar": "LEVEL"}],
                "configMapNameParameter": named("cfg"),
            }
        ],
        "fieldPathAsEnv": [{"name": "POD", "fieldPath": "metadata.name"}],
        "podMetadata": {"labels": {"team": "blue"}},
    }
    body = (
        "import os\n"
        f"assert os.environ['PW'] == '-'.join({CANARY.split('-')!r})\n"
        "print(os.environ['LEVEL'], 'NONE' in os.environ, bool(os.environ['POD']))"
    )
    spec = pipeline({"use": step(body)})
    run = finished(submit(spec, platform_spec=platform(use=options)))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert "debug False True" in log(engine, run.run_id, "use")
    engine.close()
    for file in engine.layout.root.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


@needs_mounts
def test_folders_are_where_the_pipeline_says_and_nowhere_else(
    engine: Engine, submit: Submit, finished: Finished, tmp_path: Path, data: Path, nowhere: str
) -> None:
    (data / "in").write_text("from the folder")
    spec = pipeline(
        {
            "use": step(
                "from pathlib import Path\n"
                f"data = Path({nowhere!r})\n"
                "assert (data / 'in').read_text() == 'from the folder'\n"
                "(data / 'out').write_text('from the task')\n"
                "Path('/etc/jp-part/file').write_text('from a part')\n"
                f"word = '-'.join({CANARY.split('-')})\n"
                "assert Path('/etc/jp-db/password').read_text() == word\n"
                "assert Path('/etc/jp-cfg/level').read_text() == 'debug'\n"
                "assert list(Path('/jp-scratch').iterdir()) == []\n"
                "Path('/jp-scratch/big').write_bytes(bytes(1000))\n"
                "try:\n    Path('/etc/jp-db/password').write_text('x')\n"
                "except OSError as error:\n    print('read only:', error.errno)\n"
                "print(Path.cwd())"
            ),
            "other": step(
                f"from pathlib import Path\nassert not Path({nowhere!r}).exists()\n"
                "assert not Path('/etc/jp-db').exists()"
            ),
        }
    )
    options = {
        "pvcMount": [
            volume(named("data"), nowhere),
            volume(named("data"), "/etc/jp-part", subPath="a/b"),
        ],
        "secretAsVolume": [{"mountPath": "/etc/jp-db", "secretName": "db"}],
        "configMapAsVolume": [{"mountPath": "/etc/jp-cfg", "configMapName": "cfg"}],
        "emptyDirMounts": [{"mountPath": "/jp-scratch", "volumeName": "x"}],
    }
    run = finished(submit(spec, platform_spec=platform(use=options)))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert (data / "out").read_text() == "from the task"
    assert (data / "a" / "b" / "file").read_text() == "from a part"
    text = log(engine, run.run_id, "use")
    attempt = engine.layout.attempt(run.run_id, "use", 1)
    assert "read only: 30" in text
    assert str(attempt / "work") in text
    assert not (attempt / "scratch").exists()
    assert not Path(nowhere).parent.exists()
    for file in engine.layout.runs.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


@needs_mounts
def test_a_step_with_mounts_is_stopped_like_any_other(
    engine: Engine,
    submit: Submit,
    until: Any,
    finished: Finished,
    processes: Any,
    data: Path,
    nowhere: str,
) -> None:
    body = "import subprocess, time\nsubprocess.Popen(['sleep', '99'])\n"
    body += "print('on', flush=True)\ntime.sleep(99)"
    options = platform(nap={"pvcMount": [volume(named("data"), nowhere)]})
    run_id = submit(pipeline({"nap": step(body)}), platform_spec=options)
    until(lambda: "on" in log(engine, run_id, "nap"))
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    until(lambda: not processes(), timeout=3)


def volume_task(action: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """The pieces of a spec that make a volume (PVC), or delete one."""
    strings = {name: {"parameterType": "STRING"} for name in inputs}
    component: dict[str, Any] = {
        "executorLabel": f"exec-{action}",
        "inputDefinitions": {"parameters": strings},
    }
    if action == "createpvc":
        component["outputDefinitions"] = {"parameters": {"name": {"parameterType": "STRING"}}}
    return {
        "component": component,
        "executor": {"container": {"image": f"argostub/{action}"}},
        "task": {"componentRef": {"name": f"comp-{action}"}, "inputs": {"parameters": inputs}},
    }


def with_volume_tasks(spec: Any, name: dict[str, Any], delete: list[str]) -> Any:
    """The pipeline, which makes a volume first and, after `delete`, removes it."""
    parts = {"createpvc": volume_task("createpvc", name)}
    if delete:
        parts["deletepvc"] = volume_task("deletepvc", {"pvc_name": made_by("createpvc")})
        parts["deletepvc"]["task"]["dependentTasks"] = ["createpvc", *delete]
    for key, part in parts.items():
        spec["components"][f"comp-{key}"] = part["component"]
        spec["deploymentSpec"]["executors"][f"exec-{key}"] = part["executor"]
        spec["root"]["dag"]["tasks"][key] = part["task"]
    return spec


@needs_mounts
def test_a_pipeline_makes_uses_and_removes_a_volume(
    engine: Engine, submit: Submit, finished: Finished, nowhere: str
) -> None:
    use = pipeline(
        {
            "write": step(f"open({nowhere + '/f'!r}, 'w').write('kept')", after=["createpvc"]),
            "read": step(f"assert open({nowhere + '/f'!r}).read() == 'kept'", after=["write"]),
        }
    )
    spec = with_volume_tasks(use, {"pvc_name_suffix": named("-mine")}, delete=["read"])
    mounted = {"pvcMount": [volume(made_by("createpvc"), nowhere)]}
    run = finished(submit(spec, platform_spec=platform(write=mounted, read=mounted)))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    name = engine.task(run.run_id, "createpvc").outputs.parameters["name"]
    assert re.fullmatch(r"[0-9a-f-]{36}-mine", str(name))
    assert list(engine.layout.volumes.iterdir()) == []


@needs_mounts
def test_a_volume_outlives_the_run_that_made_it(
    engine: Engine, submit: Submit, finished: Finished, nowhere: str
) -> None:
    mounted = {"pvcMount": [volume(named("models"), nowhere)]}
    write = pipeline({"use": step(f"open({nowhere + '/f'!r}, 'x')", after=["createpvc"])})
    spec = with_volume_tasks(write, {"pvc_name": named("models")}, delete=[])
    assert finished(submit(spec, platform_spec=platform(use=mounted))).state is State.SUCCEEDED
    again = finished(submit(spec, platform_spec=platform(use=mounted)))
    assert "There is a volume (PVC) 'models' already." in again.error
    read = pipeline({"use": step(f"open({nowhere + '/f'!r}).read()")})
    assert finished(submit(read, platform_spec=platform(use=mounted))).state is State.SUCCEEDED


def test_a_folder_of_the_users_is_never_deleted(
    engine: Engine, submit: Submit, finished: Finished, data: Path
) -> None:
    spec = pipeline({"one": step("pass")})
    part = volume_task("deletepvc", {"pvc_name": named("data")})
    spec["components"]["comp-deletepvc"] = part["component"]
    spec["deploymentSpec"]["executors"]["exec-deletepvc"] = part["executor"]
    spec["root"]["dag"]["tasks"]["deletepvc"] = part["task"]
    run = finished(submit(spec))
    assert run.state is State.FAILED
    assert f"is your folder {data}: it is not deleted" in run.error
    assert data.is_dir()


def test_what_is_found_missing_only_when_a_step_begins_is_its_reason(
    engine: Engine, submit: Submit, finished: Finished, data: Path
) -> None:
    spec = pipeline({"use": step("pass"), "file": step("pass")})
    spec["root"]["inputDefinitions"] = {"parameters": {"which": {"parameterType": "STRING"}}}
    pairs = [{"secretKey": "password", "envVar": "PW"}]
    options = {
        "secretAsEnv": [
            {"keyToEnv": pairs, "secretNameParameter": named("{{$.pipeline_job_name}}")}
        ]
    }
    engine.settings.change(
        lambda settings: settings["secrets"].update(
            gone={"keys": {"password": {"variable": "NOT_SET_ANYWHERE"}}}
        )
    )
    unset = {"secretAsEnv": [{"keyToEnv": pairs, "secretName": "gone"}]}
    run = finished(submit(spec, {"which": "x"}, platform_spec=platform(use=options, file=unset)))
    tasks = engine.graph(run.run_id).tasks
    assert "the key `password` of the secret `test`, which is not mapped" in tasks["use"].error
    assert "the environment variable NOT_SET_ANYWHERE is not set" in tasks["file"].error


def test_a_pipeline_whose_secret_is_missing_does_not_begin(engine: Engine, submit: Submit) -> None:
    options = {
        "secretAsEnv": [
            {"keyToEnv": [{"secretKey": "token", "envVar": "T"}], "secretName": "registry"}
        ]
    }
    with pytest.raises(UnsupportedFeature) as caught:
        submit(pipeline({"use": step("pass")}), platform_spec=platform(use=options))
    (problem,) = caught.value.problems
    assert problem.place == "use"
    assert "jupyter pipelines map secret registry token --prompt" in problem.next_step
    assert not list(engine.layout.runs.glob("*"))


def test_where_no_process_may_mount_a_path_that_is_the_folder_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.setattr(this_machine, "can_isolate", lambda: False)
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    settings = Settings.model_validate({"volumes": {"data": str(folder)}})
    machine = ThisMachine(settings, engine.layout)
    assert machine.can_mount(str(folder), "pvc", "data")
    assert machine.can_mount(str(tmp_path / "link"), "pvc", "data")
    assert not machine.can_mount(str(tmp_path / "else"), "pvc", "data")
    assert not machine.can_mount(os.sep + "data", "scratch", "")


def test_another_volume_is_another_input_to_the_cache(
    engine: Engine, submit: Submit, finished: Finished, data: Path
) -> None:
    (data / "two").mkdir()
    engine.settings.change(lambda s: s["volumes"].update(two=str(data / "two")))
    spec = pipeline({"use": step("pass")}, cache=True)

    def state(name: str) -> State:
        path = str(data if name == "data" else data / "two")
        options = platform(use={"pvcMount": [volume(named(name), path)]})
        return engine.graph(finished(submit(spec, platform_spec=options)).run_id).tasks["use"].state

    assert [state("data"), state("data"), state("two"), state("two")] == [
        State.SUCCEEDED,
        State.CACHED,
        State.SUCCEEDED,
        State.CACHED,
    ]
