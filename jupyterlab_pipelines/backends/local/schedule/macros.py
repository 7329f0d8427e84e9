"""The macros in a run's parameters: `[[RunUUID]]`, `[[ScheduledTime]]` and their like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone

from pydantic import JsonValue

from .layouts import UnknownVerb, go_format, strftime

#: No macro is longer, and a text of a million brackets is read in no time.
_MACRO = re.compile(r"\[\[(.{0,200}?)\]\]|\{\{\$\.(.{0,200}?)\}\}")
_DEFAULT_LAYOUT = "20060102150405"
_STRFTIME = re.compile(r"(scheduledTime|currentTime)\.strftime\('(.*)'\)", re.DOTALL)


@dataclass(frozen=True)
class Macros:
    """What one run puts in. Times are whole seconds since 1970, UTC; what is null stays as it is.

    `[[RunUUID]]` and `[[Index]]`; `[[ScheduledTime]]` and `[[CurrentTime]]` as 20260131235959, with
    a layout of Go's as in `[[ScheduledTime.2006-01-02]]`; and
    `{{$.scheduledTime.strftime('%Y-%m-%d')}}`, `{{$.currentTime.strftime('…')}}`.
    """

    run_id: str
    now: int
    index: int | None = None
    scheduled: int | None = None

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
            return match.group() if self.index is None else str(self.index)
        name, dot, layout = square.partition(".")
        moment = self._moment(name)
        if moment is None:
            return match.group()
        return go_format(moment, layout if dot else _DEFAULT_LAYOUT)

    def _strftime(self, text: str, whole: str) -> str:
        call = _STRFTIME.fullmatch(text)
        if call is None:
            return whole  # a placeholder of the pipeline's, for later
        name, pattern = call.groups()
        moment = self._moment(name[0].upper() + name[1:])
        try:
            return whole if moment is None else strftime(moment, pattern)
        except UnknownVerb:
            return whole

    def _moment(self, name: str) -> datetime | None:
        seconds = {"ScheduledTime": self.scheduled, "CurrentTime": self.now}.get(name)
        return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
