"""Runs of kfp 1: recursion, retries, conditions, loops, exit handlers, caches and artifacts."""

from __future__ import annotations

import time
from typing import Any

from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend
from jupyterlab_pipelines.backends.kubeflow.graph import Workflow
from jupyterlab_pipelines.backends.kubeflow.graph.argo_v1 import read_v1
from jupyterlab_pipelines.models import RunGraph, State, TaskDetail, TaskType
from tests.async_tests import in_loop
from tests.kubeflow import serving
from tests.kubeflow.argo import Nodes
from tests.kubeflow.argo_v1 import container, dag, passing, run_workflow, task
from tests.kubeflow.steps import Outcome

from .graphs import Endpoint

WHEN = '"{{inputs.parameters.flip-Output}}" == "tails"'
COIN = [
    dag("coin", task("exit-handler-1")),
    dag(
        "exit-handler-1",
        task("flip"),
        task("again", "flip", arguments=passing("flip.flip-Output")),
        task("train"),
        task(
            "use",
            "flip",
            "train",
            arguments=passing("flip.flip-Output", artifacts=("train.train-model",)),
        ),
        task("for-loop-5", withItems=["a.b", "c"]),
        task("for-loop-7", withParam="{{workflow.parameters.parts}}"),
    ),
    dag("again", task("condition-3", when=WHEN)),
    dag(
        "condition-3",
        task("flip-2", template="flip"),
        task("again", "flip-2", arguments=passing("flip-2.flip-Output")),
    ),
    dag("for-loop-5", task("condition-6")),
    dag("condition-6", task("train-2", template="train")),
    container("flip", parameters=("flip-Output",)),
    container(
        "train",
        outputs=("mlpipeline-metrics", "mlpipeline-ui-metadata", "train-model"),
        title="Train the model",
        retries=3,
    ),
    container("use", inputs=("train-model",)),
    container("for-loop-7"),
    container("goodbye"),
]
TOP = "exit-handler-1"
DEEP = f"{TOP}/again/condition-3/again/condition-3"
WENT = {
    f"{DEEP}/again/condition-3": Outcome("SKIPPED"),
    f"{TOP}/for-loop-5[1]/condition-6": Outcome("SKIPPED"),
    f"{TOP}/train": Outcome(failures=("OOMKilled (exit code 137)", "Error (exit code 1)")),
    f"{TOP}/flip": Outcome(parameters={"flip-Output": "tails"}),
}


async def read(
    went: dict[str, Outcome], state: str = "SUCCEEDED", **more: Any
) -> tuple[RunGraph, dict[str, TaskDetail]]:
    """The graph of a run, and every task of it in detail."""
    endpoint = Endpoint()
    workflow = run_workflow("coin-x7k2p", COIN, went, "goodbye", **more)
    # Kubeflow says of such a run's pipeline what it was submitted as: the workflow.
    spec = {key: workflow[key] for key in ("apiVersion", "kind", "metadata", "spec")}
    run = endpoint.cluster.add_run("coin", state, spec=spec, task_details=[], workflow=workflow)
    async with serving(endpoint.cluster) as url:
        backend = KubeflowBackend(url)
        graph = await backend.get_graph(run.id)
        details = {
            node.id: await backend.get_task(run.id, node.id) for node in graph.topology.tasks
        }
        await backend.close()
    return graph, details


@in_loop
async def test_recursion_conditions_and_loops_are_drawn_as_deep_as_they_went() -> None:
    graph, _ = await read(WENT)
    kinds = {node.id: node.type for node in graph.topology.tasks}
    assert kinds[TOP] is TaskType.EXIT_HANDLER
    assert kinds[f"{TOP}/again"] is TaskType.DAG
    assert kinds[DEEP] is TaskType.CONDITION
    assert kinds[f"{DEEP}/flip-2"] is TaskType.RUNTIME
    assert kinds[f"{TOP}/for-loop-5"] is TaskType.LOOP
    assert kinds[f"{TOP}/for-loop-5[0]"] is TaskType.LOOP_ITERATION
    assert kinds[f"{TOP}/for-loop-5[0]/condition-6/train-2"] is TaskType.RUNTIME
    assert kinds[f"{TOP}/for-loop-7[1]"] is TaskType.RUNTIME
    assert kinds["goodbye"] is TaskType.RUNTIME
    assert graph.tasks[f"{DEEP}/again/condition-3"].state is State.SKIPPED
    assert graph.tasks[f"{TOP}/for-loop-5[1]/condition-6"].state is State.SKIPPED
    assert graph.tasks[f"{DEEP}/flip-2"].state is State.SUCCEEDED
    assert not any(one.startswith(f"{DEEP}/again/condition-3/again/condition-3") for one in kinds)
    parents = {node.id: node.parent for node in graph.topology.tasks}
    assert all(parent is None or parent in parents for parent in parents.values())


