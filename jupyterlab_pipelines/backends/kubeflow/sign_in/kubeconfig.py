"""Whatever signs the user in at a Kubernetes API server: token, password, plugin or provider."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from ....errors import SignInNeeded
from .base import SignInMethod, clean_token
from .command import ProgramSignIn, output
from .header import Header
from .session import PATIENCE, Session, lasting
from .token import BearerToken

NEXT_STEP = "Sign in as for kubectl: `kubectl get pods` must work in a terminal."


def kubeconfig_sign_in(user: Mapping[str, Any], folder: Path) -> SignInMethod:
    """How the `user` of a kubeconfig signs in, whose paths begin at `folder`."""
    if user.get("token") and not user.get("tokenFile"):
        return BearerToken(str(user["token"]), next_step=NEXT_STEP)
    if user.get("tokenFile"):
        return BearerToken(file=str(folder / str(user["tokenFile"])), next_step=NEXT_STEP)
    if isinstance(user.get("exec"), dict):
        return Plugin(user["exec"], folder)
    if user.get("auth-provider"):
        return AuthProvider()
    if user.get("username") and user.get("password"):
        pair = f"{user['username']}:{user['password']}".encode()
        value = "Basic " + base64.b64encode(pair).decode()
        return Header("Authorization", value, NEXT_STEP)
    return ByCertificate()


class ByCertificate(SignInMethod):
    """No header: a client certificate signs in by itself, where there is one."""

    next_step = NEXT_STEP

    async def headers(self) -> Mapping[str, str]:
        return {}

    def refused(self, headers: Mapping[str, str]) -> bool:
        return False

    def secrets(self) -> Sequence[str]:
        return []


class _Kubectls(ProgramSignIn):
    next_step = NEXT_STEP
    useless = "The cluster refuses the kubeconfig's user. It is tried again in a minute."
    useless_step = NEXT_STEP


class Plugin(_Kubectls):
    """A credential plugin, which has no terminal here and may ask nothing."""

    program = "The kubeconfig's plugin"

    def __init__(self, entry: Mapping[str, Any], folder: Path) -> None:
        super().__init__()
        self._entry = entry
        self._folder = folder

    def make(self) -> Session:
        entry = self._entry
        if entry.get("interactiveMode") == "Always":
            raise SignInNeeded(
                f"{self.program} needs a terminal, which the server has not.",
                next_step="Use one that does not ask, or add a connection with a token.",
            )
        words = [str(entry.get("command") or ""), *map(str, _list(entry.get("args")))]
        given = [one for one in _list(entry.get("env")) if isinstance(one, dict)]
        environment = {str(one.get("name")): str(one.get("value")) for one in given}
        environment["KUBERNETES_EXEC_INFO"] = json.dumps(
            {
                "apiVersion": entry.get("apiVersion"),
                "kind": "ExecCredential",
                "spec": {"interactive": False},
            }
        )
        text = output(
            words, self.program, self.next_step, environment=environment, folder=self._folder
        )
        return _session(text)


class AuthProvider(_Kubectls):
    """What kubectl had before plugins, by Kubernetes' own client; the file stays as it is."""

    program = "The kubeconfig's auth provider"

    def make(self) -> Session:
        from kubernetes import client, config

        configuration = client.Configuration()
        try:
            config.load_kube_config(client_configuration=configuration, persist_config=False)
            value = configuration.get_api_key_with_prefix("authorization")
        except Exception as error:  # without its text: what a provider says may be in it
            raise SignInNeeded(
                f"The kubeconfig's user cannot be signed in: {type(error).__name__}.",
                next_step=NEXT_STEP,
            ) from None
        return Session({"Authorization": value} if value else {})


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _session(text: str) -> Session:
    """What a plugin printed. Raises SignInNeeded without the text."""
    try:
        status = json.loads(text)["status"]
        token, ends = status.get("token"), status.get("expirationTimestamp")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        token, ends = None, None
    token = clean_token(token if isinstance(token, str) else "", "What the plugin printed")
    until = lasting(_seconds_left(ends))
    if until is not None:  # a token that has ended already must not be made for each request
        until = max(until, time.time() + PATIENCE)
    return Session({"Authorization": f"Bearer {token}"}, until)


def _seconds_left(ends: object) -> float | None:
    """The seconds until a time as in RFC 3339; null where it is none."""
    try:
        text = re.sub(r"\.\d+", "", str(ends)).replace("Z", "+00:00")
        return datetime.fromisoformat(text).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
