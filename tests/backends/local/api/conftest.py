"""The API over a real store, called directly or by the official client over a real socket."""

from __future__ import annotations

import asyncio
import json
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.backends.base import ApiRequest, ApiResponse
from jupyterlab_pipelines.backends.local.api import Api
from jupyterlab_pipelines.backends.local.database import Database, to_json
from jupyterlab_pipelines.loopback import Loopback

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp

PIPELINES = Path(__file__).parents[4] / "examples" / "pipelines"
SPEC = {
    "pipelineInfo": {"name": "tiny"},
    "root": {"dag": {"tasks": {"say": {"componentRef": {"name": "comp-say"}}}}},
    "components": {"comp-say": {"executorLabel": "exec-say"}},
    "deploymentSpec": {
        "executors": {"exec-say": {"container": {"image": "python:3.11", "command": ["true"]}}}
    },
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
}


class StoreOnly:
    """An engine of which only the store is used: what needs more fails."""

    def __init__(self, root: Path) -> None:
        self.database = Database(root / "engine.sqlite")


class Served:
    """A backend that has nothing but its API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def api(self, request: ApiRequest) -> ApiResponse:
        return await self._api.handle(request)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Any]:
    engine = StoreOnly(tmp_path)
    database = engine.database  # a test may take it away
    yield engine
    database.close()


@pytest.fixture
def database(engine: Any) -> Database:
    return engine.database


@pytest.fixture
def raw(engine: Any) -> Callable[..., ApiResponse]:
    """Calls the API; the answer's body is whole."""
    api = Api(engine)

    def call(
        method: str,
        path: str,
        query: dict[str, Any] | list[tuple[str, str]] | None = None,
        body: Any = b"",
        headers: dict[str, str] | None = None,
    ) -> ApiResponse:
        pairs = query if isinstance(query, list) else list((query or {}).items())
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def answer() -> ApiResponse:
            response = await api.handle(
                ApiRequest(method, path, [(k, str(v)) for k, v in pairs], headers or {}, content)
            )
            if isinstance(response.body, bytes):
                return response
            whole = b"".join([piece async for piece in response.body])
            return ApiResponse(response.status, response.headers, whole)

        return asyncio.run(answer())

    return call


@pytest.fixture
def call(raw: Callable[..., ApiResponse]) -> Callable[..., tuple[int, Any]]:
    """Calls the API; the status and the JSON of the answer."""

    def called(*arguments: Any, **options: Any) -> tuple[int, Any]:
        response = raw(*arguments, **options)
        assert isinstance(response.body, bytes)
        return response.status, json.loads(response.body)

    return called


@pytest.fixture
def loopback(engine: Any) -> Iterator[Loopback]:
    with Loopback(Served(Api(engine))) as loopback:
        yield loopback


@pytest.fixture
def client(loopback: Loopback) -> kfp.Client:
    """The official client, as a user makes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it greets every user with one
        return kfp.Client(host=loopback.url, existing_token=loopback.token)


@pytest.fixture
def add_run(database: Database) -> Callable[..., str]:
    """Adds a row to the runs, as the engine would have."""

    def add(**columns: Any) -> str:
        row = {
            "run_id": str(uuid.uuid4()),
            "display_name": "run",
            "experiment_id": "",
            "state": "SUCCEEDED",
            "created_at": 1_700_000_000_000_000,
            "finished_at": 1_700_000_060_000_000,
            "changed": 1,
            "pipeline_spec": to_json(SPEC),
            **columns,
        }
        with database.write() as connection:
            connection.execute(
                f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                list(row.values()),
            )
        return str(row["run_id"])

    return add


@pytest.fixture
def spec() -> dict[str, Any]:
    """A pipeline of one container."""
    return json.loads(json.dumps(SPEC))


@pytest.fixture
def pipelines() -> Path:
    """The folder of compiled example pipelines."""
    return PIPELINES
