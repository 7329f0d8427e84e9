"""Cron expressions as Kubeflow reads them, which is as robfig/cron v1 does.

Six fields, seconds first: `second minute hour day-of-month month day-of-week`; the last may be left
out, so that five fields are not what crontab(5) means by them. No library reads them so: others put
seconds last, or take five fields for crontab's. Also `@hourly` and its like, and `@every 1h30m`.
Times are whole seconds since 1970, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

#: How far ahead a time is looked for: the 29th of February is at most eight years away.
_YEARS = 9
_DAY = timedelta(days=1)
#: Seconds within which no clock is put forward or back: some are at a quarter of an hour.
_QUARTER = 900
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9,
    "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_WEEKDAYS = {"sun": 0, "mon": 1, "tue": 2, "wed": 3, "thu": 4, "fri": 5, "sat": 6}
_DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
_EVERY = "@every "
_UNITS = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),  # the micro sign
    "μs": Fraction(1, 10**6),  # the Greek letter
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_LONGEST = Fraction(2**63 - 1, 10**9)  # of Go's durations, in seconds
_LONGEST_TEXT = 1000


class InvalidCron(ValueError):
    """Not an expression that Kubeflow takes; the message says why."""


class Schedule(Protocol):
    """Times that follow from a cron expression."""

    def next(self, after: int) -> int | None:
        """The first time after `after`; null where there is none in the years ahead."""

    def latest(self, first: int, until: int) -> int:
        """The last time up to and with `until`, of those that follow `first`, which is one."""


@dataclass(frozen=True)
class Every:
    """A fixed delay, in seconds, after the time before."""

    delay: int

    def next(self, after: int) -> int | None:
        return after + self.delay

    def latest(self, first: int, until: int) -> int:
        return first + max(0, until - first) // self.delay * self.delay


@dataclass(frozen=True)
class Cron:
    """The seconds whose wall clock, in `zone`, has a value of each field.

    An hour that a clock shows twice, when it is put back, fires twice; one that it skips, never.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0 is Sunday
    either_day: bool  # both day fields are restricted: one of them is enough
    zone: tzinfo = field(default=timezone.utc)

    def next(self, after: int) -> int | None:
        moment = after + 1
        try:
            local = datetime.fromtimestamp(moment, self.zone)
            last_year = local.year + _YEARS
            while local.year <= last_year:
                ahead = self._seconds_ahead(local)
                if ahead == 0:
                    return moment
                moment += ahead
                local = datetime.fromtimestamp(moment, self.zone)
        except (ValueError, OverflowError, OSError):  # beyond the calendar
            pass
        return None

    def latest(self, first: int, until: int) -> int:
        low, high = first, until  # bisects for the last time from which on nothing follows
        while low < high:
            middle = (low + high) // 2
            following = self.next(middle)
            if following is None or following > until:
                high = middle
            else:
                low = following
        return low

    def _seconds_ahead(self, local: datetime) -> int:
        """0 where `local` matches, else how many seconds surely do not."""
        if local.month not in self.months:
            year, month = (local.year, local.month + 1) if local.month < 12 else (local.year + 1, 1)
            return self._until(local, local.replace(year=year, month=month, day=1))
        if not self._day_matches(local):
            return self._until(local, local + _DAY)
        past_hour = local.minute * 60 + local.second
        if local.hour not in self.hours:
            return _QUARTER - past_hour % _QUARTER
        if local.minute not in self.minutes:
            return 60 - local.second
        if local.second not in self.seconds:
            later = [second for second in self.seconds if second > local.second]
            return min(later, default=60) - local.second
        return 0

    def _day_matches(self, local: datetime) -> bool:
        in_days, in_weekdays = local.day in self.days, local.isoweekday() % 7 in self.weekdays
        return in_days or in_weekdays if self.either_day else in_days and in_weekdays

    def _until(self, local: datetime, day: datetime) -> int:
        """The seconds from `local` to the beginning of `day`."""
        midnight = day.replace(hour=0, minute=0, second=0, fold=0)
        return max(1, int(midnight.timestamp() - local.timestamp()))


