"""Runs of kfp 1: Argo's own pipelines, drawn by the workflow's nodes and its templates.

There is no IR: what a task is follows from its node, what it waits for from its template. Tasks
that nobody came to yet are drawn from the templates too; a template that calls itself is not.
"""

from __future__ import annotations

import functools
import json
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ....models import ArtifactRef, ArtifactStatus, State, TaskIO, TaskStatus, TaskType
from .records import Record, link_artifacts
from .spec import named_type
from .workflow import LOG, Node, Workflow

_ITEM = re.compile(r"([^(]+)\((\d+):.*\)", re.DOTALL)
_STEP_GROUP = re.compile(r"\[\d+\]\.?")
_OUTPUT = re.compile(
    r"\{\{-?=?\s*(?:tasks|steps)\.([^.{}]+)\.outputs\.(\w+)(?:\.([^{}]+?))?\s*\}\}"
)
_TASK_IN_TEXT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
#: A place that Argo chose, by the names of a workflow and of its pod: a step may choose another.
_POD_PLACE = re.compile(r"/([^/]+)/(?:[^/]+/)*\1-(?:[^/]+-)?\d{6,}/")
_GROUPS = ("DAG", "Steps")
_STEPS = ("Pod", "Suspend", "HTTP", "Plugin", "Container")
_TITLE = "pipelines.kubeflow.org/task_display_name"
_COMPONENT = "pipelines.kubeflow.org/component_spec"

#: How many tasks that nobody came to yet are drawn at most: templates that call others more than
#: once may make any number of them.
_MOST_EXPECTED = 3000
#: A group's path, the node that its members are inside of, its template and those around it.
_Group: TypeAlias = tuple[str, Node | None, str, frozenset[str]]


@dataclass(frozen=True)
class _Call:
    """A task of a DAG, or a step, by name: its template and what it waits for."""

    name: str
    template: str
    content: Mapping[str, Any]
    before: tuple[str, ...] = ()

    @property
    def loops(self) -> bool:
        return any(key in self.content for key in ("withItems", "withParam", "withSequence"))

    @functools.cached_property
    def after(self) -> dict[str, str]:
        """The tasks that it waits for, each with the parameters that travel."""
        found: dict[str, list[str]] = {name: [] for name in self.before}
        carrying = [self.content.get(key) for key in ("arguments", "withParam", "when")]
        text = json.dumps(carrying)
        for name, kind, key in _OUTPUT.findall(text):
            labels = found.setdefault(name, [])
            if kind != "artifacts" and key and key not in labels:
                labels.append(key)
        return {name: ", ".join(labels) for name, labels in found.items()}


def read_v1(workflow: Workflow) -> dict[str, Record]:
    """Records by scope path, parents before their children."""
    reader = _Reader(workflow)
    root = workflow.nodes.get(workflow.name)
    entry = str(workflow.spec.get("entrypoint") or "")
    entry = root.template if root and root.template else entry
    template = workflow.templates.get(entry) or {}
    body = workflow.body(root) if root is not None else None
    begun = body is not None and body.type in ("Retry", *_STEPS)
    if (begun and not _is_group(body, template)) or "container" in template:
        reader.read_only(root, entry)  # a workflow of one step
    else:
        reader.read_inside("", body, entry, frozenset())
    reader.read_exit()
    reader.read_deeper()
    link_artifacts(reader.records.values())
    return reader.records


