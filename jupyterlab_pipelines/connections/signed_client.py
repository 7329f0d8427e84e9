"""The official client with a connection's own sign-in, renewed as the lab renews it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import kfp
import urllib3
from kfp_server_api import ApiException

from ..models import NewConnection

if TYPE_CHECKING:
    from ..backends.kubeflow import Certificates
    from ..backends.kubeflow.sign_in import SignInMethod

T = TypeVar("T")
_SIGNED_OUT = frozenset({301, 302, 303, 307, 308, 401})


def signed_client(
    settings: NewConnection, sign_in: SignInMethod | None, certificates: Certificates
) -> kfp.Client:
    """A client straight to the connection's host. Raises what signing in raises.

    The certificates are files, and stay there as long as the client.
    """
    signer = None if sign_in is None else _Signer(sign_in)

    class Signed(kfp.Client):  # type: ignore[misc]
        def _load_config(self, *arguments: Any) -> Any:
            config = super()._load_config(*arguments)
            config.verify_ssl = certificates.verified
            config.ssl_ca_cert = certificates.ca or config.ssl_ca_cert
            config.cert_file = certificates.client_certificate
            # A redirect leads to a login, and its headers are for this host alone.
            config.retries = urllib3.Retry(3, redirect=0, raise_on_redirect=False)
            config.key_file = certificates.client_key or certificates.client_certificate
            return config

        def _load_context_setting_or_default(self) -> None:
            # What is kept there for another host is not for this one. The client asks for the
            # endpoint's health while it is made, so that it needs its headers by then.
            signed = signer.now() if signer else {}
            header, value = next(iter(signed.items()), ("", ""))
            self._context_setting = {
                "namespace": settings.namespace,
                "client_authentication_header_name": header or None,
                "client_authentication_header_value": value or None,
            }

    client = Signed(host=settings.host, ui_host=settings.ui_host or None)
    if signer is not None:
        api = client._run_api.api_client  # the one that all of its services share
        api.default_headers = {
            name: value for name, value in api.default_headers.items() if name not in signer.now()
        }
        api.request = signer.signing(api.request)
    return client


class _Signer:
    """A sign-in for code without an event loop, or with one that it must not use."""

    def __init__(self, sign_in: SignInMethod) -> None:
        self._sign_in = sign_in
        self._thread = ThreadPoolExecutor(1, "sign-in")

    def now(self) -> Mapping[str, str]:
        """The headers as of now."""
        return self._run(self._sign_in.headers)

    def signing(self, request: Callable[..., Any]) -> Callable[..., Any]:
        """The same request with the headers; sent again where a sign-in's door turned it away."""

        def send(
            method: str, url: str, query_params: Any = None, headers: Any = None, **more: Any
        ) -> Any:
            signed = self.now()
            try:
                answer = request(method, url, query_params, {**(headers or {}), **signed}, **more)
                if "text/html" not in (answer.getheader("Content-Type") or ""):
                    self._sign_in.accepted(signed)
                    return answer
                error = None
            except ApiException as raised:
                if raised.status not in _SIGNED_OUT:
                    raise
                answer, error = None, raised
            if self._sign_in.refused(signed) and (method == "GET" or error is not None):
                return request(method, url, query_params, {**(headers or {}), **self.now()}, **more)
            if error is not None:
                raise error
            return answer

        return send

    def _run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._thread.submit(lambda: asyncio.run(make())).result()
