"""Chooses the way to an artifact's bytes, and tries the next one where the first fails."""

from __future__ import annotations

from collections.abc import Sequence

from ....errors import (
    BadInput,
    Forbidden,
    NotFound,
    PipelinesError,
    SignInNeeded,
    UnsupportedFeature,
)
from ....models import ObjectStore
from ...base import ArtifactContent
from ..endpoint import Endpoint
from .endpoint_route import open_by_id
from .packed import open_packed
from .place import WEB, Place, read_place
from .source import Source, Wanted
from .stores import Stores
from .ui_server import UiServer
from .volumes import Volumes
from .web import WebHosts

#: What the UI server unpacks of an S3 store, wanted or not.
_PACKED = (".gz", ".tgz", ".tar")


class Artifacts:
    """The artifacts of an endpoint, read through its UI server at `ui` or from where they lie.

    The UI server comes first: it has the credentials. Where the connection itself names a store,
    that store does: it knows sizes and ranges. `ca_file` has certificates to trust of stores and
    hosts, beside the system's.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ui: Endpoint,
        *,
        hosts: Sequence[str] = (),
        stores: Sequence[ObjectStore] = (),
        ca_file: str | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._ui = UiServer(ui)
        self._stores = Stores(stores, ca_file)
        self._volumes = Volumes(stores)
        self._web = WebHosts(hosts, ca_file=ca_file)
        #: Whether the API has a route for an artifact's bytes; true until it has not.
        self._by_id = True

    async def open(self, wanted: Wanted, start: int = 0, end: int | None = None) -> ArtifactContent:
        """The bytes `[start, end)`. Raises NotFound, UnsupportedFeature, or names each try."""
        if wanted.uid and (self._by_id or "://" not in wanted.uri):
            try:
                return await open_by_id(self._endpoint, wanted, start, end)
            except (NotFound, UnsupportedFeature, BadInput):
                if "://" not in wanted.uri:
                    raise
                self._by_id = False
        place = read_place(wanted.uri)

        async def raw(start: int, end: int | None) -> ArtifactContent:
            return await self._open(wanted, place, start, end)

        if wanted.archived:
            return await open_packed(raw, place, start, end)
        return await raw(start, end)

    async def close(self) -> None:
        """Closes every connection of its own."""
        for source in (self._ui, self._stores, self._volumes, self._web):
            await source.close()

    async def _open(
        self, wanted: Wanted, place: Place, start: int, end: int | None
    ) -> ArtifactContent:
        failed: list[tuple[Source, PipelinesError]] = []
        for source in self._ways(place):
            answer = await _tried(source, wanted, place, start, end)
            if isinstance(answer, ArtifactContent):
                return answer
            failed.append((source, answer))
        raise _neither(wanted, place, failed)

    def _ways(self, place: Place) -> Sequence[Source]:
        if place.scheme in WEB:
            return self._ui, self._web
        direct = self._volumes if place.scheme == "volume" else self._stores
        unpacks = place.scheme == "s3" and place.key.endswith(_PACKED)
        if unpacks or direct.configured(place) is not None:
            return direct, self._ui
        return self._ui, direct


async def _tried(
    source: Source, wanted: Wanted, place: Place, start: int, end: int | None
) -> ArtifactContent | PipelinesError:
    try:
        return await source.open(wanted, place, start, end)
    except PipelinesError as error:
        return error


def _neither(
    wanted: Wanted, place: Place, failed: Sequence[tuple[Source, PipelinesError]]
) -> PipelinesError:
    """One error of all tries: of the kind that most helps, with what each of them said."""
    errors = [error for _, error in failed]
    chief = min(errors, key=_rank)
    said = "; ".join(f"{source.title}: {error.message.rstrip('.')}" for source, error in failed)
    steps = list(dict.fromkeys(error.next_step for error in errors if error.next_step))
    return type(chief)(
        f"The artifact {wanted.name} at {place.shown} cannot be read. Tried {said}.",
        next_step="The step may not have written it: read its log."
        if isinstance(chief, NotFound)
        else " ".join(steps),
    )


def _rank(error: PipelinesError) -> int:
    """Lower for what tells the user more; what was not possible at all comes last."""
    kinds = (NotFound, SignInNeeded, Forbidden)
    told = next((rank for rank, kind in enumerate(kinds) if isinstance(error, kind)), len(kinds))
    return told + isinstance(error, UnsupportedFeature)
