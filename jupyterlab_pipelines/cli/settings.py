"""`settings`, `map`, `unmap`: how the embedded engine works, what stands for a cluster's data."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path
from typing import Any

from ..backends.local.containers import unusable
from ..backends.local.layout import Layout
from ..backends.local.settings import DESCRIPTIONS, Keys, Settings, SettingsFile, Source
from ..connections import Connections
from ..errors import BadInput, NotFound

_KINDS = {"pvc": "volumes", "secret": "secrets", "config-map": "config_maps"}


def add(commands: Any) -> None:
    """Adds the commands; they are about this machine, whatever the connection."""
    settings = commands.add_parser(
        "settings",
        help="show or change how the embedded engine works",
        description="Settings: "
        + "; ".join(f"{name} ({text})" for name, text in DESCRIPTIONS.items())
        + ".",
    )
    settings.add_argument("name", nargs="?", choices=[*DESCRIPTIONS], metavar="NAME")
    settings.add_argument("value", nargs="?", metavar="VALUE", help="`default` for the default")
    settings.set_defaults(command=_settings)

    map_ = commands.add_parser("map", help="say what a cluster's data is on this machine")
    kinds = map_.add_subparsers(required=True, metavar="KIND")
    volume = kinds.add_parser("pvc", help="a volume (PVC) is a folder")
    volume.add_argument("name", metavar="NAME", help="the PVC's name")
    volume.add_argument("folder", metavar="FOLDER")
    volume.set_defaults(command=_map_volume)
    for kind, text in (("secret", "a secret"), ("config-map", "a config map")):
        _add_keyed(kinds, kind, text)

    unmap = commands.add_parser("unmap", help="forget what was mapped")
    unmap.add_argument("kind", choices=[*_KINDS], metavar="KIND", help=", ".join(_KINDS))
    unmap.add_argument("name", metavar="NAME")
    unmap.add_argument("key", nargs="?", metavar="KEY", help="one key of it only")
    unmap.set_defaults(command=_unmap)


def _add_keyed(kinds: Any, kind: str, text: str) -> None:
    keyed = kinds.add_parser(kind, help=f"{text}'s keys are values, files or variables")
    keyed.add_argument("name", metavar="NAME", help=f"{text}'s name")
    keyed.add_argument("key", nargs="?", metavar="KEY")
    where = keyed.add_mutually_exclusive_group(required=True)
    where.add_argument("--file", metavar="FILE", help="read from this file when a task starts")
    where.add_argument("--variable", metavar="NAME", help="read from this environment variable")
    where.add_argument("--folder", metavar="FOLDER", help="a file for each key; give no KEY")
    if kind == "secret":
        where.add_argument(
            "--prompt", action="store_true", help="ask for the value (or read it from a pipe)"
        )
    else:
        where.add_argument("--value", metavar="TEXT", help="the value itself")
    keyed.set_defaults(command=_map_keys, kind=kind)


# --- commands ----------------------------------------------------------------------------------


async def _settings(connections: Connections, options: argparse.Namespace) -> int:
    file = SettingsFile()
    if options.value is None:
        settings = file.load()
        names = [options.name] if options.name else [*DESCRIPTIONS]
        for name in names:
            print(f"{name:<12}{_setting_text(settings, name):<16}{DESCRIPTIONS[name]}")
        if not options.name:
            _print_mapped(settings, Layout(connections.home / "local"))
            print(f"\nIn {file.path}")
        return 0

    def edit(content: dict[str, Any]) -> None:
        content.pop(options.name, None)
        if options.value != "default":
            content[options.name] = options.value

    settings = file.change(edit)
    print(f"{options.name:<12}{_setting_text(settings, options.name)}")
    if options.name == "containers" and settings.containers != "off":
        reason = unusable(settings.containers)
        if reason:
            print(f"It cannot be used yet: {reason}", file=sys.stderr)
    return 0


async def _map_volume(connections: Connections, options: argparse.Namespace) -> int:
    folder = _folder(options.folder)

    def edit(content: dict[str, Any]) -> None:
        content.setdefault("volumes", {})[options.name] = str(folder)

    SettingsFile().change(edit)
    print(f"The volume {options.name} is {folder}.")
    return 0


async def _map_keys(connections: Connections, options: argparse.Namespace) -> int:
    field, name = _KINDS[options.kind], options.name
    if (options.folder is None) == (options.key is None):
        raise BadInput(
            "Give a KEY with a value, a file or a variable, or a folder without a KEY.",
            next_step=f"See: jupyter pipelines map {options.kind} --help",
        )
    if options.folder is not None:
        folder = _folder(options.folder)
        content = {"folder": str(folder)}
    else:
        content = _source(options)

    def edit(settings: dict[str, Any]) -> None:
        mapped = settings.setdefault(field, {}).setdefault(name, {})
        if options.folder is not None:
            mapped.update(content)
        else:
            mapped.setdefault("keys", {})[options.key] = content

    settings = SettingsFile().change(edit)
    mapped: Keys = getattr(settings, field)[name]
    print(f"{options.kind} {name}: {_keys_text(mapped)}")
    return 0


async def _unmap(connections: Connections, options: argparse.Namespace) -> int:
    field, name, key = _KINDS[options.kind], options.name, options.key

    def edit(content: dict[str, Any]) -> None:
        mapped = content.get(field, {})
        if name not in mapped:
            raise NotFound(
                f"No {options.kind} named {name!r} is mapped.",
                next_step="See: jupyter pipelines settings",
            )
        if key is None:
            del mapped[name]
        elif options.kind == "pvc" or key not in mapped[name].get("keys", {}):
            raise NotFound(
                f"The {options.kind} {name!r} has no mapped key {key!r}.",
                next_step="See: jupyter pipelines settings",
            )
        else:
            del mapped[name]["keys"][key]
            if not mapped[name]["keys"] and not mapped[name].get("folder"):
                del mapped[name]

    SettingsFile().change(edit)
    print(f"{options.kind} {name}{f', key {key}' if key else ''} is mapped no more.")
    return 0


# --- parts -------------------------------------------------------------------------------------


def _folder(text: str) -> Path:
    folder = Path(text).expanduser().absolute()
    if not folder.is_dir():
        raise BadInput(f"There is no folder {folder}.", next_step=f"Make it: mkdir -p {folder}")
    return folder


def _source(options: argparse.Namespace) -> dict[str, str]:
    """Where the value comes from, as the settings hold it; a file must be there now."""
    if options.file is not None:
        path = Path(options.file).expanduser().absolute()
        if not os.access(path, os.R_OK) or not path.is_file():
            raise BadInput(f"{path} is not a file that can be read.", next_step="Give another one.")
        return {"file": str(path)}
    if options.variable is not None:
        return {"variable": options.variable}
    if options.kind == "config-map":
        return {"value": options.value}
    if not sys.stdin.isatty():
        return {"value": sys.stdin.read().removesuffix("\n")}
    return {"value": getpass.getpass(f"Value of {options.key} in the secret {options.name}: ")}


def _setting_text(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if name == "workers":
        return f"{settings.slots}{'' if value else ' (default)'}"
    return {True: "on", False: "off"}.get(value, str(value))


def _print_mapped(settings: Settings, layout: Layout) -> None:
    for name, folder in settings.volumes.items():
        print(f"{'pvc':<12}{name}: {folder}")
    for folder in sorted(layout.volumes.iterdir()) if layout.volumes.is_dir() else ():
        print(f"{'pvc':<12}{folder.name}: {folder} (made by a pipeline)")
    for name, keys in settings.secrets.items():
        print(f"{'secret':<12}{name}: {_keys_text(keys)}")
    for name, keys in settings.config_maps.items():
        print(f"{'config-map':<12}{name}: {_keys_text(keys)}")


def _keys_text(keys: Keys) -> str:
    """Keys and where their values come from; no value is shown."""
    parts = [f"{key} ({_source_text(source)})" for key, source in keys.keys.items()]
    if keys.folder is not None:
        parts.append(f"files of {keys.folder}")
    return ", ".join(parts) or "no keys"


def _source_text(source: Source) -> str:
    if source.file is not None:
        return f"file {source.file}"
    return f"variable {source.variable}" if source.variable else "set"
