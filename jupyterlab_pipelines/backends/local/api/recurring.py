"""Recurring runs: not in this engine yet, and said so by name."""

from __future__ import annotations

from typing import NoReturn

from .protocol import Call, Route, Unimplemented


def unimplemented(call: Call) -> NoReturn:
    """Raises Unimplemented."""
    raise Unimplemented(
        "The embedded engine has no recurring runs.",
        next_step="Create the recurring run on a Kubeflow connection.",
    )


_ALL = "/apis/v2beta1/recurringruns"
_ONE = f"{_ALL}/{{recurring_run_id}}"
ROUTES = [
    Route("POST", _ALL, unimplemented),
    Route("GET", _ALL, unimplemented),
    Route("GET", _ONE, unimplemented),
    Route("DELETE", _ONE, unimplemented),
    Route("POST", f"{_ONE}:enable", unimplemented),
    Route("POST", f"{_ONE}:disable", unimplemented),
]
