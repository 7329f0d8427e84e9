"""The user's connections: found or stored, with their secrets; builds backends and services."""

from __future__ import annotations

from .client import kfp_client
from .places import default_home
from .registry import Connections

__all__ = ["Connections", "default_home", "kfp_client"]
