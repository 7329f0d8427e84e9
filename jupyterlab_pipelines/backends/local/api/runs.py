"""Runs: created of a specification or of a version, watched, stopped, retried, archived."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ....errors import BadInput, Conflict, NotFound
from ....pipeline_text import split
from ..database import Database, from_json, readable_json
from ..schedule.macros import Macros
from . import experiments, tasks, versions
from .filters import Field
from .listing import Listing
from .messages import RUN, one_of, read
from .protocol import Aborted, Call, FailedPrecondition, Route
from .render import message, required_timestamp, status, timestamp

if TYPE_CHECKING:
    from ..engine import Engine

_INTERNAL = 13
#: How long a run may take to stop before its removal is refused, in seconds.
_STOP_SECONDS = 20.0
_VIEWS = {"": False, "DEFAULT": False, "0": False, "FULL": True, "1": True}

#: The words that v1 had for the states, which `status` still speaks.
_V1_STATUS = """CASE state WHEN 'PENDING' THEN 'Pending' WHEN 'PAUSED' THEN 'Pending'
 WHEN 'RUNNING' THEN 'Running' WHEN 'SUCCEEDED' THEN 'Succeeded' WHEN 'SKIPPED' THEN 'Skipped'
 WHEN 'FAILED' THEN 'Failed' WHEN 'CANCELED' THEN 'Failed' WHEN 'CANCELING' THEN 'Terminating'
 ELSE 'Unknown' END"""

RUNS = Listing(
    table="runs",
    key="run_id",
    fields={
        "id": Field("run_id"),
        "run_id": Field("run_id"),
        "name": Field("display_name", "name"),
        "display_name": Field("display_name", "name"),
        "created_at": Field("created_at", "time"),
        "finished_at": Field("IFNULL(finished_at, 0)", "time"),
        "scheduled_at": Field("IFNULL(scheduled_at, created_at)", "time"),
        "description": Field("description"),
        "storage_state": Field("storage_state"),
        "status": Field(_V1_STATUS),
        "state": Field("CASE state WHEN 'CANCELED' THEN 'FAILED' ELSE state END"),
        "namespace": Field("''"),
        "experiment_id": Field("experiment_id"),
        "recurring_run_id": Field("IFNULL(recurring_run_id, '')"),
    },
)


def create_run(
    engine: Engine,
    *,
    experiment_id: str | None = None,
    runtime_config: Mapping[str, Any],
    **arguments: Any,
) -> str:
    """Starts a run by `Engine.create_run` in an experiment that exists; null is the default one.

    Macros in its parameters that are texts are filled in. Raises NotFound on an unknown
    experiment, and what the engine raises.
    """
    experiment_id = experiments.known_experiment(engine.database, experiment_id)
    run_id = str(uuid.uuid4())
    macros = Macros(run_id, now=int(time.time()))
    given = runtime_config.get("parameters") or {}
    filled = {name: macros.fill(v) if isinstance(v, str) else v for name, v in given.items()}
    engine.create_run(
        run_id=run_id,
        experiment_id=experiment_id,
        runtime_config={**runtime_config, "given": given, "parameters": filled},
        **arguments,
    )
    row = engine.database.one("SELECT created_at FROM runs WHERE run_id = ?", (run_id,))
    if row is not None:
        experiments.run_created(engine.database, experiment_id, row["created_at"])
    return run_id


def create(call: Call) -> dict[str, Any]:
    """Starts a run."""
    content = read(RUN, call.json())
    if "plugins_output" in content:
        raise Aborted("plugins_output must not be set by the client.")
    name = content.get("display_name", "")
    if not name:
        raise BadInput("The run name is empty. Please specify a valid name.", next_step="")
    spec, pipeline_id, version_id = source(call.engine.database, content)
    pipeline_spec, platform_spec = split(spec)
    run_id = create_run(
        call.engine,
        experiment_id=content.get("experiment_id") or None,
        display_name=name,
        description=content.get("description", ""),
        pipeline_spec=pipeline_spec,
        platform_spec=platform_spec,
        runtime_config=content.get("runtime_config", {}),
        pipeline_id=pipeline_id,
        pipeline_version_id=version_id,
        service_account=content.get("service_account", ""),
    )
    return render(_row(call.engine.database, run_id))


def source(
    database: Database, content: Mapping[str, Any]
) -> tuple[dict[str, Any], str | None, str | None]:
    """The specification that a run or recurring run names, with its pipeline and version.

    Raises BadInput where it names none or two, NotFound where there is no such version.
    """
    names = ("pipeline_spec", "pipeline_version_reference", "pipeline_version_id")
    kind = one_of(content, names, "pipeline_source")
    if kind == "pipeline_spec" and content[kind]:
        return dict(content[kind]), None, None
    reference = content.get(kind, {}) if kind == "pipeline_version_reference" else {}
    pipeline_id = reference.get("pipeline_id", "")
    version_id = reference.get("pipeline_version_id", "")
    if kind == "pipeline_version_id":
        version_id = content[kind]
    if version_id:
        version = versions.version_row(database, version_id)
    elif pipeline_id:
        version = versions.latest_version_row(database, pipeline_id)
    else:
        raise BadInput(
            "The run names no pipeline.",
            next_step="Send pipeline_spec or pipeline_version_reference.",
        )
    if pipeline_id and version["pipeline_id"] != pipeline_id:
        raise BadInput(
            f"Pipeline version {version_id} belongs to pipeline {version['pipeline_id']}"
            f" (not {pipeline_id})."
        )
    spec = from_json(version["pipeline_spec"])
    return spec, version["pipeline_id"], version["pipeline_version_id"]


def get(call: Call) -> dict[str, Any]:
    """One run; with `view=FULL` all its tasks."""
    database, run_id = call.engine.database, call.path["run_id"]
    row = _row(database, run_id)
    found = tasks.of_run(database, row)
    answer = render(row)
    answer["task_count"] = len(found)
    answer["run_details"] = {"task_details": [tasks.render_detail(task) for task in found]}
    if _full_view(call):
        answer["tasks"] = [tasks.render(task) for task in found]
    return answer


def list_(call: Call) -> dict[str, Any]:
    """A page of runs, of one experiment where it is named; with `view=FULL` all their tasks."""
    database = call.engine.database
    full = _full_view(call)
    experiment_id = call.query.text("experiment_id")
    scope = []
    if experiment_id:
        experiments.known_experiment(database, experiment_id)
        scope.append(("experiment_id = ?", experiment_id))
    page = RUNS.page(database, call.query, scope)
    rendered = []
    for row in page.rows:
        run = render(row)
        if full:
            run["tasks"] = [tasks.render(task) for task in tasks.of_run(database, row)]
        rendered.append(run)
    return message(runs=rendered, total_size=page.total_size, next_page_token=page.next_page_token)


def terminate(call: Call) -> dict[str, Any]:
    """Asks a run to stop; one that is over already is an error, as in Kubeflow."""
    _row(call.engine.database, call.path["run_id"])
    try:
        call.engine.terminate(call.path["run_id"])
    except Conflict as error:
        raise BadInput(error.message, next_step="") from error
    return {}


def retry(call: Call) -> dict[str, Any]:
    """Runs again what failed or was cancelled."""
    _row(call.engine.database, call.path["run_id"])
    try:
        call.engine.retry(call.path["run_id"])
    except Conflict as error:
        raise Aborted(error.message, next_step=error.next_step) from error
    return {}


def archive(call: Call) -> dict[str, Any]:
    """Puts a run away."""
    _row(call.engine.database, call.path["run_id"])
    call.engine.set_archived(call.path["run_id"], True)
    return {}


def unarchive(call: Call) -> dict[str, Any]:
    """Takes a run out again; its experiment must not be archived."""
    row = _row(call.engine.database, call.path["run_id"])
    experiment = call.engine.database.one(
        "SELECT storage_state FROM experiments WHERE experiment_id = ?", (row["experiment_id"],)
    )
    if experiment is None:
        raise NotFound(f"Experiment {row['experiment_id']} not found.")
    if experiment["storage_state"] == "ARCHIVED":
        raise FailedPrecondition(
            f"Experiment {row['experiment_id']} is archived.",
            next_step="Unarchive the experiment first to allow the run to be restored.",
        )
    call.engine.set_archived(row["run_id"], False)
    return {}


def delete(call: Call) -> dict[str, Any]:
    """Removes a run, its logs and its artifacts; one that is active is stopped first."""
    run_id = call.path["run_id"]
    if _row(call.engine.database, run_id)["finished_at"] is None:
        with contextlib.suppress(Conflict):  # it may end at this very moment
            call.engine.terminate(run_id)
        _wait_for_end(call.engine.database, run_id)
    call.engine.delete(run_id)
    return {}


def render(row: Mapping[str, Any]) -> dict[str, Any]:
    """A run's row as the API shows it."""
    answer = message(
        experiment_id=row["experiment_id"],
        run_id=row["run_id"],
        display_name=row["display_name"],
        storage_state=row["storage_state"],
        description=row["description"],
        runtime_config=message(**_runtime_config(row)),
        service_account=row["service_account"],
        created_at=timestamp(row["created_at"]),
        scheduled_at=timestamp(row["scheduled_at"] or row["created_at"]),
        finished_at=required_timestamp(row["finished_at"]),
        state=_shown(row["state"]),
        error=status(_INTERNAL, row["error"]) if row["error"] else None,
        recurring_run_id=row["recurring_run_id"],
        state_history=[
            {**entry, "state": _shown(entry["state"])}
            for entry in tasks.render_history(row["state_history"])
        ],
    )
    if row["pipeline_version_id"]:
        answer["pipeline_version_reference"] = message(
            pipeline_id=row["pipeline_id"], pipeline_version_id=row["pipeline_version_id"]
        )
        return answer
    spec, platform = readable_json(row["pipeline_spec"]), readable_json(row["platform_spec"])
    answer["pipeline_spec"] = (
        {"pipeline_spec": spec, "platform_spec": platform} if platform else spec
    )
    return answer


