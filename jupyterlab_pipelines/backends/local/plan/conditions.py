"""Gives a condition or a selector its value. Data stays data: nothing of it is ever evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import JsonValue

from .cel import CelError, Node, parse
from .parameters import as_text

_MAX_INT = 2**63 - 1
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NO_NUMBER = re.compile(r"[\s_]|[^\x00-\x7f]")  # Python would read ` 1_0 ` as ten
_parse = lru_cache(maxsize=2048)(parse)


def is_true(condition: str, parameters: Mapping[str, JsonValue]) -> bool:
    """Whether a task's condition holds over its input `parameters`.

    Raises CelError where it cannot be read, fails, or gives anything but true or false.
    """
    variables = {"inputs": {"parameter_values": dict(parameters), "parameters": {}}}
    result = _evaluate(_parse(condition), variables)
    if not isinstance(result, bool):
        raise CelError(f"it gives {_show(result)}, not true or false")
    return result


def select(value: JsonValue, selector: str) -> JsonValue:
    """The part of a parameter that an expression picks: `parseJson(string_value)["k"]`.

    Raises CelError where there is no such part.
    """
    variables: dict[str, JsonValue] = {"string_value": as_text(value)}
    kinds: list[tuple[type | tuple[type, ...], str]] = [
        (bool, "bool_value"),
        ((int, float), "number_value"),
        (list, "list_value"),
        (dict, "struct_value"),
    ]
    for kind, name in kinds:
        if isinstance(value, kind):
            variables[name] = value
            break
    selected: JsonValue = _evaluate(_parse(selector), variables)
    return selected


def _show(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _evaluate(node: Node, variables: Mapping[str, Any]) -> Any:
    if node.kind == "literal":
        return node.value
    if node.kind == "name":
        if node.value not in variables:
            raise CelError(f"`{node.value}` is not known")
        return variables[node.value]
    if node.kind in ("&&", "||"):
        return _logic(node, variables)
    if node.kind == "?":
        test, then, otherwise = node.children
        return _evaluate(then if _boolean(_evaluate(test, variables)) else otherwise, variables)
    return _OPERATIONS[node.kind](node, [_evaluate(child, variables) for child in node.children])


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError(f"{_show(value)} is not true or false")
    return value


def _logic(node: Node, variables: Mapping[str, Any]) -> bool:
    """CEL's `&&` and `||`: one side may fail if the other decides."""
    decisive = node.kind == "||"
    left, right = node.children
    try:
        decided = _boolean(_evaluate(left, variables)) is decisive
    except CelError:
        if _boolean(_evaluate(right, variables)) is decisive:
            return decisive
        raise
    return decisive if decided else _boolean(_evaluate(right, variables))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    """Equality by value: numbers of any type compare, values of different kinds differ."""
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return type(left) is type(right) and bool(left == right)


def _order(compare: Callable[[Any, Any], bool]) -> Callable[[Node, list[Any]], bool]:
    def ordered(node: Node, values: list[Any]) -> bool:
        left, right = values
        comparable = (
            (_is_number(left) and _is_number(right))
            or (isinstance(left, str) and isinstance(right, str))
            or (isinstance(left, bool) and isinstance(right, bool))
        )
        if not comparable:
            raise CelError(f"{_show(left)} {node.kind} {_show(right)} cannot be compared")
        return compare(left, right)

    return ordered


def _contains(_: Node, values: list[Any]) -> bool:
    item, container = values
    if isinstance(container, dict):
        return isinstance(item, str) and item in container
    if isinstance(container, list):
        return any(_equal(item, one) for one in container)
    raise CelError(f"{_show(container)} is neither a list nor an object")


def _add(_: Node, values: list[Any]) -> Any:
    left, right = values
    if (_is_number(left) and _is_number(right)) or (
        type(left) is type(right) and isinstance(left, (str, list))
    ):
        return left + right
    raise CelError(f"{_show(left)} + {_show(right)} has no value")


