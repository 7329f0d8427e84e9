"""The graph of a run is the same whichever source tells of it, and one may fail without harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend
from jupyterlab_pipelines.backends.kubeflow import graph as graph_module
from jupyterlab_pipelines.errors import BadUpstream
from jupyterlab_pipelines.models import RunGraph, State, TaskType
from jupyterlab_pipelines.pipeline_text import read_pipeline
from tests.async_tests import in_loop
from tests.kubeflow import Answer, Request, serving
from tests.kubeflow.http import DENIED, Refusal
from tests.kubeflow.steps import Outcome, everything, unfold

from .everything import compiled
from .graphs import HAVING, TELLING, Endpoint, endpoint_with, engine_topology

EXAMPLES = Path(__file__).parents[3] / "examples" / "pipelines"
EXIT = "exit-handler-1"
UNEVEN = {f"{EXIT}/for-loop-2": Outcome(iterations=3)} | {
    f"{EXIT}/for-loop-2[{index}]/for-loop-4": Outcome(iterations=index) for index in range(3)
}

#: Two steps, the second of which reads what the first has made.
SPEC: dict[str, Any] = {
    "pipelineInfo": {"name": "p"},
    "schemaVersion": "2.1.0",
    "deploymentSpec": {"executors": {"exec": {"container": {"image": "a"}}}},
    "components": {
        "comp-train": {
            "executorLabel": "exec",
            "outputDefinitions": {
                "artifacts": {"model": {"artifactType": {"schemaTitle": "system.Model"}}},
                "parameters": {"loss": {"parameterType": "NUMBER_DOUBLE"}},
            },
        },
        "comp-use": {"executorLabel": "exec"},
    },
    "root": {
        "dag": {
            "tasks": {
                "train": {"componentRef": {"name": "comp-train"}},
                "use": {
                    "componentRef": {"name": "comp-use"},
                    "dependentTasks": ["train"],
                    "inputs": {
                        "artifacts": {
                            "model": {
                                "taskOutputArtifact": {
                                    "producerTask": "train", "outputArtifactKey": "model",
                                }
                            }
                        }
                    },
                },
            }
        }
    },
}  # fmt: skip


def specs() -> list[Any]:
    """The pipeline with everything, and the examples."""
    examples = [
        pytest.param(read_pipeline(path.read_text()), {}, id=path.stem)
        for path in sorted(EXAMPLES.glob("*.yaml"))
    ]
    return [pytest.param(compiled(), UNEVEN, id="everything"), *examples]


def shape(graph: RunGraph) -> tuple[list[str], list[str], list[tuple[str, str, str, str]]]:
    """Ids and edges, in an order that says nothing."""
    topology = graph.topology
    return (
        sorted(f"{node.id} {node.type.value} in {node.parent}" for node in topology.tasks),
        sorted(f"{node.id} {node.type} of {node.producer}" for node in topology.artifacts),
        sorted((edge.source, edge.target, edge.kind, edge.label) for edge in topology.edges),
    )


@pytest.mark.parametrize("having", TELLING)
@pytest.mark.parametrize(("spec", "outcomes"), specs())
@in_loop
async def test_each_source_draws_what_the_engine_draws(
    spec: dict[str, Any], outcomes: dict[str, Outcome], having: str
) -> None:
    endpoint = endpoint_with(having)
    run = endpoint.add(spec, outcomes)
    graph = await endpoint.graph(run)
    drawn = graph.model_copy(update={"topology": engine_topology(spec, outcomes)})
    assert shape(graph) == shape(drawn)
    steps = {step.path for step in everything(unfold(spec, outcomes))}
    done = {task_id for task_id, status in graph.tasks.items() if status.started_at}
    assert done == steps
    assert {graph.tasks[one].state for one in steps} == {State.SUCCEEDED}
    assert graph.run.progress is not None
    assert graph.run.progress.done == graph.run.progress.total


@in_loop
async def test_the_workflow_may_be_compressed() -> None:
    endpoint = Endpoint()
    endpoint.without = HAVING["the workflow"]
    run = endpoint.add(compiled(), UNEVEN, compressed=True)
    assert run.workflow is not None
    assert "nodes" not in run.workflow["status"]
    graph = await endpoint.graph(run)
    assert (
        shape(graph)[0]
        == shape(graph.model_copy(update={"topology": engine_topology(compiled(), UNEVEN)}))[0]
    )


@in_loop
async def test_a_lost_pipeline_is_drawn_by_its_records() -> None:
    """The version was deleted: neither source needs the IR to be useful."""
    for having in TELLING:
        endpoint = endpoint_with(having)
        run = endpoint.add(compiled())
        whole = await endpoint.graph(run)
        run.spec = None
        graph = await endpoint.graph(run)
        kinds = {node.id: node.type for node in graph.topology.tasks}
        known = {node.id: node.type for node in whole.topology.tasks}
        assert kinds == known, having
        if having != "the workflow":
            made = {node.id for node in graph.topology.artifacts}
            assert f"{EXIT}/split:rest" in made
            edge = (f"{EXIT}/split:rest", f"{EXIT}/inner/train", "input", "rest")
            assert edge in shape(whole)[2]


@pytest.mark.parametrize("lost", ["deleted", "forbidden"])
@pytest.mark.parametrize("having", [*TELLING])
@in_loop
async def test_a_run_whose_pipelines_version_cannot_be_read_is_shown(
    having: str, lost: str
) -> None:
    endpoint = endpoint_with(having)
    cluster = endpoint.cluster
    version = cluster.add_version(cluster.add_pipeline("p").id, "v1", SPEC)
    run = endpoint.add(SPEC)
    run.pipeline_id, run.version_id = version.pipeline_id, version.id

    async def refuses(request: Request) -> Answer | None:
        if f"/versions/{version.id}" in request.path:
            raise Refusal(DENIED, "no")
        return None

    if lost == "deleted":
        del cluster.versions[version.id]
    else:
        cluster.routers.insert(0, refuses)
    async with serving(cluster) as url:
        backend = KubeflowBackend(url)
        graph = await backend.get_graph(run.id)
        assert {one.id: graph.tasks[one.id].state for one in graph.topology.tasks} == {
            "train": State.SUCCEEDED, "use": State.SUCCEEDED,
        }  # fmt: skip
        assert "was deleted, or you may not read it" in graph.notes[-1]
        assert (await backend.get_graph(run.id)).revision == graph.revision
        await backend.close()


@in_loop
async def test_a_component_inside_itself_is_drawn_once() -> None:
    spec = {
        **SPEC,
        "components": {
            "comp-again": {
                "dag": {
                    "tasks": {
                        "flip": {"componentRef": {"name": "comp-flip"}},
                        "again": {"componentRef": {"name": "comp-again"}},
                    }
                }
            },
            "comp-flip": {"executorLabel": "exec"},
        },
        "root": {"dag": {"tasks": {"again": {"componentRef": {"name": "comp-again"}}}}},
    }
    endpoint = Endpoint()
    run = endpoint.cluster.add_run("c", "SUCCEEDED", spec=spec)
    graph = await endpoint.graph(run)
    assert {one.id for one in graph.topology.tasks} == {"again", "again/flip", "again/again"}


@pytest.mark.parametrize(("loss", "shown"), [(float("nan"), "NaN"), (float("-inf"), "-Infinity")])
@pytest.mark.parametrize("having", ["both", "ML Metadata"])
@in_loop
async def test_a_number_that_json_does_not_have_is_shown(
    having: str, loss: float, shown: str
) -> None:
    endpoint = endpoint_with(having)
    run = endpoint.add(SPEC, {"train": Outcome(parameters={"loss": loss})})
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        assert (await backend.get_task(run.id, "train")).outputs.parameters == {"loss": shown}
        await backend.close()


def unread(*_: Any) -> Any:
    raise RecursionError


@pytest.mark.parametrize("source", ["read_metadata", "read_workflow"])
@in_loop
async def test_a_source_that_cannot_be_read_takes_nothing_from_the_other(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr(graph_module, source, unread)
    endpoint = endpoint_with("both")
    graph = await endpoint.graph(endpoint.add(SPEC))
    assert [graph.tasks[one].state for one in ("train", "use")] == [State.SUCCEEDED] * 2
    assert "cannot be read (RecursionError)" in graph.notes[0]
    for alone in ("ML Metadata", "the workflow"):
        monkeypatch.setattr(graph_module, "read_metadata", unread)
        monkeypatch.setattr(graph_module, "read_workflow", unread)
        endpoint = endpoint_with(alone)
        with pytest.raises(BadUpstream):
            await endpoint.graph(endpoint.add(SPEC))


# --- how it went --------------------------------------------------------------------------------

FAILED = {
    f"{EXIT}/importer": Outcome(),
    f"{EXIT}/for-loop-2": Outcome(iterations=2),
    f"{EXIT}/for-loop-2[1]/train": Outcome(
        "FAILED", "OOMKilled (exit code 137)", failures=("Error (exit code 1)",)
    ),
    f"{EXIT}/for-loop-2[0]/condition-5": Outcome("SKIPPED"),
    f"{EXIT}/inner/judge": Outcome("FAILED", "Pod was active on the node longer than the deadline"),
}


@pytest.mark.parametrize("having", TELLING)
@in_loop
async def test_states_are_those_of_the_run(having: str) -> None:
    endpoint = endpoint_with(having)
    graph = await endpoint.graph(endpoint.add(compiled(), FAILED, "FAILED"))
    assert graph.notes == [] or having in ("ML Metadata", "the workflow")
    states = {
        task_id.removeprefix(f"{EXIT}/"): status.state for task_id, status in graph.tasks.items()
    }
    assert states["for-loop-2[0]"] is State.SUCCEEDED
    assert states["for-loop-2[0]/condition-5"] is State.SKIPPED
    assert states["for-loop-2[0]/condition-5/judge"] is State.SKIPPED
    assert states["for-loop-2[1]/train"] is State.FAILED
    assert states["for-loop-2[1]"] is states["for-loop-2"] is State.FAILED
    assert states["inner"] is states[EXIT] is State.FAILED
    assert states["merge"] is State.SKIPPED
    assert states["tell"] is State.SUCCEEDED


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome("FAILED", "OOMKilled (exit code 137)"), "OOMKilled"),
        (Outcome("PENDING", 'ImagePullBackOff: Back-off pulling image "nope"'), "ImagePullBackOff"),
        (Outcome("PENDING", "Unschedulable: 0/3 nodes are available"), "Unschedulable"),
        (Outcome("FAILED", "Pod was active on the node longer than the deadline"), "deadline"),
        (Outcome("FAILED", "The node was low on resource: memory."), "low on resource"),
        (Outcome("FAILED", "failed to resolve inputs: no parameter 'x'", driver=True), "resolve"),
    ],
    ids=lambda value: getattr(value, "message", value)[:16],
)
@in_loop
async def test_what_kubernetes_said_reaches_the_task(outcome: Outcome, said: str) -> None:
    for without in (HAVING["both"], HAVING["the workflow"]):
        endpoint = Endpoint()
        endpoint.without = without
        over = outcome.state == "FAILED"
        run = endpoint.add(compiled(), {f"{EXIT}/split": outcome}, "FAILED" if over else "RUNNING")
        status = (await endpoint.graph(run)).tasks[f"{EXIT}/split"]
        assert status.state is State(outcome.state)
        assert said in (status.error or "")


@in_loop
async def test_attempts_come_with_their_pods_messages_and_exit_codes() -> None:
    endpoint = Endpoint()
    run = endpoint.add(compiled(), FAILED, "FAILED")
    attempts = (await endpoint.graph(run)).tasks[f"{EXIT}/for-loop-2[1]/train"].attempts
    assert [one.number for one in attempts] == [1, 2]
    assert [one.error for one in attempts] == ["Error (exit code 1)", "OOMKilled (exit code 137)"]
    assert {one.exit_code for one in attempts} == {1}


@pytest.mark.parametrize(
    "message",
    [
        "No more retries left",
        "Max duration limit exceeded",
        "Backoff would exceed max duration limit",
        "retryStrategy.expression evaluated to false",
    ],
)
@in_loop
async def test_why_it_is_not_tried_again_hides_not_what_it_died_of(message: str) -> None:
    for having in ("both", "the workflow"):
        endpoint = endpoint_with(having)
        run = endpoint.add(compiled(), FAILED, "FAILED")
        assert run.workflow is not None
        for node in run.workflow["status"]["nodes"].values():
            if node["type"] == "Retry":
                node["message"] = message
        status = (await endpoint.graph(run)).tasks[f"{EXIT}/for-loop-2[1]/train"]
        assert status.error == "OOMKilled (exit code 137)", having


@in_loop
async def test_a_stopped_run_leaves_nothing_running() -> None:
    for having in TELLING:
        endpoint = endpoint_with(having)
        stopped = {f"{EXIT}/split": Outcome("CANCELED")}
        graph = await endpoint.graph(endpoint.add(compiled(), stopped, "CANCELED"))
        assert graph.tasks[f"{EXIT}/split"].state is State.CANCELED, having
        assert graph.tasks[EXIT].state is State.CANCELED, having
        assert all(status.state.final for status in graph.tasks.values()), having


@pytest.mark.parametrize(
    "message", ["Step exceeded its deadline", "retry exceeded workflow deadline"]
)
@in_loop
async def test_a_workflow_that_may_not_take_any_time_was_stopped(message: str) -> None:
    """Kubeflow stops a run so: Argo then speaks of a deadline."""
    outcomes = {f"{EXIT}/split": Outcome("FAILED", message, failures=("OOMKilled",))}
    for having in ("both", "the workflow"):
        endpoint = endpoint_with(having)
        run = endpoint.add(compiled(), outcomes, "CANCELED")
        assert run.workflow is not None
        for seconds, state in ((60, State.FAILED), (0, State.CANCELED)):
            run.workflow["spec"]["activeDeadlineSeconds"] = seconds
            tasks = (await endpoint.graph(run)).tasks
            assert tasks[f"{EXIT}/split"].state is tasks[EXIT].state is state, having
        assert tasks[f"{EXIT}/split"].error is None


@in_loop
async def test_a_step_that_runs_is_told_apart_from_one_whose_pod_waits() -> None:
    for having in TELLING:
        endpoint = endpoint_with(having)
        active = {
            f"{EXIT}/split": Outcome("RUNNING"),
            f"{EXIT}/inner": Outcome("ABSENT"),
        }
        graph = await endpoint.graph(endpoint.add(compiled(), active, "RUNNING"))
        assert graph.tasks[f"{EXIT}/split"].state is State.RUNNING, having
        assert graph.tasks[EXIT].state is State.RUNNING, having
        assert graph.tasks[f"{EXIT}/merge"].state is State.PENDING, having
        assert graph.tasks[f"{EXIT}/importer"].state is State.SUCCEEDED, having
    kinds = {node.id: node.type for node in graph.topology.tasks}
    assert kinds[f"{EXIT}/importer"] is TaskType.IMPORTER


@in_loop
async def test_the_task_api_needs_no_other_source() -> None:
    endpoint = endpoint_with("the task API")
    endpoint.without = set()
    notes = {"notes": {"accuracy": 0.9, "loss": 0.1}}
    judge = f"{EXIT}/inner/judge"
    run = endpoint.add(compiled(), {judge: Outcome(metadata=notes)})
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        graph = await backend.get_graph(run.id)
        detail = await backend.get_task(run.id, judge)
        await backend.close()
    assert set(endpoint.cluster.asked) == {f"GET /apis/v2beta1/runs/{run.id}"}
    # Kubeflow stores each metric as an artifact of its own; they are one as they are declared.
    assert graph.artifacts[f"{judge}:notes"].metadata == notes["notes"]
    (made,) = detail.outputs.artifacts
    assert (made.id, made.type, made.metadata) == (
        f"{judge}:notes",
        "system.Metrics",
        notes["notes"],
    )
    assert [one.number for one in detail.status.attempts] == [1]
