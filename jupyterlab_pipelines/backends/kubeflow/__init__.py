"""A remote Kubeflow Pipelines endpoint as a backend."""

from __future__ import annotations

from .backend import KubeflowBackend
from .sign_in import BearerToken, sign_in_method

__all__ = ["BearerToken", "KubeflowBackend", "sign_in_method"]