class _Reader:
    def __init__(self, workflow: Workflow) -> None:
        self._workflow = workflow
        self._inside: dict[str, list[Node]] = {}
        for node in workflow.nodes.values():
            self._inside.setdefault(str(node.content.get("boundaryID") or ""), []).append(node)
        #: Groups that are known, and not yet read. A pipeline that calls itself goes deeper than
        #: Python may call.
        self._deeper: deque[_Group] = deque()
        self._called: dict[str, Mapping[str, _Call]] = {}
        self._expected = 0  # tasks that nobody came to yet
        self.records: dict[str, Record] = {}

    def read_deeper(self) -> None:
        """The groups in what was read, and those in them."""
        while self._deeper:
            self.read_inside(*self._deeper.popleft())

    def read_inside(
        self, path: str, node: Node | None, template: str, above: frozenset[str]
    ) -> None:
        """The tasks of a DAG or of steps, begun or not; `above` are the templates around it."""
        calls = self._calls(template)
        if node is None:
            if self._expected >= _MOST_EXPECTED:
                return
            self._expected += len(calls)
        begun = self._members(node) if node is not None else {}
        prefix = f"{path}/" if path else ""
        for name in [*calls, *(name for name in begun if name not in calls)]:
            call = calls.get(name) or _Call(name, "", {})
            self._read_task(path, call, begun.get(name, {}), above | {template})
            self.records[prefix + name].after = {
                prefix + other: label for other, label in call.after.items() if other != name
            }

    def _calls(self, template: str) -> Mapping[str, _Call]:
        """The tasks of a template by name."""
        if template not in self._called:
            found = _calls(self._workflow.templates.get(template) or {})
            self._called[template] = {call.name: call for call in found}
        return self._called[template]

    def read_only(self, node: Node | None, template: str) -> None:
        """The workflow's one step, which has the workflow's own name in Argo."""
        nodes: dict[int | None, Node] = {} if node is None else {None: node}
        self._read_task("", _Call(template, template, {}), nodes, frozenset())

    def read_exit(self) -> None:
        """The workflow's exit handler, which is beside its first DAG."""
        node = self._workflow.nodes.get(f"{self._workflow.name}.onExit")
        template = str(self._workflow.spec.get("onExit") or "")
        if node is not None or template:
            name = (node.template if node is not None else "") or template
            if name in self.records:
                name = "onExit"
            nodes: dict[int | None, Node] = {} if node is None else {None: node}
            self._read_task("", _Call(name, template, {}), nodes, frozenset())

    def _members(self, group: Node) -> dict[str, dict[int | None, Node]]:
        """The nodes of a group's tasks by name, and by index those that a loop made."""
        members: dict[str, dict[int | None, Node]] = {}
        nodes = self._workflow.nodes
        for node in self._inside.get(group.id, ()):
            name = _STEP_GROUP.sub("", node.name[len(group.name) :], count=1).removeprefix(".")
            item = _ITEM.fullmatch(name)
            retried = nodes.get(node.name.rpartition("(")[0]) if name.endswith(")") else None
            if not name or node.type == "StepGroup" or (retried and retried.type == "Retry"):
                continue  # a try is told with the step that it is of
            if item:
                members.setdefault(item[1], {})[int(item[2])] = node
            else:
                members.setdefault(name, {})[None] = node
        return members

    def _read_task(
        self,
        path: str,
        call: _Call,
        nodes: Mapping[int | None, Node],
        above: frozenset[str],
    ) -> None:
        task_id = f"{path}/{call.name}" if path else call.name
        items = {index: node for index, node in nodes.items() if index is not None}
        whole = nodes.get(None)
        if not (items or call.loops or (whole is not None and whole.type == "TaskGroup")):
            self._read_one(task_id, path, call, whole, None, above)
            return
        self.records[task_id] = record = self._record(task_id, path, call, whole, TaskType.LOOP)
        if whole is None and items:
            _set_begun(record, call, items.values())
        for index, node in sorted(items.items()):
            self._read_one(f"{task_id}[{index}]", task_id, call, node, index, above)

    def _read_one(
        self,
        task_id: str,
        parent: str,
        call: _Call,
        node: Node | None,
        index: int | None,
        above: frozenset[str],
    ) -> None:
        name = (node.template if node is not None else "") or call.template
        template = self._workflow.templates.get(name) or {}
        body = self._workflow.body(node) if node is not None else None
        group = _is_group(body, template)
        kind = TaskType.RUNTIME
        if group:
            kind = named_type(call.name) if index is None else TaskType.LOOP_ITERATION
        self.records[task_id] = record = self._record(task_id, parent, call, node, kind, index)
        if not group:
            self._fill(record, node, template)
        elif body is not None and body.type in _GROUPS:
            record.status.error = record.status.error or body.error
            self._deeper.append((task_id, body, name, above))
        elif node is None and name not in above:
            self._deeper.append((task_id, None, name, above))

    def _record(
        self,
        task_id: str,
        parent: str,
        call: _Call,
        node: Node | None,
        kind: TaskType,
        index: int | None = None,
    ) -> Record:
        return Record(
            task_id=task_id,
            uid=node.id if node is not None else "",
            name=call.name,
            display_name=call.name if index is None else f"Iteration {index}",
            type=kind,
            parent=parent or None,
            iteration=index,
            status=node.status() if node is not None else TaskStatus(state=State.PENDING),
        )

    # --- a step ---------------------------------------------------------------------------------

    def _fill(self, record: Record, node: Node | None, template: Mapping[str, Any]) -> None:
        annotations = (template.get("metadata") or {}).get("annotations") or {}
        if record.iteration is None:
            record.display_name = annotations.get(_TITLE) or record.name
        record.component = _component_name(annotations)
        record.container = template.get("container") or template.get("script") or {}
        if node is None:
            return
        attempts, record.pods = self._workflow.attempts(node)
        record.status.attempts = attempts
        if attempts and record.status.state is not State.SUCCEEDED:
            record.status.error = attempts[-1].error or record.status.error
            if attempts[-1].state is State.CANCELED and record.status.state is State.FAILED:
                record.status.state = State.CANCELED
        record.io = functools.partial(self._io, node)
        for one in self._references(_made(node)):
            record.artifacts[f"{record.task_id}:{one.name}"] = ArtifactStatus(
                uri=one.uri, created_at=record.status.finished_at
            )
        if record.status.state is State.SUCCEEDED and self._was_cached(node):
            record.status.state = State.CACHED

    def _io(self, node: Node) -> tuple[TaskIO, TaskIO]:
        """Inputs and outputs; an artifact's place stands for its id."""
        given, made = node.artifacts("inputs"), _made(node)
        return (
            TaskIO(parameters=node.parameters("inputs"), artifacts=list(self._references(given))),
            TaskIO(parameters=node.parameters("outputs"), artifacts=list(self._references(made))),
        )

    def _references(self, artifacts: Iterable[Mapping[str, Any]]) -> Iterator[ArtifactRef]:
        for one in artifacts:
            uri = self._workflow.uri(one)
            if one.get("name") and uri:
                yield ArtifactRef(name=str(one["name"]), id=uri, uri=uri)

    def _was_cached(self, node: Node) -> bool:
        """Whether its outputs lie where another workflow's do: that is all that the cache shows."""
        places = [self._workflow.uri(one) for one in node.artifacts("outputs")]
        names = {self._workflow.name, node.id, node.pod or node.id}
        if any(names & set(one.split("/")) for one in places):
            return False
        return any(_POD_PLACE.search(one) for one in places)


