"""Which way an artifact is read: the UI server, the store itself, and what is said of neither."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from jupyterlab_pipelines.backends.base import ArtifactContent
from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend
from jupyterlab_pipelines.backends.kubeflow.artifacts import Artifacts, Wanted
from jupyterlab_pipelines.backends.kubeflow.endpoint import Endpoint
from jupyterlab_pipelines.backends.kubeflow.sign_in import BearerToken
from jupyterlab_pipelines.errors import (
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    UnsupportedFeature,
)
from jupyterlab_pipelines.models import ObjectStore
from tests.async_tests import in_loop
from tests.backends.kubeflow.artifacts.object_store import s3_server
from tests.kubeflow import Answer, Cluster, Request, Sized, serving

CONTENT = bytes(range(256)) * 1000
MIB = 1 << 20


@contextlib.asynccontextmanager
async def reading(cluster: Cluster, **settings: Any) -> AsyncIterator[Artifacts]:
    async with serving(cluster, prefix="/pipeline") as url:
        endpoint = Endpoint(url, settings.pop("token", None))
        ui = Endpoint(settings.pop("ui", url))
        artifacts = Artifacts(endpoint, ui, **settings)
        try:
            yield artifacts
        finally:
            for one in (artifacts, ui, endpoint):
                await one.close()


async def read(
    artifacts: Artifacts, uri: str, start: int = 0, end: int | None = None, **more: Any
) -> tuple[ArtifactContent, bytes]:
    content = await artifacts.open(Wanted("report", uri, **more), start, end)
    return content, b"".join([piece async for piece in content.body])


def tgz(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


# --- through the UI server ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("minio://mlpipeline/a/größe #1 100%.csv", "minio"),
        ("s3://bucket/a/größe #1 100%.csv", "s3"),
        ("gs://bucket/a/größe #1 100%.csv", "gcs"),
        ("volume://data/a/größe #1 100%.csv", "volume"),
        ("https://files/a/größe #1 100%.csv", "https"),
    ],
)
@in_loop
async def test_every_source_by_part_and_whole(uri: str, source: str) -> None:
    cluster = Cluster()
    bucket, _, key = uri.partition("://")[2].partition("/")
    cluster.objects[source, bucket, key] = CONTENT
    async with reading(cluster) as artifacts:
        for start, end in ((0, None), (0, 1000), (5000, 6000), (5000, None)):
            content, data = await read(artifacts, uri, start, end, namespace="team")
            assert data == CONTENT[start:end]
            assert content.size is None
        assert (content.filename, content.media_type) == ("größe #1 100%.csv", "text/csv")
    assert {request.query.get("namespace") for request in cluster.seen} == {"team"}


@in_loop
async def test_a_beginning_is_all_that_the_ui_server_is_asked_for() -> None:
    cluster = Cluster()
    cluster.objects["minio", "mlpipeline", "big"] = Sized(1 << 30)
    async with reading(cluster) as artifacts:
        _, data = await read(artifacts, "minio://mlpipeline/big", 0, 64 << 10)
    assert len(data) == 64 << 10
    assert cluster.seen[-1].query["peek"] == str(64 << 10)


@in_loop
async def test_what_argo_packed_is_shown_unpacked() -> None:
    cluster = Cluster()
    for source in ("minio", "s3"):
        cluster.objects[source, "mlpipeline", "run/pod/train-report.tgz"] = tgz("report", CONTENT)
    async with reading(cluster) as artifacts:
        for source, size in (("minio", len(CONTENT)), ("s3", None)):
            uri = f"{source}://mlpipeline/run/pod/train-report.tgz"
            content, data = await read(artifacts, uri, archived=True)
            assert data == CONTENT
            # The UI server itself unpacks what it reads of S3.
            assert content.size == size


@in_loop
async def test_what_a_step_of_kfp_2_packed_itself_stays_packed() -> None:
    cluster = Cluster()
    packed = cluster.objects["minio", "mlpipeline", "run/model.tgz"] = tgz("model", CONTENT)
    model = {"type": "Artifact", "uri": "minio://mlpipeline/run/model.tgz"}
    outputs = {"artifacts": [{"artifact_key": "model", "artifacts": [model]}]}
    task = {"task_id": "t", "name": "t", "type": "RUNTIME", "state": "SUCCEEDED"}
    step = {"taskInfo": {"name": "t"}, "componentRef": {"name": "comp-t"}}
    spec = {
        "pipelineInfo": {"name": "p"},
        "root": {"dag": {"tasks": {"t": step}}},
        "components": {"comp-t": {"executorLabel": "exec-t"}},
    }
    run = cluster.add_run("r", "SUCCEEDED", spec=spec, tasks=[{**task, "outputs": outputs}])
    async with serving(cluster) as url:
        backend = KubeflowBackend(url)
        content = await backend.open_artifact(run.id, "t:model")
        assert b"".join([piece async for piece in content.body]) == packed
        await backend.close()


@in_loop
async def test_binary_content_of_google_stays_as_it_is() -> None:
    """Asked for a whole, the UI server would trim it and make text of it."""
    cluster = Cluster()
    content = b"\n \xff\xfe binary \x00" * 50 + b"\n\n"
    cluster.objects["gcs", "bucket", "model.bin"] = content
    async with reading(cluster) as artifacts:
        assert (await read(artifacts, "gs://bucket/model.bin"))[1] == content


@in_loop
async def test_a_folder_comes_as_an_archive() -> None:
    cluster = Cluster()
    for name in ("a", "deep/b"):
        cluster.objects["minio", "mlpipeline", f"model/{name}"] = name.encode()
    async with reading(cluster) as artifacts:
        content, data = await read(artifacts, "minio://mlpipeline/model")
    assert (content.filename, content.media_type) == ("model.tar.gz", "application/gzip")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        assert archive.getnames() == ["a", "deep/b"]


@in_loop
async def test_the_launchers_word_is_passed_on() -> None:
    cluster = Cluster()
    cluster.objects["minio", "mlpipeline", "x"] = b"x"
    session = '{"Provider": "minio", "Params": {"fromEnv": "true"}}'
    async with reading(cluster) as artifacts:
        await read(artifacts, "minio://mlpipeline/x", session=session)
    assert cluster.seen[-1].query["providerInfo"] == session


@in_loop
async def test_a_login_page_is_no_artifact() -> None:
    cluster = Cluster()

    async def login(request: Request) -> Answer:
        return Answer(200, b"<html>Log in</html>", {"Content-Type": "text/html; charset=utf-8"})

    cluster.routers.append(login)
    async with reading(cluster) as artifacts:
        with pytest.raises(SignInNeeded):
            await read(artifacts, "minio://mlpipeline/x", type="system.HTML")


# --- which way first ----------------------------------------------------------------------------


@in_loop
async def test_the_store_that_the_connection_names_comes_first(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.objects["minio", "mlpipeline", "x"] = b"from the UI server"
    with s3_server() as s3:
        s3.put("mlpipeline", x=b"from the store")
        s3.put("other", x=b"from the store")
        store = ObjectStore(
            prefix="minio://mlpipeline/", endpoint=s3.url, access_key="minio",
            secret_key=SecretStr("minio123"),
        )  # fmt: skip
        async with reading(cluster, stores=[store]) as artifacts:
            content, data = await read(artifacts, "minio://mlpipeline/x")
            assert (data, content.size) == (b"from the store", 14)
        # It is also where the UI server has failed.
        broken = store.model_copy(update={"endpoint": "http://127.0.0.1:1"})
        async with reading(cluster, stores=[broken]) as artifacts:
            assert (await read(artifacts, "minio://mlpipeline/x"))[1] == b"from the UI server"
        every = store.model_copy(update={"prefix": "minio://"})
        async with reading(cluster, ui="http://127.0.0.1:1", stores=[every]) as artifacts:
            assert (await read(artifacts, "minio://other/x"))[1] == b"from the store"


@in_loop
async def test_web_sources_by_the_ui_server_or_a_listed_host() -> None:
    cluster, other = Cluster(), Cluster()

    async def file(request: Request) -> Answer:
        return Answer(200, b"from the host")

    other.routers.append(file)
    async with serving(other) as url:
        host = url.removeprefix("http://")
        async with reading(cluster, hosts=[host]) as artifacts:
            assert (await read(artifacts, f"{url}/x"))[1] == b"from the host"
        async with reading(cluster) as artifacts:
            with pytest.raises(PipelinesError) as refused:
                await read(artifacts, f"{url}/x")
    assert isinstance(refused.value, Forbidden)
    assert "artifact hosts" in refused.value.next_step
    assert len(other.seen) == 1


# --- what is said -------------------------------------------------------------------------------


@in_loop
async def test_an_error_names_both_tries_and_the_next_step() -> None:
    cluster = Cluster()
    cluster.multi_user = True
    async with reading(cluster) as artifacts:
        with pytest.raises(PipelinesError) as refused:
            await read(artifacts, "minio://mlpipeline/x", namespace="team")
    message = refused.value.message
    assert "report at minio://mlpipeline/x cannot be read" in message
    assert "the UI server: " in message
    assert "asks to sign in" in message
    assert "the store itself: " in message
    assert "Add a store with the prefix minio://mlpipeline/" in refused.value.next_step


@in_loop
async def test_what_is_nowhere_is_not_found() -> None:
    async with reading(Cluster()) as artifacts:
        with pytest.raises(NotFound) as missing:
            await read(artifacts, "minio://mlpipeline/none")
    assert "log" in missing.value.next_step


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("oci://registry/model:1", "container image"),
        ("file:///etc/passwd", "machine that ran the step"),
        ("huggingface://org/model", "model hub"),
        ("abfss://x/y", "abfss://"),
        ("not a uri", "no place"),
        ("", "no place"),
        ("minio:///x", "no place"),
        ("minio://mlpipeline/../secret", "parts that no file's name has"),
        ("minio://evil.example.com#/x", "parts that no file's name has"),
        ("s3://bucket/a\nb", "parts that no file's name has"),
    ],
)
@in_loop
async def test_a_place_that_cannot_be_read_is_named(uri: str, said: str) -> None:
    cluster = Cluster()
    async with reading(cluster) as artifacts:
        with pytest.raises(UnsupportedFeature) as unsupported:
            await read(artifacts, uri)
    assert said in f"{unsupported.value.message} {unsupported.value.next_step}"
    assert cluster.seen == []


@in_loop
async def test_no_secret_of_the_connection_is_in_an_error() -> None:
    cluster = Cluster()

    async def echoes(request: Request) -> Answer:
        return Answer(500, str(dict(request.headers)).encode())

    cluster.routers.append(echoes)
    store = ObjectStore(
        prefix="minio://", endpoint="http://127.0.0.1:1", access_key="a",
        secret_key=SecretStr("canary-store"),
    )  # fmt: skip
    async with serving(cluster) as url:
        endpoint = Endpoint(url, BearerToken("canary-token"))
        artifacts = Artifacts(endpoint, endpoint, stores=[store])
        with pytest.raises(PipelinesError) as failed:
            await read(artifacts, "minio://mlpipeline/x")
        await artifacts.close()
        await endpoint.close()
    assert "canary" not in str(failed.value.body())


@pytest.mark.parametrize(
    "uri",
    [
        "https://ada:canary-pw@files.example.com/data/x.csv",
        "https://canary-token@files.example.com/data/x.csv",
        "https://files.example.com/data/x.csv?X-Amz-Signature=canary&next=/canary",
        "https://ada:p?canary@files.example.com/data/x.csv?sig=canary",
    ],
)
@in_loop
async def test_credentials_in_an_address_are_sent_but_not_shown(uri: str) -> None:
    """The UI server may need them; neither it nor a failure of ours may say them to anybody."""
    cluster = Cluster()
    answers = [Answer(500, f"cannot get {uri}".encode()), Answer(404, b"No objects found")]

    async def fails(request: Request) -> Answer:
        return answers[0]

    cluster.routers.append(fails)
    async with reading(cluster) as artifacts:
        while answers:
            with pytest.raises(PipelinesError) as failed:
                await read(artifacts, uri)
            assert "canary" not in str(failed.value.body())
            assert "at https://files.example.com/data/x.csv cannot" in failed.value.message
            answers.pop(0)
    assert "canary" in "".join(f"{one.path}{one.query}" for one in cluster.seen)


@in_loop
async def test_a_download_is_not_named_by_its_signature() -> None:
    cluster = Cluster()

    async def file(request: Request) -> Answer:
        return Answer(200, b"a,b")

    cluster.routers.append(file)
    async with reading(cluster) as artifacts:
        content, _ = await read(artifacts, "https://files.example.com/d/x.csv?sig=canary/1")
    assert content.filename == "x.csv"
    assert content.media_type == "text/csv"
