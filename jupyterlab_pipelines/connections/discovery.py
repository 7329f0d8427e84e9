"""Connections that need no adding: what the environment says of a Kubeflow endpoint."""

from __future__ import annotations

import os

from ..errors import BadInput
from ..models import NewConnection, NoSignIn, TokenSignIn
from .checked import clean_host

#: The name of a connection found in the environment.
FOUND = "kubeflow"


def found_connection() -> NewConnection | None:
    """The endpoint that `KF_PIPELINES_ENDPOINT` names, with the token that is mounted for it."""
    endpoint = os.environ.get("KF_PIPELINES_ENDPOINT", "").strip()
    if not endpoint:
        return None
    try:
        host = clean_host(endpoint if "://" in endpoint else f"https://{endpoint}")
    except BadInput:
        return None
    file = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH")
    return NewConnection(
        name=FOUND, host=host, sign_in=TokenSignIn(file=file) if file else NoSignIn()
    )