@in_loop
async def test_what_travels_is_drawn() -> None:
    graph, details = await read(WENT)
    edges = {(one.source, one.target, one.kind, one.label) for one in graph.topology.edges}
    model = f"{TOP}/train:train-model"
    assert (f"{TOP}/train", model, "output", "train-model") in edges
    assert (model, f"{TOP}/use", "input", "train-model") in edges
    assert (f"{TOP}/flip", f"{TOP}/use", "dependency", "flip-Output") in edges
    assert (f"{TOP}/train", f"{TOP}/use", "dependency", "") not in edges  # the model shows it
    assert (f"{DEEP}/flip-2", f"{DEEP}/again", "dependency", "flip-Output") in edges
    assert details[f"{TOP}/flip"].outputs.parameters == {"flip-Output": "tails"}
    (given,) = details[f"{TOP}/use"].inputs.artifacts
    assert (given.id, given.producer) == (model, f"{TOP}/train")


@in_loop
async def test_a_step_has_its_attempts_its_artifacts_and_its_code() -> None:
    graph, details = await read(WENT)
    train = details[f"{TOP}/train"]
    assert [one.state for one in train.status.attempts] == [
        State.FAILED, State.FAILED, State.SUCCEEDED
    ]  # fmt: skip
    assert train.status.attempts[0].error == "OOMKilled (exit code 137)"
    assert train.status.state is State.SUCCEEDED
    assert train.node.display_name == "Train the model"
    assert train.node.component == "Train"
    assert train.source.startswith("def train():")
    assert (train.image, train.packages) == ("python:3.7", ["pandas==1.3"])
    names = {one.name for one in train.outputs.artifacts}
    assert names == {"mlpipeline-metrics", "mlpipeline-ui-metadata", "train-model"}
    assert "main-logs" not in {one.name for one in graph.topology.artifacts}
    uri = graph.artifacts[f"{TOP}/train:mlpipeline-ui-metadata"].uri
    assert uri.startswith("minio://mlpipeline/artifacts/coin-x7k2p/")


@in_loop
async def test_what_was_taken_from_the_cache_is_told() -> None:
    graph, _ = await read({**WENT, f"{TOP}/for-loop-5[0]/condition-6/train-2": Outcome("CACHED")})
    states = {task_id: status.state for task_id, status in graph.tasks.items()}
    assert states[f"{TOP}/for-loop-5[0]/condition-6/train-2"] is State.CACHED
    assert states[f"{TOP}/train"] is State.SUCCEEDED


@in_loop
async def test_a_failure_says_why_and_the_exit_handler_ran() -> None:
    went = {
        **WENT,
        f"{TOP}/train": Outcome("FAILED", "ImagePullBackOff: no such image", ("Error",) * 3),
    }
    graph, _ = await read(went, "FAILED", phase="Failed")
    assert graph.tasks[f"{TOP}/train"].error == "ImagePullBackOff: no such image"
    assert graph.tasks[f"{TOP}/use"].state is State.SKIPPED
    assert graph.tasks[TOP].state is State.FAILED
    assert graph.tasks[TOP].error is None  # which only names the failed one by an id
    assert graph.tasks["goodbye"].state is State.SUCCEEDED


@in_loop
async def test_what_nobody_came_to_yet_is_drawn_too() -> None:
    went = {f"{TOP}/flip": Outcome("RUNNING")}
    absent = {f"{TOP}/{name}": Outcome("ABSENT") for name in ("again", "use", "for-loop-5")}
    graph, details = await read({**went, **absent}, "RUNNING", phase="Running")
    assert graph.tasks[f"{TOP}/flip"].state is State.RUNNING
    assert graph.tasks[f"{TOP}/use"].state is State.PENDING
    kinds = {node.id: node.type for node in graph.topology.tasks}
    assert kinds[f"{TOP}/again/condition-3/flip-2"] is TaskType.RUNTIME
    assert kinds[f"{TOP}/again/condition-3/again"] is TaskType.DAG  # and it ends there
    assert f"{TOP}/again/condition-3/again/condition-3" not in kinds
    assert details[f"{TOP}/use"].image == "python:3.7"


