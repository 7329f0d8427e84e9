"""Stands in for docker's command line where tests find no docker: its images are this machine.

    docker_standin.py STATE COMMAND [ARGUMENT ...]

It knows the commands and options that the engine uses. A container is a process in a session of
its own, not a child of who asked for it, in an environment of its own and with mounts of its own.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.backends.local import mounts

STATE = Path(sys.argv[1])
VALUED = {
    "--cpus", "--entrypoint", "--env", "--format", "--gpus", "--label", "--log-driver", "--memory",
    "--memory-swap", "--mount", "--name", "--pull", "--security-opt", "--shm-size", "--user",
}  # fmt: skip


def read_options(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Options by name, and what follows them."""
    options: dict[str, list[str]] = {}
    words = list(words)
    while words and words[0].startswith("--"):
        name = words.pop(0)
        options.setdefault(name, []).append(words.pop(0) if name in VALUED else "")
    return options, words


def fail(text: str) -> int:
    print(f"Error: {text}", file=sys.stderr)
    return 1


def folder(name: str) -> Path:
    return STATE / "containers" / name


def put(name: str, key: str, content: Any) -> None:
    path = folder(name) / key
    path.with_suffix(".tmp").write_text(json.dumps(content))
    path.with_suffix(".tmp").rename(path)


def get(name: str, key: str) -> Any:
    path = folder(name) / key
    return json.loads(path.read_text()) if path.exists() else None


def image_file(image: str) -> Path:
    return STATE / "images" / image.replace("/", "_")


def pull(image: str) -> int:
    print(f"Pulling from {image}", flush=True)
    if image.startswith("slow"):
        time.sleep(99)
    if image.startswith("missing"):
        return fail(f"manifest for {image} not found")
    image_file(image).parent.mkdir(parents=True, exist_ok=True)
    image_file(image).touch()
    return 0


def create(words: list[str]) -> int:
    options, rest = read_options(words)
    name = options["--name"][0]
    if folder(name).exists():
        return fail(f"the name {name} is in use")
    if not image_file(rest[0]).exists():
        return fail(f"no such image: {rest[0]}")
    env = {}
    for one in options.get("--env", []):
        key, equals, value = one.partition("=")
        env[key] = value if equals else os.environ[key]
    (folder(name) / "files").mkdir(parents=True)
    command = [*options.get("--entrypoint", []), *rest[1:]]
    binds = [next(csv.reader([one])) for one in options.get("--mount", [])]
    put(name, "made", {"options": options, "env": env, "command": command, "binds": binds})
    return 0


def start(name: str) -> int:
    subprocess.Popen(
        [sys.executable, __file__, str(STATE), "_contain", name],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    while (ended := get(name, "ended")) is None:
        time.sleep(0.02)
    return int(ended["ExitCode"])


def contain(name: str) -> int:
    """Runs the container's command, in a process that nobody waits for."""
    made = get(name, "made")
    child = os.fork()
    if child == 0:
        os.setsid()
        mounts.isolate()
        stage = folder(name) / "stage"
        for bind in made["binds"]:
            fields = dict(field.partition("=")[::2] for field in bind)
            if fields["source"] != fields["target"]:
                mounts.show_folder(fields["source"], fields["target"], stage)
        for path in (folder(name) / "files").rglob("*"):
            if path.is_dir() and any(one.is_file() for one in path.iterdir()):
                target = "/" / path.relative_to(folder(name) / "files")
                files = {one.name: one.read_bytes() for one in path.iterdir()}
                mounts.show_files(files, str(target), stage)
        try:
            os.execvpe(made["command"][0], made["command"], {"PATH": os.defpath, **made["env"]})
        finally:
            os._exit(127)
    put(name, "process", child)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = 128 + number if number else os.WEXITSTATUS(status)
    killed = (folder(name) / "killed").exists()
    put(name, "ended", {"ExitCode": code, "OOMKilled": number == signal.SIGKILL and not killed})
    return 0


def signal_to(name: str, number: int) -> int:
    child = get(name, "process")
    if child is None or get(name, "ended"):
        return fail(f"{name} is not running")
    if number == signal.SIGKILL:
        (folder(name) / "killed").touch()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)
    return 0


def stop(name: str, seconds: float) -> int:
    signal_to(name, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while get(name, "ended") is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return 0 if get(name, "ended") else signal_to(name, signal.SIGKILL)


def main(command: str, words: list[str]) -> int:
    rest = read_options(words)[1]
    if command in ("version", "info"):
        print("[]")
        return 0
    if command == "image":
        return 0 if image_file(words[1]).exists() else fail(f"no such image: {words[1]}")
    if command == "pull":
        return pull(rest[0])
    if command == "create":
        return create(words)
    if command == "_contain":
        return contain(words[0])
    name = rest[1].removesuffix(":/") if command == "cp" else rest[-1]
    if not folder(name).exists():
        return fail(f"no such container: {name}")
    if command == "cp":
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as tar:
            tar.extractall(folder(name) / "files", filter="data")
        return 0
    if command == "start":
        return start(name)
    if command == "inspect":
        ended = get(name, "ended")
        running = get(name, "process") is not None and ended is None
        print(json.dumps({"Running": running, "Error": "", **(ended or {})}))
        return 0
    if command == "stop":
        assert words[0] == "-t"
        return stop(name, float(words[1]))
    if command == "kill":
        return signal_to(name, signal.SIGKILL)
    assert command == "rm"
    signal_to(name, signal.SIGKILL)
    folder(name).rename(STATE / f"removed-{name}")
    return 0


if __name__ == "__main__":
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "calls").open("a") as calls:
        calls.write(f"{sys.argv[2:]}\n")
    sys.exit(main(sys.argv[2], sys.argv[3:]))
