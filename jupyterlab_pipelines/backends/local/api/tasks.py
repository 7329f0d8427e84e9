"""Tasks of a run: as the task API has them, and as `run_details` had them before.

The shape is that of Kubeflow's native task API: a ROOT task above all, a loop's iteration is a
task with `iteration_index` below the LOOP. Times of a task's start, the attempts and the run that
a cached task came from are added to it: `start_time`, and `attempts`, `cached_from_run_id` and
`cached_from_task_id` in `status_metadata.custom_properties`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ....errors import InvalidPipeline, NotFound
from ....models import TaskType
from ..database import Database, readable_json
from ..plan.ir import Pipeline
from ..tasks import task_uid, values_from_json
from . import task_io
from .filters import Field
from .listing import Listing
from .protocol import Call, Route
from .render import message, status, timestamp

_INTERNAL = 13
_ITERATION = re.compile(r"\[\d+\]")
ROOT = "ROOT"

TASKS = Listing(
    table="tasks",
    key="uid",
    fields={
        "task_id": Field("uid"),
        "name": Field("name", "name"),
        "display_name": Field("display_name", "name"),
        "create_time": Field("IFNULL(created_at, 0)", "time"),
        "end_time": Field("IFNULL(finished_at, 0)", "time"),
        "state": Field("state"),
        "type": Field("type"),
        "cache_fingerprint": Field("cache_key"),
        "run_id": Field("run_id"),
    },
    default_sort="create_time",
)


@dataclass(frozen=True)
class TaskView:
    """A task's row with what other rows say about it. `children` are (uid, name)."""

    row: Mapping[str, Any]
    parent_uid: str = ""
    attempts: list[Mapping[str, Any]] = field(default_factory=list)
    children: list[tuple[str, str]] = field(default_factory=list)
    iteration_count: int | None = None
    origins: Mapping[str, task_io.Origin] = field(default_factory=dict)

    @property
    def scope_path(self) -> str:
        """The tasks' names from the root down, without iterations, joined by dots."""
        path = _ITERATION.sub("", self.row["task_id"])
        return ".".join(["root", *path.split("/")]) if path else "root"


def root_uid(run_id: str) -> str:
    """The id of the ROOT task, which has no row of its own."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"kfp-local-root:{run_id}"))


def pod_name(uid: str, attempt: int) -> str:
    """What stands for the pod of an attempt: a log's node."""
    return f"{uid}-{attempt}"


def of_run(database: Database, run: Mapping[str, Any]) -> list[TaskView]:
    """All tasks of a run's row, the ROOT first."""
    run_id = run["run_id"]
    with database.snapshot() as connection:
        rows = [
            dict(row)
            for row in connection.execute(
                "SELECT * FROM tasks WHERE run_id = ? ORDER BY rowid", (run_id,)
            )
        ]
        attempts: dict[str, list[Mapping[str, Any]]] = {}
        for row in connection.execute(
            "SELECT * FROM attempts WHERE run_id = ? ORDER BY task_id, number", (run_id,)
        ):
            attempts.setdefault(row["task_id"], []).append(dict(row))
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        children.setdefault(row["parent"], []).append(row)
    origins = task_io.origins(_parsed(run), rows)
    root = root_uid(run_id)
    views = [_root_view(run, root, _names(children.get(None, [])))]
    for row in rows:
        task_id, below = row["task_id"], children.get(row["task_id"], [])
        views.append(
            TaskView(
                row,
                parent_uid=task_uid(run_id, row["parent"]) if row["parent"] else root,
                attempts=attempts.get(task_id, []),
                children=_names(below),
                iteration_count=len(below) if row["type"] == TaskType.LOOP.value else None,
                origins=origins.get(task_id, {}),
            )
        )
    return views


def list_(call: Call) -> dict[str, Any]:
    """A page of a run's tasks, of one parent where `parent_id` names it."""
    database = call.engine.database
    run = _run(database, call.path["run_id"])
    views = {view.row["uid"]: view for view in of_run(database, run)}
    scope: list[tuple[str, Any]] = [("run_id = ?", run["run_id"])]
    parent = call.query.text("parent_id")
    root = root_uid(run["run_id"])
    if parent == root:
        scope.append(("parent IS NULL AND ? IS NOT NULL", root))
    elif parent:
        scope.append(("parent = ?", views[parent].row["task_id"] if parent in views else ""))
    page = TASKS.page(database, call.query, scope, sort_parameter="order_by")
    shown = [views[row["uid"]] for row in page.rows if row["uid"] in views]
    # The root is no row: it heads the first page of the whole list.
    whole = not parent and not call.query.text("filter")
    if whole and not call.query.text("page_token"):
        shown.insert(0, views[root])
    return message(
        tasks=[render(view) for view in shown],
        next_page_token=page.next_page_token,
        total_size=page.total_size + (1 if whole else 0),
    )


def get(call: Call) -> dict[str, Any]:
    """One task of a run, by its id."""
    database, wanted = call.engine.database, call.path["task_id"]
    for view in of_run(database, _run(database, call.path["run_id"])):
        if view.row["uid"] == wanted:
            return render(view)
    raise NotFound(f"Task {wanted} not found.")


