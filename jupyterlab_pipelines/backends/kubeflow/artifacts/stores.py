"""An artifact's bytes directly from an S3-compatible store or Google Cloud Storage."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ....errors import (
    Conflict,
    Forbidden,
    NotFound,
    PipelinesError,
    Unreachable,
    UnsupportedFeature,
    UpstreamError,
    UpstreamTimeout,
)
from ....models import ObjectStore
from ...base import ArtifactContent
from ...folders import MOST_ENTRIES, Entry, FolderArchive, within
from ..failures import CONNECT_TIMEOUT, IDLE_TIMEOUT
from .place import Place, media_type
from .profiles import profile_credentials
from .source import Wanted

if TYPE_CHECKING:
    from obstore.store import GCSStore, S3Store

#: Bytes that are handed on at once.
_PIECE = 256 << 10
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
#: A failed request to a store is sent again a few times, then its error is told.
_RETRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class Stores:
    """Object stores, each with the credentials of the settings whose prefix fits best.

    Without such settings the pod's own are used: what the environment, a web identity or the
    machine's metadata give to AWS and Google Cloud.
    """

    title = "the store itself"

    def __init__(self, settings: Sequence[ObjectStore], ca_file: str | None = None) -> None:
        self._settings = settings
        self._ca_file = ca_file
        self._opened: dict[tuple[str, str, str, str], Any] = {}

    def configured(self, place: Place) -> ObjectStore | None:
        """The settings with the longest prefix of the place; null: there are none."""
        fitting = [one for one in self._settings if place.uri.startswith(_prefix(one))]
        return max(fitting, key=lambda one: len(one.prefix), default=None)

    async def open(
        self, wanted: Wanted, place: Place, start: int, end: int | None
    ) -> ArtifactContent:
        """The bytes `[start, end)` of the object; a tar.gz where the key is a folder's."""
        store = await self._store(wanted, place)
        if place.name:  # else it is the bucket, whose own page no store may pass off as an object
            with suppress(NotFound):
                return await _object(store, place, start, end)
        return (await _folder(store, place)).content(start, end)

    async def close(self) -> None:
        """Forgets the clients; their connections end with them."""
        self._opened.clear()

    async def _store(self, wanted: Wanted, place: Place) -> Any:
        settings = self.configured(place)
        session = wanted.session_parameters()
        endpoint = settings.endpoint if settings else ""
        region = settings.region if settings else ""
        if not region and _REGION.fullmatch(session.get("region", "")):
            region = session["region"]
        # A pipeline may not choose whom this machine speaks to: its word is only passed on.
        elsewhere = session.get("endpoint", "")
        if not endpoint and (place.scheme == "minio" or not _is_aws(elsewhere)):
            raise _unknown_store(place, elsewhere, session.get("secretName", ""))
        key = (place.scheme, place.bucket, endpoint, region)
        if key not in self._opened:
            with _explained(place):
                self._opened[key] = await asyncio.to_thread(
                    _client, place, settings, endpoint, region, self._ca_file
                )
        return self._opened[key]


def _prefix(settings: ObjectStore) -> str:
    return settings.prefix if settings.prefix.endswith("/") else f"{settings.prefix}/"


def _is_aws(endpoint: str) -> bool:
    """Whether a launcher's word for its store is Amazon's, or none at all."""
    host = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
    return not endpoint or host.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _unknown_store(place: Place, endpoint: str, secret: str) -> UnsupportedFeature:
    bucket = f"{place.scheme}://{place.bucket}/"
    known = f"the endpoint {endpoint}" if endpoint.isprintable() and endpoint else "its endpoint"
    keys = f"the keys of the secret {secret}" if secret.isprintable() and secret else "its keys"
    return UnsupportedFeature(
        f"The connection does not say where the store of {bucket} is.",
        next_step=f"Add a store with the prefix {bucket}, {known} and {keys} to the connection.",
    )


def _client(
    place: Place,
    settings: ObjectStore | None,
    endpoint: str,
    region: str,
    ca_file: str | None,
) -> S3Store | GCSStore:
    try:
        from obstore.store import GCSStore, S3Store
    except ImportError:
        raise UnsupportedFeature(
            "Stores are read directly only with the package obstore.",
            next_step="Install it: pip install 'jupyterlab-pipelines[stores]'.",
        ) from None
    # A whole download may take hours; each wait for a piece of it is limited elsewhere.
    client: Any = {
        "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT),
        "timeout": timedelta(days=7),
        # The clouds' own addresses are https; another one was named by the environment.
        "allow_http": True,
    }
    if ca_file and endpoint:
        client["root_certificate"] = Path(ca_file).read_bytes()
    retries: Any = _RETRIES
    if place.scheme == "gs":
        return GCSStore(place.bucket, client_options=client, retry_config=retries)
    options: Any = {"region": region or "us-east-1"} if region or endpoint else {}
    if endpoint:
        url = endpoint if "://" in endpoint else f"https://{endpoint}"
        options |= {"endpoint": url, "virtual_hosted_style_request": False}
    if settings is not None and settings.access_key and settings.secret_key is not None:
        # Given by a function: from the environment not even a session's token is mixed in.
        credentials = {
            "access_key_id": settings.access_key,
            "secret_access_key": settings.secret_key.get_secret_value(),
            "token": None,
            "expires_at": None,
        }
        options["credential_provider"] = lambda: credentials
    elif (profile := profile_credentials()) is not None:
        options["credential_provider"] = profile
    return S3Store(place.bucket, client_options=client, retry_config=retries, **options)


