"""Days of a zone as instants, on days that are not of 24 hours, too."""

from datetime import UTC, date, datetime, timedelta

import pytest

from callctl.core.periods import (
    DashboardPeriod,
    dashboard_days,
    day_start,
    hours_between,
    local_day,
)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Budapest", date(2026, 3, 28), 24),
        ("Europe/Budapest", date(2026, 3, 29), 23),
        ("Europe/Budapest", date(2026, 10, 25), 25),
        ("America/St_Johns", date(2026, 3, 8), 23),
        ("America/St_Johns", date(2026, 11, 1), 25),
        ("Asia/Kathmandu", date(2026, 3, 29), 24),
    ],
)
def test_a_day_has_the_hours_that_its_zone_gives_it(zone: str, day: date, hours: int) -> None:
    since, until = day_start(day, zone), day_start(day + timedelta(days=1), zone)
    starts = hours_between(since, until)
    assert (len(starts), starts[0], starts[-1]) == (hours, since, until - timedelta(hours=1))


def test_a_day_without_midnight_begins_when_the_one_before_ends() -> None:
    # In Beirut clocks went from 23:59:59 of the 28th to 1:00 of the 29th.
    start = day_start(date(2026, 3, 29), "Asia/Beirut")
    assert start == datetime(2026, 3, 28, 22, tzinfo=UTC)
    assert local_day(start, "Asia/Beirut") == date(2026, 3, 29)
    assert local_day(start - timedelta(microseconds=1), "Asia/Beirut") == date(2026, 3, 28)


@pytest.mark.parametrize(("period", "first"), [("today", 1), ("3d", -1), ("7d", -5)], ids=str)
def test_every_period_includes_today_of_the_zone(period: str, first: int) -> None:
    # Already the 2nd in Nepal, the 1st in UTC.
    now = datetime(2026, 6, 1, 18, 20, tzinfo=UTC)
    days = dashboard_days(DashboardPeriod(period), now, "Asia/Kathmandu")
    assert days == (date(2026, 6, 1) + timedelta(days=first), date(2026, 6, 3))


def test_there_are_exactly_three_periods() -> None:
    assert [str(period) for period in DashboardPeriod] == ["today", "3d", "7d"]
