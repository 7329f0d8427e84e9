"""From a connection's settings to its backend."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...models import DexSignIn, NewConnection
from .backend import KubeflowBackend
from .endpoint import Endpoint
from .sign_in import RefreshTokens, SignInMethod, kubeconfig_sign_in, sign_in_method
from .tls import Certificates


def kubeflow_backend(
    settings: NewConnection, keeper: RefreshTokens | None = None
) -> KubeflowBackend:
    """The backend of a connection; nothing is asked yet. Raises BadInput on a bad certificate."""
    tls = Certificates(settings.ca_file, settings.client_certificate, settings.client_key).context()
    sign_in = sign_in_method(settings, certificates=tls, keeper=keeper)
    ui_sign_in = sign_in
    if isinstance(settings.sign_in, DexSignIn) and settings.ui_host:  # a session is one host's
        ui_sign_in = sign_in_method(settings, host=settings.ui_host, certificates=tls)
    return _backend(settings, sign_in, ui_sign_in, tls)


def cluster_backend(
    settings: NewConnection, certificates: Certificates, user: Mapping[str, Any], folder: Path
) -> KubeflowBackend:
    """The backend behind a Kubernetes API server's proxy, signed in as for kubectl.

    `user` is the kubeconfig's entry, `folder` where its paths begin.
    """
    sign_in = kubeconfig_sign_in(user, folder)
    return _backend(settings, sign_in, sign_in, certificates.context())


def _backend(
    settings: NewConnection,
    sign_in: SignInMethod | None,
    ui_sign_in: SignInMethod | None,
    tls: ssl.SSLContext | None,
) -> KubeflowBackend:
    ui = None
    if settings.ui_host not in ("", settings.host):
        # A sign-in of its own is judged by what the UI server says; a shared one by the API alone.
        api = "/apis/" if ui_sign_in is sign_in else "/"
        ui = Endpoint(settings.ui_host, ui_sign_in, tls=tls, api=api)
    return KubeflowBackend(
        settings.host,
        sign_in,
        namespace=settings.namespace,
        ui=ui,
        artifact_hosts=settings.artifact_hosts,
        stores=settings.stores,
        artifacts_ca=settings.ca_file,
        tls=tls,
    )
