"""Whether the API is up, as `kfp.Client` asks before anything else."""

from __future__ import annotations

from typing import Any

from .protocol import Call, Route


def healthz(call: Call) -> dict[str, Any]:
    """One user, pipelines in the database; there is no released image behind it."""
    from .... import __version__

    return {
        "commit_sha": "unknown",
        "tag_name": f"jupyterlab-pipelines {__version__}",
        "multi_user": False,
        "pipeline_store": "database",
    }


ROUTES = [
    Route("GET", "/apis/v2beta1/healthz", healthz),
    Route("GET", "/apis/v1beta1/healthz", healthz),
]
