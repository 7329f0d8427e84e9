"""The connection that needs no adding: what the place says where the server runs."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from ..errors import BadInput
from ..models import (
    CookieSignIn,
    FoundIn,
    HeaderSignIn,
    NewConnection,
    NoSignIn,
    SignIn,
    TokenSignIn,
)
from .checked import clean_host
from .kubeconfig import Cluster, current_cluster

logger = logging.getLogger(__name__)

#: The name of the connection that is found.
FOUND = "kubeflow"
#: Where a pod's tokens are mounted, if not at Kubernetes' own place.
SECRETS_VARIABLE = "JUPYTERLAB_PIPELINES_POD_SECRETS"
#: All of the environment that finding looks at, beside files.
VARIABLES = (
    "HOME", "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_SA_TOKEN_PATH", "KF_PIPELINES_UI_ENDPOINT",
    "KUBECONFIG", "KUBERNETES_SERVICE_HOST", SECRETS_VARIABLE,
)  # fmt: skip
#: Where Kubeflow's own manifests put the services.
_API = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
_UI = "http://ml-pipeline-ui.kubeflow.svc.cluster.local"
#: Seconds for the pod's service to take a connection, and for which it is not asked again.
_PATIENCE = 2.0
_ASK_AGAIN = 60.0
_SERVICE = "{server}/api/v1/namespaces/kubeflow/services/{name}:http/proxy"


@dataclass(frozen=True)
class Found:
    """A connection and where it was found. `cluster`: asked through Kubernetes' API server."""

    settings: NewConnection
    place: FoundIn
    #: Nobody said that pipelines are there: it is worth showing only once it answers.
    guessed: bool = False
    cluster: Cluster | None = None


def find_connection() -> Found | None:
    """The best of what there is; reads some small files, and asks nobody.

    Only of two guesses, a pod's and kubeconfig's, the first is asked whether it is there at all.
    """
    found = _tried(_environment) or _tried(_pod)
    if found is not None and not (found.place == "pod" and found.guessed):
        return found
    other = _tried(_kubeconfig)
    if found is not None and (other is None or _is_there(_API, int(monotonic() / _ASK_AGAIN))):
        return found
    return other


def in_pod() -> bool:
    """Whether this machine is a pod, which may be taken away at any moment."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST") or os.environ.get("NB_PREFIX"))


def _tried(way: Callable[[], Found | None]) -> Found | None:
    try:
        return way()
    except BadInput:  # an address that cannot be one
        return None


def _address(variable: str) -> str:
    """The address that a variable gives, also as a browser shows it; empty where it gives none."""
    given = os.environ.get(variable, "").strip()
    if not given:
        return ""
    try:
        return clean_host(_with_scheme(given).partition("#")[0])
    except BadInput as error:
        _left_out(variable, error.problems[0].message)
        return ""


@lru_cache(maxsize=8)
def _left_out(variable: str, reason: str) -> None:
    """Said once: it is looked at again and again."""
    logger.warning("%s is left out: it %s.", variable, reason)


def _environment() -> Found | None:
    """`KF_PIPELINES_ENDPOINT`, signed in as the pod or as `kfp.Client` was told to."""
    host = _address("KF_PIPELINES_ENDPOINT")
    if not host:
        return None
    token = _token_file()
    # It is for the cluster: no other host is to see it unasked.
    token = token if _in_cluster(host) else None
    return Found(
        NewConnection(
            name=FOUND,
            host=host,
            ui_host=_address("KF_PIPELINES_UI_ENDPOINT"),
            namespace=_namespace(),
            sign_in=TokenSignIn(file=token) if token else _from_context(),
        ),
        "environment",
    )


def _pod() -> Found | None:
    """Kubeflow's services as a pod of the cluster sees them."""
    token = _token_file()
    if token is None and not (os.environ.get("KUBERNETES_SERVICE_HOST") and _pod_namespace()):
        return None
    return Found(
        NewConnection(
            name=FOUND,
            host=_API,
            ui_host=_UI,
            namespace=_namespace(),
            sign_in=TokenSignIn(file=token) if token else _from_context(),
        ),
        "pod",
        guessed=token is None,
    )


@lru_cache(maxsize=1)
def _is_there(address: str, moment: int) -> bool:
    """Whether a service takes connections, asked once a `moment`."""
    parts = urlsplit(address)
    taken = threading.Event()

    def ask() -> None:
        try:
            socket.create_connection((parts.hostname, parts.port or 80), _PATIENCE).close()
        except OSError:
            return
        taken.set()

    # Apart: a name server may be silent for longer than anybody would wait.
    asking = threading.Thread(target=ask, name="pod-service", daemon=True)
    asking.start()
    asking.join(_PATIENCE)
    return taken.is_set()


def _kubeconfig() -> Found | None:
    """The pipelines of the cluster that kubectl would ask, through its API server."""
    cluster = current_cluster()
    if cluster is None:
        return None
    settings = NewConnection(
        name=FOUND,
        host=clean_host(_SERVICE.format(server=cluster.server, name="ml-pipeline")),
        ui_host=_SERVICE.format(server=cluster.server, name="ml-pipeline-ui"),
        namespace=_text(_context().get("namespace")) or cluster.namespace,
    )
    return Found(settings, "kubeconfig", guessed=True, cluster=cluster)


# --- the parts ---------------------------------------------------------------------------------


def _with_scheme(endpoint: str) -> str:
    """An address with its scheme; plain names of a cluster's services speak HTTP."""
    if "://" in endpoint:
        return endpoint
    scheme = "http" if _is_service(f"//{endpoint}") else "https"
    return f"{scheme}://{endpoint}"


def _in_cluster(host: str) -> bool:
    """Whether an address leads to no host outside: a service's, a plain name, or a private one."""
    name = (urlsplit(host).hostname or "").rstrip(".")
    try:
        return not ipaddress.ip_address(name).is_global
    except ValueError:
        return "." not in name or bool(re.match(r"[^.]+\.[^.]+\.svc(\.|$)", name))


def _is_service(host: str) -> bool:
    name = urlsplit(host).hostname or ""
    return bool(re.search(r"(\.svc|\.svc\.cluster\.local)\.?$", name))


def _secrets() -> Path:
    return Path(os.environ.get(SECRETS_VARIABLE) or "/var/run/secrets")


def _token_file() -> str | None:
    """The projected token's path, if it is mounted or promised."""
    given = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH")
    if given:
        return given
    default = _secrets() / "kubeflow/pipelines/token"
    return str(default) if default.is_file() else None


def _pod_namespace() -> str:
    try:
        file = _secrets() / "kubernetes.io/serviceaccount/namespace"
        return file.read_text(encoding="ascii").strip()[:253]
    except (OSError, ValueError):
        return ""


def _namespace() -> str:
    """What `kfp.Client` was told to use, else the pod's own."""
    return _text(_context().get("namespace")) or _pod_namespace()


def _context() -> dict[str, Any]:
    """What `kfp.Client` keeps: a namespace, and a cookie or a header to sign in with."""
    try:
        content = json.loads(Path("~/.config/kfp/context.json").expanduser().read_bytes())
    except (OSError, ValueError, RuntimeError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _from_context() -> SignIn:
    context = _context()
    cookie = _text(context.get("client_authentication_cookie"))
    name = _text(context.get("client_authentication_header_name"))
    value = _text(context.get("client_authentication_header_value"))
    if cookie:
        return CookieSignIn(cookie=SecretStr(cookie))
    if name and value:
        return HeaderSignIn(header=name, value=SecretStr(value))
    return NoSignIn()


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
