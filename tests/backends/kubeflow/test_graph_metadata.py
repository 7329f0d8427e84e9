"""ML Metadata over gRPC-web: the protocol, and what its records become."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend, mlmd
from jupyterlab_pipelines.backends.kubeflow.endpoint import Endpoint as Remote
from jupyterlab_pipelines.backends.kubeflow.mlmd import MetadataStore
from jupyterlab_pipelines.backends.kubeflow.mlmd import metadata_store_pb2 as pb
from jupyterlab_pipelines.backends.kubeflow.mlmd.grpc_web import call, frame
from jupyterlab_pipelines.errors import (
    BadUpstream,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    Unreachable,
    UnsupportedFeature,
    UpstreamError,
)
from jupyterlab_pipelines.models import State, TaskRef
from tests.async_tests import in_loop
from tests.kubeflow import serving
from tests.kubeflow.steps import Outcome

from .everything import compiled
from .graphs import HAVING, Endpoint

EXIT = "exit-handler-1"
MESSAGE = frame(pb.GetExecutionsByIDResponse(executions=[pb.Execution(id=7)]).SerializeToString())
GOOD = frame(b"grpc-status:0\r\ngrpc-message:\r\n", 0x80)
BINARY = {"Content-Type": "application/grpc-web+proto"}
TEXT = {"Content-Type": "application/grpc-web-text+proto"}


# --- the declarations ---------------------------------------------------------------------------

_TYPES = {
    FieldDescriptor.TYPE_INT64: "int64", FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_STRING: "string", FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_DOUBLE: "double",
}  # fmt: skip


def test_the_module_is_generated_from_the_declarations() -> None:
    """Each message, field, number and enum value of the one is in the other."""
    text = (Path(mlmd.__file__).parent / "metadata_store.proto").read_text()
    text = re.sub(r"//.*", "", text)
    declared = set()
    inside: list[str] = []
    for part in re.findall(r"[^;{}]+[;{]|\}", text):
        words = part.split()
        if part.endswith("{"):
            if words[0] != "oneof":
                declared.add(".".join([*filter(None, inside), words[1].rstrip("{")]))
            inside.append("" if words[0] == "oneof" else words[1].rstrip("{"))
        elif part == "}":
            inside.pop()
        elif inside:
            field = re.sub(r"\[.*", "", part.rstrip(";")).split("=")
            names = field[0].replace(", ", ",").split()
            kind = " ".join(one for one in names[:-1] if one != "optional")
            kind = re.sub(r".*\.", "", kind)
            declared.add(f"{'.'.join(filter(None, inside))} {kind} {names[-1]} {int(field[1])}")
    generated: set[str] = set()
    for one in pb.DESCRIPTOR.message_types_by_name.values():
        generated |= _described(one, one.name)
    assert declared == generated


def _described(message: Descriptor, path: str) -> set[str]:
    found = {path}
    for field in message.fields:
        other = field.message_type or field.enum_type
        kind = other.name if other else _TYPES[field.type]
        if field.message_type and field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name
            kind = f"map<string,{entry['value'].message_type.name}>"
        elif field.is_repeated:
            kind = f"repeated {kind}"
        found.add(f"{path} {kind} {field.name} {field.number}")
    for kind in message.enum_types:
        found.add(f"{path}.{kind.name}")
        found |= {f"{path}.{kind.name}  {one.name} {one.number}" for one in kind.values}
    for inner in message.nested_types:
        if not inner.GetOptions().map_entry:
            found |= _described(inner, f"{path}.{inner.name}")
    return found


# --- the protocol -------------------------------------------------------------------------------


async def answered(answer: httpx.Response) -> pb.GetExecutionsByIDResponse:
    """What becomes of an answer."""
    remote = Remote("https://kfp", transport=httpx.MockTransport(lambda request: answer))
    request = pb.GetExecutionsByIDRequest(execution_ids=[7])
    return await call(remote, "/a.B/C", request, pb.GetExecutionsByIDResponse)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (BINARY, MESSAGE + GOOD),
        (TEXT, base64.b64encode(MESSAGE + GOOD)),
        (TEXT, base64.b64encode(MESSAGE) + base64.b64encode(GOOD)),
        (TEXT, base64.b64encode(MESSAGE[:2]) + base64.b64encode(MESSAGE[2:] + GOOD)),
        ({**BINARY, "grpc-status": "0"}, MESSAGE),
    ],
)
@in_loop
async def test_a_message_comes_in_binary_and_in_text(headers: dict[str, str], body: bytes) -> None:
    found = await answered(httpx.Response(200, headers=headers, content=body))
    assert [one.id for one in found.executions] == [7]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(200, headers={**BINARY, "grpc-status": "12"}), UnsupportedFeature),
        (httpx.Response(200, headers={**BINARY, "grpc-status": "16"}), SignInNeeded),
        (httpx.Response(200, headers=BINARY, content=frame(b"grpc-status: 7", 0x80)), Forbidden),
        (httpx.Response(200, headers=BINARY, content=frame(b"grpc-status: 14", 0x80)), Unreachable),
        (httpx.Response(200, headers={**BINARY, "grpc-status": "99"}), UpstreamError),
        (httpx.Response(200, headers=BINARY, content=MESSAGE), BadUpstream),
        (httpx.Response(200, headers=BINARY, content=(MESSAGE + GOOD)[:-3]), BadUpstream),
        (httpx.Response(200, headers=BINARY, content=MESSAGE[:3]), BadUpstream),
        (httpx.Response(200, headers=BINARY, content=frame(b"\xff", 0) + GOOD), BadUpstream),
        (httpx.Response(200, headers=BINARY, content=frame(b"", 1) + GOOD), BadUpstream),
        (httpx.Response(200, headers=TEXT, content=b"?!"), BadUpstream),
        (httpx.Response(200, headers=TEXT, content=b"=A=="), BadUpstream),
        (httpx.Response(200, headers=BINARY, content=GOOD), BadUpstream),
        (httpx.Response(200, json={}), BadUpstream),
        (httpx.Response(200, html="<form>"), SignInNeeded),
        (httpx.Response(404, text="404 page not found"), NotFound),
    ],
)  # fmt: skip
@in_loop
async def test_everything_else_is_an_error_of_ours(
    answer: httpx.Response, error: type[PipelinesError]
) -> None:
    with pytest.raises(error) as caught:
        await answered(answer)
    assert type(caught.value) is error


@in_loop
async def test_the_reason_is_read_and_made_harmless() -> None:
    body = frame(b"grpc-status: 7\r\ngrpc-message: no%20access%0Ato%20%1B[1m", 0x80)
    with pytest.raises(Forbidden, match=re.escape("https://kfp answered: no accessto [1m")):
        await answered(httpx.Response(200, headers=BINARY, content=body))


# --- what the records say -----------------------------------------------------------------------

TRAINED = f"{EXIT}/inner/train"
TOLD = {
    TRAINED: Outcome(
        inputs={"part": 1},
        parameters={"Output": 1.0},
        metadata={"model": {"framework": "sklearn", "layers": [1, 2], "how": {"lr": 0.1}}},
    ),
    f"{EXIT}/split": Outcome(inputs={"parts": 2}, parameters={"Output": [0, 1]}),
}


@pytest.mark.parametrize("prepare", [dict, lambda: {"text": True}, lambda: {"named": False}])
@in_loop
async def test_inputs_outputs_and_artifacts_are_told(prepare: Callable[[], Any]) -> None:
    endpoint = Endpoint()
    for name, value in prepare().items():
        setattr(endpoint.metadata, name, value)
    run = endpoint.add(compiled(), TOLD)
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        graph = await backend.get_graph(run.id)
        detail = await backend.get_task(run.id, TRAINED)
        cut = await backend.get_task(run.id, f"{EXIT}/split")
        await backend.close()
    assert detail.inputs.parameters == {"part": 1}
    assert repr(detail.outputs.parameters) == "{'Output': 1.0}"  # a float, as it is declared
    assert repr(cut.outputs.parameters) == "{'Output': [0, 1]}"
    (given,) = detail.inputs.artifacts
    assert given.name == "rest"
    (made,) = detail.outputs.artifacts
    assert (made.id, made.type, made.producer) == (f"{TRAINED}:model", "system.Model", TRAINED)
    assert made.metadata == {"framework": "sklearn", "layers": [1, 2], "how": {"lr": 0.1}}
    assert made.uri.startswith("minio://mlpipeline/")
    assert graph.artifacts[made.id].uri == made.uri
    assert graph.artifacts[made.id].created_at is not None
    assert {"executor-logs"}.isdisjoint(one.name for one in graph.topology.artifacts)
    (table,) = cut.inputs.artifacts
    assert table.id == f"{EXIT}/importer:artifact"


@pytest.mark.parametrize("origin", [TRAINED, f"{EXIT}/for-loop-2[1]/train"])
@in_loop
async def test_a_cached_step_links_to_its_source_at_any_depth(origin: str) -> None:
    endpoint = Endpoint()
    source = endpoint.add(compiled())
    taken = Outcome("CACHED", cached_from=endpoint.executions[source.id][origin])
    step = f"{EXIT}/for-loop-2[0]/train"
    cached = endpoint.add(compiled(), {step: taken})
    graph = await endpoint.graph(cached)
    assert graph.tasks[step].state is State.CACHED
    assert graph.tasks[step].cached_from == TaskRef(run_id=source.id, task_id=origin)
    assert graph.artifacts[f"{step}:model"].uri.startswith("minio://mlpipeline/")

    del endpoint.cluster.runs[source.id]  # the link leads nowhere then, and the graph stays
    assert (await endpoint.graph(cached)).tasks[step].cached_from is None


# --- how much is asked --------------------------------------------------------------------------


@in_loop
async def test_only_what_changed_is_read_again() -> None:
    endpoint = Endpoint()
    many = {f"{EXIT}/for-loop-2": Outcome(iterations=40)}
    run = endpoint.add(compiled(), many, "RUNNING")
    metadata = endpoint.metadata
    async with serving(endpoint.cluster) as url:
        remote = Remote(url)
        store = MetadataStore(remote)
        first = await store.read(run.id)
        assert first is not None
        assert len(first.executions) == len(metadata.executions) > 350
        metadata.asked.clear()
        assert await store.read(run.id) is first
        assert metadata.asked == ["GetExecutionsByContext"]
        metadata.update(metadata.executions[9], "FAILED")
        metadata.asked.clear()
        second = await store.read(run.id)
        assert second is not None
        assert second.executions[9].last_known_state == pb.Execution.FAILED
        assert set(metadata.asked) <= {
            "GetExecutionsByContext", "GetEventsByExecutionIDs", "GetArtifactsByID"
        }  # fmt: skip
        assert len(metadata.asked) <= 3
        for one in list(metadata.executions.values())[-250:]:  # more than a page of them
            metadata.update(one, "COMPLETE")
        third = await store.read(run.id)
        assert third is not None
        assert third.executions == metadata.executions
        assert third.revision == second.revision + 1
        await remote.close()


@in_loop
async def test_a_run_without_records_has_none_yet() -> None:
    endpoint = Endpoint()
    endpoint.without = HAVING["ML Metadata"]
    run = endpoint.add(compiled())
    endpoint.metadata.contexts.clear()
    graph = await endpoint.graph(run)
    assert len(graph.topology.tasks) > 10
