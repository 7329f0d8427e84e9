"""The namespaces that a user may see on an endpoint, as far as anybody there tells them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from ...errors import PipelinesError
from ...models import Namespaces
from .endpoint import Endpoint

HEALTH = "/apis/v2beta1/healthz"
_EXPERIMENTS = "/apis/v2beta1/experiments"
#: As `kfp.Client` and Kubeflow's own page name it.
_DEFAULT = "Default"
#: What Kubeflow's central dashboard tells on the same origin: the user's own, then all.
_DASHBOARD = ("/api/workgroup/env-info", "/api/namespaces")
#: The path of Kubernetes' own proxy to a service.
_PROXY = "/api/v1/namespaces/"


async def read(endpoint: Endpoint, current: str) -> Namespaces:
    """Those that can be listed, `current` among them. Raises what the endpoint's health raises."""
    health = await endpoint.json("GET", HEALTH, retries=1)
    if health.get("multi_user") is not True:
        return Namespaces(namespaces=[], current=current, multi_user=False)
    names = await _listed(endpoint)
    message = "" if names else "The endpoint does not list namespaces. Type one in."
    if current:
        names |= {current}
    return Namespaces(namespaces=sorted(names), current=current, multi_user=True, message=message)


async def default_experiment(endpoint: Endpoint, namespace: str) -> str:
    """The id of the experiment in a namespace that a run without one goes to, made if need be."""
    predicate = {"key": "display_name", "operation": "EQUALS", "string_value": _DEFAULT}
    query = [("namespace", namespace), ("filter", json.dumps({"predicates": [predicate]}))]
    answer = await endpoint.json("GET", _EXPERIMENTS, query=query)
    known = [one for one in answer.get("experiments") or [] if isinstance(one, dict)]
    if not known:
        made = {"display_name": _DEFAULT, "namespace": namespace}
        known = [await endpoint.json("POST", _EXPERIMENTS, body=made)]
    return str(known[0].get("experiment_id", ""))


async def _listed(endpoint: Endpoint) -> set[str]:
    """What the first of those who may know says; nothing where none does."""
    # Kubernetes may itself be below a path, as Rancher has its clusters.
    server, through_kubernetes, _ = urlsplit(endpoint.host).path.partition(_PROXY)
    for path in (server + _PROXY.rstrip("/"),) if through_kubernetes else _DASHBOARD:
        try:
            # A page there is somebody else's, not a sign-in: the API has answered before.
            answer = await endpoint.value("GET", path, retries=0, html=True, at_origin=True)
        except PipelinesError:
            continue
        names = {name for one in _items(answer) if (name := _name(one))}
        if names:
            return names
    return set()


def _items(answer: Any) -> list[Any]:
    if isinstance(answer, dict):
        answer = answer.get("namespaces") or answer.get("items")
    return answer if isinstance(answer, list) else []


def _name(item: Any) -> str:
    """A namespace's name in the forms of dashboard and Kubernetes."""
    if isinstance(item, dict):
        metadata = item.get("metadata")
        named = metadata.get("name") if isinstance(metadata, dict) else item.get("namespace")
        item = named if named is not None else item.get("name")
    return item if isinstance(item, str) else ""
