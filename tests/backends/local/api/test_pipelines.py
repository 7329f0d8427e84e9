"""Pipelines and versions, as the official client's user meets them."""

from __future__ import annotations

import json
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp_server_api import ApiException

from jupyterlab_pipelines.backends.local.api import web as web_module

ALL = "/apis/v2beta1/pipelines"


@pytest.fixture
def digits(pipelines: Path) -> str:
    return str(pipelines / "digits.yaml")


def test_a_package_becomes_a_pipeline_with_one_version(client: Any, digits: str) -> None:
    made = client.upload_pipeline(digits, pipeline_name="digits", description="Handwriting.")
    assert (made.name, made.display_name, made.description) == ("digits", "digits", "Handwriting.")
    assert client.get_pipeline_id("digits") == made.pipeline_id
    assert client.get_pipeline_id("nothing") is None
    assert client.get_pipeline(made.pipeline_id).display_name == "digits"
    [listed] = client.list_pipelines().pipelines
    assert listed.pipeline_id == made.pipeline_id
    [version] = client.list_pipeline_versions(made.pipeline_id).pipeline_versions
    assert version.display_name == "digits"
    assert version.pipeline_spec["pipelineInfo"]["name"] == "digits"
    whole = client.get_pipeline_version(made.pipeline_id, version.pipeline_version_id)
    assert whole.pipeline_spec == yaml.safe_load(Path(digits).read_text())


def test_the_name_in_the_package_is_the_default(client: Any, digits: str) -> None:
    assert client.upload_pipeline(digits).name == "digits"


def test_a_second_version_is_found_beside_the_first(client: Any, digits: str) -> None:
    pipeline = client.upload_pipeline(digits, pipeline_name="digits").pipeline_id
    made = client.upload_pipeline_version(digits, "second", pipeline_name="digits", description="d")
    assert (made.display_name, made.description, made.pipeline_id) == ("second", "d", pipeline)
    listed = client.list_pipeline_versions(pipeline, sort_by="name desc")
    assert [one.name for one in listed.pipeline_versions] == ["second", "digits"]
    with pytest.raises(ApiException) as refused:
        client.upload_pipeline_version(digits, "second", pipeline_id=pipeline)
    assert refused.value.status == 409
    assert "already has a version named 'second'" in json.loads(refused.value.body)["error_message"]


