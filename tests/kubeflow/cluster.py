"""The endpoint's data and its rules: what there is, who may see it, and what time does to runs."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from .http import DENIED, UNAUTHENTICATED, Refusal, Request, Router, invalid, not_found
from .records import Experiment, Pipeline, Plan, RecurringRun, Run, Version

FINAL = frozenset({"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"})
T = TypeVar("T")


@dataclass(frozen=True)
class Sized:
    """So many bytes of no meaning, made as they are sent, `pace` of them a second at most."""

    size: int
    pace: int | None = None

    async def pieces(self, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes `[start, end)`, 256 KiB at a time; each block repeats its own number."""
        end = self.size if end is None else min(end, self.size)
        began, first = time.monotonic(), start
        while start < end:
            if self.pace is not None:
                due = began + (start - first) / self.pace
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            number, skipped = divmod(start, _BLOCK)
            block = (number.to_bytes(8, "big") * (_BLOCK // 8))[skipped : skipped + end - start]
            yield block
            start += len(block)


_BLOCK = 256 << 10
Content = bytes | Sized


class Cluster:
    """Everything that the server serves. Tests write into it before and while it runs."""

    def __init__(self) -> None:
        self.experiments: dict[str, Experiment] = {}
        self.pipelines: dict[str, Pipeline] = {}
        self.versions: dict[str, Version] = {}
        self.runs: dict[str, Run] = {}
        self.recurring_runs: dict[str, RecurringRun] = {}
        self.objects: dict[tuple[str, str, str], Content] = {}
        self.logs: dict[tuple[str, str], bytes] = {}
        self.pods: dict[tuple[str, str], bytes] = {}
        self.declared: dict[tuple[str, str, str], bytes] = {}
        self.routers: list[Router] = []
        self.multi_user = False
        self.users: dict[str, str] = {}
        self.access: set[tuple[str, str]] = set()
        self.plan: Plan = [(0.2, "RUNNING"), (0.6, "SUCCEEDED")]
        self.clock: Callable[[], float] = time.time
        self.asked: Counter[str] = Counter()
        self.seen: list[Request] = []
        self.default_experiment = self.add_experiment("Default").id

    # --- laying down ---------------------------------------------------------------------------

    def add_experiment(self, name: str, **more: Any) -> Experiment:
        """An experiment; further fields as in `records.py`."""
        made = Experiment(**{"id": new_id(), "name": name, "created_at": self.now(), **more})
        self.experiments[made.id] = made
        return made

    def add_pipeline(self, name: str, **more: Any) -> Pipeline:
        """A pipeline without a version."""
        given = {"id": new_id(), "name": name, "display_name": name, "created_at": self.now()}
        made = Pipeline(**{**given, **more})
        self.pipelines[made.id] = made
        return made

    def add_version(
        self, pipeline_id: str, name: str, spec: dict[str, Any], **more: Any
    ) -> Version:
        """A version of a pipeline."""
        given = {"id": new_id(), "display_name": name, "created_at": self.now()}
        made = Version(**{**given, "pipeline_id": pipeline_id, "name": name, "spec": spec, **more})
        self.versions[made.id] = made
        return made

    def add_run(self, display_name: str, state: str = "SUCCEEDED", **more: Any) -> Run:
        """A run in this state, of the default experiment unless it is said."""
        now = self.now()
        given: dict[str, Any] = {"id": new_id(), "experiment_id": self.default_experiment}
        if "version_id" in more:
            given["spec"] = self.versions[more["version_id"]].spec
        given["created_at"] = now
        made = Run(**{**given, "display_name": display_name, "state": state, **more})
        made.scheduled_at = made.scheduled_at or made.created_at
        if made.state in FINAL and not made.finished_at:
            made.finished_at = made.created_at + 60
        if not made.state_history:
            made.state_history = [{"update_time": made.created_at, "state": "PENDING"}]
            if made.state != "PENDING":
                moment = made.finished_at or made.created_at
                made.state_history.append({"update_time": moment, "state": made.state})
        if made.plan:
            made.planned_at = self.clock()
        self.runs[made.id] = made
        return made

    def add_recurring_run(self, display_name: str, **more: Any) -> RecurringRun:
        """A recurring run; it never fires."""
        now = self.now()
        given: dict[str, Any] = {"id": new_id(), "experiment_id": self.default_experiment}
        given |= {"created_at": now, "updated_at": now, "display_name": display_name}
        made = RecurringRun(**{**given, **more})
        self.recurring_runs[made.id] = made
        return made

    # --- time ----------------------------------------------------------------------------------

    def now(self) -> int:
        """Whole seconds, which is all that Kubeflow stores."""
        return int(self.clock())

    def begin(self, run: Run, plan: Plan) -> None:
        """Lets the run go through these states from now on."""
        run.plan, run.planned_at = list(plan), self.clock()

    def settle(self) -> None:
        """Every run is brought into the state that its plan has for this moment."""
        moment = self.clock()
        for run in self.runs.values():
            while run.plan and run.planned_at + run.plan[0][0] <= moment:
                at, state = run.plan.pop(0)
                self.turn(run, state, int(run.planned_at + at))

    def turn(self, run: Run, state: str, moment: int | None = None) -> None:
        """Changes the run's state, and notes it in its history."""
        moment = self.now() if moment is None else moment
        run.state = state
        run.finished_at = moment if state in FINAL else 0
        run.state_history.append({"update_time": moment, "state": state})

    # --- finding -------------------------------------------------------------------------------

    def find(self, kind: str, rows: Mapping[str, T], row_id: str) -> T:
        """The row of this id. Raises Refusal 404 as Kubeflow's store does."""
        if row_id not in rows:
            raise not_found(kind, row_id)
        return rows[row_id]

    # --- who may ----------------------------------------------------------------------------------

    def identify(self, headers: Mapping[str, str]) -> str:
        """The user of a request, by bearer token or by the mesh's header; else empty."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token in self.users:
            return self.users[token]
        return headers.get("kubeflow-userid", "") if self.multi_user else ""

    def authorize(self, request: Request, verb: str, resource: str, namespace: str) -> None:
        """A SubjectAccessReview. Raises Refusal 400, 401 or 403; single-user mode allows all."""
        if not self.multi_user:
            return
        if not namespace and resource != "pipelines":
            named = {"runs": "run", "jobs": "recurring run", "experiments": "experiment"}
            what = named.get(resource, resource)
            raise invalid(f"A {what} cannot have an empty namespace in multi-user mode")
        if not request.user:
            said = "Failed to check authorization. User identity is empty in the request header"
            raise Refusal(UNAUTHENTICATED, f"Unauthenticated: {said}", said)
        shared = not namespace and verb in ("get", "list")
        if not shared and (request.user, namespace) not in self.access:
            said = (
                f"User '{request.user}' is not authorized with reason:  (request: "
                f"&ResourceAttributes{{Namespace:{namespace},Verb:{verb},"
                f"Group:pipelines.kubeflow.org,Version:v1beta1,Resource:{resource},}})"
            )
            raise Refusal(DENIED, f"PermissionDenied: {said}: Unauthorized access", said)


def new_id() -> str:
    """An id as Kubeflow makes them."""
    return str(uuid.uuid4())
