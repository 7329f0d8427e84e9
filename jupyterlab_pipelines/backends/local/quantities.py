"""Reads Kubernetes's quantities: `500m` is a half, `2Gi` are 2 * 2**30."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"\+?(\d+\.?\d*|\.\d+)(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,2}))?")
_FACTORS = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_FACTORS |= {"P": 1e15, "E": 1e18}
_FACTORS |= {f"{letter}i": 2.0 ** (10 * power) for power, letter in enumerate("KMGTPE", 1)}


def read_quantity(text: str) -> float:
    """The number that a quantity stands for. Raises ValueError, which says what is wrong."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"`{text}` is not a quantity such as 500m or 2Gi")
    number, suffix, exponent = found.groups()
    return float(number) * _FACTORS.get(suffix, 1.0) * 10.0 ** int(exponent or 0)
