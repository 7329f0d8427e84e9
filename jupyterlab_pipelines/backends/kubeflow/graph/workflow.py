"""The Argo workflow that a run became: its nodes, as `workflow_manifest` of v1beta1 holds them."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

from ....models import Attempt, State, TaskStatus
from ..messages import moment
from .records import Pod

#: The most that a workflow's packed nodes may be unpacked, in bytes.
MOST = 256 << 20
#: What Argo calls the log of a step's own container where it keeps it.
LOG = "main-logs"
_POD_NAMES = "workflows.argoproj.io/pod-name-format"
_PHASES = {
    "Pending": State.PENDING,
    "Running": State.RUNNING,
    "Succeeded": State.SUCCEEDED,
    "Skipped": State.SKIPPED,
    "Omitted": State.SKIPPED,
    "Failed": State.FAILED,
    "Error": State.FAILED,
}
#: What Argo says of nodes that the user's stop ended.
_STOPPED = re.compile(r"workflow shutdown with strategy|^terminated$|^Stopped with strategy", re.I)
#: And of those whose workflow has no time left, which is how Kubeflow stops it.
_OVERDUE = re.compile(
    r"exceeded its deadline|^retry exceeded workflow deadline|^Deadline exceeded$"
)
#: What it says of a group: whom of its members to blame, by an id that nobody else sees.
_BLAME = re.compile(r"^child '[^']*' (failed|errored)|^No more retries left$|^retry exceeded")


class Node:
    """A node of a workflow's tree. `name` is its path: `<workflow>.<task>.<task>`.

    What is asked of most nodes is read once: a large run has tens of thousands.
    """

    __slots__ = ("content", "id", "message", "name", "pod", "state", "template", "type")

    def __init__(self, content: Mapping[str, Any], stopped: bool = False) -> None:
        self.content = content
        self.id = str(content.get("id") or "")
        self.name = str(content.get("name") or "")
        #: Pod, DAG, Steps, StepGroup, TaskGroup, Retry, Skipped, Suspend …
        self.type = str(content.get("type") or "")
        self.template = str(content.get("templateName") or "")
        self.message = str(content.get("message") or "")
        self.state = _PHASES.get(content.get("phase") or "", State.PENDING)
        if self.state is State.FAILED and _STOPPED.search(self.message):
            self.state = State.CANCELED  # by the user's stop
        elif stopped and self.state is State.FAILED and _OVERDUE.search(self.message):
            self.state, self.message = State.CANCELED, ""  # nobody set it a deadline
        #: The name of its pod, which its workflow gives it.
        self.pod = ""

    @property
    def error(self) -> str | None:
        """Why it failed, or why it does not begin; null where its members say it better."""
        if not self.message or self.state in (State.SUCCEEDED, State.SKIPPED):
            return None
        return None if _BLAME.search(self.message) else self.message

    @property
    def started(self) -> datetime | None:
        """When Argo came to it, or where it is a pod, when it made it."""
        return moment(self.content.get("startedAt"))

    @property
    def finished(self) -> datetime | None:
        """When it ended; null where it has not."""
        return moment(self.content.get("finishedAt")) if self.state.final else None

    def status(self, state: State | None = None, error: str | None = None) -> TaskStatus:
        """Its state, or another one where more is known, and its times."""
        state = state or self.state
        created = self.started
        return TaskStatus(
            state=state,
            created_at=created,
            started_at=None if state in (State.PENDING, State.SKIPPED) else created,
            finished_at=self.finished if state.final else None,
            error=error or self.error,
        )

    def parameters(self, side: str) -> dict[str, Any]:
        """The values of `inputs` or `outputs`."""
        found = (self.content.get(side) or {}).get("parameters") or []
        return {one["name"]: one.get("value") for one in found}

    def artifacts(self, side: str) -> list[Mapping[str, Any]]:
        """Argo's artifacts of `inputs` or `outputs`, with their places."""
        found = self.content.get(side)
        return list(found.get("artifacts") or ()) if found else []

    @property
    def logs(self) -> list[Mapping[str, Any]]:
        """The log of a pod, as an artifact, where it is kept."""
        return [one for one in self.artifacts("outputs") if one.get("name") == LOG]

    @property
    def exit_code(self) -> int | None:
        outputs = self.content.get("outputs")
        code = str(outputs.get("exitCode") or "") if outputs else ""
        return int(code) if code.lstrip("-").isdecimal() else None


