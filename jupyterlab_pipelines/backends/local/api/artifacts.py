"""Artifacts: what they are, which tasks they link, and their bytes.

`GET /apis/v2beta1/artifacts/{artifact_id}:read` is this engine's own: the artifact's file, with
Range, or its folder as a tar.gz. Kubeflow's pages get bytes from another server, by a bucket and
a key, which a file on this machine does not have.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ....errors import BadInput, NotFound
from ...base import ApiResponse
from ..database import Database, from_json
from . import task_io
from .content import file_response, folder_response
from .filters import Field
from .listing import Listing
from .logs import log_file, task_of_node
from .protocol import Call, Route
from .render import message

#: The largest file that is answered in one piece as base64, in bytes.
_MAX_INLINE = 32 << 20

ARTIFACTS = Listing(
    table="artifacts",
    key="uid",
    fields={
        "artifact_id": Field("uid"),
        "name": Field("name", "name"),
        "type": Field("type"),
        "uri": Field("uri"),
        "created_at": Field("IFNULL(created_at, 0)", "time"),
        "namespace": Field("''"),
    },
)

#: One row for each artifact that a task took or gave; groups pass on those of their tasks.
_LINKS = """(SELECT a.uid || '.' || t.uid || '.' || s.column1 || '.' || k.key AS link_id,
 a.uid AS artifact_id, t.run_id AS run_id, t.uid AS task_id, k.key AS key,
 CASE s.column1 WHEN 'inputs' THEN 'TASK_OUTPUT_INPUT' ELSE 'OUTPUT' END AS type,
 p.name AS producer, p.iteration AS iteration, IFNULL(a.created_at, 0) AS created_at
 FROM tasks AS t, (VALUES ('inputs'), ('outputs')) AS s,
 json_each(CASE s.column1 WHEN 'inputs' THEN t.inputs ELSE t.outputs END, '$.artifacts') AS k,
 json_each(k.value) AS one
 JOIN artifacts AS a ON a.run_id = IFNULL(json_extract(one.value, '$.producer[0]'), t.run_id)
 AND a.artifact_id = json_extract(one.value, '$.artifact_id')
 JOIN tasks AS p ON p.run_id = a.run_id AND p.task_id = a.task_id)"""

ARTIFACT_TASKS = Listing(
    table=_LINKS,
    key="link_id",
    fields={
        "id": Field("link_id"),
        "artifact_id": Field("artifact_id"),
        "run_id": Field("run_id"),
        "task_id": Field("task_id"),
        "type": Field("type"),
        "key": Field("key"),
        "created_at": Field("created_at", "time"),
    },
)


def list_(call: Call) -> dict[str, Any]:
    """A page of all artifacts."""
    page = ARTIFACTS.page(call.engine.database, call.query)
    return message(
        artifacts=[render(row) for row in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_page_token,
    )


def get(call: Call) -> dict[str, Any]:
    """One artifact."""
    return render(_row(call.engine.database, call.path["artifact_id"]))


def read(call: Call) -> ApiResponse:
    """An artifact's bytes, or the part that a Range asks for; a folder's tar.gz is whole."""
    return _content(call, _row(call.engine.database, call.path["artifact_id"]))


def list_links(call: Call) -> dict[str, Any]:
    """A page of which task took or gave which artifact, among the runs, tasks or artifacts."""
    scope: list[tuple[str, Any]] = []
    for name in ("run_id", "task_id", "artifact_id"):
        ids = call.query.many(f"{name}s")
        if ids:
            scope.append((f"{name} IN ({', '.join('?' * len(ids))})", ids))
    if not scope:
        raise BadInput(
            "The query names no run, task or artifact.",
            next_step="Send run_ids, task_ids or artifact_ids.",
        )
    kind = call.query.text("type")
    if kind and kind not in ("UNSPECIFIED", "0"):
        scope.append(("type = ?", kind))
    page = ARTIFACT_TASKS.page(call.engine.database, call.query, scope)
    return message(
        artifact_tasks=[
            message(
                id=row["link_id"],
                artifact_id=row["artifact_id"],
                run_id=row["run_id"],
                task_id=row["task_id"],
                type=row["type"],
                producer=message(
                    task_name=row["producer"],
                    iteration=None if row["iteration"] is None else str(row["iteration"]),
                ),
                key=row["key"],
            )
            for row in page.rows
        ],
        total_size=page.total_size,
        next_page_token=page.next_page_token,
    )


def read_of_node(call: Call) -> dict[str, Any]:
    """The artifact `main-logs`, or an output by its key, as base64 in JSON."""
    database, run_id, node_id = call.engine.database, call.path["run_id"], call.path["node_id"]
    name = call.path["artifact_name"]
    if name == "main-logs":
        path = log_file(database, run_id, node_id)
    else:
        task_id, _ = task_of_node(database, run_id, node_id)
        row = database.one(
            "SELECT artifact_id FROM artifacts WHERE run_id = ? AND task_id = ? AND output_key = ?"
            " ORDER BY idx LIMIT 1",
            (run_id, task_id, name),
        )
        if row is None:
            raise NotFound(f"Artifact {run_id}/{node_id}/{name} not found.")
        path, _ = call.engine.artifact_file(run_id, row["artifact_id"])
    if not path.is_file() or path.stat().st_size > _MAX_INLINE:
        raise BadInput(
            f"{name} is a folder or larger than {_MAX_INLINE >> 20} MiB.",
            next_step="Read it by its artifact's id.",
        )
    return {"data": base64.b64encode(path.read_bytes()).decode()}


def render(row: Mapping[str, Any]) -> dict[str, Any]:
    """An artifact's row as the API shows it."""
    return task_io.render_artifact(
        uid=row["uid"],
        name=row["name"],
        schema_title=row["type"],
        uri=row["uri"],
        metadata=from_json(row["metadata"]) or {},
        created_at=row["created_at"],
    )


def _content(call: Call, row: Mapping[str, Any]) -> ApiResponse:
    path, media_type = call.engine.artifact_file(row["run_id"], row["artifact_id"])
    try:
        asked = call.header("Range"), call.header("If-Range")
        if path.is_dir():
            return folder_response(path, *asked)
        return file_response(path, media_type, *asked, attachment=True)
    except OSError as error:
        raise NotFound(
            f"The file of artifact {row['uid']} cannot be read: {error.strerror}.", next_step=""
        ) from error


def _row(database: Database, uid: str) -> Mapping[str, Any]:
    row = database.one("SELECT * FROM artifacts WHERE uid = ?", (uid,))
    if row is None:
        raise NotFound(f"Artifact {uid} not found.")
    return dict(row)


_ONE = "/apis/v2beta1/artifacts/{artifact_id}"
ROUTES = [
    Route("GET", "/apis/v2beta1/artifacts", list_),
    Route("GET", _ONE, get),
    Route("GET", f"{_ONE}:read", read),
    Route("GET", "/apis/v2beta1/artifact_tasks", list_links),
    Route(
        "GET",
        "/apis/v2beta1/runs/{run_id}/nodes/{node_id}/artifacts/{artifact_name}:read",
        read_of_node,
    ),
]
