"""The vocabulary every room shares: runs, tasks, artifacts, graphs and outputs, with no I/O.

Names are Kubeflow's v2beta1 names. A task's id is its scope path with iterations, for instance
``for-loop-1[3]/train``: the same in every backend and at every refresh. An artifact's id is
``<task id>:<output key>``, with ``[i]`` appended for the i-th element of a list output.

The browser's ``src/api/types.ts`` is generated from this package (``make types``).
"""

from __future__ import annotations

from typing import Any

from .base import (
    FINAL_STATES,
    ErrorBody,
    Model,
    Problem,
    State,
    TaskType,
)
from .connections import (
    Connection,
    ConnectionKind,
    ConnectionState,
    ConnectionStep,
    ConnectionTest,
    CookieSignIn,
    DexSignIn,
    FoundIn,
    HeaderSignIn,
    IapSignIn,
    NamespaceChoice,
    Namespaces,
    NewConnection,
    NoSignIn,
    ObjectStore,
    OidcSignIn,
    SignIn,
    TokenSignIn,
)
from .events import (
    Event,
    Subscription,
)
from .graph import (
    ArtifactNode,
    ArtifactStatus,
    Attempt,
    Edge,
    GraphDelta,
    RunGraph,
    TaskNode,
    TaskRef,
    TaskStatus,
    Topology,
)
from .runs import (
    Progress,
    Run,
    RunPage,
    RunQuery,
)
from .storage import Cleaned, CleanedItem, Cleaning, Environment, Storage
from .submission import (
    CellSelection,
    KernelVariable,
    NotebookCell,
    PipelineDescription,
    PipelineParameter,
    PipelineSource,
    StepInput,
    StepPlan,
    StepRequest,
    Submission,
)
from .task import (
    ArtifactRef,
    LogChunk,
    Output,
    TaskDetail,
    TaskIO,
)

__all__ = [
    "FINAL_STATES",
    "ArtifactNode",
    "ArtifactRef",
    "ArtifactStatus",
    "Attempt",
    "CellSelection",
    "Cleaned",
    "CleanedItem",
    "Cleaning",
    "Connection",
    "ConnectionKind",
    "ConnectionState",
    "ConnectionStep",
    "ConnectionTest",
    "CookieSignIn",
    "DexSignIn",
    "Edge",
    "Environment",
    "ErrorBody",
    "Event",
    "FoundIn",
    "GraphDelta",
    "HeaderSignIn",
    "IapSignIn",
    "KernelVariable",
    "LogChunk",
    "Model",
    "NamespaceChoice",
    "Namespaces",
    "NewConnection",
    "NoSignIn",
    "NotebookCell",
    "ObjectStore",
    "OidcSignIn",
    "Output",
    "PipelineDescription",
    "PipelineParameter",
    "PipelineSource",
    "Problem",
    "Progress",
    "Run",
    "RunGraph",
    "RunPage",
    "RunQuery",
    "SignIn",
    "State",
    "StepInput",
    "StepPlan",
    "StepRequest",
    "Storage",
    "Submission",
    "Subscription",
    "TaskDetail",
    "TaskIO",
    "TaskNode",
    "TaskRef",
    "TaskStatus",
    "TaskType",
    "TokenSignIn",
    "Topology",
    "contract_schema",
]


def contract_schema() -> dict[str, Any]:
    """The JSON schema of every model, from which the browser's types are generated."""
    from pydantic.json_schema import models_json_schema

    models = [
        model
        for model in list(globals().values())
        if isinstance(model, type) and issubclass(model, Model) and model is not Model
    ]
    _, schema = models_json_schema([(model, "serialization") for model in models])
    return {"title": "Contract", "type": "object", "additionalProperties": False, **schema}
