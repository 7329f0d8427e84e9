"""The secrets of a connection apart from the rest of it, and together again; pure."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from ..models import NewConnection


def split(connection: NewConnection) -> tuple[dict[str, Any], dict[str, str]]:
    """JSON values without any secret, and the secrets by their place: `sign_in.token`."""
    secrets: dict[str, str] = {}
    shown = _without(connection.model_dump(exclude_none=True), "", secrets)
    return shown, secrets


def without_secrets(connection: NewConnection) -> NewConnection:
    """A copy in which every secret is null, as it may be read back."""
    return NewConnection.model_validate(split(connection)[0])


def merged(shown: dict[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """What `split` took apart; a secret whose place is gone is dropped."""
    return {**shown, **{name: _with(value, name, secrets) for name, value in shown.items()}}


def present_form(record: dict[str, Any]) -> dict[str, Any]:
    """A record as it is written today; the first version had its token in three flat fields."""
    record = dict(record)
    former = {
        field: record.pop(name)
        for name, field in (("token", "token"), ("token_file", "file"), ("token_env", "variable"))
        if name in record
    }
    return {**record, "sign_in": {"method": "token", **former}} if former else record


def _without(value: Any, place: str, secrets: dict[str, str]) -> Any:
    if isinstance(value, dict):
        kept = {}
        for name, each in value.items():
            if isinstance(each, SecretStr):
                secrets[f"{place}{name}"] = each.get_secret_value()
            else:
                kept[name] = _without(each, f"{place}{name}.", secrets)
        return kept
    if isinstance(value, list):
        return [_without(each, f"{place}{index}.", secrets) for index, each in enumerate(value)]
    return value


def _with(value: Any, place: str, secrets: dict[str, str]) -> Any:
    if isinstance(value, dict):
        own = {
            name.removeprefix(f"{place}."): secret
            for name, secret in secrets.items()
            if name.rpartition(".")[0] == place
        }
        return {n: _with(each, f"{place}.{n}", secrets) for n, each in value.items()} | own
    if isinstance(value, list):
        return [_with(each, f"{place}.{index}", secrets) for index, each in enumerate(value)]
    return value
