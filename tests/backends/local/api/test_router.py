"""The door: routes, strict messages, and answers to what nobody should send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.base import ApiRequest
from jupyterlab_pipelines.backends.local.api import Api
from jupyterlab_pipelines.backends.local.api.router import MAX_BODY, ROUTES

RUNS = "/apis/v2beta1/runs"


def test_health_is_what_kubeflow_says(call: Callable[..., Any], client: Any) -> None:
    status, answer = call("GET", "/apis/v2beta1/healthz")
    assert status == 200
    assert set(answer) == {"commit_sha", "tag_name", "multi_user", "pipeline_store"}
    assert client.get_kfp_healthz().multi_user is False


def test_unknown_paths_and_methods(call: Callable[..., Any]) -> None:
    status, answer = call("GET", "/apis/v2beta1/nothing")
    assert (status, answer["code"]) == (404, 5)
    status, answer = call("PUT", RUNS)
    assert (status, answer["code"]) == (501, 12)
    assert call("GET", f"{RUNS}/")[0] == 200


def test_ids_may_hold_what_must_be_encoded(call: Callable[..., Any], add_run: Any) -> None:
    add_run(run_id="a/b:c ü")
    path = f"{RUNS}/a%2Fb%3Ac%20%C3%BC"
    assert call("GET", path)[1]["run_id"] == "a/b:c ü"


BODIES = [
    (b"{", "not valid JSON"),
    (b"[]", "must be a JSON object"),
    (b'"a"', "must be a JSON object"),
    (b"NaN", "not valid JSON"),
    (b'{"runtime_config": {"parameters": {"a": 1e999}}}', "too large a number"),
    (b"\xff", "not valid JSON"),
    (b"[" * 100_000, "not valid JSON"),
    (b"", "name is empty"),
    (b"null", "name is empty"),
    (b'{"displayName": 1}', "displayName must be a string, not 1"),
    (b'{"display_name": "a", "displayName": "a"}', "given twice"),
    (b'{"jobName": "a"}', "Unknown field 'jobName'"),
    (b'{"display_name": "a", "created_at": "yesterday"}', "created_at must be a time"),
    (b'{"display_name": "a", "storage_state": "LOST"}', "storage_state must be one of"),
    (b'{"display_name": "a", "runtime_config": []}', "runtime_config must be a JSON object"),
    (b'{"display_name": "a", "runtime_config": {"x": 1}}', "Unknown field 'runtime_config.x'"),
    (b'{"display_name": "a"}', "names no pipeline"),
    (b'{"display_name": "a", "pipeline_spec": {}}', "names no pipeline"),
    (
        b'{"display_name": "a", "pipeline_spec": {"a": 1}, "pipelineVersionReference": {}}',
        "takes one of",
    ),
]


@pytest.mark.parametrize(("body", "message"), BODIES)
def test_a_wrong_body_is_named(call: Callable[..., Any], body: bytes, message: str) -> None:
    status, answer = call("POST", RUNS, body=body)
    assert (status, answer["code"]) == (400, 3)
    assert message in answer["message"]


def test_text_that_is_not_unicode_is_refused(call: Callable[..., Any]) -> None:
    status, answer = call("POST", "/apis/v2beta1/experiments", body=b'{"display_name": "\\ud800"}')
    assert (status, answer["code"]) == (400, 3)


def test_a_body_too_large_is_not_read_to_its_end(engine: Any) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1 << 20
            yield bytes(1 << 20)

    answer = asyncio.run(Api(engine).handle(ApiRequest("POST", RUNS, body=endless())))
    assert answer.status == 400
    assert sent < MAX_BODY + (2 << 20)


def test_a_failure_inside_is_an_answer_without_its_details(
    engine: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "database", None)
    answer = asyncio.run(Api(engine).handle(ApiRequest("GET", RUNS)))
    assert answer.status == 500
    assert isinstance(answer.body, bytes)
    assert json.loads(answer.body)["code"] == 13
    assert b"NoneType" not in answer.body
    assert "failed" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
FIELDS = [
    "display_name", "displayName", "experiment_id", "pipeline_spec", "runtime_config", "tags",
    "pipeline", "pipeline_version", "package_url", "pipeline_version_reference", "description",
    "trigger", "max_concurrency", "mode", "no_catchup",
]  # fmt: skip
QUERIES = ["page_size", "page_token", "sort_by", "filter", "view", "cascade", "run_ids", "type",
           "experiment_id", "parent_id", "name", "tags", "propagation_policy"]  # fmt: skip


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    route=st.sampled_from(ROUTES),
    variable=st.sampled_from(["x", "%00", "..", "a%2Fb", "-1", "%F0%9F%92%A9", "'\""]),
    query=st.dictionaries(st.sampled_from(QUERIES), st.text(max_size=12)),
    body=st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON,
)
def test_no_request_is_an_internal_error(
    raw: Any, route: Any, variable: str, query: dict[str, str], body: Any
) -> None:
    path = "".join(
        variable + part.partition("}")[2] if index else part
        for index, part in enumerate(route.template.split("{"))
    )
    response = raw(route.method, path, query, body=body)
    assert response.status < 500, response.body
    json.loads(response.body)
