"""What an endpoint itself says at this moment; a page of the list may be a little older."""

from __future__ import annotations

import json

from jupyterlab_pipelines.backends.base import ApiRequest, Stream
from jupyterlab_pipelines.backends.kubeflow import KubeflowBackend


async def names(backend: KubeflowBackend, **query: str) -> list[str]:
    """The runs' names. Raises what signing in raises."""
    answer = await backend.api(ApiRequest("GET", "/apis/v2beta1/runs", list(query.items())))
    assert isinstance(answer.body, Stream)
    content = b"".join([piece async for piece in answer.body])
    await answer.body.aclose()
    assert answer.status == 200, content
    return [run["display_name"] for run in json.loads(content).get("runs") or []]