# --- one object ---------------------------------------------------------------------------------


async def _object(store: Any, place: Place, start: int, end: int | None) -> ArtifactContent:
    import obstore

    key = place.key
    result: Any = None
    with _explained(place):
        if not start and end is None:
            result = await _in_time(obstore.get_async(store, key))
            meta = result.meta
        else:
            meta = await _in_time(obstore.head_async(store, key))
        size: int = meta["size"]
        begin, stop = within(size, start, end)
        if result is None and begin < stop:
            result = await _part(store, place, meta, begin, stop)
    return ArtifactContent(
        body=_nothing() if result is None else _pieces(result, place),
        media_type=media_type(place.name),
        filename=place.name,
        size=size,
        start=begin,
        end=stop,
        tag=meta.get("e_tag") or "",
    )


async def _part(store: Any, place: Place, meta: Mapping[str, Any], start: int, stop: int) -> Any:
    """The bytes `[start, stop)` of the object as it was when `meta` was told, or Conflict."""
    import obstore

    options: Any = {"range": (start, stop)}
    tag = meta.get("e_tag")
    if tag:
        options["if_match"] = tag
    with _explained(place):
        result = await _in_time(obstore.get_async(store, meta["path"], options=options))
    if tag and result.meta.get("e_tag") != tag:  # not every store minds the condition
        raise _changed(place)
    return result


async def _pieces(result: Any, place: Place) -> AsyncGenerator[bytes, None]:
    with _explained(place):
        stream = aiter(result.stream(min_chunk_size=_PIECE))
        while (piece := await _in_time(anext(stream, None))) is not None:
            yield bytes(piece)


async def _nothing() -> AsyncGenerator[bytes, None]:
    for _ in ():
        yield b""


# --- a folder -----------------------------------------------------------------------------------


async def _folder(store: Any, place: Place) -> FolderArchive:
    """All below the key as an archive, in the order of names. Raises NotFound on nothing."""
    import obstore

    prefix = place.key.rstrip("/")
    found: list[Mapping[str, Any]] = []
    with _explained(place):
        listing = aiter(obstore.list(store, prefix + "/" if prefix else None, chunk_size=1000))
        while (chunk := await _in_time(anext(listing, None))) is not None:
            found += chunk
            if len(found) > MOST_ENTRIES:
                break
    # A folder of the store's own console is an empty object with the folder's name.
    files = [one for one in found if one["path"] != prefix]
    if not files:
        raise NotFound(f"There is nothing at {place.shown}.")
    below = len(prefix) + 1 if prefix else 0
    entries = [_entry(store, place, one, below) for one in files]
    return FolderArchive(place.name or place.bucket, sorted(entries, key=lambda one: one.name))


def _entry(store: Any, place: Place, meta: Mapping[str, Any], below: int) -> Entry:
    async def read(start: int) -> AsyncGenerator[bytes, None]:
        result = await _part(store, place, meta, start, meta["size"])
        async for piece in _pieces(result, place):
            yield piece

    return Entry(
        meta["path"][below:],
        size=meta["size"],
        modified=int(meta["last_modified"].timestamp()),
        read=read,
        version=meta.get("e_tag") or "",
    )


# --- failures -----------------------------------------------------------------------------------


def _changed(place: Place) -> Conflict:
    return Conflict(f"{place.shown} changed while it was read.", next_step="Download it again.")


async def _in_time(answer: Any) -> Any:
    return await asyncio.wait_for(answer, IDLE_TIMEOUT)


class _explained:  # noqa: N801 (read as a verb: `with _explained(place)`)
    """Turns what the library raises into our errors; its texts, which tell too much, are left."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._bucket = f"{place.scheme}://{place.bucket}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        known = (OSError, ValueError, TimeoutError, asyncio.TimeoutError)
        if isinstance(error, known) or "obstore" in type(error).__module__:
            raise self._as_ours(error) from None

    def _as_ours(self, error: BaseException | None) -> PipelinesError:
        text, kind = str(error), type(error).__name__
        if isinstance(error, FileNotFoundError):
            return NotFound(f"There is nothing at {self._place.shown}.")
        if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
            return UpstreamTimeout(
                f"The store of {self._bucket} has not answered for {IDLE_TIMEOUT:.0f} s."
            )
        status, code = _STATUS.search(text), _CODE.search(text)
        said = f" ({code.group(1)})" if code else ""
        if kind == "PreconditionError":
            return _changed(self._place)
        if kind in ("PermissionDeniedError", "UnauthenticatedError"):
            return Forbidden(
                f"The store of {self._bucket} does not let this be read{said}.",
                next_step=f"Add a store with the prefix {self._bucket}/ and its keys to the"
                " connection, or give this pod the permission.",
            )
        if kind in ("InvalidPathError", "ValueError"):
            return UnsupportedFeature(
                f"The name {self._place.shown} is not one that can be read.",
                next_step="Copy it from where it is stored.",
            )
        if status is not None and status.group(1) == "404":
            return NotFound(f"There is nothing at {self._place.shown}{said}.")
        if status is not None:
            return UpstreamError(
                f"The store of {self._bucket} answered: HTTP {status.group(1)}{said}."
            )
        return Unreachable(
            f"The store of {self._bucket} cannot be reached.",
            next_step="Check its endpoint, and that this machine has credentials for it.",
        )