def _shown(state: str) -> str:
    """A run that was stopped has failed: Kubeflow's word, which kfp.Client waits for."""
    return "FAILED" if state == "CANCELED" else state


def _wait_for_end(database: Database, run_id: str) -> None:
    """Returns once the run is over or gone, or too long after it was told to stop."""
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        row = database.one("SELECT finished_at FROM runs WHERE run_id = ?", (run_id,))
        if row is None or row["finished_at"] is not None:
            return
        time.sleep(0.05)


def _runtime_config(row: Mapping[str, Any]) -> dict[str, Any]:
    config = readable_json(row["runtime_config"]) or {}
    config["parameters"] = config.get("given", config.get("parameters"))
    names = ("parameters", "pipeline_root")
    return {name: config[name] for name in names if name in config}


def _full_view(call: Call) -> bool:
    view = call.query.text("view")
    if view not in _VIEWS:
        raise BadInput(f"The query parameter view must be DEFAULT or FULL, not {view!r}.")
    return _VIEWS[view]


def _row(database: Database, run_id: str) -> Mapping[str, Any]:
    row = database.one("SELECT * FROM runs WHERE run_id = ?", (run_id,))
    if row is None:
        raise NotFound(f"Run {run_id} not found.")
    return dict(row)


_ONE = "/apis/v2beta1/runs/{run_id}"
ROUTES = [
    Route("POST", "/apis/v2beta1/runs", create),
    Route("GET", "/apis/v2beta1/runs", list_),
    Route("GET", _ONE, get),
    Route("DELETE", _ONE, delete),
    Route("POST", f"{_ONE}:archive", archive),
    Route("POST", f"{_ONE}:unarchive", unarchive),
    Route("POST", f"{_ONE}:terminate", terminate),
    Route("POST", f"{_ONE}:retry", retry),
]
