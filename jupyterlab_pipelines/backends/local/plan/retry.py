"""Says what a run that is over keeps when it is tried again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ....models import State
from ..records import TaskRecord, Values
from .ir import Pipeline
from .scopes import SUCCESSFUL
from .spec import Component, Dag, Task


def reset_for_retry(pipeline: Pipeline, records: Mapping[str, TaskRecord]) -> dict[str, TaskRecord]:
    """The records to plan a retry from: succeeded tasks are kept, the rest is PENDING again.

    A task that ran although one before it had failed (an exit handler's) runs again, since what
    it was told has changed. A record that is missing from the answer is to be forgotten: it is of
    an iteration that may not come again.
    """
    return _Reset(pipeline, records).kept()


class _Reset:
    def __init__(self, pipeline: Pipeline, records: Mapping[str, TaskRecord]) -> None:
        self._pipeline = pipeline
        self._records = records
        self._iterations: dict[str, list[TaskRecord]] = defaultdict(list)
        self._answer: dict[str, TaskRecord] = {}
        for record in records.values():
            if record.iteration is not None and record.parent is not None:
                self._iterations[record.parent].append(record)

    def kept(self) -> dict[str, TaskRecord]:
        self._scope(self._pipeline.root, "", steady=True)
        return self._answer

    def _scope(self, component: Component, prefix: str, steady: bool) -> None:
        """`steady`: what comes into the DAG will be what it was."""
        assert component.dag is not None
        kept: dict[str, bool] = {}
        for task in _in_order(component.dag):
            inputs_stay = steady and all(kept[name] for name in task.dependencies)
            kept[task.name] = self._task(task, prefix + task.name, inputs_stay)

    def _task(self, task: Task, task_id: str, steady: bool) -> bool:
        component = self._pipeline.component_of(task.component)
        keep = self._record(task_id, steady)
        if task.iterator and (keep or steady):
            for record in self._iterations[task_id]:
                whole = self._record(record.task_id, steady) or keep
                self._inside(component, record.task_id, whole, steady)
        elif not task.iterator:
            self._inside(component, task_id, keep, steady)
        return keep

    def _record(self, task_id: str, steady: bool) -> bool:
        """Keeps or resets one record; says whether it keeps it."""
        record = self._records.get(task_id)
        if record is None:
            return False
        keep = steady and record.state in SUCCESSFUL
        self._answer[task_id] = record if keep else _pending(record)
        return keep

    def _inside(self, component: Component, task_id: str, keep: bool, steady: bool) -> None:
        if component.dag is None:
            return
        if keep:
            prefix = f"{task_id}/"
            self._answer.update(self._below(component, prefix))
        else:
            self._scope(component, f"{task_id}/", steady)

    def _below(self, component: Component, prefix: str) -> dict[str, TaskRecord]:
        """Every record of a group that is kept as it is."""
        found: dict[str, TaskRecord] = {}
        pending = [(component, prefix)]
        while pending:
            group, path = pending.pop()
            for task in group.dag.tasks.values() if group.dag else ():
                task_id = path + task.name
                inner = self._pipeline.component_of(task.component)
                ids = [task_id, *(record.task_id for record in self._iterations[task_id])]
                found.update({one: self._records[one] for one in ids if one in self._records})
                pending.extend((inner, f"{one}/") for one in ids)
        return found


def _pending(record: TaskRecord) -> TaskRecord:
    return replace(
        record,
        state=State.PENDING,
        started_at=None,
        finished_at=None,
        error=None,
        outputs=Values(),
        cache_key="",
        cached_from=None,
    )


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
