"""A run of kfp 1: templates as its compiler writes them, and the nodes that Argo makes of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .argo import PHASES, Nodes
from .steps import LEFT, Outcome


def container(
    name: str,
    *,
    outputs: tuple[str, ...] = (),
    parameters: tuple[str, ...] = (),
    inputs: tuple[str, ...] = (),
    title: str = "",
    retries: int = 0,
) -> dict[str, Any]:
    """A template of a Python function; `inputs` and `outputs` are artifacts."""
    specification = {"name": name.capitalize(), "implementation": {"container": {}}}
    annotations = {"pipelines.kubeflow.org/component_spec": json.dumps(specification)}
    if title:
        annotations["pipelines.kubeflow.org/task_display_name"] = title
    function = f"def {name}():\n    return 1\n"
    install = "(python3 -m pip install --quiet 'pandas==1.3' || python3 -m pip install "
    install += '--quiet \'pandas==1.3\' --user) && "$0" "$@"'
    script = 'program_path=$(mktemp)\nprintf "%s" "$0" > "$program_path"\n'
    made: dict[str, Any] = {
        "name": name,
        "container": {
            "image": "python:3.7",
            "command": ["sh", "-c", install, "sh", "-ec", script, function],
            "args": ["----output-paths", "/tmp/outputs/Output/data"],
        },
        "inputs": {"artifacts": [{"name": one, "path": f"/tmp/{one}"} for one in inputs]},
        "outputs": {
            "parameters": [{"name": one} for one in parameters],
            "artifacts": [{"name": one, "path": f"/tmp/{one}"} for one in outputs],
        },
        "metadata": {"annotations": annotations},
    }
    if retries:
        made["retryStrategy"] = {"limit": retries}
    return made


def dag(name: str, *tasks: dict[str, Any]) -> dict[str, Any]:
    """A template of tasks."""
    return {"name": name, "dag": {"tasks": list(tasks)}}


def task(name: str, *before: str, **more: Any) -> dict[str, Any]:
    """A task of a DAG, whose template has its name unless another is given."""
    waits = {"dependencies": list(before)} if before else {}
    return {"name": name, "template": name, **waits, **more}


def passing(*parameters: str, artifacts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Arguments: outputs of other tasks as `task.output`."""
    return {
        "parameters": [_argument("value", "parameters", one) for one in parameters],
        "artifacts": [_argument("from", "artifacts", one) for one in artifacts],
    }


def _argument(key: str, kind: str, one: str) -> dict[str, str]:
    source, _, name = one.partition(".")
    return {"name": name, key: f"{{{{tasks.{source}.outputs.{kind}.{name}}}}}"}


def run_workflow(
    name: str,
    templates: list[dict[str, Any]],
    outcomes: Mapping[str, Outcome],
    on_exit: str = "",
    phase: str = "Succeeded",
) -> dict[str, Any]:
    """The workflow after a run: the first template is its entry, outcomes are by scope path."""
    controller = _Controller(name, {one["name"]: one for one in templates}, outcomes)
    controller.nodes.add("", "DAG", templates[0]["name"], phase)
    controller.run_dag("", templates[0], "")
    if on_exit:
        controller.run_pod("onExit", on_exit, "", on_exit, "")
    spec = {"entrypoint": templates[0]["name"], "templates": templates}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": name,
            "annotations": {"pipelines.kubeflow.org/kfp_sdk_version": "1.8.22"},
        },
        "spec": {**spec, "onExit": on_exit} if on_exit else spec,
        "status": {"phase": phase, "nodes": controller.nodes.made},
    }


