"""Uploads: every kind of package, and every trick with one."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from urllib3.filepost import encode_multipart_formdata

from jupyterlab_pipelines.backends.local.api.multipart import uploaded_file
from jupyterlab_pipelines.backends.local.api.packages import MAX_UPLOAD, read_package
from jupyterlab_pipelines.errors import BadInput, InvalidPipeline

UPLOAD = "/apis/v2beta1/pipelines/upload"


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def tarred(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "."))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def text(spec: dict[str, Any]) -> bytes:
    return json.dumps(spec).encode()


def test_every_kind_of_package_is_read(spec: dict[str, Any], text: bytes) -> None:
    for filename, content in (
        ("a.yaml", text),
        ("a.json", b"\xef\xbb\xbf" + text),
        ("a.zip", zipped(pipeline__yaml=text)),
        ("a.zip", zipped(readme__md=b"not it", pipeline__yaml=text)),
        ("a.zip", zipped(other__yaml=text, more__txt=b"")),
        ("a.tar.gz", tarred(readme__md=b"not it", pipeline__yaml=text)),
        ("a.tgz", tarred(other__yml=text)),
    ):
        assert read_package(filename, content) == spec, filename


def test_the_platform_spec_is_kept(spec: dict[str, Any], text: bytes) -> None:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    package = text + b"\n---\n" + json.dumps(platform).encode()
    assert read_package("a.yaml", package) == {"pipeline_spec": spec, "platform_spec": platform}


NESTED_YAML = b"a: " + b"[" * 100_000
ALIASES = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(12)
)
REFUSED = [
    ("a.zip", zipped(pipeline__yaml=b" " * (MAX_UPLOAD + 1)), "larger than 32 MiB"),
    ("a.tar.gz", tarred(pipeline__yaml=b" " * (MAX_UPLOAD + 1)), "larger than 32 MiB"),
    ("a.tar.gz", gzip.compress(bytes(4 * MAX_UPLOAD)), "larger than 32 MiB"),
    ("a.yaml", b" " * (MAX_UPLOAD + 1), "larger than 32 MiB"),
    ("a.yaml", NESTED_YAML, "nest"),
    ("a.yaml", ALIASES, "larger than any pipeline"),
    ("a.yaml", b"\xff\xfe", "not UTF-8"),
    ("a.yaml", b"", "empty"),
    ("a.yaml", b"a: !!python/object/apply:os.system ['true']", "python/object"),
    ("a.zip", zipped(readme__md=b""), "no pipeline.yaml"),
    ("a.tar.gz", tarred(readme__md=b""), "no pipeline.yaml"),
    ("a.zip", b"PK\x03\x04 broken", "cannot be read"),
    ("a.tar.gz", b"\x1f\x8b broken", "cannot be read"),
    ("a.tar.gz", gzip.compress(b"not a tar"), "cannot be read"),
    ("a.exe", b"MZ", "not a pipeline package"),
]


# By their content they would have another name each second: gzip notes the time.
@pytest.mark.parametrize(
    ("filename", "content", "message"), REFUSED, ids=[f"{one[0]}: {one[2]}" for one in REFUSED]
)
def test_tricks_are_refused_quickly(filename: str, content: bytes, message: str) -> None:
    begin = time.monotonic()
    with pytest.raises(InvalidPipeline) as refused:
        read_package(filename, content)
    assert message in refused.value.message
    assert time.monotonic() - begin < 10


def test_a_link_in_a_tar_is_no_file() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo("pipeline.yaml")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    with pytest.raises(InvalidPipeline, match=r"no pipeline\.yaml"):
        read_package("a.tgz", buffer.getvalue())


def form(field: str, filename: str, content: bytes) -> tuple[dict[str, str], bytes]:
    head = f'--B\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"'
    body = f"{head}\r\n\r\n".encode() + content + b"\r\n--B--\r\n"
    return {"content-type": "multipart/form-data; boundary=B"}, body


@pytest.mark.parametrize("filename", ["größe.yaml", 'a"b.yaml', "日本.yaml", "a b.yaml", "1%.yaml"])
@pytest.mark.parametrize(
    "content", [bytes(range(256)), b"", b"\r\n\r\n", b"\r\n--", b"\n" * (30 << 20)], ids=len
)
def test_bytes_come_out_of_a_form_as_the_client_sent_them(filename: str, content: bytes) -> None:
    for fields in (
        [("name", "x"), ("uploadfile", (filename, content))],
        [("uploadfile", (filename, content)), ("name", "x")],
    ):
        body, content_type = encode_multipart_formdata(fields)
        assert uploaded_file(content_type, body, "uploadfile") == (filename, content)


@pytest.mark.parametrize("body", [b"--B\r\n" * 1_000_000, b"--B\r\na: b\r\n\r\n\r\n" * 1_000_000])
def test_a_form_of_a_million_parts_is_soon_refused(body: bytes) -> None:
    begin = time.monotonic()
    with pytest.raises(BadInput, match="no file"):
        uploaded_file("multipart/form-data; boundary=B", body, "uploadfile")
    assert time.monotonic() - begin < 2


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data"])
def test_what_is_no_form_is_refused(content_type: str) -> None:
    with pytest.raises(BadInput, match="upload"):
        uploaded_file(content_type, b"--B", "uploadfile")


def test_the_file_name_is_the_last_resort_for_a_name(call: Callable[..., Any], text: bytes) -> None:
    headers, body = form("uploadfile", "mine.yaml", text)
    assert call("POST", UPLOAD, headers=headers, body=body)[1]["name"] == "mine.yaml"
    status, made = call("POST", UPLOAD, {"display_name": "Mine", "tags": '{"a": "b"}'},
                        headers=headers, body=body)  # fmt: skip
    assert (status, made["name"], made["tags"]) == (200, "Mine", {"a": "b"})


def test_uploads_that_cannot_be_used_leave_nothing(
    call: Callable[..., Any], spec: dict[str, Any], text: bytes
) -> None:
    spec["pipelineInfo"]["name"] = "Not Allowed"
    for query, (headers, body), message in (
        ({}, form("file", "a.yaml", text), "no file in the field 'uploadfile'"),
        ({"tags": "[]"}, form("uploadfile", "a.yaml", text), "tags must be"),
        ({"name": "x" * 129}, form("uploadfile", "a.yaml", text), "cannot exceed 128"),
        ({}, form("uploadfile", "a.yaml", json.dumps(spec).encode()), "lowercase letters"),
        ({}, form("uploadfile", "a.yaml", b"kind: Workflow"), "kfp"),
    ):
        status, answer = call("POST", UPLOAD, query, headers=headers, body=body)
        assert status == 400
        assert message in answer["error_message"], answer
    headers, body = form("uploadfile", "a.yaml", text)
    version = f"{UPLOAD}_version"
    assert call("POST", version, headers=headers, body=body)[0] == 400
    assert call("POST", version, {"pipelineid": "x"}, headers=headers, body=body)[0] == 404
    assert call("GET", "/apis/v2beta1/pipelines") == (200, {})
