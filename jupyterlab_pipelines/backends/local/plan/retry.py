"""Says what a run that is over keeps when it is tried again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from ..records import TaskRecord
from .ir import Pipeline
from .scopes import SUCCESSFUL
from .spec import Component, Dag, Task


def kept(pipeline: Pipeline, records: Mapping[str, TaskRecord]) -> set[str]:
    """Ids of the tasks that a retry need not run again: those that succeeded, on the same inputs.

    A task that ran although one before it had failed (an exit handler's) runs again, since what it
    was told has changed, and so does what depends on it. A scheduler given the kept records alone
    plans the rest anew.
    """
    return _Keeping(pipeline, records).ids()


class _Keeping:
    def __init__(self, pipeline: Pipeline, records: Mapping[str, TaskRecord]) -> None:
        self._pipeline = pipeline
        self._records = records
        self._iterations: dict[str, list[str]] = defaultdict(list)
        self._ids: set[str] = set()
        for record in records.values():
            if record.iteration is not None and record.parent is not None:
                self._iterations[record.parent].append(record.task_id)

    def ids(self) -> set[str]:
        self._scope(self._pipeline.root, "")
        return self._ids

    def _scope(self, component: Component, prefix: str) -> None:
        """Looks into a DAG whose own inputs will be what they were."""
        assert component.dag is not None
        for task in _in_order(component.dag):
            if all(prefix + name in self._ids for name in task.dependencies):
                self._task(task, prefix + task.name)

    def _task(self, task: Task, task_id: str) -> None:
        component = self._pipeline.component_of(task.component)
        self._keep(task_id)
        ids = self._iterations[task_id] if task.iterator else [task_id]
        for one in ids:
            if task.iterator:
                self._keep(one)
            if component.dag is not None:
                self._scope(component, f"{one}/")

    def _keep(self, task_id: str) -> None:
        record = self._records.get(task_id)
        if record is not None and record.state in SUCCESSFUL:
            self._ids.add(task_id)


def _in_order(dag: Dag) -> Iterator[Task]:
    """The DAG's tasks, each after those it depends on."""
    done: set[str] = set()
    for start in dag.tasks:
        stack = [start]
        while stack:
            task = dag.tasks[stack[-1]]
            missing = [name for name in task.dependencies if name not in done]
            if missing and task.name not in done:
                stack.extend(missing)
                continue
            stack.pop()
            if task.name not in done:
                done.add(task.name)
                yield task
