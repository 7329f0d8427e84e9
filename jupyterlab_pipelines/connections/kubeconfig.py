"""The cluster that kubectl would ask: its address and certificates, without asking anybody."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from ..backends.kubeflow import Certificates


@dataclass(frozen=True)
class Cluster:
    """The current context's API server. Certificates are PEM files, or their content."""

    server: str
    namespace: str
    ca: str | bytes | None = None
    client_certificate: str | bytes | None = None
    client_key: str | bytes | None = None
    verified: bool = True
    #: The user's entry as it is written, secrets too, and the folder where its paths begin.
    user: Mapping[str, Any] = field(default_factory=dict, repr=False)
    folder: Path = Path()
    #: Changes whenever a file does that any of this came from.
    stamp: tuple[object, ...] = ()

    @property
    def certificates(self) -> Certificates:
        """Which to trust and to show."""
        from ..backends.kubeflow import Certificates

        return Certificates(self.ca, self.client_certificate, self.client_key, self.verified)

    @property
    def runs_program(self) -> bool:
        """Whether signing in runs something of the user's, which may open a browser."""
        by_itself = self.user.get("token") or self.user.get("tokenFile")
        return not by_itself and bool(self.user.get("exec") or self.user.get("auth-provider"))


def current_cluster() -> Cluster | None:
    """What `KUBECONFIG`, or else `~/.kube/config`, says; null where that is nothing to go by."""
    given = os.environ.get("KUBECONFIG")
    paths = given.split(os.pathsep) if given else [str(Path("~/.kube/config").expanduser())]
    stamps = []
    for path in paths:
        try:
            status = Path(path).stat()
        except (OSError, ValueError):
            continue
        stamps.append((path, status.st_mtime_ns, status.st_size))
    return _read(tuple(stamps)) if stamps else None


@lru_cache(maxsize=4)
def _read(stamps: tuple[tuple[str, int, int], ...]) -> Cluster | None:
    """Several files are one: the first that names a thing wins, as kubectl has it."""
    context = ""
    named: dict[str, dict[str, tuple[Any, Path]]] = {"contexts": {}, "clusters": {}, "users": {}}
    for path, _, _ in stamps:
        content = _content(Path(path))
        context = context or str(content.get("current-context") or "")
        for kind, known in named.items():
            entries = content.get(kind)
            for entry in entries if isinstance(entries, list) else []:
                if isinstance(entry, dict) and isinstance(entry.get(kind[:-1]), dict):
                    folder = Path(path).parent
                    known.setdefault(str(entry.get("name")), (entry[kind[:-1]], folder))
    chosen, _ = named["contexts"].get(context, ({}, Path()))
    cluster, cluster_folder = named["clusters"].get(str(chosen.get("cluster")), ({}, Path()))
    user, user_folder = named["users"].get(str(chosen.get("user")), ({}, Path()))
    server = cluster.get("server")
    if not isinstance(server, str):
        return None
    try:
        return Cluster(
            server=server.rstrip("/"),
            namespace=str(chosen.get("namespace") or ""),
            ca=_pem(cluster, "certificate-authority", cluster_folder),
            client_certificate=_pem(user, "client-certificate", user_folder),
            client_key=_pem(user, "client-key", user_folder),
            verified=not cluster.get("insecure-skip-tls-verify"),
            user=user,
            folder=user_folder,
            stamp=stamps,
        )
    except ValueError:
        return None


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _pem(entry: dict[str, Any], name: str, folder: Path) -> str | bytes | None:
    """Content goes before a file, whose path begins at the kubeconfig's folder."""
    if data := entry.get(f"{name}-data"):
        # In several lines or one, as kubectl takes it.
        return base64.b64decode("".join(str(data).split()), validate=True)
    path = entry.get(name)
    return str(folder / str(path)) if path else None
