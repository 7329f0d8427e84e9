"""The macros in a recurring run's parameters: `[[ScheduledTime]]`, `[[Index]]` and their like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from pydantic import JsonValue

from .layouts import UnknownVerb, go_format, strftime

#: No macro is longer, and a text of a million brackets is read in no time.
_MACRO = re.compile(r"\[\[(.{0,200}?)\]\]|\{\{\$\.(.{0,200}?)\}\}")
_DEFAULT_LAYOUT = "20060102150405"
_TIMES = {"ScheduledTime": "scheduled", "CurrentTime": "now"}
_STRFTIME = re.compile(r"(scheduledTime|currentTime)\.strftime\('(.*)'\)", re.DOTALL)


@dataclass(frozen=True)
class Macros:
    """What one firing puts in. Times are whole seconds since 1970, UTC.

    `[[RunUUID]]` and `[[Index]]`; `[[ScheduledTime]]` and `[[CurrentTime]]` as 20260131235959, with
    a layout of Go's as in `[[ScheduledTime.2006-01-02]]`; and
    `{{$.scheduledTime.strftime('%Y-%m-%d')}}`, `{{$.currentTime.strftime('…')}}`.
    """

    run_id: str
    index: int
    scheduled: int
    now: int

    def fill(self, value: JsonValue) -> JsonValue:
        """A parameter's value, the macros in its texts filled in at any depth."""
        if isinstance(value, str):
            return _MACRO.sub(self._replacement, value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        return value

    def _replacement(self, match: re.Match[str]) -> str:
        square, curly = match.groups()
        if square is None:
            return self._strftime(curly, match.group())
        if square == "RunUUID":
            return self.run_id
        if square == "Index":
            return str(self.index)
        name, dot, layout = square.partition(".")
        if name not in _TIMES:
            return match.group()
        return go_format(self._moment(name), layout if dot else _DEFAULT_LAYOUT)

    def _strftime(self, text: str, whole: str) -> str:
        call = _STRFTIME.fullmatch(text)
        if call is None:
            return whole  # a placeholder of the pipeline's, for later
        name, pattern = call.groups()
        try:
            return strftime(self._moment(name[0].upper() + name[1:]), pattern)
        except UnknownVerb:
            return whole

    def _moment(self, name: str) -> datetime:
        return datetime.fromtimestamp(getattr(self, _TIMES[name]), timezone.utc)
