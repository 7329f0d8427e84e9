"""Argo's workflow of a run, with the nodes that Kubeflow's compiler and Argo's controller make.

The tree is that of `backend/src/v2/compiler/argocompiler`: a driver beside each task, a DAG with
an `executor` for a container, `iteration-iterations` for a loop, `onExit` for exit tasks.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from .steps import Step

PHASES = {
    "SUCCEEDED": "Succeeded", "CACHED": "Succeeded", "FAILED": "Failed", "CANCELED": "Failed",
    "SKIPPED": "Skipped", "RUNNING": "Running", "PENDING": "Pending",
}  # fmt: skip
STOPPED = "workflow shutdown with strategy:  Terminate"
UNMET = "when 'false != false' evaluated false"
_START = datetime(2026, 8, 1, 10, 0, tzinfo=timezone.utc)


def fnv1a(text: str) -> int:
    """The hash in the ids of nodes: FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = ((value ^ byte) * 0x01000193) & 0xFFFFFFFF
    return value


class Nodes:
    """The status of a workflow as it is written, node by node."""

    def __init__(self, workflow: str) -> None:
        self.workflow = workflow
        self.made: dict[str, dict[str, Any]] = {}
        self._second = 0

    def id_of(self, whole: str) -> str:
        """The id of the node of a whole name."""
        return whole if whole == self.workflow else f"{self.workflow}-{fnv1a(whole)}"

    def add(
        self,
        name: str,
        kind: str,
        template: str,
        phase: str,
        message: str = "",
        above: str = "",
        **more: Any,
    ) -> dict[str, Any]:
        """A node by its name below the workflow's; `above` is the name of the one it hangs on."""
        whole = f"{self.workflow}.{name}" if name else self.workflow
        node_id = self.id_of(whole)
        self._second += 1
        begun = _START + timedelta(seconds=self._second)
        node: dict[str, Any] = {
            "id": node_id,
            "name": whole,
            "displayName": name.rpartition(".")[2] or self.workflow,
            "type": kind,
            "templateName": template,
            "phase": phase,
            "startedAt": begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
            **({"message": message} if message else {}),
            **more,
        }
        if phase not in ("Pending", "Running"):
            ended = begun + timedelta(seconds=30)
            node["finishedAt"] = ended.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.made[node_id] = node
        upper = f"{self.workflow}.{above}" if above else self.workflow
        parent = self.made.get(self.id_of(upper))
        if parent is not None and parent is not node:
            parent.setdefault("children", []).append(node_id)
        return node

    def pod(
        self, name: str, template: str, phase: str, message: str = "", above: str = "", **more: Any
    ) -> dict[str, Any]:
        """A pod's node; one that has ended has its log as an artifact."""
        node = self.add(name, "Pod", template, phase, message, above, **more)
        outputs = node.setdefault("outputs", {})
        if phase in ("Succeeded", "Failed", "Error"):
            pod = f"{self.workflow}-{template}-{node['id'].rpartition('-')[2]}"
            key = f"artifacts/{self.workflow}/2026/08/01/{pod}/main.log"
            outputs.setdefault("artifacts", []).append({"name": "main-logs", "s3": {"key": key}})
            outputs["exitCode"] = "0" if phase == "Succeeded" else "1"
        return node


def make_workflow(
    name: str, run_id: str, steps: Sequence[Step], *, compressed: bool = False
) -> dict[str, Any]:
    """The workflow of a run that was compiled from IR."""
    nodes = Nodes(name)
    states = {one.state for one in steps}
    phase = "Failed" if states & {"FAILED", "CANCELED"} else "Succeeded"
    phase = "Running" if states & {"RUNNING", "PENDING"} else phase
    nodes.add("", "DAG", "entrypoint", phase)
    _driver(nodes, "root-driver", "system-dag-driver", "", True)
    nodes.add("root", "DAG", "root", phase, above="root-driver")
    _dag(nodes, "root", steps)
    status: dict[str, Any] = {
        "phase": phase,
        "startedAt": "2026-08-01T10:00:00Z",
        "artifactRepositoryRef": {
            "artifactRepository": {
                "s3": {"bucket": "mlpipeline", "endpoint": "seaweedfs.kubeflow:9000"}
            }
        },
    }
    if compressed:
        packed = gzip.compress(json.dumps(nodes.made).encode())
        status["compressedNodes"] = base64.b64encode(packed).decode()
    else:
        status["nodes"] = nodes.made
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": name,
            "labels": {"pipeline/runid": run_id},
            "annotations": {"workflows.argoproj.io/pod-name-format": "v2"},
        },
        "spec": {
            "entrypoint": "entrypoint",
            "podMetadata": {"labels": {"pipelines.kubeflow.org/v2_component": "true"}},
            "templates": [],
        },
        "status": status,
    }