@in_loop
async def test_a_workflow_may_be_one_step() -> None:
    endpoint = Endpoint()
    name = "hello-7sm94"
    node = {"id": name, "name": name, "type": "Pod", "templateName": "whalesay"}
    node |= {"phase": "Failed", "message": "OOMKilled (exit code 137)"}
    workflow = {
        "metadata": {"name": name},
        "spec": {"entrypoint": "whalesay", "templates": [container("whalesay")]},
        "status": {"phase": "Failed", "nodes": {name: node}},
    }
    run = endpoint.cluster.add_run("hello", "FAILED", task_details=[], workflow=workflow)
    graph = await endpoint.graph(run)
    assert [one.id for one in graph.topology.tasks] == ["whalesay"]
    assert graph.tasks["whalesay"].error == "OOMKilled (exit code 137)"


async def read_nodes(
    templates: list[dict[str, Any]], nodes: Nodes, state: str = "FAILED"
) -> RunGraph:
    """The graph of a workflow by its nodes; the first template is its entry."""
    phases = {"FAILED": "Failed", "RUNNING": "Running", "SUCCEEDED": "Succeeded"}
    workflow = {
        "metadata": {"name": nodes.workflow},
        "spec": {"entrypoint": templates[0]["name"], "templates": templates},
        "status": {"phase": phases[state], "nodes": nodes.made},
    }
    endpoint = Endpoint()
    return await endpoint.graph(
        endpoint.cluster.add_run("x", state, task_details=[], workflow=workflow)
    )


def add(
    nodes: Nodes,
    name: str,
    kind: str,
    template: str,
    phase: str,
    message: str = "",
    inside: str | None = None,
) -> dict[str, Any]:
    """A node by what its name adds to the workflow's, and the group that it is inside of."""
    whole = f"{nodes.workflow}{name}"
    node = nodes.add(name, kind, template, phase, message)
    node |= {"id": whole, "name": whole}
    if inside is not None:
        node["boundaryID"] = f"{nodes.workflow}{inside}"
    return node


@in_loop
async def test_a_group_that_is_tried_again_shows_its_last_try() -> None:
    nodes = Nodes("again-7sm94")
    add(nodes, "", "DAG", "main", "Failed", message="child 'again-7sm94-1' failed")
    add(nodes, ".train", "Retry", "sub", "Failed", message="No more retries left", inside="")
    for number, died in enumerate(("Error (exit code 1)", "OOMKilled (exit code 137)")):
        whole = f".train({number})"
        add(nodes, whole, "DAG", "sub", "Failed", message="child 'x' failed", inside="")
        add(nodes, f"{whole}.a", "Pod", "step", "Succeeded", inside=whole)
        add(nodes, f"{whole}.b", "Pod", "step", "Failed", message=died, inside=whole)
    sub = dag("sub", task("a", template="step"), task("b", "a", template="step"))
    sub["retryStrategy"] = {"limit": 1}
    templates = [dag("main", task("train", template="sub")), sub, container("step")]
    graph = await read_nodes(templates, nodes)
    kinds = {node.id: node.type for node in graph.topology.tasks}
    assert list(kinds) == ["train", "train/a", "train/b"]
    assert kinds["train"] is TaskType.DAG
    assert graph.tasks["train"].state is State.FAILED
    assert graph.tasks["train/a"].state is State.SUCCEEDED
    assert graph.tasks["train/b"].error == "OOMKilled (exit code 137)"
    assert ("train/a", "train/b") in {(one.source, one.target) for one in graph.topology.edges}


@in_loop
async def test_a_whole_workflow_may_be_tried_again() -> None:
    nodes = Nodes("again-7sm94")
    add(nodes, "", "Retry", "main", "Failed", message="No more retries left")
    add(nodes, "(0)", "DAG", "main", "Failed", message="child 'x' failed")
    add(nodes, "(0).a", "Pod", "a", "Failed", message="Evicted: low on memory", inside="(0)")
    main = dag("main", task("a")) | {"retryStrategy": {"limit": 0}}
    graph = await read_nodes([main, container("a")], nodes)
    assert [one.id for one in graph.topology.tasks] == ["a"]
    assert graph.tasks["a"].error == "Evicted: low on memory"


@in_loop
async def test_a_pipeline_may_call_itself_hundreds_of_times() -> None:
    nodes = Nodes("deep-7sm94")
    add(nodes, "", "DAG", "main", "Succeeded")
    inside = ""
    for _ in range(400):
        add(nodes, f"{inside}.again", "DAG", "main", "Succeeded", inside=inside)
        inside += ".again"
    add(nodes, f"{inside}.flip", "Pod", "flip", "Succeeded", inside=inside)
    templates = [dag("main", task("flip"), task("again", template="main")), container("flip")]
    graph = await read_nodes(templates, nodes, "SUCCEEDED")
    assert graph.tasks["again/" * 400 + "flip"].state is State.SUCCEEDED


