"""`connections`: list, add, test and remove them, and choose a namespace; secrets are asked for."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import SecretStr, TypeAdapter, ValidationError

from ..connections import Connections
from ..errors import BadInput
from ..models import ConnectionStep, ConnectionTest, NewConnection, Problem, SignIn

_MARKS = {"ok": "✓", "failed": "✗", "skipped": "·"}
_METHODS = {model.model_fields["method"].default: model for model in get_args(get_args(SignIn)[0])}
#: The secrets to ask for, by method or by grant; an empty answer leaves one out.
_NEEDED = {
    "token": ("token",),
    "cookie": ("cookie",),
    "dex": ("password",),
    "client_credentials": ("client_secret",),
    "password": ("client_secret", "password"),
    "refresh_token": ("client_secret", "refresh_token"),
    "desktop": ("app_client_secret", "refresh_token"),
    "header": ("value",),
}


def add(commands: Any) -> None:
    """Adds the command and its own commands."""
    parser = commands.add_parser("connections", help="list, add, test and remove connections")
    own = parser.add_subparsers(required=True, metavar="COMMAND")

    listed = own.add_parser("list", help="every connection and its state")
    listed.add_argument("--json", action="store_true", help="as JSON")
    listed.set_defaults(command=_list)

    added = own.add_parser(
        "add",
        help="add a Kubeflow endpoint",
        description="Passwords, tokens and other secrets are asked for, or read from a pipe, one "
        "a line: on the command line others could see them.",
        epilog="Fields: namespace, ui_host, ca_file, client_certificate, client_key; and of the "
        f"sign-in: {_fields()}.",
    )
    added.add_argument("name", metavar="NAME")
    added.add_argument("host", metavar="HOST", help="as in https://kubeflow.example.com/pipeline")
    added.add_argument("--sign-in", choices=[*_METHODS], default="none", metavar="METHOD")
    added.add_argument(
        "--set", nargs="+", action="extend", default=[], dest="fields", metavar="FIELD=VALUE",
        help="see below",
    )  # fmt: skip
    added.set_defaults(command=_add)

    tested = own.add_parser("test", help="try a connection step by step")
    tested.add_argument("name", metavar="NAME")
    tested.set_defaults(command=_test)

    namespace = own.add_parser("namespace", help="list the namespaces, or choose one")
    namespace.add_argument("name", metavar="NAME")
    namespace.add_argument("namespace", nargs="?", metavar="NAMESPACE")
    namespace.set_defaults(command=_namespace)

    removed = own.add_parser("remove", help="forget a connection and its secrets")
    removed.add_argument("name", metavar="NAME")
    removed.set_defaults(command=_remove)


# --- commands ----------------------------------------------------------------------------------


async def _list(connections: Connections, options: argparse.Namespace) -> int:
    known = await connections.list()
    if options.json:
        print(json.dumps([one.model_dump(mode="json") for one in known], indent=1))
        return 0
    for one in known:
        where = f"{one.host or 'this machine'}{f', {one.namespace}' if one.namespace else ''}"
        found = f" (found: {one.found})" if one.found else ""
        print(f"{one.name:<16}{one.state.value:<13}{where}{found}")
        if one.message:
            print(f"{'':<16}{one.message}")
    return 0


async def _add(connections: Connections, options: argparse.Namespace) -> int:
    added = await connections.add(_given(options))
    print(f"Added {added.name}: {added.state.value}. {added.message}".rstrip())
    if added.state.value != "ready":
        print(f"See which step fails: jupyter pipelines connections test {added.name}")
    return 0


async def _test(connections: Connections, options: argparse.Namespace) -> int:
    result: ConnectionTest = await connections.test_known(options.name)
    for step in result.steps:
        print("\n".join(_lines(step)))
    if result.namespaces:
        print(f"Namespaces: {', '.join(result.namespaces)}")
    return 0 if result.ok else 1


async def _namespace(connections: Connections, options: argparse.Namespace) -> int:
    if options.namespace is not None:
        shown = await connections.choose_namespace(options.name, options.namespace)
        print(f"{shown.name} shows {shown.namespace or 'no namespace'}: {shown.state.value}.")
        if shown.message:
            print(shown.message)
        return 0
    seen = await connections.namespaces(options.name)
    for name in seen.namespaces:
        print(f"{'*' if name == seen.current else ' '} {name}")
    if not seen.multi_user:
        print("The endpoint has no namespaces: everybody sees all runs.")
    if seen.message:
        print(seen.message)
    return 0


async def _remove(connections: Connections, options: argparse.Namespace) -> int:
    await connections.remove(options.name)
    print(f"Removed {options.name}. Its runs stay where they are.")
    return 0


# --- parts -------------------------------------------------------------------------------------


def _given(options: argparse.Namespace) -> NewConnection:
    """The connection as it was written, with the secrets that are asked for."""
    fields: dict[str, str] = {}
    for pair in options.fields:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f"{name} is not FIELD=VALUE.", next_step="Write --set namespace=team-a.")
        fields[name] = value
    model = _METHODS[options.sign_in]
    secret = {name for name, field in model.model_fields.items() if _is_secret(field.annotation)}
    for name in fields.keys() & secret:
        raise BadInput(
            f"Leave {name} out: others could see it on the command line.",
            next_step="You are asked for it, or pipe it in.",
        )
    own = {name: fields.pop(name) for name in fields.keys() & model.model_fields.keys()}
    sign_in: dict[str, Any] = {"method": options.sign_in, **own}
    for name in _wanted(sign_in):
        if value := _ask(name):
            sign_in[name] = value
    content = {"name": options.name, "host": options.host, **fields, "sign_in": sign_in}
    try:
        return TypeAdapter(NewConnection).validate_python(content)
    except ValidationError as error:
        problems = [
            Problem(message=one["msg"], place=".".join(map(str, one["loc"])))
            for one in error.errors(include_url=False, include_input=False)
        ]
    raise BadInput("The connection cannot be read.", problems=problems)


def _wanted(sign_in: dict[str, Any]) -> Iterator[str]:
    kind = sign_in["method"]
    if kind == "oidc":
        kind = sign_in.get("grant", "client_credentials")
    elif kind == "iap" and "app_client_id" in sign_in:
        kind = "desktop"
    elif kind == "token" and sign_in.keys() & {"file", "variable", "command"}:
        return
    yield from _NEEDED.get(kind, ())


def _ask(name: str) -> str:
    """A secret from the terminal, unseen, or the next line of a pipe."""
    words = name.replace("_", " ").capitalize()
    if sys.stdin.isatty():
        return getpass.getpass(f"{words}: ")
    return sys.stdin.readline().rstrip("\r\n")


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or SecretStr in get_args(annotation)


def _fields() -> str:
    """What may be written of each sign-in."""
    parts = []
    for method, model in _METHODS.items():
        names = [
            name
            for name, field in model.model_fields.items()
            if name != "method" and not _is_secret(field.annotation)
        ]
        if names:
            parts.append(f"{method} ({', '.join(names)})")
        elif method != "none":
            parts.append(method)
    return "; ".join(parts)


def _lines(step: ConnectionStep) -> Iterator[str]:
    message = f": {step.message}" if step.message else ""
    yield f"{_MARKS[step.state]} {step.title}{message}"
    if step.next_step:
        yield f"  {step.next_step}"
