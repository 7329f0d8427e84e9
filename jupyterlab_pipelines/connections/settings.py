"""How every connection reaches its endpoint: what was found, stored and chosen, by name."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from time import monotonic

from pydantic import SecretStr

from ..errors import BadInput, Conflict, NotFound, StoreBlocked
from ..models import FoundIn, NewConnection, OidcSignIn, Problem
from .checked import checked
from .discovery import FOUND, VARIABLES, Found, find_connection
from .kubeconfig import Cluster
from .secrets import without_secrets
from .store import Content, Store

LOCAL = "local"
#: Seconds for which what was found stays found, unless the environment changes.
LOOK_INTERVAL = 1.0
#: Names that are routes beside the connections.
RESERVED = frozenset({LOCAL, FOUND, "connections", "events", "cells", "apis", "test"})


@dataclass(frozen=True)
class Known:
    """A connection. `locked`: the keyring does not give its secrets."""

    settings: NewConnection
    found: FoundIn = ""
    guessed: bool = False
    cluster: Cluster | None = None
    locked: bool = False

    def same(self, other: Known | None) -> bool:
        """Whether a backend for one serves the other: a refresh token is replaced in use."""
        return other is not None and _lasting(self) == _lasting(other)


def _lasting(known: Known) -> tuple[object, ...]:
    settings = known.settings
    if isinstance(settings.sign_in, OidcSignIn):
        sign_in = settings.sign_in.model_copy(update={"refresh_token": None})
        settings = settings.model_copy(update={"sign_in": sign_in})
    return (settings, known.cluster, known.locked)


class Settings:
    """The settings of one user. Methods read and write small files, and never a network."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._replaced: dict[str, str] = {}
        self._seen: tuple[tuple[str | None, ...], float, Found | None] | None = None

    def found(self) -> dict[str, Known]:
        """The connection that comes by itself, if any."""
        return self._found(Content())

    def all(self) -> dict[str, Known]:
        """Every remote connection, the found one first. Raises StoreBlocked."""
        content = self._store.load()
        stored = {
            record.settings.name: Known(record.settings, locked=record.locked)
            for record in content.records
        }
        return self._found(content) | stored

    def get(self, name: str) -> Known:
        """One of them. Raises NotFound."""
        try:
            known = self.all().get(name)
        except StoreBlocked:
            known = self.found().get(name)  # it needs nothing that is stored
            if known is None:
                raise
        if known is None:
            raise NotFound(
                f"There is no connection named {name!r}.", next_step="Add it, or choose another."
            )
        return known

    def shown(self, name: str) -> NewConnection:
        """One as it was given, without its secrets. Raises NotFound."""
        return without_secrets(self.added(name).settings)

    def added(self, name: str) -> Known:
        """One that the user added. Raises Conflict for those that come by themselves."""
        if name in (LOCAL, FOUND):
            raise Conflict(
                f"The connection {name!r} cannot be changed or removed.",
                next_step="It comes with the environment."
                if name == FOUND
                else "It is part of the product.",
            )
        return self.get(name)

    # --- changing ------------------------------------------------------------------------------

    def add(self, connection: NewConnection) -> None:
        """Stores one more, secrets too. Raises BadInput, and Conflict on a name in use."""
        if connection.name in RESERVED:
            problem = Problem(message="is reserved", place="name")
            raise BadInput(
                f"The name {connection.name!r} is reserved.",
                problems=[problem],
                next_step="Choose another name.",
            )
        self._store.add(self._newest(checked(connection)))

    def change(self, name: str, connection: NewConnection) -> None:
        """Replaces one; secrets left out are kept. Raises BadInput, Conflict and NotFound."""
        if connection.name != name:
            raise BadInput(
                "A connection keeps its name.",
                problems=[Problem(message=f"must be {name}", place="name")],
                next_step="Add another connection, then remove this one.",
            )
        self._store.change(self._newest(checked(connection, self.added(name).settings)))

    def completed(self, connection: NewConnection) -> NewConnection:
        """One that is to be tried: checked, secrets left out taken from the stored one."""
        try:
            before = self.all().get(connection.name)
        except StoreBlocked:
            before = None
        return self._newest(checked(connection, None if before is None else before.settings))

    def remove(self, name: str) -> None:
        """Forgets one with its secrets. Raises Conflict and NotFound."""
        self.added(name)
        self._store.remove(name)

    # --- kept in use ---------------------------------------------------------------------------

    def choose_namespace(self, name: str, namespace: str) -> None:
        """Keeps the namespace that a connection is to show. Raises NotFound."""
        known = self.get(name)
        self._store.choose_namespace(name, known.settings.host, namespace)
        if not known.found and known.settings.namespace != namespace:
            settings = known.settings.model_copy(update={"namespace": namespace})
            self._store.change(settings)

    def namespaces(self, name: str) -> list[str]:
        """Those that were chosen before, where the endpoint itself lists none."""
        known = self.get(name)
        return [one for one in self._store.load().chosen(name, known.settings.host) if one]

    def refresh_token(self, name: str, replaced: str | None) -> str:
        """The stored refresh token of an OIDC sign-in; `replaced` is kept in its place."""
        known = self.get(name)
        sign_in = known.settings.sign_in
        if not isinstance(sign_in, OidcSignIn):
            return ""
        if replaced is not None:
            kept = sign_in.model_copy(update={"refresh_token": SecretStr(replaced)})
            self._store.change(known.settings.model_copy(update={"sign_in": kept}))
            return replaced
        token = sign_in.refresh_token
        return "" if token is None else token.get_secret_value()

    def tried(self, settings: NewConnection, replaced: str | None) -> str:
        """As `refresh_token`, of a sign-in that is only tried: what replaces its token is not lost.

        It takes the place of the stored one, and of the one that the user may still store.
        """
        sign_in = settings.sign_in
        if not isinstance(sign_in, OidcSignIn) or sign_in.refresh_token is None:
            return ""
        given = sign_in.refresh_token.get_secret_value()
        if replaced is None:
            return self._last(given)
        with contextlib.suppress(NotFound, StoreBlocked):
            if self.refresh_token(settings.name, None) == self._last(given):
                self.refresh_token(settings.name, replaced)
        last = self._last(given)
        self._replaced.pop(replaced, None)  # one that comes back is the last again
        self._replaced[last] = replaced
        return replaced

    def _last(self, token: str) -> str:
        """The refresh token that stands for this one by now."""
        while token in self._replaced:
            token = self._replaced[token]
        return token

    def _newest(self, connection: NewConnection) -> NewConnection:
        """With the refresh token that replaced the given one while the connection was tried."""
        sign_in = connection.sign_in
        if not isinstance(sign_in, OidcSignIn) or sign_in.refresh_token is None:
            return connection
        token = sign_in.refresh_token.get_secret_value()
        newest = SecretStr(self._last(token))
        update = {"sign_in": sign_in.model_copy(update={"refresh_token": newest})}
        return connection.model_copy(update=update)

    def _look(self) -> Found | None:
        """What there is by itself; asked for with each request, so looked for once a while."""
        variables = tuple(os.environ.get(name) for name in VARIABLES)
        if self._seen is None or self._seen[0] != variables or monotonic() > self._seen[1]:
            self._seen = (variables, monotonic() + LOOK_INTERVAL, find_connection())
        return self._seen[2]

    def _found(self, content: Content) -> dict[str, Known]:
        found = self._look()
        if found is None:
            return {}
        settings = found.settings
        chosen = content.chosen(FOUND, settings.host)
        if chosen:
            settings = settings.model_copy(update={"namespace": chosen[0]})
        return {FOUND: Known(settings, found.place, found.guessed, found.cluster)}
