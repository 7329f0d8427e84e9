"""ML Metadata in memory, over gRPC-web, and a run's records as drivers and launchers write them.

Written from `backend/src/v2/metadata/client.go` and `backend/src/v2/driver`.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from jupyterlab_pipelines.backends.kubeflow.mlmd import metadata_store_pb2 as pb

from .http import Answer, Request
from .steps import Step

SERVICE = "/ml_metadata.MetadataStoreService/"
_STATES = {
    "SUCCEEDED": "COMPLETE", "CACHED": "CACHED", "FAILED": "FAILED", "SKIPPED": "CANCELED",
    "RUNNING": "RUNNING", "PENDING": "RUNNING", "CANCELED": "RUNNING",
}  # fmt: skip
_EPOCH = 1785578400000  # 2026-08-01 10:00 UTC, in milliseconds


class Metadata:
    """The store: contexts, executions, events and artifacts. Its `router` answers for it."""

    def __init__(self) -> None:
        self.contexts: dict[int, pb.Context] = {}
        self.executions: dict[int, pb.Execution] = {}
        self.artifacts: dict[int, pb.Artifact] = {}
        self.events: list[pb.Event] = []
        self.associations: dict[int, set[int]] = {}  # executions by context
        self.types: dict[str, int] = {}
        #: Whether types are named in each record, which releases before 1.0 do not.
        self.named = True
        #: Answers in base64, as `application/grpc-web-text`.
        self.text = False
        #: (gRPC status, message) of everything that is asked, where it is to fail.
        self.failing: tuple[int, str] | None = None
        self.asked: list[str] = []
        self._now = _EPOCH

    # --- writing -------------------------------------------------------------------------------

    def tick(self) -> int:
        """A second later, in milliseconds."""
        self._now += 1000
        return self._now

    def put_context(self, kind: str, name: str) -> int:
        """The id of a context, made where there is none."""
        for one in self.contexts.values():
            if (one.type, one.name) == (kind, name):
                return one.id
        made = pb.Context(id=len(self.contexts) + 1, name=name, type=kind, type_id=len(kind))
        if kind == "system.PipelineRun":
            made.custom_properties["pipeline_root"].string_value = "minio://mlpipeline/v2"
        self.contexts[made.id] = made
        return made.id

    def put_execution(
        self, kind: str, state: str, contexts: Sequence[int], name: str = "", **properties: Any
    ) -> pb.Execution:
        """A new execution; a property that is None is left out."""
        now = self.tick()
        made = pb.Execution(
            id=len(self.executions) + 1,
            type=kind if self.named else None,
            name=name or None,
            last_known_state=pb.Execution.State.Value(state),
            create_time_since_epoch=now,
            last_update_time_since_epoch=now,
        )
        self.executions[made.id] = made
        for context in contexts:
            self.associations.setdefault(context, set()).add(made.id)
        self.update(made, **properties)
        return made

    def update(self, execution: pb.Execution, state: str = "", **properties: Any) -> None:
        """Changes an execution as `PutExecution` does."""
        for key, value in properties.items():
            if value is not None:
                execution.custom_properties[key].CopyFrom(_value(value))
        if state:
            execution.last_known_state = pb.Execution.State.Value(state)
        execution.last_update_time_since_epoch = self.tick()

    def put_artifact(self, kind: str, uri: str, **properties: Any) -> int:
        """The id of a new artifact."""
        type_id = self.types.setdefault(kind, len(self.types) + 10)
        made = pb.Artifact(
            id=len(self.artifacts) + 1,
            type_id=type_id,
            type=kind if self.named else None,
            uri=uri,
            create_time_since_epoch=self.tick(),
        )
        for key, value in properties.items():
            made.custom_properties[key].CopyFrom(_value(value))
        self.artifacts[made.id] = made
        return made.id

    def put_event(self, execution: int, artifact: int, kind: str, key: str) -> None:
        """Links an artifact to an execution, by the name that it has there."""
        event = pb.Event(artifact_id=artifact, execution_id=execution)
        event.type = pb.Event.Type.Value(kind)
        event.path.steps.add(key=key)
        self.events.append(event)

    # --- a run ---------------------------------------------------------------------------------

    def record(self, run_id: str, pipeline: str, steps: Sequence[Step]) -> dict[str, int]:
        """Writes what a run's drivers and launchers did; the executions by scope path."""
        contexts = [
            self.put_context("system.Pipeline", pipeline),
            self.put_context("system.PipelineRun", run_id),
        ]
        root = self.put_execution("system.DAGExecution", "RUNNING", contexts, f"run/{run_id}")
        writer = _Writer(self, pipeline, run_id, contexts)
        writer.write(steps, root.id)
        return writer.executions

    # --- answering -----------------------------------------------------------------------------

    async def router(self, request: Request) -> Answer | None:
        """The store's methods by gRPC-web; null on every other path."""
        if not request.path.startswith(SERVICE):
            return None
        method = request.path.removeprefix(SERVICE)
        self.asked.append(method)
        if request.method != "POST" or "grpc-web" not in request.headers["content-type"]:
            return Answer(415)
        if self.failing is not None:
            status, message = self.failing
            return Answer(
                200, b"", {**_headers(), "grpc-status": str(status), "grpc-message": message}
            )
        flags, length = struct.unpack_from(">BI", request.body)
        assert (flags, length) == (0, len(request.body) - 5)
        asked = getattr(pb, f"{method}Request")()
        asked.ParseFromString(request.body[5:])
        answer: Message = getattr(self, method)(asked)
        trailers = b"grpc-status:0\r\ngrpc-message:\r\n"
        frames = [_frame(answer.SerializeToString()), _frame(trailers, 0x80)]
        if self.text:
            coded = b"".join(base64.b64encode(one) for one in frames)
            return Answer(200, coded, {"Content-Type": "application/grpc-web-text+proto"})
        return Answer(200, b"".join(frames), _headers())

    def GetContextByTypeAndName(  # noqa: N802 (the service's own name, as are those below)
        self, asked: pb.GetContextByTypeAndNameRequest
    ) -> pb.GetContextByTypeAndNameResponse:
        for one in self.contexts.values():
            if (one.type, one.name) == (asked.type_name, asked.context_name):
                return pb.GetContextByTypeAndNameResponse(context=one)
        return pb.GetContextByTypeAndNameResponse()  # no error: that is how it says so

    def GetExecutionsByContext(  # noqa: N802
        self, asked: pb.GetExecutionsByContextRequest
    ) -> pb.GetExecutionsByContextResponse:
        members = self.associations.get(asked.context_id, set())
        found = [self.executions[one] for one in sorted(members)]
        if not asked.HasField("options"):
            return pb.GetExecutionsByContextResponse(executions=found)
        options = asked.options
        order = options.order_by_field
        if order.field == order.LAST_UPDATE_TIME:
            found.sort(key=lambda one: one.last_update_time_since_epoch)
        if not order.is_asc:
            found.reverse()
        size = min(options.max_result_size, 100)
        start = int(options.next_page_token or 0)
        more = str(start + size) if start + size < len(found) else ""
        return pb.GetExecutionsByContextResponse(
            executions=found[start : start + size], next_page_token=more
        )

    def GetExecutionsByID(  # noqa: N802
        self, asked: pb.GetExecutionsByIDRequest
    ) -> pb.GetExecutionsByIDResponse:
        found = [self.executions[one] for one in asked.execution_ids if one in self.executions]
        return pb.GetExecutionsByIDResponse(executions=found)

    def GetEventsByExecutionIDs(  # noqa: N802
        self, asked: pb.GetEventsByExecutionIDsRequest
    ) -> pb.GetEventsByExecutionIDsResponse:
        wanted = set(asked.execution_ids)
        found = [event for event in self.events if event.execution_id in wanted]
        return pb.GetEventsByExecutionIDsResponse(events=found)

    def GetArtifactsByID(  # noqa: N802
        self, asked: pb.GetArtifactsByIDRequest
    ) -> pb.GetArtifactsByIDResponse:
        found = [self.artifacts[one] for one in asked.artifact_ids if one in self.artifacts]
        return pb.GetArtifactsByIDResponse(artifacts=found)

    def GetArtifactTypes(  # noqa: N802
        self, asked: pb.GetArtifactTypesRequest
    ) -> pb.GetArtifactTypesResponse:
        found = [pb.ArtifactType(id=number, name=name) for name, number in self.types.items()]
        return pb.GetArtifactTypesResponse(artifact_types=found)


