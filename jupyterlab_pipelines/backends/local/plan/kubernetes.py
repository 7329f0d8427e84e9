"""Reads an executor's options in the kfp-kubernetes platform spec (`KubernetesExecutorConfig`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .reader import Reader
from .sources import parameter_source
from .spec import (
    Constant,
    KeysAsEnv,
    KeysAsVolume,
    Kind,
    KubernetesOptions,
    ParameterSource,
    VolumeMount,
)

#: What says where, as whom and for how long a pod runs, not what its task computes.
_PLACEMENT = {
    "activeDeadlineSeconds",
    "imagePullSecret",
    "nodeAffinity",
    "nodeSelector",
    "podAffinity",
    "securityContext",
    "tolerations",
}
_READ = {
    "configMapAsEnv",
    "configMapAsVolume",
    "emptyDirMounts",
    "enabledSharedMemory",
    "fieldPathAsEnv",
    "genericEphemeralVolume",
    "imagePullPolicy",
    "podMetadata",
    "pvcMount",
    "secretAsEnv",
    "secretAsVolume",
}
_FEATURES = {"initContainers": "init containers"}
_PULL_POLICIES = {"", "Always", "IfNotPresent", "Never"}
#: The name's fields, the present one and the deprecated one, by the option that has them.
_NAME_FIELDS = {
    "secretAsEnv": ("secretNameParameter", "secretName"),
    "secretAsVolume": ("secretNameParameter", "secretName"),
    "configMapAsEnv": ("configMapNameParameter", "configMapName"),
    "configMapAsVolume": ("configMapNameParameter", "configMapName"),
}


def read_options(reader: Reader, body: dict[str, Any], place: str) -> KubernetesOptions:
    """The options of one executor; what a cluster would refuse is noted, not raised."""
    if not body:
        return KubernetesOptions()
    found = _Options(reader, f"{place}/kubernetes")
    unknown = [
        _FEATURES.get(option, f"the Kubernetes option `{option}`")
        for option, value in body.items()
        if value and option not in _PLACEMENT | _READ
    ]
    memory = reader.mapping(body, "enabledSharedMemory", place)
    policy = reader.text(body, "imagePullPolicy", place)
    if policy not in _PULL_POLICIES:
        found.problems.append(f"has the image pull policy `{policy}`, which Kubernetes has not")
    return KubernetesOptions(
        keys_as_env=(
            *found.keys_as_env(body, "secretAsEnv", "secret"),
            *found.keys_as_env(body, "configMapAsEnv", "config-map"),
        ),
        keys_as_volumes=(
            *found.keys_as_volumes(body, "secretAsVolume", "secret"),
            *found.keys_as_volumes(body, "configMapAsVolume", "config-map"),
        ),
        volumes=tuple(found.volumes(body)),
        scratch=tuple(found.scratch(body)),
        fields=tuple(
            (reader.text(entry, "name", place), reader.text(entry, "fieldPath", place))
            for entry in reader.objects(body, "fieldPathAsEnv", place)
        ),
        metadata=found.metadata(body),
        shared_memory=reader.text(memory, "size", place),
        pull_policy=policy,
        unknown=tuple(unknown),
        problems=tuple(found.problems),
    )


class _Options:
    """Reads the parts, and collects what a cluster would refuse."""

    def __init__(self, reader: Reader, place: str) -> None:
        self.reader = reader
        self.place = place
        self.problems: list[str] = []

    def keys_as_env(self, body: dict[str, Any], option: str, kind: Kind) -> Iterator[KeysAsEnv]:
        reader, place = self.reader, f"{self.place}/{option}"
        key = "secretKey" if kind == "secret" else "configMapKey"
        for entry in reader.objects(body, option, self.place):
            name = self._name(entry, option)
            pairs = [
                (reader.text(pair, key, place), reader.text(pair, "envVar", place))
                for pair in reader.objects(entry, "keyToEnv", place)
            ]
            if name is not None:
                optional = reader.flag(entry, "optional", place)
                yield KeysAsEnv(kind, name, tuple(pairs), optional)

    def keys_as_volumes(
        self, body: dict[str, Any], option: str, kind: Kind
    ) -> Iterator[KeysAsVolume]:
        reader, place = self.reader, f"{self.place}/{option}"
        for entry in reader.objects(body, option, self.place):
            name = self._name(entry, option)
            path = self._path(entry, option)
            if name is not None and path:
                optional = reader.flag(entry, "optional", place)
                yield KeysAsVolume(kind, name, path, optional)

    def volumes(self, body: dict[str, Any]) -> Iterator[VolumeMount]:
        reader, place = self.reader, f"{self.place}/pvcMount"
        for entry in reader.objects(body, "pvcMount", self.place):
            stated = reader.mapping(entry, "pvcNameParameter", place)
            if not stated and "constant" in entry:
                stated = {"runtimeValue": {"constant": entry["constant"]}}
            elif not stated:
                known = {"taskOutputParameter", "componentInputParameter"}
                stated = {key: value for key, value in entry.items() if key in known}
            if not stated:
                self.problems.append("mounts a volume (PVC) without a name")
                continue
            name = parameter_source(reader, stated, place)
            path = self._path(entry, "pvcMount")
            sub_path = reader.text(entry, "subPath", place)
            if sub_path.startswith("/") or ".." in sub_path.split("/"):
                self.problems.append(f"mounts the part `{sub_path}` of a volume: it leads outside")
            elif name is not None and path:
                yield VolumeMount(name, path, sub_path)

    def scratch(self, body: dict[str, Any]) -> Iterator[str]:
        for option in ("emptyDirMounts", "genericEphemeralVolume"):
            for entry in self.reader.objects(body, option, self.place):
                path = self._path(entry, option)
                if path:
                    yield path

    def metadata(self, body: dict[str, Any]) -> dict[str, str]:
        stated = self.reader.mapping(body, "podMetadata", self.place)
        return {
            f"metadata.{part}['{name}']": str(value)
            for part in ("labels", "annotations")
            for name, value in self.reader.mapping(stated, part, self.place).items()
        }

    def _name(self, entry: dict[str, Any], option: str) -> ParameterSource | None:
        present, deprecated = _NAME_FIELDS[option]
        stated = self.reader.mapping(entry, present, self.place)
        if stated:
            return parameter_source(self.reader, stated, f"{self.place}/{option}")
        name = self.reader.text(entry, deprecated, self.place)
        if not name:
            what = "secret" if option.startswith("secret") else "config map"
            self.problems.append(f"uses a {what} without a name")
            return None
        return ParameterSource(Constant(name))

    def _path(self, entry: dict[str, Any], option: str) -> str:
        path = self.reader.text(entry, "mountPath", f"{self.place}/{option}")
        if not path.startswith("/") or ".." in path.split("/") or not path.strip("/"):
            self.problems.append(f"mounts something at `{path}`, which is not an absolute path")
            return ""
        return "/" + path.strip("/")
