"""Days of an account's zone as instants."""

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_OF_ONE_MACHINE = frozenset({"Factory", "localtime"})
"""Names that mean something else on the next machine, or nothing: PostgreSQL knows them not."""


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones() - _OF_ONE_MACHINE)


def is_zone(name: str) -> bool:
    """Whether `name` is a zone of the IANA database, such as Europe/Budapest."""
    return name in _zones()


class DashboardPeriod(StrEnum):
    """What a dashboard shows: exactly these (R002-12). Each includes today."""

    TODAY = "today"
    LAST_3_DAYS = "3d"
    LAST_7_DAYS = "7d"


_DAYS = {
    DashboardPeriod.TODAY: 1,
    DashboardPeriod.LAST_3_DAYS: 3,
    DashboardPeriod.LAST_7_DAYS: 7,
}


def local_day(at: datetime, zone: str) -> date:
    """The day that `at` lies in, in `zone`."""
    return at.astimezone(ZoneInfo(zone)).date()


def day_start(day: date, zone: str) -> datetime:
    """The instant (UTC) at which `day` begins in `zone`, also where it has no midnight."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def dashboard_days(period: DashboardPeriod, now: datetime, zone: str) -> tuple[date, date]:
    """[first day, the day after today) in `zone`."""
    today = local_day(now, zone)
    return today - timedelta(days=_DAYS[period] - 1), today + timedelta(days=1)


def hours_between(since: datetime, until: datetime) -> list[datetime]:
    """Every hour that begins in [since, until): 23 or 25 on the days on which clocks change."""
    count = max(0, -(-(until - since) // timedelta(hours=1)))
    return [since + timedelta(hours=n) for n in range(count)]
