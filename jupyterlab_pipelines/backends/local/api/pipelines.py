"""Pipelines: names under which versions of a specification are kept."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

from ....errors import BadInput, Conflict, NotFound
from ..database import Database, now, readable_json, to_json, to_micros
from .filters import Field
from .listing import Listing
from .messages import PIPELINE, check_length, read
from .protocol import Call, Route
from .render import message, timestamp

_MAX_NAME = 128
_MAX_TAGS = 20
_MAX_TAG = 63

PIPELINES = Listing(
    table="pipelines",
    key="pipeline_id",
    fields={
        "id": Field("pipeline_id"),
        "pipeline_id": Field("pipeline_id"),
        "name": Field("name", "name"),
        "display_name": Field("display_name", "name"),
        "created_at": Field("created_at", "time"),
        "description": Field("description"),
        "namespace": Field("namespace"),
        "tags": Field("IFNULL(tags, '{}')"),
    },
)


def create(call: Call) -> dict[str, Any]:
    """Makes a pipeline without a version."""
    pipeline = new_pipeline(read(PIPELINE, call.json()))
    with call.engine.database.write() as connection:
        pipeline_id = insert(connection, pipeline)
    return render(pipeline_row(call.engine.database, pipeline_id))


def get(call: Call) -> dict[str, Any]:
    """One pipeline."""
    return render(pipeline_row(call.engine.database, call.path["pipeline_id"]))


def get_by_name(call: Call) -> dict[str, Any]:
    """The pipeline of this name."""
    name = call.path["name"]
    row = call.engine.database.one("SELECT * FROM pipelines WHERE name = ?", (name,))
    if row is None:
        raise NotFound(f"Pipeline {name} not found.")
    return render(dict(row))


def list_(call: Call) -> dict[str, Any]:
    """A page of pipelines."""
    page = PIPELINES.page(call.engine.database, call.query)
    return message(
        pipelines=[render(row) for row in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_page_token,
    )


def update(call: Call) -> dict[str, Any]:
    """Changes the display name where one is given, and the tags where they are given."""
    pipeline_id = call.path["pipeline_id"]
    content = read(PIPELINE, call.json())
    pipeline_row(call.engine.database, pipeline_id)
    change(call.engine.database, "pipelines", "pipeline_id", pipeline_id, content)
    return render(pipeline_row(call.engine.database, pipeline_id))


def delete(call: Call) -> dict[str, Any]:
    """Removes a pipeline; with `cascade` its versions too, without it there must be none."""
    pipeline_id = call.path["pipeline_id"]
    cascade = call.query.flag("cascade")
    pipeline_row(call.engine.database, pipeline_id)
    with call.engine.database.write() as connection:
        version = connection.execute(
            "SELECT pipeline_version_id FROM pipeline_versions WHERE pipeline_id = ? LIMIT 1",
            (pipeline_id,),
        ).fetchone()
        if version is not None and not cascade:
            raise BadInput(
                f"Pipeline {pipeline_id} has versions, for instance {version[0]}.",
                next_step="Delete them first, or send cascade=true.",
            )
        connection.execute("DELETE FROM pipeline_versions WHERE pipeline_id = ?", (pipeline_id,))
        connection.execute("DELETE FROM pipelines WHERE pipeline_id = ?", (pipeline_id,))
    return {}


def new_pipeline(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a pipeline to be made: the name stands in for a missing display name,
    and the other way round. Raises BadInput."""
    name = content.get("name") or content.get("display_name") or ""
    if not name:
        raise BadInput("A pipeline needs a name.")
    check_length("Pipeline.Name", name, _MAX_NAME)
    tags = content.get("tags")
    check_tags(tags)
    return {
        "name": name,
        "display_name": content.get("display_name") or name,
        "description": content.get("description", ""),
        "tags": tags,
    }


def insert(connection: sqlite3.Connection, pipeline: Mapping[str, Any]) -> str:
    """Adds a `new_pipeline` in the caller's transaction. Raises Conflict on a known name."""
    pipeline_id = str(uuid.uuid4())
    try:
        connection.execute(
            "INSERT INTO pipelines (pipeline_id, name, display_name, description, created_at, tags)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                pipeline_id,
                pipeline["name"],
                pipeline["display_name"],
                pipeline["description"],
                to_micros(now()),
                to_json(pipeline["tags"] or None),
            ),
        )
    except sqlite3.IntegrityError as error:
        raise Conflict(
            f"A pipeline named {pipeline['name']!r} already exists.",
            next_step="Choose another name, or upload it as a new version of that pipeline.",
        ) from error
    return pipeline_id


def change(
    database: Database, table: str, key: str, value: str, content: Mapping[str, Any]
) -> None:
    """Updates what a pipeline or a version lets its owner change."""
    tags = content.get("tags")
    check_tags(tags)
    with database.write() as connection:
        if content.get("display_name"):
            connection.execute(
                f"UPDATE {table} SET display_name = ? WHERE {key} = ?",  # noqa: S608
                (content["display_name"], value),
            )
        if tags is not None:  # an empty map clears, a missing one keeps
            connection.execute(
                f"UPDATE {table} SET tags = ? WHERE {key} = ?",  # noqa: S608
                (to_json(tags or None), value),
            )


def check_tags(tags: Mapping[str, str] | None) -> None:
    """Raises BadInput on tags that Kubeflow would not keep."""
    if len(tags or ()) > _MAX_TAGS:
        raise BadInput(f"There are {len(tags or ())} tags; at most {_MAX_TAGS} are kept.")
    for key, value in (tags or {}).items():
        if not key or "." in key:
            raise BadInput(f"The tag key {key!r} must not be empty nor hold a '.'.")
        if len(key) > _MAX_TAG or len(value) > _MAX_TAG:
            raise BadInput(f"The tag {key[:80]!r} or its value is longer than {_MAX_TAG}.")


def tags_parameter(text: str) -> dict[str, str] | None:
    """An upload's `tags`: a JSON object of strings. Raises BadInput."""
    if not text:
        return None
    try:
        tags = json.loads(text)
    except ValueError:
        tags = None
    if not isinstance(tags, dict) or not all(isinstance(tag, str) for tag in tags.values()):
        raise BadInput("tags must be a JSON object with string values.")
    return tags


def render(row: Mapping[str, Any]) -> dict[str, Any]:
    """A pipeline's row as the API shows it."""
    return message(
        pipeline_id=row["pipeline_id"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        created_at=timestamp(row["created_at"]),
        namespace=row["namespace"],
        tags=readable_json(row["tags"]),
    )


def pipeline_row(database: Database, pipeline_id: str) -> Mapping[str, Any]:
    """A pipeline's row. Raises NotFound."""
    row = database.one("SELECT * FROM pipelines WHERE pipeline_id = ?", (pipeline_id,))
    if row is None:
        raise NotFound(f"Pipeline {pipeline_id} not found.")
    return dict(row)


_ONE = "/apis/v2beta1/pipelines/{pipeline_id}"
ROUTES = [
    Route("POST", "/apis/v2beta1/pipelines", create),
    Route("GET", "/apis/v2beta1/pipelines", list_),
    Route("GET", "/apis/v2beta1/pipelines/names/{name}", get_by_name),
    Route("GET", _ONE, get),
    Route("PATCH", _ONE, update),
    Route("DELETE", _ONE, delete),
]