class _Controller:
    def __init__(
        self,
        workflow: str,
        templates: Mapping[str, dict[str, Any]],
        outcomes: Mapping[str, Outcome],
    ) -> None:
        self.nodes = Nodes(workflow)
        self._templates = templates
        self._outcomes = outcomes
        self._keys: dict[str, str] = {}  # of artifacts in the bucket, by `<boundary> <name>`

    def run_dag(self, name: str, template: dict[str, Any], path: str) -> str:
        """Runs the tasks in order; the phase of the whole."""
        states: dict[str, str] = {}
        for one in template["dag"]["tasks"]:
            if any(states.get(other, "SKIPPED") in LEFT for other in one.get("dependencies", ())):
                # Argo omits what follows a failure, and goes on after what was skipped.
                lost = any(states.get(other) == "FAILED" for other in one["dependencies"])
                if lost:
                    self._node(f"{name}.{one['name']}".lstrip("."), "Skipped", "", "Omitted", name)
                    states[one["name"]] = "FAILED"
                    continue
            states[one["name"]] = self._run_task(name, one, f"{path}/{one['name']}".lstrip("/"))
        if "FAILED" in states.values():
            return "FAILED"
        return "RUNNING" if "RUNNING" in states.values() else "SUCCEEDED"

    def _run_task(self, boundary: str, one: dict[str, Any], path: str) -> str:
        outcome = self._outcomes.get(path, Outcome())
        name = f"{boundary}.{one['name']}".lstrip(".")
        if outcome.state == "ABSENT":
            return "RUNNING"
        if outcome.state == "SKIPPED":
            message = "when 'heads == tails' evaluated false"
            self._node(name, "Skipped", "", "Skipped", boundary, message)
            return "SKIPPED"
        if "withItems" in one or "withParam" in one:
            items = one.get("withItems") or range(outcome.iterations)
            self._node(name, "TaskGroup", one["template"], "Succeeded", boundary)
            found = {
                self._run(f"{name}({index}:{item})", one["template"], f"{path}[{index}]", boundary)
                for index, item in enumerate(items)
            }
            return "FAILED" if "FAILED" in found else "SUCCEEDED"
        return self._run(name, one["template"], path, boundary)

    def _run(self, name: str, template: str, path: str, boundary: str) -> str:
        if "dag" not in self._templates[template]:
            return self.run_pod(name, template, path, template, boundary)
        node = self._node(name, "DAG", template, "Running", boundary)
        state = self.run_dag(name, self._templates[template], path)
        node["phase"] = PHASES[state]
        if state == "FAILED":
            node["message"] = f"child '{node['id']}' failed"
        return state

    def run_pod(self, name: str, template: str, path: str, prefix: str, boundary: str) -> str:
        """A pod, or a Retry node above a pod for each try."""
        outcome = self._outcomes.get(path or "onExit", Outcome())
        phase = PHASES[outcome.state]
        if "retryStrategy" in self._templates[template]:
            whole = self._node(name, "Retry", template, phase, boundary)
            tries = [*(("Failed", one) for one in outcome.failures), (phase, outcome.message)]
            for number, (state, message) in enumerate(tries):
                last = self._pod(f"{name}({number})", template, state, message, boundary, outcome)
                whole.setdefault("children", []).append(last["id"])
            # The node has what its last try has.
            whole |= {"inputs": last["inputs"], "outputs": last["outputs"]}
        else:
            self._pod(name, template, phase, outcome.message, boundary, outcome)
        return outcome.state

    def _pod(
        self, name: str, template: str, phase: str, message: str, boundary: str, outcome: Outcome
    ) -> dict[str, Any]:
        declared = self._templates[template]
        workflow = self.nodes.workflow
        node = self._node(name, "Pod", template, phase, boundary, message)
        taken = "earlier-7sm94" if outcome.state == "CACHED" else workflow
        place = f"artifacts/{taken}/{node['id'].replace(workflow, taken)}"
        outputs: dict[str, Any] = {"exitCode": "0" if phase == "Succeeded" else "1"}
        names = [one["name"] for one in declared["outputs"]["artifacts"]]
        if phase == "Succeeded":
            outputs["parameters"] = [
                {**one, "value": outcome.parameters.get(one["name"], "1")}
                for one in declared["outputs"]["parameters"]
            ]
            self._keys |= {one: f"{place}/{one}.tgz" for one in names}
        outputs["artifacts"] = [
            _stored(one, f"{place}/{one}.tgz") for one in names if phase == "Succeeded"
        ]
        if phase in ("Succeeded", "Failed"):
            outputs["artifacts"].append(_stored("main-logs", f"{place}/main.log"))
        node["outputs"] = outputs
        node["inputs"] = {
            "artifacts": [
                _stored(one["name"], self._keys[one["name"]])
                for one in declared["inputs"]["artifacts"]
            ]
        }
        return node

    def _node(
        self, name: str, kind: str, template: str, phase: str, boundary: str, message: str = ""
    ) -> dict[str, Any]:
        node = self.nodes.add(name, kind, template, phase, message, boundary)
        if name != "onExit":  # which lies in no DAG
            above = f"{self.nodes.workflow}.{boundary}" if boundary else self.nodes.workflow
            node["boundaryID"] = self.nodes.id_of(above)
        return node


def _stored(name: str, key: str) -> dict[str, Any]:
    """An artifact in the bucket that kfp 1 brings along."""
    s3 = {"endpoint": "minio-service.kubeflow:9000", "bucket": "mlpipeline", "key": key}
    return {"name": name, "s3": s3}