@lru_cache(maxsize=1024)
def parse(text: str, zone: tzinfo = timezone.utc) -> Schedule:
    """The schedule of an expression. Raises InvalidCron."""
    if len(text) > _LONGEST_TEXT:
        raise InvalidCron(f"it is longer than {_LONGEST_TEXT} characters")
    if not text:
        raise InvalidCron("it is empty")
    if text.startswith(_EVERY):
        return Every(max(1, int(duration(text.removeprefix(_EVERY)))))
    if text.startswith("@"):
        if text not in _DESCRIPTORS:
            known = ", ".join([*_DESCRIPTORS, "@every 1h30m"])
            raise InvalidCron(f"{text!r} is not one of {known}")
        text = _DESCRIPTORS[text]
    fields = text.split()
    if len(fields) not in (5, 6):
        raise InvalidCron(
            f"expected 5 to 6 fields (second minute hour day month [weekday]), found {len(fields)}"
        )
    days, all_days = _values(fields[3], 1, 31)
    weekdays, all_weekdays = _values(fields[5] if len(fields) == 6 else "*", 0, 6, _WEEKDAYS)
    return Cron(
        seconds=_values(fields[0], 0, 59)[0],
        minutes=_values(fields[1], 0, 59)[0],
        hours=_values(fields[2], 0, 23)[0],
        days=days,
        months=_values(fields[4], 1, 12, _MONTHS)[0],
        weekdays=weekdays,
        either_day=not (all_days or all_weekdays),
        zone=zone,
    )


def duration(text: str) -> Fraction:
    """A duration as Go writes it, `1h30m` or `-1.5s`, in seconds. Raises InvalidCron."""
    bare = text[1:] if text[:1] in ("+", "-") else text
    if bare == "0":
        return Fraction(0)
    total, position = Fraction(0), 0
    while match := _QUANTITY.match(bare, position):
        total += Fraction(match[1]) * _UNITS[match[2]]
        position = match.end()
    if not bare or position != len(bare) or total > _LONGEST:
        raise InvalidCron(f"{text!r} is not a duration like 1h30m")
    return -total if text[0] == "-" else total


def _values(
    text: str, low: int, high: int, names: Mapping[str, int] | None = None
) -> tuple[frozenset[int], bool]:
    """A field's values, and whether a star (or `?`) is among its parts, even one with a step."""
    values: set[int] = set()
    star = False
    for part in text.split(","):
        if part:  # robfig/cron drops what is empty
            numbers, is_star = _range(part, low, high, names or {})
            values.update(numbers)
            star |= is_star
    if not values:
        raise InvalidCron(f"the field {text!r} holds no value")
    return frozenset(values), star


def _range(part: str, low: int, high: int, names: Mapping[str, int]) -> tuple[range, bool]:
    bounds, *steps = part.split("/")
    first, *others = bounds.split("-")
    star = first in ("*", "?")
    if star:
        start, end = low, high
    else:
        if len(others) > 1:
            raise InvalidCron(f"too many hyphens: {part}")
        start = _number(first, part, names)
        end = _number(others[0], part, names) if others else start
    if len(steps) > 1:
        raise InvalidCron(f"too many slashes: {part}")
    step = 1
    if steps:
        step = _number(steps[0], part, {})
        if not others:
            end = high  # `5/10` means `5-59/10`
    if start < low:
        raise InvalidCron(f"the beginning of the range ({start}) is below {low}: {part}")
    if end > high:
        raise InvalidCron(f"the end of the range ({end}) is above {high}: {part}")
    if start > end:
        raise InvalidCron(f"the range begins ({start}) beyond its end ({end}): {part}")
    if step == 0:
        raise InvalidCron(f"the step of a range must be positive: {part}")
    return range(start, end + 1, step), star


def _number(text: str, part: str, names: Mapping[str, int]) -> int:
    named = names.get(text.lower())
    if named is not None:
        return named
    if not re.fullmatch(r"\+?[0-9]{1,18}", text):
        raise InvalidCron(f"{text!r} is not a number: {part}")
    return int(text)
