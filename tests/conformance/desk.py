"""Starts runs of compiled pipelines, a few at a time, and shows what they came to."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.backends.local.engine import Engine
from jupyterlab_pipelines.models import ArtifactRef, RunGraph, TaskDetail

_AT_ONCE = 6
_PATIENCE = 120.0  # seconds; a run that takes longer hangs


class Ended:
    """A run that is over, as the engine shows it."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self.engine = engine
        self.run_id = run_id

    @cached_property
    def graph(self) -> RunGraph:
        return self.engine.graph(self.run_id)

    @property
    def state(self) -> str:
        return self.graph.run.state.value

    @property
    def error(self) -> str | None:
        return self.graph.run.error

    @property
    def states(self) -> dict[str, str]:
        """Every task's state by its id."""
        return {task_id: status.state.value for task_id, status in self.graph.tasks.items()}

    def task(self, task_id: str) -> TaskDetail:
        return self.engine.task(self.run_id, task_id)

    def state_of(self, task_id: str) -> str:
        return self.states[task_id]

    def error_of(self, task_id: str) -> str:
        return self.graph.tasks[task_id].error or ""

    def output(self, task_id: str, key: str = "Output") -> Any:
        """A parameter that a task gave; a task that gave none says how it ended."""
        detail = self.task(task_id)
        assert key in detail.outputs.parameters, (detail.status, self.log(task_id))
        return detail.outputs.parameters[key]

    def artifacts(self, task_id: str, key: str) -> list[ArtifactRef]:
        return [one for one in self.task(task_id).outputs.artifacts if one.name == key]

    def text(self, task_id: str, key: str) -> str:
        """What is in the file of the one artifact `key` of a task."""
        (artifact,) = self.artifacts(task_id, key)
        return Path(artifact.uri).read_text(encoding="utf-8")

    def log(self, task_id: str) -> str:
        return self.engine.read_log(self.run_id, task_id, None, 0, 2**20).text


class Desk:
    """The suite's engine: runs are ordered ahead, each once, and asked for at their end."""

    def __init__(self, engine: Engine, specs: Path, files: Path) -> None:
        self.engine = engine
        self.files = files
        self._specs = specs
        self._pool = ThreadPoolExecutor(_AT_ONCE)
        self._orders: dict[str, Future[Ended]] = {}

    def order(self, pipeline: str, /, **parameters: Any) -> Future[Ended]:
        """Lets a run of `pipeline` (module.name) start as soon as there is room for it.

        In a text parameter `FILES` stands for the folder of data.
        """
        key = json.dumps([pipeline, parameters], sort_keys=True)
        if key not in self._orders:
            self._orders[key] = self._pool.submit(self.run, pipeline, parameters)
        return self._orders[key]

    def ended(self, pipeline: str, /, **parameters: Any) -> Ended:
        """The run, once it is over."""
        return self.order(pipeline, **parameters).result()

    def run(self, pipeline: str, parameters: dict[str, Any], **options: Any) -> Ended:
        """Starts a run and waits for its end; `options` are those of `Engine.create_run`."""
        return self.wait(self.start(pipeline, parameters, **options))

    def start(self, pipeline: str, parameters: dict[str, Any], **options: Any) -> str:
        """Starts a run; its id. Nothing is taken from the cache unless `caching` says so."""
        given = {
            name: value.replace("FILES", str(self.files)) if isinstance(value, str) else value
            for name, value in parameters.items()
        }
        return self.engine.create_run(
            **{"display_name": pipeline, "caching": False, **self.spec(pipeline), **options},
            runtime_config={"parameters": given},
            experiment_id="conformance",
        )

    def spec(self, pipeline: str) -> dict[str, Any]:
        """The pipeline spec and the platform spec of a compiled pipeline."""
        text = (self._specs / f"{pipeline}.json").read_text(encoding="utf-8")
        spec: dict[str, Any] = json.loads(text)
        return spec

    def wait(self, run_id: str) -> Ended:
        """Waits for the end of a run."""
        deadline = time.monotonic() + _PATIENCE
        while self.engine.get_run(run_id).finished_at is None:
            if time.monotonic() > deadline:
                log = self.engine.layout.supervisor_log(run_id)
                raise AssertionError(f"{Ended(self.engine, run_id).states}\n{log.read_text()}")
            time.sleep(0.05)
        return Ended(self.engine, run_id)

    def close(self) -> None:
        """Waits for what is under way; what has not started never will."""
        self._pool.shutdown(cancel_futures=True)