def render(view: TaskView) -> dict[str, Any]:
    """A task as the task API shows it."""
    row = view.row
    run_id = row["run_id"]
    return message(
        name=row["name"],
        display_name=row["display_name"],
        task_id=row["uid"],
        run_id=run_id,
        pods=[
            {"name": pod_name(row["uid"], one["number"]), "uid": row["uid"], "type": "EXECUTOR"}
            for one in view.attempts
        ],
        cache_fingerprint=row["cache_key"],
        create_time=timestamp(row["created_at"]),
        start_time=timestamp(row["started_at"]),
        end_time=timestamp(row["finished_at"]),
        state=row["state"],
        status_metadata=message(message=row["error"], custom_properties=_custom_properties(view)),
        state_history=render_history(row["state_history"]),
        type="DAG" if row["type"] == TaskType.LOOP_ITERATION.value else row["type"],
        type_attributes=message(
            iteration_index=None if row["iteration"] is None else str(row["iteration"]),
            iteration_count=None if view.iteration_count is None else str(view.iteration_count),
        ),
        parent_task_id=view.parent_uid,
        child_tasks=[{"task_id": uid, "name": name} for uid, name in view.children],
        inputs=task_io.render_inputs(values_from_json(row["inputs"]), view.origins, run_id),
        outputs=task_io.render_outputs(values_from_json(row["outputs"]), row),
        scope_path=view.scope_path,
    )


def render_detail(view: TaskView) -> dict[str, Any]:
    """A task as `run_details.task_details` shows it; a cached one counts as skipped there."""
    row = view.row
    return message(
        run_id=row["run_id"],
        task_id=row["uid"],
        display_name=row["name"] if row["name"] != ROOT else row["display_name"],
        create_time=timestamp(row["created_at"]),
        start_time=timestamp(row["started_at"]),
        end_time=timestamp(row["finished_at"]),
        state="SKIPPED" if row["state"] == "CACHED" else row["state"],
        error=status(_INTERNAL, row["error"]) if row["error"] else None,
        parent_task_id=view.parent_uid,
        state_history=[
            {**entry, "state": "SKIPPED" if entry["state"] == "CACHED" else entry["state"]}
            for entry in render_history(row["state_history"])
        ],
        pod_name=pod_name(row["uid"], view.attempts[-1]["number"]) if view.attempts else "",
        child_tasks=[{"task_id": uid} for uid, _ in view.children],
    )


def render_history(text: str | None) -> list[dict[str, Any]]:
    """A run's or task's stored states as the API shows them."""
    return [
        message(
            update_time=timestamp(entry.get("update_time")),
            state=entry["state"],
            error=status(_INTERNAL, entry["error"]) if entry.get("error") else None,
        )
        for entry in readable_json(text) or []
    ]


def _custom_properties(view: TaskView) -> dict[str, Any]:
    row = view.row
    properties: dict[str, Any] = {}
    if row["cached_from_run"]:
        properties["cached_from_run_id"] = row["cached_from_run"]
        properties["cached_from_task_id"] = task_uid(
            row["cached_from_run"], row["cached_from_task"]
        )
    if view.attempts:
        properties["attempts"] = [
            message(
                number=one["number"],
                pod_name=pod_name(row["uid"], one["number"]),
                # An attempt is LAUNCHING until its end is known.
                state="RUNNING" if one["state"] == "LAUNCHING" else one["state"],
                start_time=timestamp(one["started_at"]),
                end_time=timestamp(one["finished_at"]),
                error=one["error"],
            )
            | ({} if one["exit_code"] is None else {"exit_code": one["exit_code"]})
            for one in view.attempts
        ]
    return properties


def _root_view(run: Mapping[str, Any], uid: str, children: list[tuple[str, str]]) -> TaskView:
    """The ROOT task, from the row that it would have."""
    copied = ("run_id", "state", "created_at", "started_at", "finished_at", "error")
    parameters = (readable_json(run["runtime_config"]) or {}).get("parameters", {})
    row = {
        **{name: run[name] for name in copied},
        "uid": uid,
        "task_id": "",
        "name": ROOT,
        "display_name": run["display_name"],
        "type": ROOT,
        "iteration": None,
        "cache_key": "",
        "cached_from_run": None,
        "cached_from_task": None,
        "inputs": task_io.stored_parameters(parameters),
        "outputs": None,
        "state_history": run["state_history"],
    }
    given = task_io.Origin("RUNTIME_VALUE_INPUT")
    return TaskView(row, children=children, origins=dict.fromkeys(parameters, given))


def _names(rows: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(row["uid"], row["name"]) for row in rows]


def _parsed(run: Mapping[str, Any]) -> Pipeline | None:
    """The run's pipeline; null where it is damaged, or a newer version of the product wrote it."""
    specs = readable_json(run["pipeline_spec"]), readable_json(run["platform_spec"])
    try:
        return None if specs[0] is None else Pipeline.parse(*specs)
    except InvalidPipeline:
        return None


def _run(database: Database, run_id: str) -> Mapping[str, Any]:
    row = database.one("SELECT * FROM runs WHERE run_id = ?", (run_id,))
    if row is None:
        raise NotFound(f"Run {run_id} not found.")
    return dict(row)


ROUTES = [
    Route("GET", "/apis/v2beta1/runs/{run_id}/tasks", list_),
    Route("GET", "/apis/v2beta1/runs/{run_id}/tasks/{task_id}", get),
]
