"""A schedule's week, day by day, as people see it, and as the routing has it."""

from collections.abc import Iterable, Mapping

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def ranges_by_day(weekly: Iterable[str]) -> dict[str, list[str]]:
    """``mon-fri 08:00-17:00`` as the ranges of each day. What is written otherwise is left out."""
    found: dict[str, list[str]] = {day: [] for day in DAYS}
    for line in weekly:
        days, _, times = line.strip().partition(" ")
        for day in _days(days):
            found[day].append(times.strip())
    return found


def _days(text: str) -> list[str]:
    found: list[str] = []
    for part in ["mon-sun"] if text == "daily" else text.split(","):
        first, _, last = part.partition("-")
        if first in DAYS and (last or first) in DAYS:
            start = DAYS.index(first)
            length = (DAYS.index(last or first) - start) % 7 + 1
            found += [DAYS[(start + i) % 7] for i in range(length)]
    return found


def weekly_lines(ranges: Mapping[str, Iterable[str]]) -> list[str]:
    """The reverse: a line for each range, its days together where they follow each other."""
    by_range: dict[str, list[int]] = {}
    for place, day in enumerate(DAYS):
        for times in ranges.get(day, ()):
            by_range.setdefault(times, []).append(place)
    return [f"{_spans(days)} {times}" for times, days in by_range.items()]


def _spans(days: list[int]) -> str:
    spans: list[list[int]] = []
    for day in days:
        if spans and day == spans[-1][-1] + 1:
            spans[-1].append(day)
        else:
            spans.append([day])
    return ",".join(
        DAYS[span[0]] if len(span) == 1 else f"{DAYS[span[0]]}-{DAYS[span[-1]]}" for span in spans
    )


def bars_of(ranges: Iterable[str]) -> list[tuple[float, float]]:
    """Where a day is open, as (begin, width) in hours; what goes on past midnight is cut there."""
    found = []
    for text in ranges:
        opens, _, closes = text.partition("-")
        begin, end = _hours(opens), _hours(closes)
        if begin is not None and end is not None:
            found.append((begin, (end if end > begin else 24.0) - begin))
    return found


def _hours(text: str) -> float | None:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdecimal() and minutes.isdecimal()):
        return None
    return min(24.0, int(hours) + int(minutes) / 60)
