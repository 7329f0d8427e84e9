"""Draws a run whose pipeline is not known as IR, by its records alone: v1 runs, lost versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ....models import ArtifactNode, Edge, TaskNode, Topology
from .records import Record
from .topology import key_of


def outline(records: Mapping[str, Record]) -> Topology:
    """Each record is a node; edges are the artifacts and the dependencies that records name."""
    tasks = [
        TaskNode(
            id=record.task_id,
            name=record.name,
            display_name=record.display_name,
            type=record.type,
            parent=record.parent,
            iteration=record.iteration,
            component=record.component or None,
        )
        for record in records.values()
    ]
    artifacts: list[ArtifactNode] = []
    edges: dict[tuple[str, str, str, str], Edge] = {}

    def connect(
        source: str, target: str, kind: Literal["output", "input", "dependency"], label: str
    ) -> None:
        edges[source, target, kind, label] = Edge(
            source=source, target=target, kind=kind, label=label
        )

    for record in records.values():
        for artifact_id in record.artifacts:
            name = artifact_id.rpartition(":")[2].partition("[")[0]
            artifacts.append(
                ArtifactNode(
                    id=artifact_id,
                    name=name,
                    type=record.artifact_types.get(artifact_id, "system.Artifact"),
                    producer=record.task_id,
                    parent=record.parent,
                )
            )
            connect(record.task_id, artifact_id, "output", name)
    drawn = {artifact.id for artifact in artifacts}
    for record in records.values():
        shown = set()
        for reference in record.inputs.artifacts:
            if reference.id in drawn and reference.id is not None:
                connect(reference.id, record.task_id, "input", reference.name)
                shown.add(reference.producer)
        for other, label in record.after.items():
            if other in records and (label or other not in shown):
                connect(other, record.task_id, "dependency", label)
    return Topology(
        key=key_of(tasks, artifacts, edges),
        tasks=tasks,
        artifacts=artifacts,
        edges=list(edges.values()),
    )
