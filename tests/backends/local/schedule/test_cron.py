"""Cron expressions: against a model that steps through time, and against robfig/cron's answers."""

from __future__ import annotations

import time
from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.schedule import cron

UTC = timezone.utc
NEW_YORK = ZoneInfo("America/New_York")
ZONES = [UTC, UTC, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]
MONTHS = ["JAN", "feb", "Mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["SUN", "mon", "Tue", "wed", "thu", "fri", "sat"]
MODEL_DAYS = 12


@st.composite
def fields(draw: Any, low: int, high: int, names: list[str] | None = None) -> tuple[str, Any]:
    """A field as text, and what it means: its values and whether it holds a star."""
    texts, values, star = [], set(), False
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
        step = draw(st.integers(1, 20))
        named = names[first - low] if names else str(first)
        text, found = draw(
            st.sampled_from(
                [
                    ("*", range(low, high + 1)),
                    ("?", range(low, high + 1)),
                    (f"*/{step}", range(low, high + 1, step)),
                    (named, [first]),
                    (f"{named}/{step}", range(first, high + 1, step)),
                    (f"{named}-{last}", range(first, last + 1)),
                    (f"{first}-{last}/{step}", range(first, last + 1, step)),
                ]
            )
        )
        texts.append(text)
        values.update(found)
        star |= text[0] in "*?"
    return ",".join(texts), (values, star)


@st.composite
def expressions(draw: Any) -> tuple[str, list[Any]]:
    parts = [
        draw(fields(0, 59)),
        draw(fields(0, 59)),
        draw(fields(0, 23)),
        draw(fields(1, 31)),
        ("*", (set(range(1, 13)), True)) if draw(st.booleans()) else draw(fields(1, 12, MONTHS)),
        draw(fields(0, 6, WEEKDAYS)),
    ]
    count = draw(st.sampled_from([5, 6, 6, 6]))
    if count == 5:
        parts[5] = ("*", (set(range(7)), True))
    return "  ".join(text for text, _ in parts[:count]), [meaning for _, meaning in parts]


def stepped(meanings: list[Any], after: int, zone: tzinfo, days: int) -> int | None:
    """The first second after `after` that matches, by looking at every one of `days` days."""
    seconds, minutes, hours, month_days, months, weekdays = meanings
    moment, end = after + 1, after + days * 86400
    while moment <= end:
        local = datetime.fromtimestamp(moment, zone)
        in_days = local.day in month_days[0]
        in_week = local.isoweekday() % 7 in weekdays[0]
        both = month_days[1] or weekdays[1]
        if (
            local.month in months[0]
            and ((in_days and in_week) if both else (in_days or in_week))
            and local.hour in hours[0]
            and local.minute in minutes[0]
        ):
            for second in range(local.second, 60):
                if second in seconds[0]:
                    return moment + second - local.second
        moment += 60 - local.second
    return None


@settings(max_examples=120, deadline=None)
@given(
    expression=expressions(),
    after=st.integers(946684800, 2051222400),
    zone=st.sampled_from(ZONES),
)
def test_next_is_what_stepping_finds(
    expression: tuple[str, list[Any]], after: int, zone: tzinfo
) -> None:
    text, meanings = expression
    found = cron.parse(text, zone).next(after)
    expected = stepped(meanings, after, zone, MODEL_DAYS)
    if expected is None:
        assert found is None or found > after + MODEL_DAYS * 86400
    else:
        assert found == expected


@settings(max_examples=60, deadline=None)
@given(
    expression=expressions(),
    after=st.integers(946684800, 2051222400),
    span=st.integers(0, 40_000),
    zone=st.sampled_from(ZONES),
)
def test_latest_is_the_last_of_all_that_follow(
    expression: tuple[str, list[Any]], after: int, span: int, zone: tzinfo
) -> None:
    schedule = cron.parse(expression[0], zone)
    first = schedule.next(after)
    if first is None:
        return
    until, last = first + span, first
    while (following := schedule.next(last)) is not None and following <= until:
        last = following
    assert schedule.latest(first, until) == last


@given(delay=st.integers(1, 5000), first=st.integers(0, 10**9), span=st.integers(0, 10**5))
def test_every_counts_from_the_time_before(delay: int, first: int, span: int) -> None:
    schedule = cron.parse(f"@every {delay}s")
    assert schedule.next(first) == first + delay
    last = first
    while last + delay <= first + span:
        last += delay
    assert schedule.latest(first, first + span) == last


def moment(text: str, zone: tzinfo = UTC) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 * * * *", "2026-01-31T12:00:00", "2026-01-31T13:00:00"),
        ("@hourly", "2026-01-31T12:00:00", "2026-01-31T13:00:00"),
        ("@daily", "2026-01-31T12:00:00", "2026-02-01T00:00:00"),
        ("@midnight", "2026-01-31T12:00:00", "2026-02-01T00:00:00"),
        ("@weekly", "2026-01-31T12:00:00", "2026-02-01T00:00:00"),  # a Sunday
        ("@monthly", "2026-01-31T12:00:00", "2026-02-01T00:00:00"),
        ("@yearly", "2026-01-31T12:00:00", "2027-01-01T00:00:00"),
        ("@annually", "2026-01-31T12:00:00", "2027-01-01T00:00:00"),
        ("@every 1h30m", "2026-01-31T12:00:05", "2026-01-31T13:30:05"),
        ("@every 1.9s", "2026-01-31T12:00:05", "2026-01-31T12:00:06"),
        ("@every 1ms", "2026-01-31T12:00:05", "2026-01-31T12:00:06"),
        ("@every -5m", "2026-01-31T12:00:05", "2026-01-31T12:00:06"),
        ("0 0 9 ? * 2-6", "2026-01-30T10:00:00", "2026-01-31T09:00:00"),
        ("0 0 9 ? * MON-FRI", "2026-01-30T10:00:00", "2026-02-02T09:00:00"),
        ("0 30 1 13 * fri", "2026-01-31T00:00:00", "2026-02-06T01:30:00"),  # either day
        ("0 30 1 */1 * fri", "2026-01-31T00:00:00", "2026-02-06T01:30:00"),  # a star: both
        ("30 * * * *", "2026-01-31T12:00:30", "2026-01-31T12:01:30"),  # five: seconds first
        ("0 0 0 29 2 *", "2026-01-31T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),
        ("50/5 59 23 31 12 *", "2026-12-31T23:59:55", "2027-12-31T23:59:50"),
        ("0 0 12,+18 * * *", "2026-01-31T13:00:00", "2026-01-31T18:00:00"),
        ("0 0 0 *-5 * *", "2026-01-31T00:00:00", "2026-02-01T00:00:00"),
    ],
)
def test_expressions(expression: str, after: str, expected: str) -> None:
    found = cron.parse(expression).next(moment(after))
    assert found is not None
    assert datetime.fromtimestamp(found, UTC).replace(tzinfo=None).isoformat() == expected


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("", "empty"),
        (" ", "found 0"),
        ("* * * *", "5 to 6 fields"),
        ("* * * * * * *", "found 7"),
        ("TZ=Asia/Tokyo 0 0 * * * *", "found 7"),
        ("CRON_TZ=UTC * * * * *", "not a number"),
        ("@fortnightly", "@hourly"),
        ("@Hourly", "@hourly"),
        ("@every", "@every"),
        ("@every 5", "duration"),
        ("@every 1h ", "duration"),
        ("@every 1h1", "duration"),
        ("@every 99999999h", "duration"),
        ("60 * * * * *", "above 59"),
        ("* * * 0 * *", "below 1"),
        ("* * * * * 7", "above 6"),
        ("* * * * 13 *", "above 12"),
        ("5-1 * * * * *", "beyond"),
        ("*/0 * * * * *", "positive"),
        ("1-2-3 * * * * *", "hyphens"),
        ("1/2/3 * * * * *", "slashes"),
        ("jan * * * * *", "not a number"),
        (", * * * * *", "no value"),
        ("\u0661 * * * * *", "not a number"),
        ("1 " * 600, "longer"),
    ],
)
def test_what_is_not_an_expression(expression: str, reason: str) -> None:
    with pytest.raises(cron.InvalidCron, match=reason):
        cron.parse(expression)


