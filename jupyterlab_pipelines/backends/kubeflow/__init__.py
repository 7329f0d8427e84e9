"""A remote Kubeflow Pipelines endpoint as a backend."""

from __future__ import annotations

from .backend import KubeflowBackend
from .credentials import BearerToken, bearer_token

__all__ = ["BearerToken", "KubeflowBackend", "bearer_token"]
