"""Turns cells of a notebook into a pipeline: what they need, and the IR; pure."""

from __future__ import annotations

from .emit import compile_step
from .plan import plan_step
from .probe import probe_source

__all__ = ["compile_step", "plan_step", "probe_source"]