def test_a_day_that_never_comes() -> None:
    assert cron.parse("0 0 0 31 2 *").next(moment("2026-01-31T00:00:00")) is None
    assert cron.parse("0 0 0 * * *").next(moment("9999-12-31T12:00:00")) is None


def test_clocks_that_are_changed() -> None:
    half_past_one = cron.parse("0 30 1 * * *", NEW_YORK)
    first = half_past_one.next(moment("2026-11-01T00:00:00", NEW_YORK))
    assert first == moment("2026-11-01T01:30:00", NEW_YORK)
    assert half_past_one.next(first) == first + 3600  # the hour comes twice
    half_past_two = cron.parse("0 30 2 * * *", NEW_YORK)
    found = half_past_two.next(moment("2026-03-07T12:00:00", NEW_YORK))
    assert found == moment("2026-03-09T02:30:00", NEW_YORK)  # the 8th has no such time


def test_a_year_of_missed_seconds_is_skipped_at_once() -> None:
    schedule = cron.parse("* * 9-17 * * MON-FRI")
    start = moment("2026-01-01T00:00:00")
    started = time.process_time()
    assert schedule.latest(start, start + 365 * 86400) == moment("2026-12-31T17:59:59")
    assert cron.parse("0 0 0 31 2 *").next(start) is None
    assert time.process_time() - started < 0.5
