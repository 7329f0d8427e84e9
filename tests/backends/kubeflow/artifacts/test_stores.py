"""Artifacts read directly from a real S3 server, and from a Google store's protocol."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from jupyterlab_pipelines.backends.base import ArtifactContent
from jupyterlab_pipelines.backends.folders import within
from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend
from jupyterlab_pipelines.backends.kubeflow.artifacts import stores as stores_module
from jupyterlab_pipelines.backends.kubeflow.artifacts.place import read_place
from jupyterlab_pipelines.backends.kubeflow.artifacts.source import Wanted
from jupyterlab_pipelines.backends.kubeflow.artifacts.stores import Stores
from jupyterlab_pipelines.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PipelinesError,
    Unreachable,
    UnsupportedFeature,
    UpstreamTimeout,
)
from jupyterlab_pipelines.models import ObjectStore
from jupyterlab_pipelines.service import Service
from tests.async_tests import in_loop
from tests.backends.kubeflow.artifacts.object_store import S3Server, metered, s3_server
from tests.backends.kubeflow.sign_in.certificates import Authority
from tests.kubeflow import Answer, Cluster, Request, serving
from tests.kubeflow.doors import tls
from tests.kubeflow.faults import Fault, cuts_body, fault_proxy, is_silent, passes

MIB = 1 << 20
ODD = "größe #1 %41 a+b?x=1&y.txt"
BIG = os.urandom(MIB) * 8


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.put("mlpipeline", **{ODD: ODD.encode(), "big.bin": BIG, "empty": b""})
        server.put("mlpipeline", **{f"model__{n:03}.bin": bytes([n]) * 1000 for n in range(60)})
        server.put("mlpipeline", model__deep__a=b"a", model2=b"not of the folder")
        server.client.put_object(Bucket="mlpipeline", Key="model/", Body=b"")
        yield server


def store(url: str, prefix: str = "minio://mlpipeline/", secret: str = "minio123") -> ObjectStore:
    return ObjectStore(
        prefix=prefix, endpoint=url, access_key="minio", secret_key=SecretStr(secret)
    )


async def opened(
    stores: Stores, uri: str, start: int = 0, end: int | None = None, session: str = ""
) -> ArtifactContent:
    return await stores.open(Wanted("it", uri, session=session), read_place(uri), start, end)


async def read(content: ArtifactContent) -> bytes:
    return b"".join([piece async for piece in content.body])


@in_loop
async def test_any_part_of_an_object_with_size_and_tag(s3: S3Server) -> None:
    stores = Stores([store(s3.url)])
    for start, end in ((0, None), (0, 0), (0, 9), (5, None), (MIB, 3 * MIB + 1), (len(BIG), None)):
        content = await opened(stores, "minio://mlpipeline/big.bin", start, end)
        assert await read(content) == BIG[start:end]
        assert (content.size, content.start, content.end) == (
            len(BIG), *within(len(BIG), start, end)
        )  # fmt: skip
        assert content.tag
    assert await read(await opened(stores, f"minio://mlpipeline/{ODD}")) == ODD.encode()
    assert await read(await opened(stores, "minio://mlpipeline/empty", 0, 100)) == b""
    assert content.filename == "big.bin"


@in_loop
async def test_a_beginning_costs_the_store_a_beginning(s3: S3Server) -> None:
    async with metered(s3.url) as meter:
        content = await opened(Stores([store(meter.url)]), "minio://mlpipeline/big.bin", 0, 65536)
        assert await read(content) == BIG[:65536]
        assert meter.sent < 80_000
        assert len(meter.requests) == 2


@in_loop
async def test_a_folder_is_one_archive_that_can_be_gone_on_with(s3: S3Server) -> None:
    stores = Stores([store(s3.url)])
    folder = await opened(stores, "minio://mlpipeline/model")
    packed = await read(folder)
    assert (folder.filename, folder.size) == ("model.tar.gz", len(packed))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        names = archive.getnames()
        assert names == sorted(names)
        assert len(names) == 61
        assert archive.extractfile("model/deep/a").read() == b"a"  # type: ignore[union-attr]
        assert archive.extractfile("model/007.bin").read() == b"\x07" * 1000  # type: ignore[union-attr]
    rest = await opened(stores, "minio://mlpipeline/model/", 50_000)
    assert (await read(rest), rest.tag) == (packed[50_000:], folder.tag)


@in_loop
async def test_what_changes_while_it_is_read_is_no_answer(s3: S3Server) -> None:
    s3.put("changing", file=b"1" * 1000)
    stores = Stores([store(s3.url, "minio://")])
    packed = await opened(stores, "minio://changing/")
    before = await opened(stores, "minio://changing/file")
    s3.put("changing", file=b"2" * 1000)
    with pytest.raises(Conflict, match="changed"):
        await read(packed)
    assert (await opened(stores, "minio://changing/file")).tag != before.tag


@in_loop
async def test_errors_say_what_to_do_and_no_secret(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound):
        await opened(Stores([store(s3.url)]), "minio://mlpipeline/none")
    dead = Stores([store("http://127.0.0.1:1", secret="canary")])
    with pytest.raises(Unreachable) as refused:
        await opened(dead, "minio://mlpipeline/x")
    assert "canary" not in str(refused.value.body())
    with pytest.raises(UnsupportedFeature) as unknown:
        await opened(Stores([]), "minio://mlpipeline/x")
    assert "prefix minio://mlpipeline/" in unknown.value.next_step
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(UnsupportedFeature) as missing:
        await opened(Stores([store(s3.url)]), "minio://mlpipeline/x")
    assert "jupyterlab-pipelines[stores]" in missing.value.next_step


@in_loop
async def test_a_store_that_refuses_is_named_with_its_reason() -> None:
    cluster = Cluster()
    body = b"<?xml version='1.0'?><Error><Code>InvalidAccessKeyId</Code></Error>"

    async def refuse(request: Request) -> Answer:
        return Answer(403, body, {"Content-Type": "application/xml"})

    cluster.routers.append(refuse)
    async with serving(cluster) as url:
        with pytest.raises(Forbidden, match="InvalidAccessKeyId") as refused:
            await opened(Stores([store(url)]), "minio://mlpipeline/x")
    assert "keys" in refused.value.next_step


@in_loop
async def test_the_longest_prefix_decides_and_ends_at_a_slash(s3: S3Server) -> None:
    stores = Stores([store("http://127.0.0.1:1", "minio://"), store(s3.url, "minio://mlpipeline")])
    assert (await opened(stores, "minio://mlpipeline/empty")).size == 0
    with pytest.raises(Unreachable):
        await opened(stores, "minio://mlpipeline-of-others/x")


@in_loop
async def test_credentials_of_the_environment_serve_where_none_are_given(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": s3.url, "AWS_ACCESS_KEY_ID": "env", "AWS_SECRET_ACCESS_KEY": "env",
        "AWS_REGION": "eu-west-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert await read(await opened(Stores([]), f"s3://mlpipeline/{ODD}")) == ODD.encode()


@in_loop
async def test_given_keys_are_not_mixed_with_the_environments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "canary")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    cluster = Cluster()

    async def nothing(request: Request) -> Answer:
        return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    cluster.routers.append(nothing)
    async with serving(cluster) as url:
        with pytest.raises(NotFound):
            await opened(Stores([store(url)]), "minio://mlpipeline/x")
    assert cluster.seen
    assert "canary" not in str([request.headers for request in cluster.seen])
    assert "Credential=minio/" in cluster.seen[0].headers["authorization"]


@in_loop
async def test_a_preview_reads_a_mebibyte_at_most(s3: S3Server) -> None:
    s3.put("mlpipeline", report=b"# A line of a report\n\n" * (1 << 18))
    made = {"artifact_id": "17", "name": "report", "type": "Markdown",
            "metadata": {"_kfp_schema_title": "system.Markdown"},
            "uri": "minio://mlpipeline/report"}  # fmt: skip
    outputs = {"artifacts": [{"artifact_key": "report", "artifacts": [made]}]}
    task = {"task_id": "t", "name": "make", "type": "RUNTIME", "state": "SUCCEEDED"}
    cluster = Cluster()
    run = cluster.add_run("report", tasks=[{**task, "outputs": outputs}])
    async with serving(cluster) as url, metered(s3.url) as meter:
        backend = KubeflowBackend(url, stores=[store(meter.url)])
        (output,) = await Service(backend, "remote").outputs(run.id, "make")
        await backend.close()
    assert output.bundle["text/markdown"].startswith("# A line of a report")
    assert meter.sent < MIB + 4096


@in_loop
async def test_who_leaves_or_waits_costs_the_store_no_more(s3: S3Server) -> None:
    s3.put("mlpipeline", huge=bytes(64 * MIB))
    async with metered(s3.url) as meter:
        content = await opened(Stores([store(meter.url)]), "minio://mlpipeline/huge")
        pieces = content.body
        await anext(pieces)
        await asyncio.sleep(0.5)
        settled = meter.sent
        assert settled < 16 * MIB
        await asyncio.sleep(0.3)
        assert meter.sent == settled
        await pieces.aclose()  # type: ignore[attr-defined]
        del content, pieces
        await asyncio.sleep(0.3)
        assert meter.sent < settled + 8 * MIB


@pytest.mark.parametrize("fault", [cuts_body(MIB), cuts_body(3 * MIB, reset=True)])
@in_loop
async def test_a_part_never_passes_for_the_whole(s3: S3Server, fault: Fault) -> None:
    async with fault_proxy(s3.url, fault) as proxy:
        content = await opened(Stores([store(proxy.url)]), "minio://mlpipeline/big.bin")
        with contextlib.suppress(PipelinesError):  # or piece after piece it is all there
            assert await read(content) == BIG
    async with fault_proxy(s3.url, fault, passes) as proxy:  # it is gone on with where it broke
        content = await opened(Stores([store(proxy.url)]), "minio://mlpipeline/big.bin")
        assert await read(content) == BIG


@in_loop
async def test_a_silent_store_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores_module, "IDLE_TIMEOUT", 0.3)
    async with fault_proxy("http://127.0.0.1:1", is_silent) as proxy:
        with pytest.raises(UpstreamTimeout, match="not answered"):
            await opened(Stores([store(proxy.url)]), "minio://mlpipeline/x")


@in_loop
async def test_a_store_behind_a_private_authority(s3: S3Server, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with tls(s3.url, authority.server()) as url:
        trusting = Stores([store(url)], str(authority.file))
        assert await read(await opened(trusting, "minio://mlpipeline/big.bin", 0, 9)) == BIG[:9]
        with pytest.raises(Unreachable):
            await opened(Stores([store(url)]), "minio://mlpipeline/big.bin", 0, 9)


@in_loop
async def test_a_laptop_has_a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys").write_text(
        "[default]\naws_access_key_id = not-this\naws_secret_access_key = x\n"
        "[team]\naws_access_key_id = of-the-team\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "team")
    cluster = Cluster()

    async def nothing(request: Request) -> Answer:
        return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    cluster.routers.append(nothing)
    async with serving(cluster) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(NotFound):
            await opened(Stores([]), "s3://bucket/x")
        assert "Credential=of-the-team/" in cluster.seen[-1].headers["authorization"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        with pytest.raises(NotFound):
            await opened(Stores([]), "s3://bucket/x")
        assert "Credential=of-the-environment/" in cluster.seen[-1].headers["authorization"]


@in_loop
async def test_a_pipeline_cannot_choose_whom_this_machine_speaks_to() -> None:
    cluster = Cluster()
    async with serving(cluster) as url:
        session = {"endpoint": url, "secretName": "mlpipeline-minio-artifact", "region": "x"}
        text = json.dumps({"Provider": "minio", "Params": session})
        for uri in ("minio://mlpipeline/x", "s3://mlpipeline/x"):
            with pytest.raises(UnsupportedFeature) as unknown:
                await opened(Stores([]), uri, session=text)
            assert url in unknown.value.next_step
            assert "secret mlpipeline-minio-artifact" in unknown.value.next_step
    assert cluster.seen == []


@in_loop
async def test_google_cloud_storage_with_a_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster()
    objects = {"data/a b.csv": b"x,y\n1,2\n" * 1000}

    async def google(request: Request) -> Answer | None:
        content = objects.get(unquote(request.path).removeprefix("/bucket/"))
        if content is None:
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        headers: dict[str, str] = {
            "Last-Modified": "Sat, 01 Aug 2026 10:00:00 GMT", "ETag": '"1"'
        }  # fmt: skip
        if request.method == "HEAD":
            return Answer(200, _no_body(), {**headers, "Content-Length": str(len(content))})
        asked = request.headers.get("range", "")
        if not asked:
            return Answer(200, content, headers)
        first, last = (int(text) for text in asked.removeprefix("bytes=").split("-"))
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return Answer(206, content[first : last + 1], headers)

    cluster.routers.append(google)
    async with serving(cluster) as url:
        key = {
            "type": "service_account", "gcs_base_url": url, "disable_oauth": True,
            "client_email": "x", "private_key": _pem(), "private_key_id": "x",
        }  # fmt: skip
        file = tmp_path / "key.json"
        file.write_text(json.dumps(key))
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(file))
        content = objects["data/a b.csv"]
        whole = await opened(Stores([]), "gs://bucket/data/a b.csv")
        assert (await read(whole), whole.size) == (content, len(content))
        assert whole.media_type == "text/csv"
        part = await opened(Stores([]), "gcs://bucket/data/a b.csv", 10, 20)
        assert await read(part) == content[10:20]


def _pem() -> str:
    """A private key as a service account's file holds one."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(serialization.Encoding.PEM, *form).decode()


async def _no_body() -> AsyncIterator[bytes]:
    for _ in ():
        yield b""
