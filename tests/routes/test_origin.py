"""Which requests are those of another page: the rule alone, over headers."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.routes.origin import foreign_origin

OWN = {"Host": "kubeflow.example.com"}


def foreign(headers: dict[str, str], *, navigation: bool = False, trusted: str = "") -> bool:
    return (
        foreign_origin(OWN | headers, lambda one: one == trusted, navigation=navigation) is not None
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},  # a script
        {"Origin": "https://kubeflow.example.com"},
        {"Origin": "http://kubeflow.example.com"},  # TLS ends at the proxy
        {"Origin": "https://KUBEFLOW.example.com"},
        {"Origin": "https://kubeflow.example.com:443"},
        {"Origin": "https://lab.example.org", "X-Forwarded-Host": "lab.example.org"},
        {"Origin": "https://lab.example.org", "X-Forwarded-Host": "edge.local, lab.example.org"},
        {"Origin": "https://lab.example.org:8443", "X-Forwarded-Host": "lab.example.org:8443"},
        {"Origin": "https://lab.example.org", "Forwarded": 'for=1.2.3.4;host="lab.example.org"'},
        {"Referer": "https://kubeflow.example.com/notebook/ns/nb/lab"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},  # typed, or a bookmark
        # The browser says so although a proxy changed the host.
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://lab.example.org"},
        {"Sec-Websocket-Origin": "https://kubeflow.example.com"},
    ],
)
def test_our_own_pages_and_scripts_are_not_foreign(headers: dict[str, str]) -> None:
    assert not foreign(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.org"},
        {"Origin": "null"},
        {"Origin": "https://kubeflow.example.com:8443"},
        {"Origin": "https://kubeflow.example.com.evil.org"},
        {"Origin": "https://evil.org/kubeflow.example.com"},
        {"Origin": "file://"},
        {"Origin": "https://[broken"},
        {"Origin": "garbage"},
        {"Referer": "https://evil.example.org/page"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "cross-site", "X-Forwarded-Host": "evil.example.org"},
        {"Sec-Websocket-Origin": "https://evil.example.org"},
        {"Origin": "https://evil.example.org", "X-Forwarded-Host": ""},
        {"Origin": "https://evil.example.org", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_pages_are_foreign(headers: dict[str, str]) -> None:
    assert foreign(headers)


def test_a_link_may_be_followed_where_that_is_allowed() -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert not foreign(link, navigation=True)
    assert foreign({**link, "Sec-Fetch-Mode": "no-cors"}, navigation=True)


def test_an_origin_that_the_operator_trusts_is_ours() -> None:
    headers = {"Origin": "https://portal.example.org", "Sec-Fetch-Site": "cross-site"}
    assert not foreign(headers, trusted="https://portal.example.org")
    assert foreign(headers, trusted="https://other.example.org")
