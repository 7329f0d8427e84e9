"""Named backends as the browser sees them, and how the user adds, changes and tests one.

Secrets are `SecretStr`: they go in, no log, error or answer brings them out.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, SecretStr

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
    FORBIDDEN = "forbidden"
    UNSUPPORTED = "unsupported"


FoundIn: TypeAlias = Literal["", "pod", "environment", "kubeconfig"]


class Connection(Model):
    """A named backend as the browser sees it; it never carries a secret."""

    name: str
    kind: ConnectionKind
    host: str = Field("", description="The API's address without credentials; empty for local.")
    ui_host: str = Field("", description="The UI server's address where it is another one.")
    namespace: str = ""
    sign_in: str = Field("none", description="The method of signing in, e.g. `token`.")
    found: FoundIn = Field("", description="Where it was found; empty where the user added it.")
    preferred: bool = Field(False, description="The panel opens on it.")
    state: ConnectionState
    message: str = Field("", description="Why it is not ready and what to do; empty when ready.")
    notice: str = Field("", description="What to know before something is run there.")
    removable: bool = False


# --- how a connection signs in -----------------------------------------------------------------


class NoSignIn(Model):
    """The endpoint asks for nothing."""

    method: Literal["none"] = "none"


class TokenSignIn(Model):
    """A bearer token: by value, or read again for each request. Exactly one field is given."""

    method: Literal["token"] = "token"
    token: SecretStr | None = None
    file: str | None = Field(None, description="A file whose content is the token, e.g. mounted.")
    variable: str | None = Field(None, description="An environment variable of the server.")
    command: str | None = Field(None, description="A command that prints the token.")


class CookieSignIn(Model):
    """A session cookie of Dex or oauth2-proxy, as `name=value`."""

    method: Literal["cookie"] = "cookie"
    cookie: SecretStr | None = None


class DexSignIn(Model):
    """User name and password, given to Dex's own form; the session is renewed when it ends."""

    method: Literal["dex"] = "dex"
    username: str
    password: SecretStr | None = None


class OidcSignIn(Model):
    """An OIDC token endpoint, such as Keycloak's."""

    method: Literal["oidc"] = "oidc"
    token_url: str
    grant: Literal["password", "client_credentials", "refresh_token"] = "client_credentials"
    client_id: str
    client_secret: SecretStr | None = None
    username: str = ""
    password: SecretStr | None = None
    refresh_token: SecretStr | None = None
    scope: str = ""
    audience: str = ""


class IapSignIn(Model):
    """Google's Identity-Aware Proxy: a service account's key file, or a desktop client's grant."""

    method: Literal["iap"] = "iap"
    client_id: str = Field(description="The OAuth client that the proxy was set up with.")
    key_file: str | None = Field(None, description="A service account's key; null: the default.")
    app_client_id: str = ""
    app_client_secret: SecretStr | None = None
    refresh_token: SecretStr | None = None


class HeaderSignIn(Model):
    """One header of the user's own, such as `kubeflow-userid`."""

    method: Literal["header"] = "header"
    header: str
    value: SecretStr | None = None


SignIn: TypeAlias = Annotated[
    NoSignIn | TokenSignIn | CookieSignIn | DexSignIn | OidcSignIn | IapSignIn | HeaderSignIn,
    Field(discriminator="method"),
]


class ObjectStore(Model):
    """Credentials of the bucket, or all buckets, below a URI; else the pod's own are used."""

    prefix: str = Field(description="e.g. `minio://mlpipeline/` or `s3://`.")
    endpoint: str = Field("", description="An S3-compatible service's address; empty: the cloud's.")
    region: str = ""
    access_key: str = ""
    secret_key: SecretStr | None = None


class NewConnection(Model):
    """A connection as the user gives it. Where one is changed, a secret left out is kept."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$", max_length=63)
    kind: Literal["kubeflow"] = "kubeflow"
    host: str
    ui_host: str = ""
    namespace: str = ""
    sign_in: SignIn = Field(default_factory=NoSignIn)
    ca_file: str | None = Field(None, description="Certificates to trust beside the system's.")
    client_certificate: str | None = None
    client_key: str | None = None
    artifact_hosts: list[str] = Field(
        default_factory=list, description="Hosts from which http(s) artifacts may be read."
    )
    stores: list[ObjectStore] = Field(default_factory=list)


# --- testing one -------------------------------------------------------------------------------


class ConnectionStep(Model):
    """One step on the way to an endpoint; those after a failed one are not tried."""

    name: Literal["name", "tcp", "tls", "sign_in", "api", "permission", "ui"]
    title: str
    state: Literal["ok", "failed", "skipped"]
    message: str = ""
    next_step: str = ""


class ConnectionTest(Model):
    """What a look at a connection found, step by step."""

    ok: bool
    steps: list[ConnectionStep]
    version: str = Field("", description="What the endpoint says that it is.")
    namespaces: list[str] = Field(default_factory=list)


class Namespaces(Model):
    """The namespaces the user may see. Where they cannot be listed, `message` says why."""

    namespaces: list[str]
    current: str
    multi_user: bool
    message: str = ""


class NamespaceChoice(Model):
    """The namespace whose runs a connection is to show; empty: none."""

    namespace: str = Field(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", max_length=63)
