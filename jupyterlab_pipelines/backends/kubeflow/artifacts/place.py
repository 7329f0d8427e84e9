"""Where an artifact lies, read from its URI; what no reader may follow is refused here."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass

from ....errors import UnsupportedFeature

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/]*)/?(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
#: User info and query of a web address: a password, a signature.
_CREDENTIALS = re.compile(r"(?<=://)[^/]*@|\?.*", re.DOTALL)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
#: Places that Kubeflow knows but that hold no files to read, and what to do about them.
_NAMED = {
    "oci": "It is a container image: pull it with an OCI client, such as skopeo or oras.",
    "huggingface": "It lies on a model hub: load it there by its name.",
    "file": "It lies on the machine that ran the step: write it to an output of the step instead.",
}
OBJECT_STORES = frozenset({"minio", "s3", "gs"})
WEB = frozenset({"http", "https"})


@dataclass(frozen=True)
class Place:
    """`scheme://bucket/key`. For a volume the bucket is its name, on the web it is the host."""

    scheme: str
    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """The place as a URI, to ask for; it may hold credentials."""
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def shown(self) -> str:
        """The place as a URI without credentials, as messages show it."""
        return _CREDENTIALS.sub("", self.uri) if self.scheme in WEB else self.uri

    @property
    def credentials(self) -> list[str]:
        """The parts of the URI that no text may show."""
        return _CREDENTIALS.findall(self.uri) if self.scheme in WEB else []

    @property
    def name(self) -> str:
        """The last part of the key, on the web of the path."""
        path = self.key.partition("?")[0] if self.scheme in WEB else self.key
        return path.rstrip("/").rpartition("/")[2]


def read_place(uri: str) -> Place:
    """The place that a URI names. Raises UnsupportedFeature on one that cannot be read here."""
    match = _URI.fullmatch(uri)
    scheme = match.group(1).lower() if match else uri.partition(":")[0].lower()
    if scheme in _NAMED:
        raise UnsupportedFeature(
            f"Artifacts at {scheme}:// cannot be read from here.", next_step=_NAMED[scheme]
        )
    if match is None or not match.group(2):
        raise UnsupportedFeature(
            "The artifact names no place that it lies at.", next_step="Open the run's page."
        )
    scheme = {"gcs": "gs"}.get(scheme, scheme)
    if scheme not in OBJECT_STORES | WEB | {"volume"}:
        raise UnsupportedFeature(
            f"Artifacts at {scheme}:// cannot be read from here.",
            next_step="Open it where it is stored.",
        )
    bucket, key = match.group(2), match.group(3)
    steps_out = scheme not in WEB and {".", ".."} & set(key.split("/"))
    named_well = scheme in WEB or _BUCKET.fullmatch(bucket)
    if steps_out or not named_well or _UNPRINTABLE.search(uri):
        raise UnsupportedFeature(
            "The artifact's place has parts that no file's name has.",
            next_step="Open it where it is stored.",
        )
    return Place(scheme, bucket, key)


def media_type(name: str) -> str:
    """The type that a file's name suggests."""
    guessed, encoding = mimetypes.guess_type(name)
    return "application/octet-stream" if guessed is None or encoding else guessed
