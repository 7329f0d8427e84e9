"""The next time of a recurring run: what fired last, start, end, and what was missed."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from . import cron as cron_expressions

logger = logging.getLogger(__name__)

#: Names the time zone of cron expressions, as it does for Kubeflow's controller; UTC without it.
ZONE_VARIABLE = "CRON_SCHEDULE_TIMEZONE"


def default_zone() -> tzinfo:
    """The zone that cron expressions are read in."""
    return _zone(os.environ.get(ZONE_VARIABLE, ""))


@lru_cache(maxsize=8)
def _zone(name: str) -> tzinfo:
    if not name:
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # one that is not found is a KeyError
        logger.warning("%s: there is no time zone %r; UTC is used.", ZONE_VARIABLE, name)
        return timezone.utc


@dataclass(frozen=True)
class Trigger:
    """When to fire: by `cron`, else each `interval` seconds, else once.

    Times are whole seconds since 1970, UTC. `catch_up` fires every time that was missed, one after
    another; without it only the last of them, as Kubeflow has it: for an interval, that is now.
    """

    cron: str = ""
    interval: int = 0
    start: int | None = None
    end: int | None = None
    catch_up: bool = True

    def next(
        self, last: int | None, created: int, now: int, zone: tzinfo = timezone.utc
    ) -> int | None:
        """The next time, perhaps past: `last` is what fired before, `created` the beginning.

        Null where nothing will fire any more. Raises InvalidCron.
        """
        if self.cron:
            return self._next_of_cron(last, created, now, zone)
        if self.interval:
            return self._next_of_interval(last, created, now)
        return created if last is None else None

    def _before_first(self, created: int) -> int:
        """What stands in for the last time as long as nothing has fired."""
        return created if self.start is None else self.start

    def _next_of_cron(self, last: int | None, created: int, now: int, zone: tzinfo) -> int | None:
        schedule = cron_expressions.parse(self.cron, zone)
        after = self._before_first(created) if last is None else last
        if self.start is not None:
            after = max(after, self.start)
        due = schedule.next(after)
        if due is None or (self.end is not None and due > self.end):
            return None
        until = now if self.end is None else min(now, self.end)
        return due if self.catch_up or due >= until else schedule.latest(due, until)

    def _next_of_interval(self, last: int | None, created: int, now: int) -> int | None:
        after = self._before_first(created) if last is None else last
        if self.start is not None and self.start > after:
            due = self.start
        else:
            due = after + self.interval
            if self.end is not None and due > self.end:
                return None
        if self.catch_up or now < due + self.interval:
            return due
        return now if self.end is None else min(now, self.end)