def _set_begun(record: Record, call: _Call, items: Collection[Node]) -> None:
    """A loop's state by its items: among steps it has no node of its own, as in a DAG."""
    # Not every item has a node yet where only some may run at a time.
    record.members = max(len(items), len(call.content.get("withItems") or ()))
    waits = all(one.state is State.PENDING for one in items)
    begun = min((one.started for one in items if one.started), default=None)
    record.status.state = State.PENDING if waits else State.RUNNING
    record.status.created_at = begun
    record.status.started_at = None if waits else begun


def _is_group(body: Node | None, template: Mapping[str, Any]) -> bool:
    """By its node, or by its template where that does not tell, as a Retry without a try."""
    if body is not None and body.type in (*_GROUPS, *_STEPS):
        return body.type in _GROUPS
    return "dag" in template or "steps" in template


def _made(node: Node) -> list[Mapping[str, Any]]:
    return [one for one in node.artifacts("outputs") if one.get("name") != LOG]


def _calls(template: Mapping[str, Any]) -> Iterator[_Call]:
    """The tasks of a DAG's template, or the steps of its groups, each after the group before."""
    for task in (template.get("dag") or {}).get("tasks") or []:
        depends = _TASK_IN_TEXT.findall(re.sub(r"\.\w+", "", str(task.get("depends") or "")))
        before = dict.fromkeys([*(task.get("dependencies") or []), *depends])
        yield _Call(task["name"], str(task.get("template") or ""), task, tuple(before))
    earlier: tuple[str, ...] = ()
    for group in template.get("steps") or []:
        for step in group:
            yield _Call(step["name"], str(step.get("template") or ""), step, earlier)
        earlier = tuple(step["name"] for step in group)


def _component_name(annotations: Mapping[str, str]) -> str:
    """The name in a component's specification; empty where there is none to read."""
    try:
        content = json.loads(annotations.get(_COMPONENT) or "{}")
    except ValueError:
        return ""
    return str(content.get("name") or "") if isinstance(content, dict) else ""