def seconds_to_read(groups: int) -> float:
    """What a loop over so many groups costs, of the processor."""
    nodes = Nodes("wide-7sm94")
    add(nodes, "", "DAG", "main", "Succeeded")
    add(nodes, ".loop", "TaskGroup", "group", "Succeeded", inside="")
    for index in range(groups):
        item = f".loop({index}:{index})"
        add(nodes, item, "DAG", "group", "Succeeded", inside="")
        add(nodes, f"{item}.train", "Pod", "train", "Succeeded", inside=item)
    templates = [
        dag("main", task("loop", template="group", withParam="[]")),
        dag("group", task("train")),
        container("train"),
    ]
    workflow = Workflow(
        {
            "metadata": {"name": nodes.workflow},
            "spec": {"entrypoint": "main", "templates": templates},
            "status": {"nodes": nodes.made},
        }
    )
    begun = time.process_time()
    assert len(read_v1(workflow)) == 2 * groups + 1
    return time.process_time() - begun


def test_a_group_among_thousands_costs_what_one_among_few_does() -> None:
    few = min(seconds_to_read(500) for _ in range(3))
    assert seconds_to_read(8000) < 16 * few * 4  # 16 times as many; each a square would be 256


@in_loop
async def test_what_nobody_came_to_yet_is_drawn_to_an_end() -> None:
    nodes = Nodes("wide-7sm94")
    add(nodes, "", "DAG", "t0", "Running")
    templates = [
        dag(f"t{one}", *(task(name, template=f"t{one + 1}") for name in "ab")) for one in range(30)
    ]
    graph = await read_nodes([*templates, container("t30")], nodes, "RUNNING")
    assert 2000 < len(graph.topology.tasks) < 4000
    assert {status.state for status in graph.tasks.values()} == {State.PENDING}


@in_loop
async def test_a_loop_among_steps_is_as_its_items_are() -> None:
    """Argo makes no node of it."""
    main = {"name": "main", "steps": [[task("loop", withItems=["x", "y"])], [task("last")]]}
    for second, state in (
        ("Succeeded", State.SUCCEEDED),
        ("Failed", State.FAILED),
        ("Running", State.RUNNING),
        ("", State.RUNNING),  # which may not begin yet
    ):
        nodes = Nodes("steps-7sm94")
        add(nodes, "", "Steps", "main", "Running")
        add(nodes, "[0]", "StepGroup", "", "Running", inside="")
        add(nodes, "[0].loop(0:x)", "Pod", "loop", "Succeeded", inside="")
        if second:
            add(nodes, "[0].loop(1:y)", "Pod", "loop", second, inside="")
        graph = await read_nodes([main, container("loop"), container("last")], nodes, "RUNNING")
        loop = graph.tasks["loop"]
        assert loop.state is state
        assert loop.started_at == graph.tasks["loop[0]"].started_at
        assert (loop.finished_at is not None) is state.final


@in_loop
async def test_a_step_that_chose_where_its_output_lies_was_not_cached() -> None:
    for key, state in (
        ("exports/2026/model.pkl", State.SUCCEEDED),
        ("exports/2026/2026-01-31/model.pkl", State.SUCCEEDED),
        ("artifacts/other-7sm94/2026/01/31/other-7sm94-1284164578/model.tgz", State.CACHED),
        ("other-7sm94/other-7sm94-train-1284164578/model.tgz", State.CACHED),
    ):
        nodes = Nodes("own-7sm94")
        add(nodes, "", "DAG", "main", "Succeeded")
        train = add(nodes, ".train", "Pod", "train", "Succeeded", inside="")
        stored = {"name": "model", "s3": {"bucket": "b", "endpoint": "e", "key": key}}
        train["outputs"] = {"artifacts": [stored]}
        graph = await read_nodes([dag("main", task("train")), container("train")], nodes)
        assert graph.tasks["train"].state is state, key


@in_loop
async def test_an_item_may_look_like_the_name_of_one() -> None:
    nodes = Nodes("loop-7sm94")
    add(nodes, "", "DAG", "main", "Failed")
    add(nodes, ".loop", "TaskGroup", "train", "Failed", inside="")
    add(nodes, ".loop(0:f(3:x))", "Pod", "train", "Succeeded", inside="")
    add(nodes, ".loop(1:see (12: b))", "Pod", "train", "Failed", message="OOMKilled", inside="")
    main = dag("main", task("loop", template="train", withParam="[]"))
    graph = await read_nodes([main, container("train")], nodes)
    assert [one.id for one in graph.topology.tasks] == ["loop", "loop[0]", "loop[1]"]
    assert graph.tasks["loop[1]"].error == "OOMKilled"
