"""The macros in parameters; times as Go and strftime write them in Kubeflow."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.backends.local.schedule.layouts import UnknownVerb, go_format, strftime
from jupyterlab_pipelines.backends.local.schedule.macros import Macros

SCHEDULED = datetime(2026, 2, 3, 4, 5, 6, tzinfo=timezone.utc)
NOW = datetime(2026, 2, 3, 14, 15, 16, tzinfo=timezone.utc)
MACROS = Macros(
    run_id="a-uuid", index=7, scheduled=int(SCHEDULED.timestamp()), now=int(NOW.timestamp())
)


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("[[RunUUID]]", "a-uuid"),
        ("[[Index]]", "7"),
        ("[[ScheduledTime]]", "20260203040506"),
        ("[[CurrentTime]]", "20260203141516"),
        ("[[ScheduledTime.2006-01-02]]", "2026-02-03"),
        ("[[CurrentTime.15:04]]", "14:15"),
        ("[[ScheduledTime.]]", ""),
        ("{{$.scheduledTime.strftime('%Y-%m-%d')}}", "2026-02-03"),
        ("{{$.currentTime.strftime('%H:%M')}}", "14:15"),
        ("s3://b/[[Index]]/[[Index]]-[[RunUUID]].csv", "s3://b/7/7-a-uuid.csv"),
        ("[[Unknown]] [[Index ]] [Index] [[]]", "[[Unknown]] [[Index ]] [Index] [[]]"),
        ("{{$.pipeline_job_uuid}}", "{{$.pipeline_job_uuid}}"),
        ("{{$.scheduledTime.strftime('%Q')}}", "{{$.scheduledTime.strftime('%Q')}}"),
        (
            ["[[Index]]", {"[[Index]]": ["a [[Index]]", 1, None]}],
            ["7", {"[[Index]]": ["a 7", 1, None]}],
        ),
        (3, 3),
        (True, True),
    ],
)
def test_fill(value: Any, filled: Any) -> None:
    assert MACROS.fill(value) == filled


@pytest.mark.parametrize(
    ("layout", "text"),
    [
        ("2006-01-02T15:04:05Z07:00", "2026-02-03T04:05:06Z"),
        ("Mon, 02 Jan 2006 15:04:05 -0700", "Tue, 03 Feb 2026 04:05:06 +0000"),
        ("Monday January _2 3:4:5PM MST", "Tuesday February  3 4:5:6AM UTC"),
        ("06/1/2 03pm", "26/2/3 04am"),
        ("002 __2 _2006", "034  34 _2026"),
        ("05.000 05,999 05.0x 05.01", "06.000 06 06.0x 06.02"),
        ("Janus Monk", "Janus Monk"),
        ("-07:00:00 -070000 -07 Z070000", "+00:00:00 +000000 +00 Z"),
    ],
)
def test_go_layouts(layout: str, text: str) -> None:
    assert go_format(SCHEDULED, layout) == text


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%A %a %B %b %h", "Tuesday Tue February Feb Feb"),
        ("%C %c", "20 Tue Feb  3 04:05:06 2026"),
        ("%D %d %e %F", "02/03/26 03  3 2026-02-03"),
        ("%G %g %V %U %W %u %w", "2026 26 06 05 05 2 2"),
        ("%H %I %k %l %M %p", "04 04  4  4 05 AM"),
        ("%j %m %n%t", "034 02 \n\t"),
        ("%R %r %S %T %X %x", "04:05 04:05:06 AM 06 04:05:06 04:05:06 02/03/26"),
        ("%s %v %Y %y %Z %z %%", "1770091506  3-Feb-2026 2026 26 UTC +0000 %"),
        ("%-d/%-m %#H %-j %-l %-z", "3/2 4 34 4 +0"),
        ("no verbs: 15 Jan", "no verbs: 15 Jan"),
    ],
)
def test_strftime(pattern: str, text: str) -> None:
    assert strftime(SCHEDULED, pattern) == text


@pytest.mark.parametrize("pattern", ["%", "%-", "%E", "%é", "%1"])
def test_strftime_knows_its_verbs(pattern: str) -> None:
    with pytest.raises(UnknownVerb):
        strftime(SCHEDULED, pattern)


@given(text=st.text(alphabet="[]{}$.'()%ScheduledTimeIndex20061502 \n", max_size=60))
def test_any_text_can_be_filled(text: str) -> None:
    assert isinstance(MACROS.fill(text), str)


def test_a_large_text_is_filled_at_once() -> None:
    started = time.process_time()
    for text in ("[[", "{{$.", "[[ScheduledTime.", "{{$.scheduledTime.strftime('"):
        assert MACROS.fill(text * 20_000) == text * 20_000
    assert time.process_time() - started < 2


def test_what_a_run_does_not_have_stays() -> None:
    text = "[[Index]] [[ScheduledTime]] [[ScheduledTime.2006]] {{$.scheduledTime.strftime('%Y')}}"
    assert Macros("id", now=0).fill(f"{text} [[CurrentTime.2006]]") == f"{text} 1970"
