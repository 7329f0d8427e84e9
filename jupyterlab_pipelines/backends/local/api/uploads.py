"""Uploads: packages as multipart forms, which Kubeflow takes beside its gateway."""

from __future__ import annotations

from typing import Any

from ....errors import BadInput, Conflict, NotFound
from ...base import ApiResponse
from . import pipelines, versions
from .multipart import uploaded_file
from .packages import read_package
from .protocol import Call, Route
from .render import error_content, json_response


def upload_pipeline(call: Call) -> dict[str, Any] | ApiResponse:
    """Makes a pipeline and its first version of a package."""
    return _upload(call, _uploaded_pipeline)


def upload_version(call: Call) -> dict[str, Any] | ApiResponse:
    """Adds a package to the pipeline `pipelineid`."""
    return _upload(call, _uploaded_version)


def _upload(call: Call, make: Any) -> dict[str, Any] | ApiResponse:
    """Kubeflow's upload server is not its gateway: its errors have fields of their own."""
    try:
        answer: dict[str, Any] = make(call)
    except (BadInput, Conflict, NotFound) as error:
        content = error_content(error)
        own = {"error_message": content["message"], "error_details": content["message"]}
        return json_response({**own, **content}, error.http_status)
    return answer


def _uploaded_pipeline(call: Call) -> dict[str, Any]:
    filename, spec, given = _package(call)
    if not given["name"] and not given["display_name"]:
        given["name"] = filename
    return versions.create_both(
        call.engine.database, given, {"code_source_url": given["code_source_url"]}, spec
    )


def _uploaded_version(call: Call) -> dict[str, Any]:
    pipeline_id = call.query.text("pipelineid")
    if not pipeline_id:
        raise BadInput("pipelineid: the pipeline of the new version is missing.")
    pipelines.pipeline_row(call.engine.database, pipeline_id)
    filename, spec, given = _package(call)
    if not given["name"] and not given["display_name"]:
        given["name"] = filename
    version = versions.new_version(given)
    with call.engine.database.write() as connection:
        version_id = versions.insert(connection, pipeline_id, version, spec)
    return versions.render(versions.version_row(call.engine.database, version_id))


def _package(call: Call) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The uploaded file's name, its specification, and what the query says about it."""
    filename, content = uploaded_file(call.header("Content-Type"), call.body, "uploadfile")
    spec = read_package(filename, content)
    versions.check_spec(spec)
    names = ("name", "display_name", "description", "code_source_url")
    given: dict[str, Any] = {name: call.query.text(name) for name in names}
    given["tags"] = pipelines.tags_parameter(call.query.text("tags"))
    return filename, spec, given


ROUTES = [
    Route("POST", "/apis/v2beta1/pipelines/upload", upload_pipeline),
    Route("POST", "/apis/v2beta1/pipelines/upload_version", upload_version),
]
