"""Days and times as routing documents write them: ``mon-fri 08:00-17:00``, ``2026-12-24``."""

import re
from datetime import date, time

from callctl.core.routing.model import WeeklyPeriod

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE = re.compile(r"(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})")
_DAYS = re.compile(r"[a-z]{3}(-[a-z]{3})?(,[a-z]{3}(-[a-z]{3})?)*|daily")


def parse_period(text: str) -> WeeklyPeriod:
    """``mon-fri 08:00-17:00``; ``daily 00:00-24:00``. Raises ValueError."""
    days_text, _, times = text.strip().lower().partition(" ")
    if not _DAYS.fullmatch(days_text):
        raise ValueError(f"{text!r}: write days and times, as mon-fri 08:00-17:00")
    days: set[int] = set()
    for part in ["mon-sun"] if days_text == "daily" else days_text.split(","):
        first, _, last = part.partition("-")
        for day in (first, last or first):
            if day not in DAYS:
                raise ValueError(f"{text!r}: {day!r} is no day; days are {', '.join(DAYS)}")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days.update((start + i) % 7 for i in range((end - start) % 7 + 1))
    opens, closes = parse_range(times)
    return WeeklyPeriod(tuple(sorted(days)), opens, closes)


def parse_range(text: str) -> tuple[time, time]:
    """``08:00-17:00``. Raises ValueError."""
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no range of times: write 08:00-17:00")
    numbers = [int(v) for v in match.groups()]
    if numbers[2:] == [24, 0]:
        numbers[2] = 0
    try:
        return time(numbers[0], numbers[1]), time(numbers[2], numbers[3])
    except ValueError:
        raise ValueError(f"{text!r}: times go from 00:00 to 24:00") from None


def parse_day(text: str) -> date:
    """``2026-12-24``. Raises ValueError."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no day: write 2026-12-24") from None


def range_text(opens: time, closes: time) -> str:
    end = "24:00" if closes == time() else f"{closes:%H:%M}"
    return f"{opens:%H:%M}-{end}"


def days_text(days: tuple[int, ...]) -> str:
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    parts = []
    for run in runs:
        joined = len(run) > 2
        names = [DAYS[run[0]], DAYS[run[-1]]] if joined else [DAYS[d] for d in run]
        parts.append(("-" if joined else ",").join(names))
    return ",".join(parts)