def _driver(nodes: Nodes, name: str, template: str, above: str, ran: bool, **outputs: Any) -> None:
    given = {"condition": "true", "execution-id": str(fnv1a(name) % 1000), **outputs}
    parameters = [{"name": key, "value": str(value)} for key, value in given.items()]
    nodes.pod(
        name,
        template,
        "Succeeded" if ran else "Failed",
        "" if ran else "no input",
        above,
        outputs={"parameters": parameters},
    )


def _dag(nodes: Nodes, prefix: str, steps: Sequence[Step]) -> None:
    """Tasks below a DAG's node; an exit task hangs on the hook of the task it waits for."""
    for step in steps:
        if step.is_exit:
            waited = step.task["dependentTasks"][-1]
            hook = f"{prefix}.{waited}.onExit"
            nodes.add(hook, "DAG", f"exit-hook-root-{step.name}", PHASES[step.state])
            _task(nodes, f"{hook}.{step.name}", step, hook)
        else:
            _task(nodes, f"{prefix}.{step.name}", step, prefix)


def _task(nodes: Nodes, name: str, step: Step, above: str) -> None:
    outcome, state = step.outcome, step.state
    if step.kind == "importer":
        nodes.pod(name, "system-importer", PHASES[state], outcome.message, above)
        return
    if step.kind == "loop":
        _loop(nodes, name, step, above)
        return
    leaf = step.kind == "leaf"
    kind = "system-container-driver" if leaf else "system-dag-driver"
    cached = str(state == "CACHED").lower()
    met = str(state != "SKIPPED").lower()
    outputs = {"cached-decision": cached} if leaf else {}
    if outcome.driver:
        nodes.pod(f"{name}-driver", kind, "Error", outcome.message, above)
        nodes.add(name, "Skipped", "", "Omitted", "omitted: depends condition not met", above)
        return
    _driver(nodes, f"{name}-driver", kind, above, True, condition=met, **outputs)
    template = "system-container-executor" if leaf else f"comp-{step.name}"
    if state == "SKIPPED":
        nodes.add(name, "Skipped", template, "Skipped", UNMET, f"{name}-driver")
        return
    phase = "Running" if state == "PENDING" else PHASES[state]
    blame = f"child '{nodes.workflow}-1' failed" if phase == "Failed" else ""
    nodes.add(name, "DAG", template, phase, blame, f"{name}-driver")
    if leaf:
        _executor(nodes, name, step)
    else:
        _dag(nodes, name, step.inside)


def _executor(nodes: Nodes, above: str, step: Step) -> None:
    """The pod of a container, or a Retry node with a pod for each try."""
    outcome, phase = step.outcome, PHASES[step.state]
    name, template = f"{above}.executor", "system-container-impl"
    if step.state == "CACHED":
        said = "when 'true != true' evaluated false"
        nodes.add(name, "Skipped", template, "Skipped", said, above)
        return
    message = STOPPED if step.state == "CANCELED" else outcome.message
    if not outcome.failures and not step.task.get("retryPolicy"):
        nodes.pod(name, template, phase, message, above)
        return
    template = f"retry-{template}"
    over = "No more retries left" if phase == "Failed" else ""
    nodes.add(name, "Retry", template, "Running" if phase == "Pending" else phase, over, above)
    for number, failure in enumerate(outcome.failures):
        nodes.pod(f"{name}({number})", template, "Failed", failure, name)
    nodes.pod(f"{name}({len(outcome.failures)})", template, phase, message, name)


def _loop(nodes: Nodes, name: str, step: Step, above: str) -> None:
    phase = PHASES[step.state]
    nodes.add(name, "DAG", f"comp-{step.name}-iterator", phase, above=above)
    count = len(step.inside)
    _driver(
        nodes,
        f"{name}.iteration-driver",
        "system-dag-driver",
        name,
        True,
        **{"iteration-count": count},
    )
    group = f"{name}.iteration-iterations"
    nodes.add(group, "TaskGroup", f"comp-{step.name}-iteration", phase, above=name)
    for one in step.inside:
        item = f"{group}({one.iteration}:{one.iteration})"
        nodes.add(item, "DAG", f"comp-{step.name}-iteration", PHASES[one.state], above=group)
        _task(nodes, f"{item}.iteration-item", one, item)


def described(workflow: Mapping[str, Any]) -> list[str]:
    """The names of a workflow's nodes below its own, for a test to look at."""
    name = workflow["metadata"]["name"]
    found = (one["name"].removeprefix(f"{name}.") for one in workflow["status"]["nodes"].values())
    return sorted(found)
