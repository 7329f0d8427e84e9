"""What a compiled pipeline does in a run of a given outcome: the tasks that begin, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

LEFT = frozenset({"FAILED", "CANCELED", "SKIPPED"})


@dataclass(frozen=True)
class Outcome:
    """How a task went; a group's state follows from its members' unless it is SKIPPED.

    `state` is SUCCEEDED, CACHED, FAILED, CANCELED, SKIPPED, RUNNING, PENDING (its pod cannot
    begin) or ABSENT (nobody came to it). `message` is Kubernetes' or Argo's, `failures` are the
    messages of the attempts before the last.
    """

    state: str = "SUCCEEDED"
    message: str = ""
    failures: tuple[str, ...] = ()
    iterations: int = 2
    inputs: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    #: Of its artifacts by key; an artifact without any is made all the same.
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: The execution in ML Metadata that a CACHED task's results are of.
    cached_from: int = 0
    #: Whether its driver failed, rather than itself.
    driver: bool = False


@dataclass(eq=False)
class Step:
    """A task that began. `kind` is leaf, importer, group, loop or iteration."""

    path: str
    name: str
    kind: str
    task: Mapping[str, Any]
    component: Mapping[str, Any]
    outcome: Outcome
    parent: Step | None = None
    iteration: int | None = None
    inside: list[Step] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Its own, or what its members make of it."""
        if not self.inside or self.outcome.state == "SKIPPED":
            return self.outcome.state
        found = {one.state for one in self.inside}
        for state in ("RUNNING", "FAILED", "CANCELED"):
            if state in found or (state == "RUNNING" and "PENDING" in found):
                return state
        return "SUCCEEDED"

    @property
    def title(self) -> str:
        """What the user reads."""
        return str((self.task.get("taskInfo") or {}).get("name") or self.name)

    @property
    def is_exit(self) -> bool:
        """Whether it runs when all else is over, whatever became of it."""
        policy = self.task.get("triggerPolicy") or {}
        return policy.get("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED"

    @property
    def outputs(self) -> dict[str, str]:
        """The schema titles of its artifacts by key."""
        declared = (self.component.get("outputDefinitions") or {}).get("artifacts") or {}
        return {key: one["artifactType"]["schemaTitle"] for key, one in declared.items()}

    def walk(self) -> Iterator[Step]:
        """Itself and everything inside, parents first."""
        yield self
        for one in self.inside:
            yield from one.walk()


def unfold(spec: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> list[Step]:
    """The tasks of the root DAG that begin, in the order in which they could."""
    return _inside(spec, spec["root"], None, outcomes)


def everything(steps: list[Step]) -> list[Step]:
    """All tasks at every depth, parents first."""
    return [one for step in steps for one in step.walk()]


def _inside(
    spec: Mapping[str, Any],
    component: Mapping[str, Any],
    parent: Step | None,
    outcomes: Mapping[str, Outcome],
) -> list[Step]:
    waiting = dict(component["dag"]["tasks"])
    begun: dict[str, Step | None] = {}
    while waiting:
        ready = [
            name for name, task in waiting.items() if all(one in begun for one in _before(task))
        ]
        for name in ready:
            task = waiting.pop(name)
            step = _step(spec, name, task, parent, outcomes)
            ended = [begun[one] for one in _before(task)]
            lost = any(
                one is None or one.state in LEFT | {"RUNNING", "PENDING"} for one in ended
            ) and not (step.is_exit and all(one and one.state != "RUNNING" for one in ended))
            begun[name] = None if lost or step.outcome.state == "ABSENT" else step
    return [one for one in begun.values() if one is not None]


def _before(task: Mapping[str, Any]) -> list[str]:
    """The tasks that a task waits for."""
    inputs = task.get("inputs") or {}
    found = [*(task.get("dependentTasks") or [])]
    for side, kind in (("parameters", "taskOutputParameter"), ("artifacts", "taskOutputArtifact")):
        given = (inputs.get(side) or {}).values()
        found += [one[kind]["producerTask"] for one in given if kind in one]
    return list(dict.fromkeys(found))


def _step(
    spec: Mapping[str, Any],
    name: str,
    task: Mapping[str, Any],
    parent: Step | None,
    outcomes: Mapping[str, Outcome],
) -> Step:
    component = spec["components"][task["componentRef"]["name"]]
    path = f"{parent.path}/{name}" if parent else name
    looping = "parameterIterator" in task or "artifactIterator" in task
    step = Step(
        path,
        name,
        "loop" if looping else _kind(spec, component),
        task,
        component,
        outcomes.get(path, Outcome()),
        parent,
    )
    if step.outcome.state in ("SKIPPED", "ABSENT") or step.outcome.driver:
        return step
    if looping:
        for index in range(step.outcome.iterations):
            where = f"{path}[{index}]"
            kind = "iteration" if "dag" in component else _kind(spec, component)
            outcome = outcomes.get(where, Outcome())
            one = Step(where, name, kind, task, component, outcome, step, index)
            if "dag" in component:
                one.inside = _inside(spec, component, one, outcomes)
            step.inside.append(one)
    elif "dag" in component:
        step.inside = _inside(spec, component, step, outcomes)
    return step


def _kind(spec: Mapping[str, Any], component: Mapping[str, Any]) -> str:
    if "dag" in component:
        return "group"
    executors = (spec.get("deploymentSpec") or {}).get("executors") or {}
    return "importer" if "importer" in executors[component["executorLabel"]] else "leaf"
