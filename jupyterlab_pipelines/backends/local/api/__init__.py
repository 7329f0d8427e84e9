"""Kubeflow's v2beta1 API over the embedded engine: pure functions over dicts, no web framework."""

from __future__ import annotations

from .experiments import default_experiment
from .router import Api
from .runs import create_run

__all__ = ["Api", "create_run", "default_experiment"]
