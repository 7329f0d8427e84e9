"""The official `kfp.Client`, configured for a connection; kfp itself loads only when asked for."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from jupyter_core.paths import jupyter_runtime_dir

from .places import HOME_HEADER, default_home, home_id
from .registry import Connections
from .settings import LOCAL

if TYPE_CHECKING:
    import kfp

    from ..backends.kubeflow.sign_in import SignInMethod
    from ..loopback import Loopback

_TIMEOUT = httpx.Timeout(5.0)


def kfp_client(name: str = LOCAL) -> kfp.Client:
    """The client of the connection `name`.

    A remote is asked directly. `local` is the running Jupyter server of this user's home, with
    its token or, where it has none, its XSRF cookie; else a server of this process alone. Raises
    NotFound for an unknown name, and what the connection's own settings are wrong about.
    """
    return _local_client() if name == LOCAL else _remote_client(Connections(), name)


def _remote_client(connections: Connections, name: str) -> kfp.Client:
    from ..backends.kubeflow import Certificates, kubeconfig_sign_in, sign_in_method
    from .signed_client import signed_client

    known = connections.known(name)
    settings = known.settings
    sign_in: SignInMethod | None
    if known.cluster is not None:
        given = known.cluster.certificates
        given.context()
        sign_in = kubeconfig_sign_in(known.cluster.user, known.cluster.folder)
    else:
        given = Certificates(settings.ca_file, settings.client_certificate, settings.client_key)
        sign_in = sign_in_method(
            settings, certificates=given.context(), keeper=connections.keeper(name)
        )
    files = contextlib.ExitStack()
    atexit.register(files.close)  # they are read at each new connection
    certificates = files.enter_context(given.on_disk())
    return _silently(lambda: signed_client(settings, sign_in, certificates))


def _local_client() -> kfp.Client:
    wanted = home_id(default_home())
    for server in _running_servers():
        token = server.get("token", "")
        host = str(server["url"]).rstrip("/") + "/pipelines"
        try:
            answer = httpx.get(
                f"{host}/connections",
                headers={"Authorization": f"Bearer {token}"} if token else {},
                timeout=_TIMEOUT,
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            continue  # gone without cleaning up, or not for this machine
        if answer.status_code != 200 or answer.headers.get(HOME_HEADER) != wanted:
            continue
        if token:
            return _client(host=f"{host}/{LOCAL}", existing_token=token)
        return _client_with_xsrf(f"{host}/{LOCAL}", answer.cookies.get("_xsrf") or "")
    loopback = _loopback(default_home())
    return _client(host=loopback.url, existing_token=loopback.token)


def _client_with_xsrf(host: str, token: str) -> kfp.Client:
    client = _client(host=host, cookies=f"_xsrf={token}")
    client._run_api.api_client.set_default_header("X-XSRFToken", token)
    return client


def _client(**arguments: Any) -> kfp.Client:
    return _silently(lambda: _kfp().Client(**arguments))


def _kfp() -> Any:
    import kfp

    return kfp


def _silently(make: Callable[[], kfp.Client]) -> kfp.Client:
    with warnings.catch_warnings():
        # Said at every construction, of a backend older than any that we speak to.
        warnings.filterwarnings("ignore", "This client only works", FutureWarning)
        return make()


def _running_servers() -> Iterator[dict[str, Any]]:
    """What the user's Jupyter servers say of themselves; a kernel's own server comes first."""
    parent = os.environ.get("JPY_PARENT_PID", "")
    files = sorted(
        Path(jupyter_runtime_dir()).glob("jpserver-*.json"),
        key=lambda path: (path.stem != f"jpserver-{parent}", -_modified(path)),
    )
    for path in files:
        try:
            server = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(server, dict) and str(server.get("url", "")).startswith("http"):
            yield server


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@lru_cache(maxsize=4)
def _loopback(home: Path) -> Loopback:
    """A server of this process, closed when it ends."""
    from ..backends.local.backend import LocalBackend
    from ..loopback import Loopback

    loopback = Loopback(LocalBackend(home / "local")).start()
    atexit.register(loopback.close)
    return loopback
