"""Pipeline versions: the specifications of a pipeline, and those fetched from the web."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Mapping
from typing import Any

from ....errors import BadInput, Conflict, InvalidPipeline, NotFound
from ....pipeline_text import split
from ..database import Database, now, readable_json, to_json, to_micros
from ..plan.ir import Pipeline
from . import pipelines
from .filters import Field
from .listing import Listing
from .messages import PIPELINE_AND_VERSION, PIPELINE_VERSION, check_length, read
from .packages import read_package
from .protocol import Call, Route
from .render import message, timestamp
from .web import download

_MAX_NAME = 127
_PIPELINE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")

VERSIONS = Listing(
    table="pipeline_versions",
    key="pipeline_version_id",
    fields={
        "id": Field("pipeline_version_id"),
        "pipeline_version_id": Field("pipeline_version_id"),
        "name": Field("name", "name"),
        "display_name": Field("display_name", "name"),
        "created_at": Field("created_at", "time"),
        "description": Field("description"),
        "status": Field("'READY'"),
        "tags": Field("IFNULL(tags, '{}')"),
    },
)


def create_pipeline_and_version(call: Call) -> dict[str, Any]:
    """Makes a pipeline and its first version of a package on the web."""
    content = read(PIPELINE_AND_VERSION, call.json())
    version = content.get("pipeline_version", {})
    url, filename, spec = _fetched(version)
    pipeline = dict(content.get("pipeline", {}))
    if not pipeline.get("name") and not pipeline.get("display_name"):
        pipeline["name"] = filename or check_spec(spec)
    return create_both(
        call.engine.database,
        pipeline,
        {**version, "package_url": url, "name": "", "display_name": ""},
        spec,
    )


def create(call: Call) -> dict[str, Any]:
    """Adds a version of a package on the web."""
    content = read(PIPELINE_VERSION, call.json())
    pipeline_id = call.path["pipeline_id"]
    if content.get("pipeline_id", pipeline_id) != pipeline_id:
        raise BadInput("The version's pipeline_id is not the one in the address.")
    pipelines.pipeline_row(call.engine.database, pipeline_id)
    version = new_version(content)
    url, _, spec = _fetched(content)
    with call.engine.database.write() as connection:
        version_id = insert(connection, pipeline_id, {**version, "package_url": url}, spec)
    return render(version_row(call.engine.database, version_id))


def get(call: Call) -> dict[str, Any]:
    """One version, with its specification."""
    return render(_row_of(call))


def list_(call: Call) -> dict[str, Any]:
    """A page of a pipeline's versions."""
    pipeline_id = call.path["pipeline_id"]
    pipelines.pipeline_row(call.engine.database, pipeline_id)
    page = VERSIONS.page(call.engine.database, call.query, [("pipeline_id = ?", pipeline_id)])
    return message(
        pipeline_versions=[render(row) for row in page.rows],
        total_size=page.total_size,
        next_page_token=page.next_page_token,
    )


def update(call: Call) -> dict[str, Any]:
    """Changes the display name where one is given, and the tags where they are given."""
    version_id = _row_of(call)["pipeline_version_id"]
    content = read(PIPELINE_VERSION, call.json())
    pipelines.change(
        call.engine.database, "pipeline_versions", "pipeline_version_id", version_id, content
    )
    return render(version_row(call.engine.database, version_id))


def delete(call: Call) -> dict[str, Any]:
    """Removes a version; runs made of it keep their own copy of the specification."""
    version_id = _row_of(call)["pipeline_version_id"]
    with call.engine.database.write() as connection:
        connection.execute(
            "DELETE FROM pipeline_versions WHERE pipeline_version_id = ?", (version_id,)
        )
    return {}


