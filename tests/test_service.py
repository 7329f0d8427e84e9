"""The desk: finding runs, reading submissions, rendering what can be rendered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines import service as service_module
from jupyterlab_pipelines.backends.base import ArtifactContent, Changes, Stream
from jupyterlab_pipelines.errors import (
    BadInput,
    InvalidCell,
    InvalidPipeline,
    NotFound,
    Unreachable,
)
from jupyterlab_pipelines.models import (
    ArtifactRef,
    CellSelection,
    ConnectionKind,
    NotebookCell,
    PipelineSource,
    Problem,
    Run,
    RunGraph,
    RunPage,
    RunQuery,
    State,
    StepRequest,
    Submission,
    TaskDetail,
    TaskIO,
    TaskNode,
    TaskStatus,
    TaskType,
    Topology,
)
from jupyterlab_pipelines.service import Service
from tests.async_tests import in_loop

START = datetime(2026, 8, 1, tzinfo=timezone.utc)
DIGITS = (Path(__file__).parent.parent / "examples" / "pipelines" / "digits.yaml").read_text()


def run(run_id: str, name: str, state: State = State.RUNNING) -> Run:
    return Run(run_id=run_id, display_name=name, state=state, created_at=START)


class Backend:
    """Runs and artifacts that the test laid out."""

    kind = ConnectionKind.LOCAL
    watch_interval = 0.01

    def __init__(self) -> None:
        self.runs = [run("abc1", "first"), run("abd2", "second"), run("fff3", "first")]
        self.artifacts: list[ArtifactRef] = []
        self.bytes: dict[str, bytes] = {}
        self.read: dict[str, int] = {}
        self.closed: list[str] = []
        self.submitted: list[Submission] = []
        self.states = [State.PENDING, State.RUNNING, State.RUNNING, State.SUCCEEDED]
        self.failures = 0
        self.looks = 0

    async def list_runs(self, query: RunQuery) -> RunPage:
        runs = [one for one in self.runs if query.name.lower() in one.display_name.lower()]
        return RunPage(runs=runs[: query.page_size])

    async def get_run(self, run_id: str) -> Run:
        raise NotFound("There is no such run.")

    async def preflight(self, pipeline: Any) -> list[Problem]:
        return [Problem(message="has no GPU here", place="train")]

    async def submit(self, submission: Submission) -> Run:
        self.submitted.append(submission)
        return self.runs[0]

    async def changes(self, cursor: str | None) -> Changes:
        if cursor is not None:
            self.looks += 1
            if self.failures:
                self.failures -= 1
                raise Unreachable("away")
            if len(self.states) > 1:
                self.states.pop(0)
        return Changes(cursor="1", unsure=["abc1"])

    async def get_graph(self, run_id: str) -> RunGraph:
        node = TaskNode(id="t", name="t", display_name="t", type=TaskType.RUNTIME)
        return RunGraph(
            run=run(run_id, "first", self.states[0]),
            topology=Topology(key="k", tasks=[node], artifacts=[], edges=[]),
            tasks={"t": TaskStatus(state=self.states[0])},
            artifacts={},
            revision=1,
        )

    async def get_task(self, run_id: str, task_id: str) -> TaskDetail:
        graph = await self.get_graph(run_id)
        return TaskDetail(
            run_id=run_id,
            node=graph.topology.tasks[0],
            status=graph.tasks["t"],
            inputs=TaskIO(),
            outputs=TaskIO(artifacts=self.artifacts),
        )

    async def open_artifact(
        self, run_id: str, artifact_id: str, start: int = 0, end: int | None = None
    ) -> ArtifactContent:
        content = self.bytes.get(artifact_id)
        if content is None:
            raise NotFound("The file is gone.", next_step="Run the step again.")

        async def pieces() -> AsyncGenerator[bytes, None]:
            for begin in range(0, len(content), 1000):  # more than was asked for, if need be
                self.read[artifact_id] = self.read.get(artifact_id, 0) + 1000
                yield content[begin : begin + 1000]

        body = Stream(pieces(), lambda: self.closed.append(artifact_id))
        return ArtifactContent(body, "text/plain", "x", len(content), start, end)


@pytest.fixture
def backend_() -> Backend:
    return Backend()


@pytest.fixture
def service(backend_: Backend) -> Service:
    return Service(backend_, "local")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "run_id"),
    [("last", "abc1"), ("second", "abd2"), ("first", "abc1"), ("abd", "abd2"), ("f", "fff3")],
)
@in_loop
async def test_a_run_is_found_by_what_people_type(service: Service, text: str, run_id: str) -> None:
    assert (await service.find_run(text)).run_id == run_id


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("ab", BadInput, "2 runs begin with 'ab'"),
        ("zzz", NotFound, "'zzz'"),
        ("", NotFound, "''"),
        ("0d9f2f3c-6b0e-4a53-9d53-6c6a7f3f1d10", NotFound, "no such run"),
    ],
)
@in_loop
async def test_what_fits_none_or_several_is_told(
    service: Service, text: str, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        await service.find_run(text)


@in_loop
async def test_the_last_of_no_runs(service: Service, backend_: Backend) -> None:
    backend_.runs = []
    with pytest.raises(NotFound, match="no runs yet"):
        await service.find_run("last")


@in_loop
async def test_text_is_parsed_before_a_backend_sees_it(service: Service, backend_: Backend) -> None:
    await service.submit(Submission(pipeline=DIGITS, parameters={"test_share": 0.3}))
    (submission,) = backend_.submitted
    assert isinstance(submission.pipeline, dict)
    assert submission.pipeline["pipelineInfo"]["name"] == "digits"
    assert submission.parameters == {"test_share": 0.3}
    with pytest.raises(InvalidPipeline, match="line 1"):
        await service.submit(Submission(pipeline="root: }"))
    assert len(backend_.submitted) == 1


@in_loop
async def test_a_description_holds_what_the_backend_cannot_run(service: Service) -> None:
    for source in (DIGITS, PipelineSource(pipeline=DIGITS)):
        description = await service.describe(source)
        assert description.name == "digits"
        assert [problem.place for problem in description.problems] == ["train"]


@in_loop
async def test_a_run_is_followed_to_its_end_past_an_outage(
    service: Service, backend_: Backend
) -> None:
    backend_.failures = 3
    states = [graph.run.state async for graph in service.follow("abc1")]
    assert states == [State.PENDING, State.RUNNING, State.SUCCEEDED]


@in_loop
async def test_an_outage_without_end_is_told(
    service: Service, backend_: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "_PATIENCE", 0.05)
    backend_.failures = 10_000

    async def follow() -> None:
        async for _ in service.follow("abc1"):
            pass

    with pytest.raises(Unreachable):
        await asyncio.wait_for(follow(), 5)


@in_loop
async def test_only_the_beginning_of_an_artifact_is_read(
    service: Service, backend_: Backend
) -> None:
    report = ArtifactRef(name="report", id="t:report", type="system.Markdown", uri="file:///x.md")
    backend_.artifacts = [report]
    backend_.bytes = {"t:report": b"# Title\n" + b"x" * (64 << 20)}
    outputs = await service.outputs("abc1", "t")
    assert outputs[0].task_id == "t"
    assert backend_.read["t:report"] <= 32 << 20
    assert backend_.closed == ["t:report"]


@in_loop
async def test_one_artifact_that_cannot_be_shown_does_not_hide_the_others(
    service: Service, backend_: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend_.artifacts = [
        ArtifactRef(name="gone", id="t:gone", type="system.Markdown", uri="file:///gone.md"),
        ArtifactRef(name="odd", id="t:odd", type="system.Markdown", uri="file:///odd.md"),
        ArtifactRef(name="fine", id="t:fine", type="system.Markdown", uri="file:///fine.md"),
    ]
    backend_.bytes = {"t:odd": b"canary", "t:fine": b"# Fine"}
    render = service_module.outputs.render

    def rendering(artifact: ArtifactRef, *rest: Any) -> Any:
        if artifact.name == "odd":
            raise RuntimeError("canary")
        return render(artifact, *rest)

    monkeypatch.setattr(service_module.outputs, "render", rendering)
    gone, odd, fine = await service.outputs("abc1", "t")
    assert gone.error == "The file is gone. Run the step again."
    assert "canary" not in (odd.error or "canary")
    assert (odd.artifact_id, odd.title) == ("t:odd", "odd")
    assert fine.error is None


@in_loop
async def test_a_step_with_problems_never_starts(service: Service, backend_: Backend) -> None:
    cells = [NotebookCell(id="a", source="x = = 1")]
    request = StepRequest(selection=CellSelection(cells=cells, selected=["a"]))
    with pytest.raises(InvalidCell) as caught:
        await service.submit_step(request)
    assert caught.value.problems[0].cell == "a"
    assert backend_.submitted == []
