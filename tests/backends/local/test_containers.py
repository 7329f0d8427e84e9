"""Tasks that need an image run in a container: by docker's stand-in, and by what is really here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyterlab_pipelines.backends.local import containers
from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.backends.local.processes import MARKER
from jupyterlab_pipelines.backends.local.quantities import read_quantity
from jupyterlab_pipelines.models import State

from .steps import pipeline, step

#: Read as a program only: it takes its arguments when it is loaded.
STANDIN = Path(__file__).with_name("docker_standin.py")
Submit = Callable[..., str]
Finished = Callable[..., Any]

CANARY = "canary-4711"
IMAGE = "localhost/jupyterlab-pipelines-test:latest"
#: Why docker and podman cannot be used here; "" where they can, and then they are.
UNUSABLE = {name: containers.unusable(name) for name in ("docker", "podman")}
#: What the tests' image holds, with the libraries that they need.
PROGRAMS = ("sh", "cat", "env", "id", "mkdir", "printf", "sleep", "test", "touch", "tr", "head")


@dataclass(frozen=True)
class Tool:
    """What runs the containers, and an image that it has."""

    name: str
    image: str
    standin: Path | None = None  # its state

    def names(self) -> list[str]:
        """The names of the containers that there are, running or not."""
        if self.standin:
            return [path.name for path in (self.standin / "containers").glob("*")]
        listed = subprocess.run(
            [self.name, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True
        )
        return [name for name in listed.stdout.split() if name.startswith("jupyterlab-pipelines-")]


def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry


def obstacle(tool: str, folder: Path) -> str:
    """Makes the tests' image for a tool and runs it once; why that cannot be, or ""."""
    if UNUSABLE[tool]:
        return UNUSABLE[tool]
    root = folder / "image"
    for program in PROGRAMS:
        path = Path(shutil.which(program) or "/missing")
        if not path.exists():
            return f"{program} is not here to be put into an image"
        linked = subprocess.run(["ldd", str(path)], capture_output=True, text=True).stdout
        for file in [str(path), *re.findall(r"(/\S+)", linked)]:
            target = root / ("bin/" + program if file == str(path) else file[1:])
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(file).resolve(), target)
    for name in ("tmp", "etc", "proc", "sys", "dev"):
        (root / name).mkdir(exist_ok=True)
    with tarfile.open(folder / "image.tar", "w") as tar:
        tar.add(root, arcname=".", filter=owned_by_root)
    steps = (
        [tool, "import", str(folder / "image.tar"), IMAGE],
        [tool, "run", "--rm", IMAGE, "sh", "-c", "id"],
    )
    for command in steps:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            return f"{tool} does not run here: {done.stderr.strip().splitlines()[-1]}"
    return ""


