"""An artifact's bytes: by the endpoint's route, through Kubeflow's UI server, or directly."""

from __future__ import annotations

from .reader import Artifacts
from .source import Wanted

__all__ = ["Artifacts", "Wanted"]
