"""ML Metadata, where Kubeflow up to 2.17 records tasks, artifacts and what came from the cache."""

from __future__ import annotations

from .store import MetadataStore, Origin, Snapshot

__all__ = ["MetadataStore", "Origin", "Snapshot"]