class Workflow:
    """A workflow. Raises ValueError on what is none."""

    def __init__(self, manifest: str | Mapping[str, Any]) -> None:
        content = json.loads(manifest) if isinstance(manifest, str) else manifest
        if not isinstance(content, Mapping):
            raise ValueError("no workflow")
        self.content: Mapping[str, Any] = content
        metadata = content.get("metadata") or {}
        self.name = str(metadata.get("name") or "")
        self.annotations: Mapping[str, str] = metadata.get("annotations") or {}
        self.spec: Mapping[str, Any] = content.get("spec") or {}
        self.status: Mapping[str, Any] = content.get("status") or {}

    @property
    def message(self) -> str | None:
        """What Argo says of the whole; null where one of its nodes says it better."""
        message = str(self.status.get("message") or "")
        return None if not message or _BLAME.search(message) else message

    @property
    def offloaded(self) -> bool:
        """Whether Argo keeps the nodes in a database of its own, where nobody else sees them."""
        return bool(self.status.get("offloadNodeStatusVersion")) and not self.nodes

    @property
    def is_v2(self) -> bool:
        """Whether it was made of IR, by Kubeflow's own compiler."""
        labels = (self.spec.get("podMetadata") or {}).get("labels") or {}
        return "pipelines.kubeflow.org/v2_component" in labels or any(
            name.startswith("system-") for name in self.templates
        )

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes by their names."""
        found = self.status.get("nodes") or {}
        if not found and self.status.get("compressedNodes"):
            found = json.loads(_unpacked(self.status["compressedNodes"]))
        stopped = self.spec.get("activeDeadlineSeconds") == 0
        nodes = [Node(one, stopped) for one in found.values()]
        for node in nodes:
            if node.type == "Pod":
                node.pod = self._pod(node)
        return {node.name: node for node in nodes}

    @cached_property
    def templates(self) -> dict[str, Mapping[str, Any]]:
        """The templates by their names."""
        listed = [*(self.status.get("storedTemplates") or {}).values()]
        listed += self.spec.get("templates") or []
        return {one["name"]: one for one in listed if one.get("name")}

    @cached_property
    def _repository(self) -> Mapping[str, Any]:
        """Where artifacts lie that do not say it themselves."""
        reference = self.status.get("artifactRepositoryRef") or {}
        return reference.get("artifactRepository") or {}

    @cached_property
    def _has_old_names(self) -> bool:
        """Whether pods are named as their nodes are."""
        return self.content.get("apiVersion") == "v1" or self.annotations.get(_POD_NAMES) == "v1"

    def _pod(self, node: Node) -> str:
        """The name of a node's pod, which Argo makes of the workflow, the template and a hash."""
        # Controllers from before the annotation kept logs below the names that they gave.
        old = any(f"/{node.id}/" in str(one) for one in node.logs) or self._has_old_names
        if old or node.name == self.name:
            return node.id
        prefix = self.name
        if ".inline" not in node.name:
            prefix = f"{prefix}-{node.template}"
        # The longest name that Kubernetes takes, without the hash.
        return f"{prefix[:242]}-{node.id.rpartition('-')[2]}"

    # --- attempts ------------------------------------------------------------------------------

    def attempts(self, node: Node) -> tuple[list[Attempt], list[Pod]]:
        """The tries of a step: the pods below a Retry node, or the one pod that it is."""
        pods = [node] if node.type == "Pod" else []
        if node.type == "Retry":
            pods = [one for one in self._tries(node) if one.type == "Pod"]
        attempts, places = [], []
        for number, pod in enumerate(pods, 1):
            state = pod.state
            attempts.append(
                Attempt(
                    number=number,
                    state=state,
                    started_at=None if state is State.PENDING else pod.started,
                    finished_at=pod.finished,
                    exit_code=pod.exit_code,
                    error=pod.error,
                )
            )
            places.append(Pod(number, pod.pod, pod.id, self.log_uri(pod)))
        return attempts, places

    def _tries(self, node: Node) -> list[Node]:
        tries: list[Node] = []
        while f"{node.name}({len(tries)})" in self.nodes:
            tries.append(self.nodes[f"{node.name}({len(tries)})"])
        return tries

    def body(self, node: Node) -> Node:
        """The node that a group's members are inside: the last try of one that is tried again."""
        tries = self._tries(node) if node.type == "Retry" else []
        return tries[-1] if tries else node

    def log_uri(self, node: Node) -> str:
        """Where a pod's log is kept; empty where it is not, or not yet."""
        logs = node.logs
        return self.uri(logs[0]) if logs else ""

    def uri(self, artifact: Mapping[str, Any]) -> str:
        """An artifact's place as a URI; what it leaves out is its repository's."""
        s3 = artifact.get("s3")
        if s3 and s3.get("key"):
            usual = self._repository.get("s3") or {}
            endpoint = s3.get("endpoint", usual.get("endpoint"))
            scheme = "s3" if "amazonaws" in str(endpoint or "") else "minio"
            return f"{scheme}://{s3.get('bucket', usual.get('bucket', ''))}/{s3['key']}"
        gcs = artifact.get("gcs")
        if gcs and gcs.get("key"):
            usual = self._repository.get("gcs") or {}
            return f"gs://{gcs.get('bucket', usual.get('bucket', ''))}/{gcs['key']}"
        return str((artifact.get("http") or {}).get("url") or "")


def _unpacked(text: str) -> bytes:
    """Nodes that Argo stored gzipped, in base64. Raises ValueError."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        content = unzip.decompress(base64.b64decode(text), MOST)
    except zlib.error as error:
        raise ValueError("compressed nodes that cannot be unpacked") from error
    if unzip.unconsumed_tail or not unzip.eof:
        raise ValueError("compressed nodes that are too large or cut off")
    return content