class _Writer:
    def __init__(
        self, store: Metadata, pipeline: str, run_id: str, contexts: Sequence[int]
    ) -> None:
        self._store = store
        self._place = f"minio://mlpipeline/v2/artifacts/{pipeline}/{run_id}"
        self._contexts = contexts
        self.executions: dict[str, int] = {}
        self._made: dict[str, dict[str, int]] = {}  # artifacts by path and key

    def write(self, steps: Sequence[Step], dag: int) -> None:
        for step in steps:
            if step.outcome.driver:
                continue  # which is what writes an execution down
            execution = self._execution(step, dag)
            self.executions[step.path] = execution.id
            self.write(step.inside, execution.id)
            if step.kind in ("leaf", "importer"):
                self._publish(step, execution)
            elif step.state in ("SUCCEEDED", "FAILED"):
                self._store.update(execution, _STATES[step.state])

    def _execution(self, step: Step, dag: int) -> pb.Execution:
        kinds = {"leaf": "system.ContainerExecution", "importer": "system.ImporterExecution"}
        group = step.kind not in kinds
        skipped = step.state == "SKIPPED"
        importer = step.kind == "importer"
        execution = self._store.put_execution(
            kinds.get(step.kind, "system.DAGExecution"),
            "CANCELED" if skipped else "RUNNING",
            self._contexts,
            # An importer is recorded by the name that the user reads.
            task_name=step.title if importer else step.name,
            display_name="" if importer else step.title,
            parent_dag_id=dag,
            iteration_index=step.iteration,
            iteration_count=len(step.inside) if step.kind == "loop" else None,
            total_dag_tasks=len(step.component["dag"]["tasks"]) if group else None,
            pod_name=None if group else "",
            inputs=dict(step.outcome.inputs),
        )
        for key, artifact in self._inputs(step).items():
            self._store.put_event(execution.id, artifact, "INPUT", key)
        return execution

    def _inputs(self, step: Step) -> dict[str, int]:
        keys = (step.task.get("inputs") or {}).get("artifacts") or {}
        found = {key: self._source(step, key) for key in keys}
        return {key: artifact for key, artifact in found.items() if artifact is not None}

    def _source(self, step: Step, key: str) -> int | None:
        """The artifact that reaches an input from another task, through any depth of groups."""
        if step.iteration is not None and step.parent is not None:
            step = step.parent  # an iteration takes what its loop was given
        one = step.task["inputs"]["artifacts"].get(key) or {}
        above = step.parent
        if "taskOutputArtifact" in one:
            source = one["taskOutputArtifact"]
            path = f"{above.path}/" if above else ""
            made = self._made.get(path + source["producerTask"], {})
            return made.get(source["outputArtifactKey"])
        name = one.get("componentInputArtifact")
        return self._source(above, name) if above and name else None

    def _publish(self, step: Step, execution: pb.Execution) -> None:
        """What the launcher writes, or the driver in its place where there is no launcher."""
        store, outcome, state = self._store, step.outcome, step.state
        if state == "CACHED":
            store.update(execution, cached_execution_id=str(outcome.cached_from))
        elif state not in ("SKIPPED", "PENDING"):
            store.update(execution, pod_name=f"pod-of-{step.path.replace('/', '-')}")
        if step.kind == "leaf" and state != "SKIPPED":
            store.update(execution, cache_fingerprint=f"fingerprint of {step.path}")
        if state in ("SUCCEEDED", "CACHED"):
            self._made[step.path] = {}
            for key, kind in step.outputs.items():
                artifact = self._artifact(step, key, kind)
                self._made[step.path][key] = artifact
                store.put_event(execution.id, artifact, "OUTPUT", key)
        if state in ("SUCCEEDED", "FAILED") and step.kind == "leaf":
            uri = f"{self._place}/{step.name}/executor-logs"
            log = store.put_artifact("system.Artifact", uri, display_name="executor-logs")
            store.put_event(execution.id, log, "OUTPUT", "executor-logs")
        outputs = dict(outcome.parameters) or None
        store.update(execution, _STATES[state], outputs=outputs)

    def _artifact(self, step: Step, key: str, kind: str) -> int:
        if step.outcome.cached_from:
            for event in self._store.events:
                if (event.execution_id, event.path.steps[0].key) == (step.outcome.cached_from, key):
                    return event.artifact_id
        session = json.dumps({"Provider": "minio", "Params": {"fromEnv": "true"}})
        given = {"display_name": key, "store_session_info": session}
        uri = f"{self._place}/{step.name}/{step.iteration or 0}/{key}"
        said = {
            name: {"struct": value} if isinstance(value, dict) else value
            for name, value in step.outcome.metadata.get(key, {}).items()
        }
        return self._store.put_artifact(kind, uri, **given | said)


def _value(value: Any) -> pb.Value:
    """A property's value, as the converter writes it."""
    if isinstance(value, bool | int):
        return pb.Value(int_value=int(value))
    if isinstance(value, float):
        return pb.Value(double_value=value)
    if isinstance(value, str):
        return pb.Value(string_value=value)
    content = Struct()
    content.update({"list": value} if isinstance(value, list) else value)
    return pb.Value(struct_value=content)


def _frame(content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(content)) + content


def _headers() -> Mapping[str, str]:
    return {"Content-Type": "application/grpc-web+proto"}
