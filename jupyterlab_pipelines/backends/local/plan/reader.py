"""Reads untrusted nested JSON: every misfit becomes a problem that names its place."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from ....models import Problem


class Reader:
    """Collects problems instead of raising, so that one answer names everything that is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, place: str, message: str, next_step: str = "") -> None:
        """Notes what is wrong at `place`, a path such as `root/tasks/train`."""
        self.problems.append(Problem(message=message, place=place, next_step=next_step))

    def mapping(self, parent: dict[str, Any], key: str, place: str) -> dict[str, Any]:
        """The object under `key`; an empty one where it is missing or not an object."""
        value = parent.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            self.problem(place, f"`{key}` must be an object with text keys.")
            return {}
        return value

    def entries(
        self, parent: dict[str, Any], key: str, place: str
    ) -> list[tuple[str, dict[str, Any]]]:
        """The objects of a map of objects, by name."""
        entries = []
        for name, value in self.mapping(parent, key, place).items():
            if value is None:
                value = {}
            if isinstance(value, dict):
                entries.append((name, value))
            else:
                self.problem(f"{place}/{key}/{name}", "An object is expected here.")
        return entries

    def sequence(self, parent: dict[str, Any], key: str, place: str) -> list[Any]:
        """The list under `key`; an empty one where it is missing or not a list."""
        value = parent.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(place, f"`{key}` must be a list.")
            return []
        return value

    def objects(self, parent: dict[str, Any], key: str, place: str) -> list[dict[str, Any]]:
        """The objects of a list of objects."""
        found = []
        for index, value in enumerate(self.sequence(parent, key, place)):
            if isinstance(value, dict):
                found.append(value)
            else:
                self.problem(f"{place}/{key}[{index}]", "An object is expected here.")
        return found

    def texts(self, parent: dict[str, Any], key: str, place: str) -> tuple[str, ...]:
        """The strings of a list of strings."""
        values = self.sequence(parent, key, place)
        if not all(isinstance(value, str) for value in values):
            self.problem(place, f"`{key}` must be a list of texts.")
        return tuple(value for value in values if isinstance(value, str))

    def text(self, parent: dict[str, Any], key: str, place: str) -> str:
        """The string under `key`, or an empty one."""
        value = parent.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.problem(place, f"`{key}` must be a text.")
            return ""
        return value

    def flag(self, parent: dict[str, Any], key: str, place: str) -> bool:
        """The boolean under `key`, or false."""
        value = parent.get(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.problem(place, f"`{key}` must be true or false.")
            return False
        return value

    def number(self, parent: dict[str, Any], key: str, place: str) -> float:
        """The number under `key` (protobuf's JSON also writes 64-bit ones as text), or 0."""
        value = parent.get(key)
        if value is None:
            return 0
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise ValueError
            number = float(value)
            if number != number or number in (float("inf"), float("-inf")):
                raise ValueError
        except ValueError:
            self.problem(place, f"`{key}` must be a number.")
            return 0
        return number

    def duration(self, parent: dict[str, Any], key: str, place: str) -> float:
        """The seconds under `key`: protobuf writes a duration as `3.5s`."""
        value = parent.get(key)
        if isinstance(value, str) and value.endswith("s"):
            return self.number({key: value[:-1]}, key, place)
        return self.number(parent, key, place)


def canonical(value: Any) -> JsonValue:
    """A value as protobuf's JSON carries it: whole numbers lose their decimal point.

    The SDK's compiler writes `3` as `3.0`, in lists and objects too.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [canonical(item) for item in value]
    if isinstance(value, dict):
        return {str(key): canonical(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)  # YAML's dates, which JSON writes as text
