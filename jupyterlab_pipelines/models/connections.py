"""Named backends as the browser sees them, and how the user adds one."""

from __future__ import annotations

from enum import Enum
from typing import Literal

from pydantic import Field

from .base import Model


class ConnectionKind(str, Enum):
    """The engine behind a connection."""

    LOCAL = "local"
    KUBEFLOW = "kubeflow"


class ConnectionState(str, Enum):
    """What the last look at a connection found."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    SIGN_IN = "sign_in"
    UNSUPPORTED = "unsupported"


class Connection(Model):
    """A named backend as the browser sees it; it never carries a secret."""

    name: str
    kind: ConnectionKind
    host: str = Field("", description="The API's address without credentials; empty for local.")
    namespace: str = ""
    state: ConnectionState
    message: str = Field("", description="Why it is not ready and what to do; empty when ready.")
    removable: bool = False


class NewConnection(Model):
    """A connection the user adds. `token` is write-only: it is stored, never read back."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=63)
    kind: Literal["kubeflow"] = "kubeflow"
    host: str
    namespace: str = ""
    token: str | None = Field(None, repr=False)
    token_file: str | None = None
    token_env: str | None = None
