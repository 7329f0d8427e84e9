"""What a task is to find of its pod: a cluster's names resolved in its scope, and where it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..records import MappedVariable, Mount, RunContext, TaskFailure
from .lightweight import UnknownShape, recognise
from .machine import Machine
from .placeholders import task_uid
from .scopes import Node
from .spec import Container, KubernetesOptions, ParameterSource
from .values import resolve_source

#: Images that stand for an operation on a volume (PVC), and what it is.
VOLUME_ACTIONS = {"argostub/createpvc": "create", "argostub/deletepvc": "delete"}
_METADATA = re.compile(r"metadata\.(labels|annotations)\['[^']+'\]")


def volume_names(node: Node, run: RunContext) -> list[str]:
    """The names of the volumes (PVCs) that a task mounts. Raises TaskFailure."""
    return [_volume(node, one.name, run) for one in node.component.kubernetes.volumes]


def mapped_variables(node: Node, run: RunContext) -> list[MappedVariable]:
    """The variables that hold values of secrets and config maps. Raises TaskFailure."""
    found = []
    for one in node.component.kubernetes.keys_as_env:
        name = _keyed(node, one.name, one.kind, run)
        if name is not None:
            found += [
                MappedVariable(variable, one.kind, name, key, one.optional)
                for key, variable in one.variables
            ]
    return found


def mounts(node: Node, run: RunContext) -> list[Mount]:
    """The folders that the task is to see at paths of the pipeline's choice. Raises TaskFailure."""
    options = node.component.kubernetes
    found = [
        Mount(one.path, "pvc", _volume(node, one.name, run), one.sub_path)
        for one in options.volumes
    ]
    for keyed in options.keys_as_volumes:
        name = _keyed(node, keyed.name, keyed.kind, run)
        if name is not None:
            found.append(Mount(keyed.path, keyed.kind, name, optional=keyed.optional))
    found += [Mount(path, "scratch") for path in options.scratch]
    return found


def pod_fields(node: Node, run: RunContext) -> dict[str, str]:
    """The variables that hold fields of the pod, with what stands for them here."""
    options = node.component.kubernetes
    return {
        variable: _field(options, path, task_uid(run.run_id, node.id), run)
        for variable, path in options.fields
    }


def unknown_fields(options: KubernetesOptions) -> Iterator[str]:
    """The fields of the pod that nothing stands for."""
    for _, path in options.fields:
        if path not in _FIELDS and not _METADATA.fullmatch(path):
            yield path


_FIELDS = {
    "metadata.name": "{job}-{uid}",
    "metadata.namespace": "default",
    "metadata.uid": "{uid}",
    "spec.nodeName": "localhost",
    "spec.serviceAccountName": "default",
    "status.hostIP": "127.0.0.1",
    "status.hostIPs": "127.0.0.1",
    "status.podIP": "127.0.0.1",
    "status.podIPs": "127.0.0.1",
}


def _field(options: KubernetesOptions, path: str, uid: str, run: RunContext) -> str:
    known = _FIELDS.get(path)
    if known is None:
        return options.metadata.get(path, "")
    return known.format(job=run.job_resource_name, uid=uid)


def why_container(container: Container, mounts: list[Mount], machine: Machine) -> str:
    """Why a task cannot, or by the user's will does not, run as a process; "" where it does."""
    try:
        recognise(container)
    except UnknownShape as reason:
        return str(reason)
    for mount in mounts:
        if not machine.can_mount(mount.path, mount.kind, mount.name):
            return f"it mounts `{mount.path}`"
    return "the settings ask for one" if machine.containers and machine.every_image else ""


def _volume(node: Node, source: ParameterSource, run: RunContext) -> str:
    name = resolve_source(node, source, run, "the name of its volume (PVC)")
    if not isinstance(name, str) or not name:
        raise TaskFailure("The name of its volume (PVC) is not a text, or is empty.")
    return name


def _keyed(node: Node, source: ParameterSource, kind: str, run: RunContext) -> str | None:
    """A secret's or config map's name; null where an optional input leaves it out."""
    what = "secret" if kind == "secret" else "config map"
    name = resolve_source(node, source, run, f"the name of its {what}")
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise TaskFailure(f"The name of its {what} is not a text, or is empty.")
    return name
