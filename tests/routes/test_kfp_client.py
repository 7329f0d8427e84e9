"""The official client says the same of an endpoint through the proxy as it says of it directly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterlab_pipelines.backends.local.backend import LocalBackend
from jupyterlab_pipelines.loopback import Loopback
from jupyterlab_pipelines.models import NewConnection, TokenSignIn
from tests.backends.local.conftest import kill
from tests.backends.test_contract import SLEEPER
from tests.kubeflow import Cluster, in_thread

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import kfp
    import kfp_server_api

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Journey:
    """What a user does with the client, and all that it answers, without what is by chance."""

    def __init__(self, host: str, token: str, package: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.client = kfp.Client(host=host, existing_token=token)
        self.package = str(package)
        self.broken = str(package.with_name("broken.yaml"))
        self.said: list[tuple[str, Any]] = []
        self._ids: dict[str, str] = {}

    def do(self, step: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Calls, and notes the answer, or the error with its status and code."""
        try:
            answer = call(*arguments, **options)
        except kfp_server_api.ApiException as error:
            body = json.loads(error.body)
            self.said.append((step, (error.status, body.get("code"), self._plain(body))))
            return None
        except ValueError as error:
            self.said.append((step, self._plain(str(error))))
            return None
        shown = getattr(answer, "run_info", answer)
        content = shown.to_dict() if hasattr(shown, "to_dict") else shown
        self.said.append((step, self._plain(content)))
        return answer

    def go(self) -> list[tuple[str, Any]]:
        """Everything, one after the other."""
        client, do = self.client, self.do
        mine = do("experiment", client.create_experiment, "mine", description="of mine")
        do("again", client.create_experiment, "mine")
        do("by name", client.get_experiment, experiment_name="mine")
        do("no such name", client.get_experiment, experiment_name="nobody's")
        pipeline = do("upload", client.upload_pipeline, self.package, "sleeper", "It sleeps.")
        do("upload twice", client.upload_pipeline, self.package, "sleeper")
        do("no pipeline", client.upload_pipeline, self.broken, "broken")
        version = do("version", client.upload_pipeline_version, self.package, "second",
                     pipeline_id=pipeline.pipeline_id)  # fmt: skip
        do("pipeline id", client.get_pipeline_id, "sleeper")
        do("pipeline", client.get_pipeline, pipeline.pipeline_id)
        do("versions", client.list_pipeline_versions, pipeline.pipeline_id, sort_by="name")
        do("pipelines", client.list_pipelines)
        self._runs(mine.experiment_id, pipeline.pipeline_id, version.pipeline_version_id)
        self._recurring(mine.experiment_id, pipeline.pipeline_id, version.pipeline_version_id)
        do("delete version", client.delete_pipeline_version,
           pipeline.pipeline_id, version.pipeline_version_id)  # fmt: skip
        do("delete pipeline", client.delete_pipeline, pipeline.pipeline_id)
        do("archive experiment", client.archive_experiment, mine.experiment_id)
        do("unarchive experiment", client.unarchive_experiment, mine.experiment_id)
        do("delete experiment", client.delete_experiment, mine.experiment_id)
        do("no experiment", client.get_experiment, experiment_id=mine.experiment_id)
        return self.said

    def _runs(self, experiment: str, pipeline: str, version: str) -> None:
        client, do = self.client, self.do
        short = do("run", client.run_pipeline, experiment, "short", params={"seconds": 0},
                   pipeline_id=pipeline, version_id=version)  # fmt: skip
        ended = client.wait_for_run_completion(short.run_id, 60, sleep_duration=0.1)  # type: ignore[arg-type]
        self.said.append(("waited", ended.state))
        long = do("package", client.create_run_from_pipeline_package, self.package,
                  arguments={"seconds": 50}, run_name="long 100% + ü",
                  experiment_name="mine")  # fmt: skip
        do("terminate", client.terminate_run, long.run_id)
        self.said.append(("waited", self._ended(long.run_id)))
        do("terminate again", client.terminate_run, long.run_id)
        for number in range(3):
            do("more", client.run_pipeline, experiment, f"more {number}", params={"seconds": 0},
               pipeline_id=pipeline, version_id=version)  # fmt: skip
        self._all_ended()
        page = do("page 1", client.list_runs, page_size=2, sort_by="name desc",
                  experiment_id=experiment)  # fmt: skip
        do("page 2", client.list_runs, page_size=2, page_token=page.next_page_token,
           experiment_id=experiment)  # fmt: skip
        do("bad token", client.list_runs, page_token="nonsense")
        do("bad sort", client.list_runs, sort_by="colour")
        for value, operation in (("short", 1), ("more", 9)):
            predicate = {"operation": operation, "key": "display_name", "stringValue": value}
            text = json.dumps({"predicates": [predicate]})
            do("filtered", client.list_runs, filter=text, sort_by="name")
        do("bad filter", client.list_runs, filter="{")
        do("archive", client.archive_run, short.run_id)
        do("archived", client.get_run, short.run_id)
        do("unarchive", client.unarchive_run, short.run_id)
        do("delete run", client.delete_run, short.run_id)
        do("deleted", client.get_run, short.run_id)

    def _ended(self, run_id: str) -> str:
        """The client's own waiting takes a cancelled run for one that goes on."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            run = self.client.get_run(run_id)
            if run.finished_at.year > 1970:
                state: str = run.state
                return state
            time.sleep(0.1)
        raise AssertionError(f"{run_id} has not ended.")

    def _all_ended(self) -> None:
        for run in self.client.list_runs(page_size=50).runs:
            self._ended(run.run_id)

    def _recurring(self, experiment: str, pipeline: str, version: str) -> None:
        client, do = self.client, self.do
        job = do("recurring", client.create_recurring_run, experiment, "nightly",
                 cron_expression="0 0 3 * * *", params={"seconds": 0}, pipeline_id=pipeline,
                 version_id=version, enabled=False)  # fmt: skip
        do("enable", client.enable_recurring_run, recurring_run_id=job.recurring_run_id)
        do("enabled", client.get_recurring_run, job.recurring_run_id)
        do("disable", client.disable_recurring_run, recurring_run_id=job.recurring_run_id)
        do("recurring runs", client.list_recurring_runs)
        do("delete", client.delete_recurring_run, job.recurring_run_id)
        do("no recurring run", client.get_recurring_run, job.recurring_run_id)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                name: bool(part) if name == "next_page_token" else self._plain(part)
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self._plain(one) for one in value]
        if isinstance(value, datetime):
            return "a time"
        if isinstance(value, str):
            text = _ID.sub(lambda found: self._named(found.group()), value)
            return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "a time", text)
        return value

    def _named(self, one: str) -> str:
        return self._ids.setdefault(one, f"id {len(self._ids)}")


@contextlib.contextmanager
def kubeflow(folder: Path) -> Iterator[str]:
    """The KFP-shaped endpoint, behind a gateway that wants a token."""
    cluster = Cluster()
    cluster.users["secret"] = "ann@example.com"
    with in_thread(cluster, prefix="/pipeline") as url:
        yield url


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[str]:
    """The embedded engine, served remotely."""
    try:
        with Loopback(LocalBackend(folder), token="secret") as loopback:
            yield loopback.url
    finally:
        kill(folder)


@pytest.fixture(params=[kubeflow, engine])
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two endpoints with nothing in them yet."""
    with request.param(tmp_path / "direct") as direct, request.param(tmp_path / "behind") as behind:
        yield direct, behind


async def test_the_client_says_the_same_both_ways(
    twins: tuple[str, str],
    connections: Any,
    http_server: Any,
    jp_serverapp: Any,
    jp_http_port: int,
    jp_base_url: str,
    tmp_path: Path,
) -> None:
    package = tmp_path / "sleeper.yaml"
    package.write_text(yaml.safe_dump(SLEEPER))
    package.with_name("broken.yaml").write_text("no: pipeline")
    direct, behind = twins
    sign_in = TokenSignIn(token="secret")
    await connections.add(NewConnection(name="team", host=behind, sign_in=sign_in))
    through = f"http://127.0.0.1:{jp_http_port}{jp_base_url}pipelines/team"
    token = jp_serverapp.identity_provider.token

    def both() -> list[list[tuple[str, Any]]]:
        return [Journey(*place, package).go() for place in ((through, token), (direct, "secret"))]

    said, wanted = await asyncio.to_thread(both)
    assert [step for step, _ in said] == [step for step, _ in wanted]
    for (step, answer), (_, expected) in zip(said, wanted, strict=True):
        assert answer == expected, step
    errors = [answer for _, answer in said if isinstance(answer, tuple)]
    assert {status for status, *_ in errors} >= {400, 404, 409}