def test_a_function_is_compiled_and_uploaded(client: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from kfp import dsl

        @dsl.component(base_image="python:3.11")
        def nothing():
            """Does nothing."""

        @dsl.pipeline(name="of-a-function")
        def of_a_function():
            nothing()

        made = client.upload_pipeline_from_pipeline_func(of_a_function)
        version = client.upload_pipeline_version_from_pipeline_func(
            of_a_function, "again", pipeline_id=made.pipeline_id
        )
    assert made.name == "of-a-function"
    assert "comp-nothing" in version.pipeline_spec["components"]


def test_a_known_name_is_refused_and_nothing_is_left(client: Any, digits: str) -> None:
    client.upload_pipeline(digits, pipeline_name="digits")
    with pytest.raises(ApiException) as refused:
        client.upload_pipeline(digits, pipeline_name="digits")
    assert refused.value.status == 409
    assert "already exists" in json.loads(refused.value.body)["message"]
    assert client.list_pipelines().total_size == 1


def test_a_broken_package_says_where(client: Any, tmp_path: Path, digits: str) -> None:
    spec = yaml.safe_load(Path(digits).read_text())
    spec["root"]["dag"]["tasks"]["load"]["componentRef"]["name"] = "comp-nowhere"
    broken = tmp_path / "broken.yaml"
    broken.write_text(yaml.safe_dump(spec))
    with pytest.raises(ApiException) as refused:
        client.upload_pipeline(str(broken), pipeline_name="broken")
    assert refused.value.status == 400
    assert "comp-nowhere" in refused.value.body
    assert "root/dag/tasks/load" in refused.value.body
    assert client.list_pipelines().total_size is None


def test_deleting_needs_the_versions_gone_or_cascade(
    client: Any, call: Callable[..., Any], digits: str
) -> None:
    pipeline = client.upload_pipeline(digits, pipeline_name="digits").pipeline_id
    [version] = client.list_pipeline_versions(pipeline).pipeline_versions
    with pytest.raises(ApiException) as refused:
        client.delete_pipeline(pipeline)
    assert refused.value.status == 400
    assert "cascade=true" in refused.value.body
    client.delete_pipeline_version(pipeline, version.pipeline_version_id)
    with pytest.raises(ApiException) as missing:
        client.get_pipeline_version(pipeline, version.pipeline_version_id)
    assert missing.value.status == 404
    client.delete_pipeline(pipeline)
    assert client.get_pipeline_id("digits") is None

    other = client.upload_pipeline(digits, pipeline_name="other").pipeline_id
    assert call("DELETE", f"{ALL}/{other}", {"cascade": "true"}) == (200, {})
    assert call("GET", f"{ALL}/{other}")[0] == 404


def test_a_pipeline_is_found_by_its_name(call: Callable[..., Any]) -> None:
    made = call("POST", ALL, body={"display_name": "Two words", "description": "d"})[1]
    assert (made["name"], made["display_name"]) == ("Two words", "Two words")
    assert call("GET", f"{ALL}/names/Two%20words") == (200, made)
    assert call("GET", f"{ALL}/names/other")[0] == 404
    assert call("POST", ALL, body={"name": "Two words"})[0] == 409
    assert call("POST", ALL, body={})[1]["code"] == 3


def test_display_name_and_tags_change(call: Callable[..., Any]) -> None:
    made = call("POST", ALL, body={"name": "a", "tags": {"team": "x", "stage": "y"}})[1]
    call("POST", ALL, body={"name": "b", "tags": {"team": "z"}})
    one = f"{ALL}/{made['pipeline_id']}"
    assert call("PATCH", one, body={"displayName": "A"})[1]["display_name"] == "A"
    assert call("GET", one)[1]["tags"] == {"team": "x", "stage": "y"}
    tag = json.dumps(
        {"predicates": [{"key": "tags.team", "operation": "EQUALS", "string_value": "x"}]}
    )
    assert [p["name"] for p in call("GET", ALL, {"filter": tag})[1]["pipelines"]] == ["a"]
    assert call("PATCH", one, body={"tags": {"team": "z"}})[1]["tags"] == {"team": "z"}
    assert "tags" not in call("PATCH", one, body={"tags": {}})[1]
    assert call("PATCH", one, body={"tags": {"a.b": "c"}})[0] == 400
    assert call("PATCH", one, body={"tags": {str(n): "v" for n in range(21)}})[0] == 400
    assert call("PATCH", f"{ALL}/nothing", body={})[0] == 404


def test_a_version_belongs_to_its_pipeline(
    client: Any, call: Callable[..., Any], digits: str
) -> None:
    first = client.upload_pipeline(digits, pipeline_name="first").pipeline_id
    second = client.upload_pipeline(digits, pipeline_name="second").pipeline_id
    [version] = client.list_pipeline_versions(first).pipeline_versions
    path = f"{ALL}/{second}/versions/{version.pipeline_version_id}"
    for method in ("GET", "PATCH", "DELETE"):
        assert call(method, path, body={})[0] == 404
    own = f"{ALL}/{first}/versions/{version.pipeline_version_id}"
    assert call("PATCH", own, body={"display_name": "New"})[1]["display_name"] == "New"
    assert call("GET", f"{ALL}/nothing/versions")[0] == 404


@pytest.fixture
def asked() -> list[str]:
    """The paths that `web` was asked for."""
    return []


@pytest.fixture
def web(pipelines: Path, asked: list[str]) -> Iterator[str]:
    """A web server with the example pipelines, on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path.startswith("/elsewhere/"):
                self.send_response(302)
                self.send_header("Location", self.path.replace("/elsewhere", ""))
                self.end_headers()
                return
            path = pipelines / self.path.rpartition("/")[2]
            self.send_response(200 if path.is_file() else 404)
            self.end_headers()
            self.wfile.write(path.read_bytes() if path.is_file() else b"")

        def log_message(self, *arguments: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_packages_come_from_the_web(
    call: Callable[..., Any], web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_module, "is_allowed", lambda address: address == "127.0.0.1")
    url = {"pipeline_url": f"{web.replace('127.0.0.1', 'localhost')}/elsewhere/digits.yaml"}
    body = {"pipeline": {"display_name": "From the web"}, "pipeline_version": {"package_url": url}}
    status, made = call("POST", f"{ALL}/create", body=body)
    assert (status, made["name"]) == (200, "From the web")
    versions = f"{ALL}/{made['pipeline_id']}/versions"
    [first] = call("GET", versions)[1]["pipeline_versions"]
    assert (first["name"], first["package_url"]) == ("From the web", url)
    new = {"pipeline_id": made["pipeline_id"], "display_name": "two", "package_url": url}
    assert call("POST", versions, body=new)[1]["name"] == "two"

    for wrong, message in (
        (f"{web}/nothing.yaml", "404"),
        ("file:///etc/passwd", "not an http(s) address"),
        ("", "address is missing"),
    ):
        body = {"pipeline_version": {"package_url": {"pipeline_url": wrong}}}
        status, answer = call("POST", f"{ALL}/create", body=body)
        assert status == 400
        assert message in answer["message"]
    assert call("GET", ALL)[1]["total_size"] == 1


def test_packages_never_come_from_this_machine_or_its_link(
    call: Callable[..., Any], web: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = web.rpartition(":")[2]
    monkeypatch.setattr(web_module.urllib.request, "getproxies", dict)
    for host in (
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "example.com@127.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
    ):
        url = f"http://{host}:{port}/digits.yaml"
        body = {"pipeline_version": {"package_url": {"pipeline_url": url}}}
        status, answer = call("POST", f"{ALL}/create", body=body)
        assert status == 400, host
        assert "this machine, or one of its link" in answer["message"], host
    assert asked == []


def test_a_name_that_changes_its_address_gains_nothing(
    call: Callable[..., Any], web: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one that is connected to."""
    port = int(web.rpartition(":")[2])
    answers = iter(["192.0.2.1", "127.0.0.1", "127.0.0.1"])
    connected: list[str] = []

    def look_up(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        address = next(answers) if host == "rebinding.example" else host
        connected.append(address)
        if host == "192.0.2.1":  # reserved for examples: nobody is there
            raise ConnectionRefusedError
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(web_module.urllib.request, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    url = f"http://rebinding.example:{port}/digits.yaml"
    body = {"pipeline_version": {"package_url": {"pipeline_url": url}}}
    assert call("POST", f"{ALL}/create", body=body)[0] == 400
    assert connected == ["192.0.2.1", "192.0.2.1"]
    assert asked == []
