"""Writes JSON as Kubeflow's Go code does, where the very text counts: in keys and in values."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

_ESCAPED = re.compile("[<>&\u2028\u2029]")
_EXACT = 2**53  # up to here a double holds every whole number


def go_json(value: Any) -> str:
    """JSON as Go's encoding/json writes it: sorted keys, no spaces, `<`, `>` and `&` escaped."""
    if isinstance(value, dict):
        entries = (f"{_text(key)}:{go_json(value[key])}" for key in sorted(value))
        return f"{{{','.join(entries)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(go_json, value))}]"
    if isinstance(value, str):
        return _text(value)
    if value is True or value is False or value is None:
        return json.dumps(value)
    return _number(value)


def _text(value: str) -> str:
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", encode_basestring(value))


def _number(value: float) -> str:
    """A double, which every number is in protobuf: 3, 0.1, 0.00001, 1e-9, 1e+21."""
    if isinstance(value, int) and abs(value) <= _EXACT:
        return str(value)
    text = repr(float(value))
    if "e" not in text:
        return text.removesuffix(".0")
    if 1e-6 <= abs(value) < 1e21:
        return format(Decimal(text), "f").removesuffix(".0")
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{exponent[0]}{exponent[1:].lstrip('0')}"
