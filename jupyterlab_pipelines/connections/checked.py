"""What the user gives of a connection, checked and completed before it is used or stored."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from ..errors import BadInput
from ..models import (
    CookieSignIn,
    DexSignIn,
    HeaderSignIn,
    IapSignIn,
    NewConnection,
    ObjectStore,
    OidcSignIn,
    Problem,
    TokenSignIn,
)

_ARTIFACT_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
#: Headers that a request makes for itself.
_OWN_HEADERS = frozenset(
    {
        "accept-encoding", "connection", "content-length", "content-type", "host", "te",
        "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
_MISSING = "is missing"


def checked(given: NewConnection, before: NewConnection | None = None) -> NewConnection:
    """The connection with clean addresses, and the secrets of `before` where they are left out.

    A secret is kept only for where it went before: a changed address needs it again. Raises
    BadInput naming each field; its texts never hold a secret.
    """
    one = given.model_copy(
        update={
            "host": clean_host(given.host),
            "ui_host": clean_host(given.ui_host, "ui_host") if given.ui_host.strip() else "",
            "namespace": given.namespace.strip(),
            "sign_in": given.sign_in.model_copy(),
            "artifact_hosts": [host.strip() for host in given.artifact_hosts if host.strip()],
            "stores": [store.model_copy() for store in given.stores],
        }
    )
    if isinstance(one.sign_in, OidcSignIn):
        clean_host(one.sign_in.token_url, "sign_in.token_url")
    if before is not None:
        _keep_secrets(one, before)
    problems = [
        *_sign_in_problems(one),
        *_artifact_host_problems(one),
        *_store_problems(one),
    ]
    if bool(one.client_key) and not one.client_certificate:
        problems.append(Problem(message=_MISSING, place="client_certificate"))
    if problems:
        raise BadInput(
            f"The connection cannot be used: {problems[0].place} {problems[0].message}.",
            problems=problems,
            next_step="Correct it and try again.",
        )
    return one


def _keep_secrets(one: NewConnection, before: NewConnection) -> None:
    """Copies what was left out, as long as it goes where it went."""
    if one.sign_in.method == before.sign_in.method:
        same_way = (one.host, one.ui_host) == (before.host, before.ui_host)
        addresses = ("token_url",)
        same_way = same_way and all(
            getattr(one.sign_in, name, "") == getattr(before.sign_in, name, "")
            for name in addresses
        )
        if same_way:
            _copy_secrets(before.sign_in, one.sign_in)
    known = {(store.prefix, store.endpoint, store.access_key): store for store in before.stores}
    for store in one.stores:
        same = known.get((store.prefix, store.endpoint, store.access_key))
        if same is not None:
            _copy_secrets(same, store)


def _copy_secrets(source: BaseModel, target: BaseModel) -> None:
    if isinstance(target, TokenSignIn) and (target.file or target.variable or target.command):
        return  # the user chose another source than the stored value
    for name in type(target).model_fields:
        secret = getattr(source, name, None)
        if isinstance(secret, SecretStr) and getattr(target, name) is None:
            setattr(target, name, secret)


# --- what is wrong -----------------------------------------------------------------------------


def _sign_in_problems(one: NewConnection) -> list[Problem]:
    sign_in = one.sign_in
    found: dict[str, str] = {}
    if isinstance(sign_in, TokenSignIn):
        found = _token_problems(sign_in)
    elif isinstance(sign_in, CookieSignIn):
        sign_in.cookie = _stripped(sign_in.cookie)
        if not _is_value(sign_in.cookie) or "=" not in _text(sign_in.cookie):
            found["cookie"] = "must be name=value, as the browser shows it"
    elif isinstance(sign_in, DexSignIn):
        if not sign_in.username.strip():
            found["username"] = _MISSING
        if not _text(sign_in.password):
            found["password"] = _MISSING
    elif isinstance(sign_in, OidcSignIn):
        found = _oidc_problems(sign_in)
    elif isinstance(sign_in, IapSignIn):
        found = _iap_problems(sign_in)
    elif isinstance(sign_in, HeaderSignIn):
        sign_in.value = _stripped(sign_in.value)
        name = sign_in.header.strip()
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OWN_HEADERS:
            found["header"] = "is not the name of a header that may be set"
        sign_in.header = name
        if not _is_value(sign_in.value):
            found["value"] = "is missing, or has characters that no header has"
    return [Problem(message=text, place=f"sign_in.{name}") for name, text in found.items()]


def _token_problems(sign_in: TokenSignIn) -> dict[str, str]:
    given = [sign_in.token, sign_in.file, sign_in.variable, sign_in.command]
    if sum(bool(one) for one in given) != 1:
        return {"token": "needs exactly one of token, file, variable and command"}
    if sign_in.token is not None:
        sign_in.token = _stripped(sign_in.token)
        if not _is_value(sign_in.token) or " " in _text(sign_in.token):
            return {"token": "is not a token: copy it without quotes or line breaks"}
    return {}


def _oidc_problems(sign_in: OidcSignIn) -> dict[str, str]:
    found = {}
    if not sign_in.client_id.strip():
        found["client_id"] = _MISSING
    if sign_in.grant == "client_credentials" and not _text(sign_in.client_secret):
        found["client_secret"] = _MISSING
    if sign_in.grant == "refresh_token" and not _text(sign_in.refresh_token):
        found["refresh_token"] = _MISSING
    if sign_in.grant == "password":
        if not sign_in.username.strip():
            found["username"] = _MISSING
        if not _text(sign_in.password):
            found["password"] = _MISSING
    return found


def _iap_problems(sign_in: IapSignIn) -> dict[str, str]:
    found = {}
    if not sign_in.client_id.strip():
        found["client_id"] = _MISSING
    desktop = {
        "app_client_id": sign_in.app_client_id,
        "app_client_secret": _text(sign_in.app_client_secret),
        "refresh_token": _text(sign_in.refresh_token),
    }
    if any(desktop.values()):
        if sign_in.key_file:
            found["key_file"] = "is for a service account; leave it or the desktop client out"
        found |= {name: _MISSING for name, value in desktop.items() if not value}
    return found


def _store_problems(one: NewConnection) -> list[Problem]:
    problems = []
    for index, store in enumerate(one.stores):
        place = f"stores.{index}"
        if not re.fullmatch(r"[a-z0-9]+://\S*", store.prefix):
            problems.append(Problem(message="must begin like s3://", place=f"{place}.prefix"))
        store.endpoint = store.endpoint.strip()
        if store.prefix.startswith("volume://"):
            if not store.endpoint.startswith("/"):
                message = "must be the folder that the volume is mounted at"
                problems.append(Problem(message=message, place=f"{place}.endpoint"))
        elif store.endpoint:
            store.endpoint = clean_host(store.endpoint, f"{place}.endpoint")
        problems += _key_problems(store, place)
    return problems


def _artifact_host_problems(one: NewConnection) -> list[Problem]:
    return [
        Problem(message="must be a host, or host:port, without a path", place="artifact_hosts")
        for host in one.artifact_hosts
        if not _ARTIFACT_HOST.fullmatch(host)
    ][:1]


def _key_problems(store: ObjectStore, place: str) -> list[Problem]:
    if bool(store.access_key) == bool(_text(store.secret_key)):
        return []
    name = "secret_key" if store.access_key else "access_key"
    return [Problem(message=_MISSING, place=f"{place}.{name}")]


def _text(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _stripped(secret: SecretStr | None) -> SecretStr | None:
    return None if secret is None else SecretStr(_text(secret).strip())


def _is_value(secret: SecretStr | None) -> bool:
    text = _text(secret)
    return bool(text) and text.isascii() and text.isprintable()


# --- addresses ---------------------------------------------------------------------------------


def clean_host(text: str, place: str = "host") -> str:
    """An API's address without a trailing slash. Raises BadInput, never showing credentials."""
    reason = ""
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError:
        raise _bad("is not an address", place) from None
    if url.scheme not in ("http", "https"):
        reason = "must begin with http:// or https://"
    elif url.username is not None or url.password is not None:
        reason = "must not hold a user name or password: choose how to sign in instead"
    elif url.query or url.fragment:
        reason = "must not hold ? or #: give the address of the API only"
    elif not _is_host(url.hostname or "") or re.search(r"[\s\x00-\x1f\\%]", text.strip()):
        reason = "does not name a host"
    elif port == 0:
        reason = "has a port that cannot be one"
    elif ".." in url.path.split("/"):
        reason = "must not hold .."
    if reason:
        raise _bad(reason, place)
    return url.geturl().rstrip("/")


def _is_host(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(_HOST_NAME.fullmatch(name)) and not name.replace(".", "").isdigit()
    return True


def _bad(reason: str, place: str) -> BadInput:
    word = {"host": "The host", "ui_host": "The UI server's host"}.get(place, place)
    return BadInput(
        f"{word} {reason}.",
        problems=[Problem(message=reason, place=place)],
        next_step="Give an address such as https://kubeflow.example.com/pipeline.",
    )