def new_version(content: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a version to be made. Raises BadInput."""
    name = content.get("name") or content.get("display_name") or ""
    if not name:
        raise BadInput("A pipeline version needs a name.")
    check_length("PipelineVersion.Name", name, _MAX_NAME)
    pipelines.check_tags(content.get("tags"))
    return {
        "name": name,
        "display_name": content.get("display_name") or name,
        "description": content.get("description", ""),
        "code_source_url": content.get("code_source_url") or None,
        "package_url": content.get("package_url") or None,
        "tags": content.get("tags"),
    }


def render(row: Mapping[str, Any]) -> dict[str, Any]:
    """A version's row as the API shows it."""
    return message(
        pipeline_id=row["pipeline_id"],
        pipeline_version_id=row["pipeline_version_id"],
        name=row["name"],
        display_name=row["display_name"],
        description=row["description"],
        created_at=timestamp(row["created_at"]),
        package_url=message(pipeline_url=row["package_url"]),
        code_source_url=row["code_source_url"],
        pipeline_spec=readable_json(row["pipeline_spec"]),
        tags=readable_json(row["tags"]),
    )


def version_row(database: Database, version_id: str) -> Mapping[str, Any]:
    """A version's row. Raises NotFound."""
    row = database.one(
        "SELECT * FROM pipeline_versions WHERE pipeline_version_id = ?", (version_id,)
    )
    if row is None:
        raise NotFound(f"PipelineVersion {version_id} not found.")
    return dict(row)


def latest_version_row(database: Database, pipeline_id: str) -> Mapping[str, Any]:
    """The row of a pipeline's newest version. Raises NotFound."""
    pipelines.pipeline_row(database, pipeline_id)
    row = database.one(
        "SELECT * FROM pipeline_versions WHERE pipeline_id = ?"
        " ORDER BY created_at DESC, rowid DESC LIMIT 1",
        (pipeline_id,),
    )
    if row is None:
        raise NotFound(
            f"Pipeline {pipeline_id} has no version.", next_step="Upload a version of it first."
        )
    return dict(row)


def check_spec(spec: Mapping[str, Any]) -> str:
    """The name in a pipeline's IR. Raises InvalidPipeline, with the places, on anything else."""
    name = Pipeline.parse(*split(spec)).name
    if not _PIPELINE_NAME.fullmatch(name):
        raise InvalidPipeline(
            f"pipelineInfo.name: {name[:140]!r} must hold only lowercase letters, digits and '-',"
            " start with a letter or digit, and be at most 128 characters long."
        )
    return name


def _row_of(call: Call) -> Mapping[str, Any]:
    row = version_row(call.engine.database, call.path["pipeline_version_id"])
    if row["pipeline_id"] != call.path["pipeline_id"]:
        raise NotFound(
            f"PipelineVersion {call.path['pipeline_version_id']} not found"
            f" in pipeline {call.path['pipeline_id']}."
        )
    return row


def _fetched(version: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The address, file name and specification of a version's package on the web."""
    url = version.get("package_url", {}).get("pipeline_url", "")
    if not url:
        raise BadInput("package_url.pipeline_url: the package's address is missing.")
    filename, content = download(url)
    spec = read_package(filename, content)
    check_spec(spec)
    return url, filename, spec


def create_both(
    database: Database,
    pipeline: Mapping[str, Any],
    version: Mapping[str, Any],
    spec: Mapping[str, Any],
) -> dict[str, Any]:
    """A pipeline and its first version, which has its name; both or neither."""
    stored = pipelines.new_pipeline(pipeline)
    first = new_version(
        {
            **version,
            "name": stored["name"].encode()[:_MAX_NAME].decode(errors="ignore"),
            "display_name": stored["display_name"],
            "description": stored["description"],
        }
    )
    with database.write() as connection:
        pipeline_id = pipelines.insert(connection, stored)
        insert(connection, pipeline_id, first, spec)
    return pipelines.render(pipelines.pipeline_row(database, pipeline_id))


def insert(
    connection: sqlite3.Connection,
    pipeline_id: str,
    version: Mapping[str, Any],
    spec: Mapping[str, Any],
) -> str:
    """Adds a `new_version` in the caller's transaction; its id. Raises Conflict on a known name."""
    version_id = str(uuid.uuid4())
    row = {
        "pipeline_version_id": version_id,
        "pipeline_id": pipeline_id,
        **version,
        "created_at": to_micros(now()),
        "pipeline_spec": to_json(spec),
        "tags": to_json(version["tags"] or None),
    }
    try:
        connection.execute(
            f"INSERT INTO pipeline_versions ({', '.join(row)})"  # noqa: S608 - our own names
            f" VALUES ({', '.join('?' * len(row))})",
            list(row.values()),
        )
    except sqlite3.IntegrityError as error:
        raise Conflict(
            f"The pipeline already has a version named {version['name']!r}.",
            next_step="Choose another version name.",
        ) from error
    return version_id


_ALL = "/apis/v2beta1/pipelines/{pipeline_id}/versions"
_ONE = f"{_ALL}/{{pipeline_version_id}}"
ROUTES = [
    Route("POST", "/apis/v2beta1/pipelines/create", create_pipeline_and_version),
    Route("POST", _ALL, create),
    Route("GET", _ALL, list_),
    Route("GET", _ONE, get),
    Route("PATCH", _ONE, update),
    Route("DELETE", _ONE, delete),
]
