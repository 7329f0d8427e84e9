"""The HTTP door: the table of all routes below `<base_url>pipelines/`."""

from __future__ import annotations

from typing import Any

from .apis import ApisHandler
from .artifacts import ArtifactHandler
from .base import Desk, Door
from .cells import PlanHandler, ProbeHandler, RunStepHandler
from .connections import (
    ConnectionHandler,
    ConnectionsHandler,
    ConnectionTestHandler,
    KnownTestHandler,
    NamespaceHandler,
    NamespacesHandler,
)
from .events import EventsHandler
from .link import LinkHandler
from .pipelines import DescribeHandler
from .runs import RetryHandler, RunHandler, RunsHandler, TerminateHandler
from .storage import CleanHandler, StorageHandler
from .tasks import GraphHandler, LogHandler, OutputsHandler, TaskHandler

__all__ = ["ROUTES", "Desk", "handlers"]

_CONNECTION = r"(?P<connection>[a-z][a-z0-9-]*)"
_RUN = rf"{_CONNECTION}/runs/(?P<run_id>[A-Za-z0-9][A-Za-z0-9_-]{{0,127}})"

#: Patterns below `pipelines/`, the first that fits wins. Ids never hold a dot, a slash or a `%`.
ROUTES: list[tuple[str, type[Door]]] = [
    (r"connections", ConnectionsHandler),
    (r"connections/test", ConnectionTestHandler),
    (rf"connections/{_CONNECTION}", ConnectionHandler),
    (rf"connections/{_CONNECTION}/test", KnownTestHandler),
    (r"events", EventsHandler),
    (r"cells/probe", ProbeHandler),
    (rf"{_CONNECTION}/apis/.*", ApisHandler),
    (rf"{_CONNECTION}/pipelines/describe", DescribeHandler),
    (rf"{_CONNECTION}/cells/plan", PlanHandler),
    (rf"{_CONNECTION}/cells/run", RunStepHandler),
    (rf"{_CONNECTION}/namespaces", NamespacesHandler),
    (rf"{_CONNECTION}/namespace", NamespaceHandler),
    (rf"{_CONNECTION}/storage", StorageHandler),
    (rf"{_CONNECTION}/clean", CleanHandler),
    (rf"{_CONNECTION}/runs", RunsHandler),
    (_RUN, RunHandler),
    (rf"{_RUN}/terminate", TerminateHandler),
    (rf"{_RUN}/retry", RetryHandler),
    (rf"{_RUN}/graph", GraphHandler),
    (rf"{_RUN}/task", TaskHandler),
    (rf"{_RUN}/log", LogHandler),
    (rf"{_RUN}/outputs", OutputsHandler),
    (rf"{_RUN}/artifact", ArtifactHandler),
    (rf"{_CONNECTION}/?", LinkHandler),
]


def handlers(desk: Desk) -> list[tuple[str, type[Door], dict[str, Any]]]:
    """The table as Jupyter wants it, below the server's base URL."""
    return [(f"/pipelines/{pattern}", handler, {"desk": desk}) for pattern, handler in ROUTES]
