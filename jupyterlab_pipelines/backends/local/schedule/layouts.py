"""Times in UTC as text: by a layout of Go's reference time, and by strftime's verbs.

Python's own strftime is the platform's and the user's language; these two are always Kubeflow's.
"""

from __future__ import annotations

import re
from datetime import datetime

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")

#: What a Go layout is made of, in the order in which Go tries it.
_CHUNK = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|002|0[1-6]|15|1|2006|2|__2|_2(?!006)|3|4|5|PM|pm"
    r"|-070000|-07:00:00|-0700|-07:00|-07|Z070000|Z07:00:00|Z0700|Z07:00|Z07"
    r"|[.,](?:0+|9+)(?![0-9])"
)
_ZONES = {
    "MST": "UTC", "-070000": "+000000", "-07:00:00": "+00:00:00", "-0700": "+0000",
    "-07:00": "+00:00", "-07": "+00",
}  # fmt: skip
_VERB = re.compile(r"%([-#]?)(.?)", re.DOTALL)


class UnknownVerb(ValueError):
    """A strftime pattern holds a verb that Kubeflow does not know."""


def go_format(moment: datetime, layout: str) -> str:
    """`moment`, of whole seconds in UTC, as `layout` shows Go's reference time."""
    chunks = _chunks(moment)
    return _CHUNK.sub(lambda match: _chunk(chunks, match.group()), layout)


def strftime(moment: datetime, pattern: str) -> str:
    """`moment`, of whole seconds in UTC, by the verbs of C; `%-d` leaves padding out.

    Raises UnknownVerb.
    """
    verbs = _verbs(moment)

    def replacement(match: re.Match[str]) -> str:
        flag, verb = match.groups()
        if verb not in verbs:
            raise UnknownVerb(f"strftime has no {match.group()!r}")
        return _unpadded(verbs[verb]) if flag else verbs[verb]

    return _VERB.sub(replacement, pattern)


def _chunk(chunks: dict[str, str], text: str) -> str:
    if text in chunks:
        return chunks[text]
    if text[0] == "Z":
        return "Z"
    return text if text[1] == "0" else ""  # a fraction of a second: there is none


def _chunks(moment: datetime) -> dict[str, str]:
    month, weekday = _MONTHS[moment.month - 1], _WEEKDAYS[moment.isoweekday() % 7]
    year_day = moment.timetuple().tm_yday
    half = "PM" if moment.hour >= 12 else "AM"
    hour = moment.hour % 12 or 12
    return {
        **_ZONES,
        "January": month, "Jan": month[:3], "Monday": weekday, "Mon": weekday[:3],
        "01": f"{moment.month:02}", "1": str(moment.month),
        "02": f"{moment.day:02}", "2": str(moment.day), "_2": f"{moment.day:2}",
        "002": f"{year_day:03}", "__2": f"{year_day:3}",
        "15": f"{moment.hour:02}", "03": f"{hour:02}", "3": str(hour),
        "04": f"{moment.minute:02}", "4": str(moment.minute),
        "05": f"{moment.second:02}", "5": str(moment.second),
        "2006": f"{moment.year:04}", "06": f"{moment.year % 100:02}",
        "PM": half, "pm": half.lower(),
    }  # fmt: skip


def _verbs(moment: datetime) -> dict[str, str]:
    def go(layout: str) -> str:
        return go_format(moment, layout)

    year_day = moment.timetuple().tm_yday
    weekday = moment.isoweekday() % 7  # Sunday is 0
    iso_year, iso_week, _ = moment.isocalendar()
    hour = moment.hour % 12 or 12
    # The week numbers are those of Kubeflow's library, not C's: it counts days from 1 here.
    sunday_week = (year_day + 6 - weekday) // 7
    monday_week = (year_day + (7 - weekday) % 7) // 7
    return {
        "A": go("Monday"), "a": go("Mon"), "B": go("January"), "b": go("Jan"), "h": go("Jan"),
        "C": f"{moment.year // 100:02}", "c": go("Mon Jan _2 15:04:05 2006"),
        "D": go("01/02/06"), "d": go("02"), "e": go("_2"), "F": go("2006-01-02"),
        "G": f"{iso_year:04}", "g": f"{iso_year % 100:02}", "H": go("15"), "I": go("03"),
        "j": f"{year_day:03}", "k": f"{moment.hour:2}", "l": f"{hour:2}", "M": go("04"),
        "m": go("01"), "n": "\n", "p": go("PM"), "R": go("15:04"), "r": go("03:04:05 PM"),
        "S": go("05"), "s": str(int(moment.timestamp())), "T": go("15:04:05"), "t": "\t",
        "U": f"{sunday_week:02}", "u": str(weekday or 7), "V": f"{iso_week:02}",
        "v": go("_2-Jan-2006"), "W": f"{monday_week:02}", "w": str(weekday),
        "X": go("15:04:05"), "x": go("01/02/06"), "Y": go("2006"), "y": go("06"),
        "Z": "UTC", "z": "+0000", "%": "%",
    }  # fmt: skip


def _unpadded(text: str) -> str:
    text = text.lstrip(" ")
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits = text[len(sign) :]
    return sign + (digits[:-1].lstrip("0") + digits[-1:])
