"""Hours of the week as text, in files and in the API: ``mon-fri 08:00-20:00, sat 10:00-14:00``."""

import re
from collections.abc import Iterable
from datetime import time

from callctl.core.routing.model import WeeklyPeriod

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

MAX_CHARS = 200

_PERIOD = re.compile(
    r"(?P<days>[a-z,-]+) (?P<opens>[0-9]{2}:[0-9]{2})-(?P<closes>[0-9]{2}:[0-9]{2})"
)


def parse_hours(text: str) -> tuple[WeeklyPeriod, ...]:
    """ "" is no hours at all. An end at or before its beginning is on the next day; 00:00 ends the
    day. Raises ValueError that says what is wrong.
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"longer than {MAX_CHARS} characters")
    words = " ".join(text.lower().split())
    if not words:
        return ()
    # Days may be separated by commas, too: a period ends where a time does.
    parts = re.split(r"(?<=[0-9]),\s*", words)
    return tuple(_parse_period(part) for part in parts)


def _parse_period(text: str) -> WeeklyPeriod:
    match = _PERIOD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no period: write mon-fri 08:00-20:00")
    days = [day for part in match["days"].split(",") for day in _parse_days(part)]
    if len(set(days)) < len(days):
        raise ValueError(f"{match['days']!r} names a day twice")
    return WeeklyPeriod(tuple(sorted(days)), _time(match["opens"]), _time(match["closes"]))


def _parse_days(text: str) -> Iterable[int]:
    first, dash, last = text.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ValueError(f"{text!r} is no day: write {', '.join(DAYS)}")
    start, end = DAYS.index(first), DAYS.index(last if dash else first)
    return [(start + n) % 7 for n in range((end - start) % 7 + 1)]


def _time(text: str) -> time:
    try:
        return time(0) if text == "24:00" else time.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is no time of day") from None


def write_hours(hours: Iterable[WeeklyPeriod]) -> str:
    """The text that `parse_hours` reads back."""
    return ", ".join(f"{_write_days(p.days)} {p.opens:%H:%M}-{p.closes:%H:%M}" for p in hours)


def _write_days(days: tuple[int, ...]) -> str:
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[r[0]] if len(r) == 1 else f"{DAYS[r[0]]}-{DAYS[r[-1]]}" for r in runs)
