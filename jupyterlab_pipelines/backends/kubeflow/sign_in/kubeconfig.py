"""Whatever signs the user in at a Kubernetes API server: token, password or plugin."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import SignInNeeded
from .base import SignInMethod


class KubeconfigSignIn(SignInMethod):
    """The current context's user, by Kubernetes' own client; a plugin runs when it is needed."""

    next_step = "Sign in as for kubectl: `kubectl get pods` must work in a terminal."

    def __init__(self) -> None:
        self._configuration: Any = None
        self._lock = threading.Lock()
        self._last: str = ""

    async def headers(self) -> Mapping[str, str]:
        value = await asyncio.to_thread(self._value)
        return {"Authorization": value} if value else {}

    def refused(self, headers: Mapping[str, str]) -> bool:
        """A plugin may give a new token; the file may have been written anew."""
        self._configuration = None
        return True

    def secrets(self) -> Sequence[str]:
        return [self._last, self._last.partition(" ")[2]] if self._last else []

    def _value(self) -> str:
        with self._lock:  # a plugin may ask for something, but not twice at a time
            if self._configuration is None:
                self._configuration = _load()
            try:
                value = self._configuration.get_api_key_with_prefix("authorization")
            except Exception as error:
                self._configuration = None
                raise _failed(error) from None
        # Without a token there may be a client certificate, which signs in by itself.
        self._last = value if isinstance(value, str) else ""
        return self._last


def _load() -> Any:
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_kube_config(client_configuration=configuration)
    except Exception as error:
        raise _failed(error) from None
    return configuration


def _failed(error: Exception) -> SignInNeeded:
    """Without the error's text: a plugin's output may be in it."""
    return SignInNeeded(
        f"The kubeconfig's user cannot be signed in: {type(error).__name__}.",
        next_step=KubeconfigSignIn.next_step,
    )
