"""A remote Kubeflow Pipelines endpoint as a backend."""

from __future__ import annotations

from .backend import KubeflowBackend
from .connect import cluster_backend, kubeflow_backend
from .sign_in import BearerToken, kubeconfig_sign_in, sign_in_method
from .tls import Certificates

__all__ = [
    "BearerToken",
    "Certificates",
    "KubeflowBackend",
    "cluster_backend",
    "kubeconfig_sign_in",
    "kubeflow_backend",
    "sign_in_method",
]
