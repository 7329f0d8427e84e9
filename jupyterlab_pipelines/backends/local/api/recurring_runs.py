"""Recurring runs: created with a trigger, listed, switched on and off, deleted."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping
from typing import Any

from ....errors import BadInput, Conflict, NotFound
from ....pipeline_text import split
from .. import recurring
from ..database import Database, now, readable_json, to_json, to_micros
from ..engine import Engine
from ..plan.submission import accept
from ..schedule.cron import InvalidCron, parse
from ..schedule.macros import Macros
from . import experiments, runs
from .filters import Field
from .listing import Listing
from .messages import RECURRING_RUN, one_of, read
from .protocol import Call, Route
from .render import message, timestamp

_MIN_CONCURRENCY, _MAX_CONCURRENCY = 1, 10
_LONGEST_INTERVAL = 2**40  # seconds: keeps every time that follows within 64 bits
#: What `propagation_policy` may be; true where the recurring run's active runs are stopped too.
_POLICIES = {
    **dict.fromkeys(("", "DELETE_PROPAGATION_POLICY_UNSPECIFIED", "ORPHAN", "0", "3"), False),
    **dict.fromkeys(("FOREGROUND", "BACKGROUND", "1", "2"), True),
}

RECURRING_RUNS = Listing(
    table="recurring_runs",
    key="recurring_run_id",
    fields={
        "id": Field("recurring_run_id"),
        "recurring_run_id": Field("recurring_run_id"),
        "name": Field("display_name", "name"),
        "display_name": Field("display_name", "name"),
        "created_at": Field("created_at", "time"),
        "updated_at": Field("updated_at", "time"),
        "description": Field("description"),
    },
)


def create(call: Call) -> dict[str, Any]:
    """Makes a recurring run, once its pipeline, its parameters and its trigger were checked.

    One that names a version, or brings a pipeline, keeps its own copy; one that names only a
    pipeline runs the version that is newest whenever it fires.
    """
    content = read(RECURRING_RUN, call.json())
    database = call.engine.database
    if not content.get("display_name"):
        raise BadInput("Recurring run's name cannot be empty.", next_step="Send display_name.")
    row = {**_trigger(content), **_source(call.engine, content)}
    row["experiment_id"] = experiments.known_experiment(database, content.get("experiment_id"))
    moment = to_micros(now())
    row.update(
        recurring_run_id=str(uuid.uuid4()),
        display_name=content["display_name"],
        name=recurring.new_name(content["display_name"]),
        description=content.get("description", ""),
        service_account=content.get("service_account", ""),
        enabled=int(content.get("mode") == "ENABLE"),
        created_at=moment,
        updated_at=moment,
    )
    with database.write(durable=True) as connection:
        connection.execute(
            f"INSERT INTO recurring_runs ({', '.join(row)})"  # noqa: S608 - our own names
            f" VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )
    return render(_row(database, row["recurring_run_id"]))


def get(call: Call) -> dict[str, Any]:
    """One recurring run."""
    return render(_row(call.engine.database, call.path["recurring_run_id"]))


def list_(call: Call) -> dict[str, Any]:
    """A page of recurring runs, of one experiment where it is named."""
    database = call.engine.database
    experiment_id = call.query.text("experiment_id")
    scope = []
    if experiment_id:
        experiments.known_experiment(database, experiment_id)
        scope.append(("experiment_id = ?", experiment_id))
    page = RECURRING_RUNS.page(database, call.query, scope)
    return message(
        recurringRuns=[render(row) for row in page.rows],  # so named in Kubeflow's proto
        total_size=page.total_size,
        next_page_token=page.next_page_token,
    )


def enable(call: Call) -> dict[str, Any]:
    """Lets it fire; what it missed is caught up on unless it has `no_catchup`."""
    return _switch(call, True)


def disable(call: Call) -> dict[str, Any]:
    """Lets it fire no more; its active runs go on."""
    return _switch(call, False)


def delete(call: Call) -> dict[str, Any]:
    """Removes a recurring run; its runs stay. FOREGROUND and BACKGROUND stop the active ones."""
    policy = call.query.text("propagation_policy")
    if policy not in _POLICIES:
        known = ", ".join(name for name in _POLICIES if name.isupper())
        raise BadInput(f"propagation_policy must be one of {known}, not {policy!r}.")
    database, recurring_run_id = call.engine.database, call.path["recurring_run_id"]
    _row(database, recurring_run_id)
    with database.write(durable=True) as connection:
        connection.execute(
            "DELETE FROM recurring_runs WHERE recurring_run_id = ?", (recurring_run_id,)
        )
    if _POLICIES[policy]:
        for run in database.read(
            "SELECT run_id FROM runs WHERE recurring_run_id = ? AND finished_at IS NULL",
            (recurring_run_id,),
        ):
            with contextlib.suppress(Conflict, NotFound):  # it may end at this very moment
                call.engine.terminate(run["run_id"])
    return {}


def render(row: Mapping[str, Any]) -> dict[str, Any]:
    """A recurring run's row as the API shows it. `error` says why it could not fire."""
    answer = message(
        recurring_run_id=row["recurring_run_id"],
        display_name=row["display_name"],
        description=row["description"],
        runtime_config=readable_json(row["runtime_config"]),
        service_account=row["service_account"],
        max_concurrency=str(row["max_concurrency"]),  # protobuf writes an int64 as a string
        mode="ENABLE" if row["enabled"] else "DISABLE",
        created_at=timestamp(row["created_at"]),
        updated_at=timestamp(row["updated_at"]),
        status="ENABLED" if row["enabled"] else "DISABLED",
        error=readable_json(row["error"]),
        no_catchup=bool(row["no_catchup"]),
        experiment_id=row["experiment_id"],
    )
    answer["trigger"] = _render_trigger(row)
    if row["pipeline_id"]:
        answer["pipeline_version_reference"] = message(
            pipeline_id=row["pipeline_id"], pipeline_version_id=row["pipeline_version_id"]
        )
    else:
        answer["pipeline_spec"] = readable_json(row["pipeline_spec"])
    return answer


