"""What a trigger fires next: start, end, catching up; compared with a simulation."""

from __future__ import annotations

from datetime import timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.schedule import trigger as trigger_module
from jupyterlab_pipelines.backends.local.schedule.trigger import Trigger, default_zone

HOUR = 3600
EVERY_MINUTE = "0 * * * * *"


def fired(trigger: Trigger, created: int, looks: list[int]) -> list[int]:
    """What a controller fires that looks at these times, one after another."""
    times: list[int] = []
    for now in looks:
        while (due := trigger.next(times[-1] if times else None, created, now)) is not None:
            if due > now:
                break
            times.append(due)
    return times


@pytest.mark.parametrize(
    ("trigger", "last", "created", "now", "expected"),
    [
        # what fired last goes before the start, the start before the creation
        (Trigger(EVERY_MINUTE, start=600), 1200, 900, 0, 1260),
        (Trigger(EVERY_MINUTE, start=600), None, 900, 0, 660),
        (Trigger(EVERY_MINUTE), None, 900, 0, 960),
        (Trigger(EVERY_MINUTE, start=36000), 0, 0, 0, 36060),
        (Trigger(EVERY_MINUTE, end=HOUR), HOUR - 1, 0, 0, HOUR),
        (Trigger(EVERY_MINUTE, end=HOUR), HOUR, 0, 0, None),
        (Trigger("0 0 0 31 2 *"), None, 900, 0, None),
        # without catching up: the last that was missed, never one after the end
        (Trigger(EVERY_MINUTE, catch_up=False), 1200, 0, 1230, 1260),
        (Trigger(EVERY_MINUTE, catch_up=False), 1200, 0, 1260, 1260),
        (Trigger(EVERY_MINUTE, catch_up=False), 1200, 0, 1290, 1260),
        (Trigger(EVERY_MINUTE, catch_up=False), 1200, 0, 1800, 1800),
        (Trigger(EVERY_MINUTE, catch_up=False), 1200, 0, 1815, 1800),
        (Trigger(EVERY_MINUTE, end=3600, catch_up=False), 1200, 0, 7200, 3600),
        (Trigger(EVERY_MINUTE, end=3610, catch_up=False), 3600, 0, 7200, None),
        # intervals count from what fired last; the first one comes one interval after the start
        (Trigger(interval=60), None, 900, 0, 960),
        (Trigger(interval=60, start=1000), None, 900, 0, 1060),
        (Trigger(interval=60, start=1000), 500, 900, 0, 1000),
        (Trigger(interval=60), 1000, 900, 5000, 1060),
        (Trigger(interval=60, end=1050), 1000, 900, 0, None),
        (Trigger(interval=60, end=1060), 1000, 900, 0, 1060),
        (Trigger(interval=60, catch_up=False), 1000, 900, 1119, 1060),
        (Trigger(interval=60, catch_up=False), 1000, 900, 1120, 1120),
        (Trigger(interval=60, catch_up=False), 1000, 900, 5005, 5005),
        (Trigger(interval=60, end=2000, catch_up=False), 1000, 900, 5005, 2000),
        # neither: once
        (Trigger(), None, 900, 0, 900),
        (Trigger(), 900, 900, 5000, None),
    ],
)
def test_next(
    trigger: Trigger, last: int | None, created: int, now: int, expected: int | None
) -> None:
    assert trigger.next(last, created, now) == expected


looks = st.lists(st.integers(0, 900), min_size=1, max_size=12).map(
    lambda gaps: [10_000 + sum(gaps[: i + 1]) for i in range(len(gaps))]
)
starts = st.none() | st.integers(9_000, 12_000)
ends = st.none() | st.integers(9_000, 16_000)


@given(looks=looks, start=starts, end=ends, second=st.integers(0, 59), step=st.integers(1, 7))
def test_catching_up_loses_and_doubles_nothing(
    looks: list[int], start: int | None, end: int | None, second: int, step: int
) -> None:
    trigger = Trigger(f"{second} */{step} * * * *", start=start, end=end)
    begin = 10_000 if start is None else start
    expected = [
        time
        for time in range(begin + 1, looks[-1] + 1)
        if time % 60 == second and time // 60 % 60 % step == 0 and (end is None or time <= end)
    ]
    assert fired(trigger, 10_000, looks) == expected


@given(looks=looks, end=ends, second=st.integers(0, 59))
def test_without_catching_up_one_look_fires_one_time(
    looks: list[int], end: int | None, second: int
) -> None:
    trigger = Trigger(f"{second} * * * * *", end=end, catch_up=False)
    expected: list[int] = []
    for now in looks:
        until = now if end is None else min(now, end)
        missed = [
            time
            for time in range((expected[-1] if expected else 10_000) + 1, until + 1)
            if time % 60 == second
        ]
        expected += missed[-1:]
    assert fired(trigger, 10_000, looks) == expected


@given(looks=looks, start=starts, end=ends, interval=st.integers(1, 300), catch_up=st.booleans())
def test_intervals(
    looks: list[int], start: int | None, end: int | None, interval: int, catch_up: bool
) -> None:
    trigger = Trigger(interval=interval, start=start, end=end, catch_up=catch_up)
    times = fired(trigger, 10_000, looks)
    begin = 10_000 if start is None else start
    assert all(end is None or time <= end for time in times)
    assert times == sorted(set(times))
    if catch_up:
        until = looks[-1] if end is None else min(looks[-1], end)
        assert times == list(range(begin + interval, until + 1, interval))
    else:
        assert len(times) <= 2 * len(looks)  # a look may fire what was due, and end's last
        gaps = [later - sooner for sooner, later in zip([begin, *times], times, strict=False)]
        assert all(gap >= interval or time == end for gap, time in zip(gaps, times, strict=True))


def test_the_zone_is_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(trigger_module.ZONE_VARIABLE, raising=False)
    assert default_zone() is timezone.utc
    monkeypatch.setenv(trigger_module.ZONE_VARIABLE, "Asia/Shanghai")
    shanghai = default_zone()
    assert shanghai == ZoneInfo("Asia/Shanghai")
    assert Trigger("0 0 9 * * *").next(None, 0, 0, shanghai) == HOUR
    for wrong in ("Nowhere/Town", "../../etc/passwd"):
        monkeypatch.setenv(trigger_module.ZONE_VARIABLE, wrong)
        assert default_zone() is timezone.utc
        assert wrong in caplog.text
