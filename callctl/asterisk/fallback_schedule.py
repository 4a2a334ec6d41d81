"""Schedules in the dialplan, for the fallback: `opening_at`, asked in advance.

Each kind of day is asked of the schedule itself at every moment at which it can change; the
dialplan only compares the clock with the answers. Holidays are written out by date, with the day
after (hours may run past midnight).
"""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from callctl.core.routing.model import Schedule
from callctl.core.routing.schedule import opening_at

YEARS = 10
"""How far ahead yearly holidays are written out; each save writes them anew."""

Hours = tuple[tuple[int, int], ...]
"""When a day is open: from inclusive, to exclusive, as HHMM; 2400 is the day's end."""


def context_name(account: int, schedule: str) -> str:
    return f"callctl-fb-{account}-open-{schedule}"


def render_schedule(account: int, schedule: Schedule, default_zone: str, year: int) -> str:
    """``Gosub(<context_name>,s,1)`` returns 1 while `schedule` is open, else 0."""
    zone = schedule.timezone or default_zone
    week = {day.isoweekday(): hours_on(schedule, day, zone) for day in _plain_week(schedule)}
    lines = [
        f"[{context_name(account, schedule.name)}]",
        f"exten => s,1,Set(LOCAL(now)=${{STRFTIME(${{EPOCH}},{zone},%Y%m%d%u%H%M)}})",
        " same => n,Set(LOCAL(clock)=${now:9})",
        " same => n,Set(LOCAL(day)=d${now:0:8})",
        " same => n,GotoIf($[${DIALPLAN_EXISTS(${CONTEXT},${day},1)}]?${CONTEXT},${day},1)",
        " same => n,Goto(${CONTEXT},w${now:8:1},1)",
    ]
    lines += [f"exten => w{n},1,Return({_test(hours)})" for n, hours in sorted(week.items())]
    for day in _special_days(schedule, year):
        hours = hours_on(schedule, day, zone)
        if hours != week[day.isoweekday()]:
            lines.append(f"exten => d{day:%Y%m%d},1,Return({_test(hours)})")
    return "\n".join([*lines, ""])


def hours_on(schedule: Schedule, day: date, zone: str) -> Hours:
    """The open hours of `day` by the clock on the wall."""
    edges = {time(0)}
    for period in schedule.weekly:
        edges |= {period.opens, period.closes}
    for holiday in schedule.holidays:
        edges |= {t for t in (holiday.opens, holiday.closes) if t is not None}
    ordered = sorted(edges)
    tzinfo = ZoneInfo(zone)
    hours: list[tuple[int, int]] = []
    for start, end in zip(ordered, [*ordered[1:], None], strict=True):
        if opening_at(schedule, datetime.combine(day, start, tzinfo), zone).is_open:
            begin, until = _hhmm(start), _hhmm(end) if end else 2400
            if hours and hours[-1][1] == begin:
                begin = hours.pop()[0]
            hours.append((begin, until))
    return tuple(hours)


def _hhmm(moment: time) -> int:
    return moment.hour * 100 + moment.minute


def _test(hours: Hours) -> str:
    parts = [f"(${{clock}} >= {a} & ${{clock}} < {b})" for a, b in hours]
    return f"$[{' | '.join(parts)}]" if parts else "0"


def _plain_week(schedule: Schedule) -> list[date]:
    """Monday to Sunday before any holiday, and the day before them is no holiday either."""
    first = min((h.day for h in schedule.holidays), default=date(2024, 1, 15))
    monday = first - timedelta(days=14 + first.weekday())
    return [monday + timedelta(days=n) for n in range(7)]


def _special_days(schedule: Schedule, year: int) -> list[date]:
    days: set[date] = set()
    for holiday in schedule.holidays:
        years = range(max(year, holiday.day.year), year + YEARS) if holiday.yearly else ()
        found = {holiday.day}
        for each in years:
            try:
                found.add(holiday.day.replace(year=each))
            except ValueError:  # 29 February
                continue
        days |= found | {day + timedelta(days=1) for day in found}
    return sorted(days)