def _render_trigger(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {"start_time": timestamp(row["start_time"]), "end_time": timestamp(row["end_time"])}
    if row["cron"]:
        return {"cron_schedule": message(**times, cron=row["cron"])}
    if row["interval_second"]:
        return {"periodic_schedule": message(**times, interval_second=str(row["interval_second"]))}
    return {}


def _trigger(content: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that say when it fires; one without a schedule fires once. Raises BadInput."""
    concurrency = content.get("max_concurrency", 0)
    if not _MIN_CONCURRENCY <= concurrency <= _MAX_CONCURRENCY:
        raise BadInput(
            "Max concurrency of a recurring run must be at least 1 and at most 10."
            f" Received {concurrency}.",
            next_step="Send max_concurrency.",
        )
    trigger = content.get("trigger", {})
    kind = one_of(trigger, ("cron_schedule", "periodic_schedule"), "trigger")
    schedule = trigger.get(kind, {})
    columns = {
        "max_concurrency": concurrency,
        "no_catchup": int(content.get("no_catchup", False)),
        "cron": None,
        "interval_second": None,
        **{
            name: None if name not in schedule else schedule[name] * recurring.SECOND
            for name in ("start_time", "end_time")
        },
    }
    if kind == "cron_schedule":
        columns["cron"] = schedule.get("cron", "")
        try:
            parse(columns["cron"])
        except InvalidCron as error:
            raise BadInput(
                "Schedule cron is not a supported format"
                f" (https://godoc.org/github.com/robfig/cron): {error}.",
                next_step="Send six fields, seconds first, as in '0 30 9 * * 1-5'.",
            ) from error
    elif kind == "periodic_schedule":
        interval = columns["interval_second"] = schedule.get("interval_second", 0)
        if not 1 <= interval <= _LONGEST_INTERVAL:
            raise BadInput(
                f"Found invalid period schedule interval {interval}.",
                next_step="Set the interval to at least 1 second.",
            )
    return columns


def _source(engine: Engine, content: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of what it runs. Raises what a run of it now would raise."""
    spec, pipeline_id, version_id = runs.source(engine.database, content)
    config = content.get("runtime_config", {})
    parameters = config.get("parameters", {})
    moment = int(now().timestamp())
    sample = Macros(run_id=str(uuid.uuid4()), index=1, scheduled=moment, now=moment)
    filled = {name: sample.fill(value) for name, value in parameters.items()}
    pipeline_spec, platform_spec = split(spec)
    accept(pipeline_spec, platform_spec, filled, engine.machine)
    reference = content.get("pipeline_version_reference", {})
    newest = bool(reference) and not reference.get("pipeline_version_id")
    return {
        "pipeline_id": pipeline_id,
        "pipeline_version_id": None if newest else version_id,
        "pipeline_spec": None if newest else to_json(spec),
        "runtime_config": to_json(config or None),
    }


def _switch(call: Call, enabled: bool) -> dict[str, Any]:
    with call.engine.database.write(durable=True) as connection:
        cursor = connection.execute(
            "UPDATE recurring_runs SET enabled = ?, updated_at = ?, failures = 0, retry_at = NULL,"
            " error = NULL WHERE recurring_run_id = ?",
            (int(enabled), to_micros(now()), call.path["recurring_run_id"]),
        )
        if cursor.rowcount == 0:
            raise _not_found(call.path["recurring_run_id"])
    return {}


def _row(database: Database, recurring_run_id: str) -> Mapping[str, Any]:
    row = database.one(
        "SELECT * FROM recurring_runs WHERE recurring_run_id = ?", (recurring_run_id,)
    )
    if row is None:
        raise _not_found(recurring_run_id)
    return dict(row)


def _not_found(recurring_run_id: str) -> NotFound:
    return NotFound(f"Recurring run {recurring_run_id} not found.")


_ALL = "/apis/v2beta1/recurringruns"
_ONE = f"{_ALL}/{{recurring_run_id}}"
ROUTES = [
    Route("POST", _ALL, create),
    Route("GET", _ALL, list_),
    Route("GET", _ONE, get),
    Route("DELETE", _ONE, delete),
    Route("POST", f"{_ONE}:enable", enable),
    Route("POST", f"{_ONE}:disable", disable),
]
