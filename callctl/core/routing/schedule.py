"""Is a schedule open at a moment? On the clocks of its own zone, DST days included.

A period belongs to the day on which it opens: Friday 20:00 to 02:00 is Friday's, also at 01:00 on
Saturday, and also when that Saturday is a holiday. A holiday replaces the periods that open on its
day. Wall time decides: in the hour that autumn repeats both passes are open or closed alike, and
an opening time that spring leaves out takes effect when the clock jumps over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callctl.core.routing.model import Holiday, Schedule


@dataclass(frozen=True, slots=True)
class Opening:
    """`holiday` is the name of the holiday that decided, "" if the week did."""

    is_open: bool
    local: datetime
    holiday: str = ""


def opening_at(schedule: Schedule, now: datetime, default_zone: str) -> Opening:
    """`now` must be aware. An unknown zone raises ZoneInfoNotFoundError; `check.py` refuses it."""
    local = now.astimezone(ZoneInfo(schedule.timezone or default_zone))
    today, clock = local.date(), local.time().replace(tzinfo=None)
    for opens, closes in _periods(schedule, today - timedelta(days=1)):
        if closes <= opens and clock < closes:
            return Opening(True, local)
    holiday = next(_holidays_on(schedule, today), None)
    name = (holiday.name or "holiday") if holiday else ""
    for opens, closes in _periods(schedule, today):
        if opens <= clock and (closes <= opens or clock < closes):
            return Opening(True, local, name)
    return Opening(False, local, name)


def _periods(schedule: Schedule, day: date) -> Iterator[tuple[time, time]]:
    holidays = tuple(_holidays_on(schedule, day))
    if holidays:
        for holiday in holidays:
            if holiday.opens is not None and holiday.closes is not None:
                yield holiday.opens, holiday.closes
        return
    weekday = day.weekday()
    for period in schedule.weekly:
        if weekday in period.days:
            yield period.opens, period.closes


def _holidays_on(schedule: Schedule, day: date) -> Iterator[Holiday]:
    for holiday in schedule.holidays:
        fixed = holiday.day
        if fixed == day or (
            holiday.yearly and (fixed.month, fixed.day) == (day.month, day.day) and fixed <= day
        ):
            yield holiday
