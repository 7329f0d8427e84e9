"""Certificates of a connection: which to trust beside the system's, and which to show."""

from __future__ import annotations

import contextlib
import functools
import os
import ssl
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from ...errors import BadInput
from ...models import Problem


@dataclass(frozen=True)
class Certificates:
    """PEM files by their path, or their content; a key may be in its certificate's file."""

    ca: str | bytes | None = None
    client_certificate: str | bytes | None = None
    client_key: str | bytes | None = None
    #: Whether the host's certificate is looked at; only a kubeconfig may say that it is not.
    verified: bool = True

    def context(self) -> ssl.SSLContext:
        """What a TLS connection is made with. Raises BadInput."""
        if not (self.ca or self.client_certificate) and self.verified:
            return default_context()
        context = _new_context()
        if not self.verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.ca:
            with _problem("ca_file", self.ca), _file(self.ca) as path:
                context.load_verify_locations(cafile=path)
        if self.client_certificate:
            place = "client_key" if self.client_key else "client_certificate"
            with (
                _problem(place, self.client_certificate),
                _file(self.client_certificate) as certificate,
                _file(self.client_key or self.client_certificate) as key,
            ):
                # Nobody is there to be asked for a key's passphrase.
                context.load_cert_chain(certificate, key, password=_no_passphrase)
        return context

    @contextlib.contextmanager
    def on_disk(self) -> Iterator[Certificates]:
        """The same by their paths; content lies in files of the user's alone meanwhile."""
        with contextlib.ExitStack() as files:

            def path(given: str | bytes | None) -> str | None:
                return files.enter_context(_file(given)) if given else None

            yield Certificates(
                path(self.ca), path(self.client_certificate), path(self.client_key), self.verified
            )


@functools.cache
def default_context() -> ssl.SSLContext:
    """What any host is asked with; made once, for that takes a while."""
    return _new_context()


def _new_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.load_default_certs()  # the system's own, where a company adds its authority
    return context


@contextlib.contextmanager
def _file(given: str | bytes) -> Iterator[str]:
    """A path; content lies in a file of the user's alone meanwhile, for OpenSSL reads no other."""
    if isinstance(given, str):
        yield str(Path(given).expanduser())
        return
    handle, name = tempfile.mkstemp(prefix="pipelines-", suffix=".pem")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(given)
        yield name
    finally:
        Path(name).unlink(missing_ok=True)


def _no_passphrase() -> str:
    raise ValueError("the key has a passphrase")


@contextlib.contextmanager
def _problem(place: str, given: str | bytes) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if isinstance(error, ssl.SSLError):
            reason = "it is not a PEM file of the right kind, or not of the same pair"
        else:
            reason = getattr(error, "strerror", None) or str(error)
        named = given if isinstance(given, str) else "The kubeconfig's certificate"
        raise BadInput(
            f"{named} cannot be used: {reason}.",
            problems=[Problem(message=reason, place=place)],
            next_step="Give the path of a PEM file on the server, and check its permissions.",
        ) from None