@pytest.fixture(scope="session")
def obstacles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Why docker and podman do not run here; "" for one that does."""
    return {name: obstacle(name, tmp_path_factory.mktemp(name)) for name in UNUSABLE}


@pytest.mark.parametrize("name", UNUSABLE)
def test_what_is_here_runs_containers(name: str, obstacles: dict[str, str]) -> None:
    """Says what these tests did not run, once for each tool."""
    if obstacles[name]:
        pytest.skip(f"no test has run a container by {name}: {obstacles[name]}")


@pytest.fixture(params=["stand-in", *(name for name, why in UNUSABLE.items() if not why)])
def tool(
    request: pytest.FixtureRequest,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    obstacles: dict[str, str],
) -> Iterator[Tool]:
    """Containers turned on; none is left after the test."""
    if request.param != "stand-in":
        if obstacles[request.param]:
            pytest.skip(obstacles[request.param])
        tool = Tool(request.param, IMAGE)
    else:
        state = tmp_path / "standin"
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {STANDIN} {state} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        tool = Tool("docker", "here", state)
    engine.settings.change(lambda settings: settings.update(containers=tool.name))
    yield tool
    for name in tool.names():
        subprocess.run([tool.name, "kill", name], capture_output=True)
        subprocess.run([tool.name, "rm", "--force", name], capture_output=True)


def contained(
    spec: Any, key: str, image: str, command: list[str], args: list[str] | None = None, **more: Any
) -> Any:
    """The pipeline with the container component `key`; `more` are fields of its component."""
    options = {name: more.pop(name) for name in ("env", "resources") if name in more}
    inputs = more.pop("inputs", {})
    after = more.pop("after", [])
    spec["components"][f"comp-{key}"] = {"executorLabel": f"exec-{key}", **more}
    spec["deploymentSpec"]["executors"][f"exec-{key}"] = {
        "container": {"image": image, "command": command, "args": args or [], **options}
    }
    spec["root"]["dag"]["tasks"][key] = {
        "componentRef": {"name": f"comp-{key}"},
        "taskInfo": {"name": key},
        "dependentTasks": after,
        **({"inputs": inputs} if inputs else {}),
    }
    return spec


def only(*arguments: Any, **more: Any) -> Any:
    """A pipeline of nothing but one container component."""
    spec = contained(pipeline({"none": step("pass")}), *arguments, **more)
    for part in (spec["root"]["dag"]["tasks"], spec["components"]):
        part.pop("none", None)
        part.pop("comp-none", None)
    return spec


def shell(tool: Tool, script: str, **more: Any) -> Any:
    return only("run", tool.image, ["sh", "-ec"], [script], **more)


def log(engine: Engine, run_id: str, task: str = "run") -> str:
    return engine.read_log(run_id, task, None, 0, 1 << 20).text


def test_values_and_files_go_in_and_come_out(
    engine: Engine, submit: Submit, finished: Finished, tool: Tool
) -> None:
    text = {"parameterType": "STRING"}
    dataset = {"artifactType": {"schemaTitle": "system.Dataset"}}
    spec = only(
        "write",
        tool.image,
        ["sh", "-ec", 'mkdir -p "$(dirname "$1")" 2>/dev/null || true; printf "%s" "$0" > "$1"'],
        ["{{$.inputs.parameters['word']}}", "{{$.outputs.artifacts['file'].path}}"],
        inputDefinitions={"parameters": {"word": text}},
        outputDefinitions={"artifacts": {"file": dataset}},
        inputs={"parameters": {"word": {"runtimeValue": {"constant": "it's $(GREETING) "}}}},
        env=[{"name": "GREETING", "value": "hello, world"}],
    )
    contained(
        spec,
        "read",
        tool.image,
        ["sh", "-ec", 'cat "$0" > "$1"; printf "env=%s" "$GREETING"'],
        ["{{$.inputs.artifacts['file'].path}}", "{{$.outputs.parameters['text'].output_file}}"],
        inputDefinitions={"artifacts": {"file": dataset}},
        outputDefinitions={"parameters": {"text": text}},
        inputs={
            "artifacts": {
                "file": {
                    "taskOutputArtifact": {"producerTask": "write", "outputArtifactKey": "file"}
                }
            }
        },
        after=["write"],
    )
    run = finished(submit(spec))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    outputs = engine.task(run.run_id, "read").outputs.parameters
    assert outputs == {"text": "it's hello, world "}
    assert log(engine, run.run_id, "read").endswith("env=")
    assert tool.names() == []


def test_a_container_sees_its_own_environment_and_what_is_mapped(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    tool: Tool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OF_THE_SERVER", "must not be seen")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in").write_text("from the folder")

    def edit(settings: dict[str, Any]) -> None:
        settings["volumes"] = {"data": str(tmp_path / "data")}
        settings["secrets"] = {
            "db": {"keys": {"password": {"value": f"{CANARY}\n2"}, "user": {"value": "me"}}}
        }

    engine.settings.change(edit)
    script = (
        'printf "%s" "$PW" | tr "\\n" "," | head -c 8; echo\n'
        'test "$PW" = "$(cat /etc/jp-db/password)"; echo same; cat /etc/jp-db/user /jp-data/in\n'
        "echo done > /jp-data/out; echo ${OF_THE_SERVER:-unseen} ${JUPYTER_CONFIG_DIR:-unseen}\n"
        "touch /jp-scratch/file; echo scratch"
    )
    options = {
        "pvcMount": [
            {"mountPath": "/jp-data", "pvcNameParameter": {"runtimeValue": {"constant": "data"}}}
        ],
        "secretAsEnv": [
            {"keyToEnv": [{"secretKey": "password", "envVar": "PW"}], "secretName": "db"}
        ],
        "secretAsVolume": [{"mountPath": "/etc/jp-db", "secretName": "db"}],
        "emptyDirMounts": [{"mountPath": "/jp-scratch", "volumeName": "x"}],
    }
    spec = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-run": options}}}}}
    run = finished(submit(shell(tool, script), platform_spec=spec))
    text = log(engine, run.run_id)
    assert (run.state, run.error) == (State.SUCCEEDED, None), text
    for words in ("canary-4", "same", "mefrom the folder", "unseen unseen", "scratch"):
        assert words in text
    assert (tmp_path / "data" / "out").read_text() == "done\n"
    assert (tmp_path / "data" / "out").stat().st_uid == os.getuid()
    if tool.standin:
        assert CANARY not in (tool.standin / "calls").read_text()  # no command line has it
    engine.close()
    for file in engine.layout.root.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("image", "script", "reason"),
    [
        ("", "echo about to fail; exit 3", "The step ended with exit code 3."),
        ("missing/image:1", "true", "The image `missing/image:1` cannot be pulled"),
    ],
)
def test_how_a_container_fails_is_said(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    tool: Tool,
    image: str,
    script: str,
    reason: str,
) -> None:
    if image and not tool.standin:
        image = "localhost/missing/image:1"  # no registry is asked
        reason = reason.replace("missing", "localhost/missing")
    run = finished(submit(only("run", image or tool.image, ["sh", "-ec"], [script])))
    assert run.state is State.FAILED
    assert reason in run.error
    if not image:
        assert "about to fail" in log(engine, run.run_id)
        assert engine.graph(run.run_id).tasks["run"].attempts[0].exit_code == 3
    assert tool.names() == []


def test_a_command_that_the_image_has_not_is_the_reason(
    submit: Submit, finished: Finished, tool: Tool
) -> None:
    run = finished(submit(only("run", tool.image, ["no-such-program"])))
    assert run.state is State.FAILED
    assert re.search("cannot be started|exit code 127", run.error)
    assert tool.names() == []


def test_a_container_out_of_memory_says_so(
    engine: Engine, submit: Submit, finished: Finished, tool: Tool
) -> None:
    """The stand-in tells every kill from inside as docker tells one for memory."""
    eat = "kill -9 $$" if tool.standin else "x=$(head -c 100000000 /dev/zero | tr '\\0' x)"
    resources = {"resourceMemoryLimit": "16Mi", "resourceCpuLimit": "500m"}
    run = finished(submit(shell(tool, eat, resources=resources)))
    if "limits are not supported" in log(engine, run.run_id):  # rootless, with old control groups
        return
    assert run.state is State.FAILED
    assert "Out of memory: the container went beyond its limit of 16Mi." in run.error
    assert engine.graph(run.run_id).tasks["run"].attempts[0].exit_code == 137


def test_a_stubborn_container_is_killed_and_nothing_of_it_stays(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any, tool: Tool
) -> None:
    run_id = submit(shell(tool, "trap 'echo no' TERM; echo on; while true; do sleep 0.2; done"))
    until(lambda: "on" in log(engine, run_id))
    assert len(tool.names()) == 1
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    assert tool.names() == []
    until(lambda: not processes(), timeout=3)


def test_a_container_ends_by_itself_when_it_is_asked_to(
    engine: Engine, submit: Submit, finished: Finished, until: Any, tool: Tool
) -> None:
    script = "trap 'echo saved; exit 0' TERM; echo on; while true; do sleep 0.1; done"
    run_id = submit(shell(tool, script))
    until(lambda: "on" in log(engine, run_id))
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    assert "saved" in log(engine, run_id)
    assert tool.names() == []


@pytest.mark.parametrize("tool", ["stand-in"], indirect=True)
def test_what_a_step_may_use_reaches_the_container(
    engine: Engine, submit: Submit, finished: Finished, tool: Tool
) -> None:
    resources = {
        "resourceCpuLimit": "500m",
        "resourceMemoryLimit": "64Mi",
        "accelerator": {"resourceType": "nvidia.com/gpu", "resourceCount": "2"},
    }
    options = {"exec-run": {"enabledSharedMemory": {"volumeName": "shm", "size": "1Gi"}}}
    spec = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": options}}}}
    run = finished(submit(shell(tool, "true", resources=resources), platform_spec=spec))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert tool.standin
    calls = (tool.standin / "calls").read_text().replace("', '", " ")
    for words in ("--cpus 0.5", "--memory 67108864", "--shm-size 1073741824", "--gpus 2"):
        assert words in calls
    wrong = {"resourceMemoryLimit": "lots"}
    run = finished(submit(shell(tool, "true", resources=wrong)))
    assert "Its resources cannot be read: `lots` is not a quantity" in run.error


@pytest.mark.parametrize("tool", ["stand-in"], indirect=True)
def test_a_pull_is_in_the_log_and_ends_with_a_stop(
    engine: Engine, submit: Submit, finished: Finished, until: Any, processes: Any, tool: Tool
) -> None:
    run_id = submit(only("run", "slow/image:1", ["true"]))
    until(lambda: "Pulling from slow/image:1" in log(engine, run_id))
    engine.terminate(run_id)
    assert finished(run_id).state is State.CANCELED
    assert tool.names() == []
    until(lambda: not processes(), timeout=3)


def test_a_command_may_name_the_workspace(
    engine: Engine, submit: Submit, finished: Finished, tool: Tool
) -> None:
    spec = shell(tool, "echo kept > {{$.workspace_path}}/file")
    contained(spec, "read", tool.image, ["cat"], ["{{$.workspace_path}}/file"], after=["run"])
    run = finished(submit(spec))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    assert log(engine, run.run_id, "read").endswith("kept\n")


def role(process: Any) -> str:
    try:
        words = " ".join(process.cmdline())
        marker = process.environ().get(MARKER, "")
    except psutil.Error:  # it is over
        return ""
    if "forker.py" in words:  # shims are forks of it
        return "" if marker.endswith("..") else "shim"
    if ".local.keeper" in words:
        return "keeper"
    return "supervisor" if ".supervisor" in words else ""


@pytest.mark.parametrize("victim", ["supervisor", "shim", "keeper"])
def test_a_kill_loses_no_container_and_runs_none_twice(
    engine: Engine,
    submit: Submit,
    finished: Finished,
    until: Any,
    processes: Any,
    tool: Tool,
    tmp_path: Path,
    victim: str,
) -> None:
    (tmp_path / "data").mkdir()
    engine.settings.change(lambda s: s.update(volumes={"data": str(tmp_path / "data")}))
    mounted = {"mountPath": "/jp-data", "pvcNameParameter": {"runtimeValue": {"constant": "data"}}}
    options = {"exec-run": {"pvcMount": [mounted]}}
    spec = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": options}}}}
    script = "echo begun >> /jp-data/begun; sleep 1.5; echo ended >> /jp-data/ended"
    run_id = submit(shell(tool, script), platform_spec=spec)
    until(lambda: (tmp_path / "data" / "begun").exists())
    for process in processes():
        if role(process) == victim:
            process.kill()
    run = finished(run_id)
    assert (tmp_path / "data" / "begun").read_text() == "begun\n"
    if victim == "supervisor":
        assert (run.state, run.error) == (State.SUCCEEDED, None)
        assert (tmp_path / "data" / "ended").exists()
    else:
        assert run.state is State.FAILED
        words = "outcome is unknown" if victim == "shim" else "Killed by signal 9"
        assert words in run.error
    assert tool.names() == []
    time.sleep(0 if victim == "supervisor" else 1.5)
    assert (tmp_path / "data" / "ended").exists() == (victim == "supervisor")


def test_python_functions_stay_processes_unless_the_settings_say_otherwise(
    engine: Engine, submit: Submit, finished: Finished, tool: Tool
) -> None:
    spec = pipeline({"one": step("print('in a process')")})
    spec["deploymentSpec"]["executors"]["exec-one"]["container"]["image"] = "missing/image:1"
    run = finished(submit(spec))
    assert (run.state, run.error) == (State.SUCCEEDED, None)
    engine.settings.change(lambda settings: settings.update(images="always"))
    run = finished(submit(spec))
    assert "The image `missing/image:1` cannot be pulled" in run.error
    run = finished(submit(spec, interpreter=sys.executable))  # as cells of a notebook
    assert (run.state, run.error) == (State.SUCCEEDED, None)


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("500m", 0.5), ("2Gi", 2**31), ("1.5G", 1.5e9), ("1e3", 1000), ("128Ki", 2**17)],
)
def test_quantities(text: str, number: float) -> None:
    assert read_quantity(text) == number


@pytest.mark.parametrize("text", ["", "x", "1 Gi", "-1", "1gi", "1.2.3"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        read_quantity(text)
