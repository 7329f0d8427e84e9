"""A task's logs: of running pods as they grow, and of those that are gone, each attempt's."""

from __future__ import annotations

from .reader import Logs

__all__ = ["Logs"]
