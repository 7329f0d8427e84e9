"""Connections that need no adding: what the environment says of a Kubeflow endpoint."""

from __future__ import annotations

import ipaddress
import os
import re
from urllib.parse import urlsplit

from ..errors import BadInput
from ..models import NewConnection, Problem

#: The name of a connection found in the environment.
FOUND = "kubeflow"
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")


def found_connection() -> NewConnection | None:
    """The endpoint that `KF_PIPELINES_ENDPOINT` names, with the token that is mounted for it."""
    endpoint = os.environ.get("KF_PIPELINES_ENDPOINT", "").strip()
    if not endpoint:
        return None
    try:
        host = clean_host(endpoint if "://" in endpoint else f"https://{endpoint}")
    except BadInput:
        return None
    return NewConnection(
        name=FOUND, host=host, token_file=os.environ.get("KF_PIPELINES_SA_TOKEN_PATH") or None
    )


def clean_host(text: str) -> str:
    """An API's address without a trailing slash. Raises BadInput, never showing credentials."""
    reason = ""
    try:
        url = urlsplit(text.strip())
        _ = url.port
    except ValueError:
        raise _bad("is not an address") from None
    if url.scheme not in ("http", "https"):
        reason = "must begin with http:// or https://"
    elif url.username is not None or url.password is not None:
        reason = "must not hold a user name or password: give a token instead"
    elif url.query or url.fragment:
        reason = "must not hold ? or #: give the address of the API only"
    elif not _is_host(url.hostname or "") or re.search(r"[\s\x00-\x1f\\%]", text.strip()):
        reason = "does not name a host"
    elif ".." in url.path.split("/"):
        reason = "must not hold .."
    if reason:
        raise _bad(reason)
    return url.geturl().rstrip("/")


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(_HOST_NAME.fullmatch(name)) and not name.replace(".", "").isdigit()
    return True


def _bad(reason: str) -> BadInput:
    return BadInput(
        f"The host {reason}.",
        problems=[Problem(message=reason, place="host")],
        next_step="Give an address such as https://kubeflow.example.com/pipeline.",
    )