def _arithmetic(operation: Callable[[Any, Any], Any]) -> Callable[[Node, list[Any]], Any]:
    def computed(node: Node, values: list[Any]) -> Any:
        left, right = values
        if not (_is_number(left) and _is_number(right)):
            raise CelError(f"{_show(left)} {node.kind} {_show(right)} has no value")
        return operation(left, right)

    return computed


def _negate(_: Node, values: list[Any]) -> Any:
    if not _is_number(values[0]):
        raise CelError(f"-{_show(values[0])} has no value")
    return -values[0]


def _field(node: Node, values: list[Any]) -> Any:
    holder = values[0]
    if isinstance(holder, dict) and node.value in holder:
        return holder[node.value]
    raise CelError(f"there is no `{node.value}`")


def _index(_: Node, values: list[Any]) -> Any:
    holder, key = values
    if isinstance(holder, dict):
        if isinstance(key, str) and key in holder:
            return holder[key]
        raise CelError(f"there is no {_show(key)}")
    if isinstance(holder, list) and _is_number(key) and key == int(key):
        if 0 <= key < len(holder):
            return holder[int(key)]
        raise CelError(f"there is no item {int(key)} among {len(holder)}")
    raise CelError(f"{_show(holder)} has no {_show(key)}")


def _to_int(value: Any) -> int:
    try:
        if not (isinstance(value, str) and _WHOLE.fullmatch(value)) and not _is_number(value):
            raise ValueError
        number = int(value)
    except (ValueError, OverflowError):  # NaN and infinity have none either
        raise CelError(f"int({_show(value)}) is not a whole number") from None
    if abs(number) > _MAX_INT:
        raise CelError(f"int({_show(value)}) is out of range")
    return number


def _to_double(value: Any) -> float:
    try:
        if _is_number(value) or (isinstance(value, str) and not _NO_NUMBER.search(value)):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise CelError(f"double({_show(value)}) is not a number")


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    texts = {"true": True, "false": False, "True": True, "False": False, "1": True, "0": False}
    if isinstance(value, str) and value in texts:
        return texts[value]
    raise CelError(f"bool({_show(value)}) is not true or false")


def _parse_json(value: Any) -> Any:
    if not isinstance(value, str):
        raise CelError(f"parseJson takes a text, not {_show(value)}")
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise CelError(f"{_show(value)} is not JSON") from None


def _size(value: Any) -> int:
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise CelError(f"{_show(value)} has no size")


def _type(value: Any) -> str:
    names = {bool: "bool", int: "int", float: "double", str: "string", list: "list", dict: "map"}
    return names.get(type(value), "null_type")


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "int": _to_int,
    "double": _to_double,
    "bool": _to_bool,
    "string": as_text,
    "size": _size,
    "parseJson": _parse_json,
    "type": _type,
}


def _call(node: Node, values: list[Any]) -> Any:
    return _FUNCTIONS[node.value](values[0])


def _method(node: Node, values: list[Any]) -> Any:
    if node.value == "size":
        return _size(values[0])
    text, part = values
    if not (isinstance(text, str) and isinstance(part, str)):
        raise CelError(f"{node.value}() takes texts")
    if node.value == "contains":
        return part in text
    return text.startswith(part) if node.value == "startsWith" else text.endswith(part)


_OPERATIONS: dict[str, Callable[[Node, list[Any]], Any]] = {
    "==": lambda _, values: _equal(*values),
    "!=": lambda _, values: not _equal(*values),
    "<": _order(lambda left, right: left < right),
    "<=": _order(lambda left, right: left <= right),
    ">": _order(lambda left, right: left > right),
    ">=": _order(lambda left, right: left >= right),
    "in": _contains,
    "+": _add,
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "not": lambda _, values: not _boolean(values[0]),
    "negate": _negate,
    "field": _field,
    "index": _index,
    "list": lambda _, values: values,
    "call": _call,
    "method": _method,
}
