"""Opening hours on the clocks of a zone."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.routing.model import Holiday, Schedule, WeeklyPeriod
from callctl.core.routing.schedule import opening_at

OFFICE = WeeklyPeriod((0, 1, 2, 3, 4), time(8), time(17))
START = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=3650)).map(lambda passed: START + passed)
NIGHT = WeeklyPeriod((4,), time(20), time(2))


def is_open(schedule: Schedule, text: str, zone: str = "Europe/Budapest") -> bool:
    return opening_at(schedule, datetime.fromisoformat(text), zone).is_open


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-07-06T08:00:00+02:00", True),
        ("2026-07-06T07:59:59.999+02:00", False),
        ("2026-07-06T16:59:59.999+02:00", True),
        ("2026-07-06T17:00:00+02:00", False),
        ("2026-07-05T10:00:00+02:00", False),
        ("2026-07-06T06:00:00+00:00", True),
        # The day clocks go forward (2026-03-29) and the Monday after: local time decides.
        ("2026-03-27T07:00:00+00:00", True),
        ("2026-03-30T06:00:00+00:00", True),
        ("2026-03-30T15:00:00+00:00", False),
        ("2026-03-27T15:00:00+00:00", True),
    ],
)
def test_office_hours(at, expected):
    assert is_open(Schedule("s", (OFFICE,)), at) is expected


def test_a_period_over_midnight_belongs_to_the_day_it_opens():
    night = Schedule("s", (NIGHT,), (Holiday(date(2026, 7, 11)),))
    assert is_open(night, "2026-07-10T23:00:00+02:00")
    assert is_open(night, "2026-07-11T01:59:00+02:00")
    assert not is_open(night, "2026-07-11T02:00:00+02:00")
    assert not is_open(night, "2026-07-10T01:00:00+02:00")
    closed = Schedule("s", (NIGHT,), (Holiday(date(2026, 7, 10)),))
    assert not is_open(closed, "2026-07-11T01:00:00+02:00")


def test_the_hour_that_autumn_repeats_is_alike_both_times():
    early = Schedule("s", (WeeklyPeriod((6,), time(2, 30), time(4)),))
    assert is_open(early, "2026-10-25T02:45:00+02:00")
    assert is_open(early, "2026-10-25T02:45:00+01:00")
    assert not is_open(early, "2026-10-25T02:15:00+01:00")


def test_an_opening_time_that_spring_leaves_out_takes_effect_at_the_jump():
    early = Schedule("s", (WeeklyPeriod((6,), time(2, 30), time(4)),))
    assert not is_open(early, "2026-03-29T00:59:59+00:00")
    assert is_open(early, "2026-03-29T01:00:00+00:00")


def test_a_holiday_closes_or_opens_and_may_repeat_every_year():
    holidays = (
        Holiday(date(2026, 8, 20), "State day"),
        Holiday(date(2025, 12, 24), "Eve", yearly=True, opens=time(10), closes=time(12)),
    )
    schedule = Schedule("s", (OFFICE,), holidays)
    assert not is_open(schedule, "2026-08-20T10:00:00+02:00")
    assert is_open(schedule, "2027-08-20T10:00:00+02:00")
    assert is_open(schedule, "2026-12-24T11:00:00+01:00")
    assert not is_open(schedule, "2026-12-24T09:00:00+01:00")
    assert opening_at(schedule, datetime(2026, 8, 20, 9, tzinfo=UTC), "UTC").holiday == "State day"


def test_a_schedule_has_a_zone_of_its_own():
    tokyo = Schedule("s", (OFFICE,), timezone="Asia/Tokyo")
    assert is_open(tokyo, "2026-07-06T00:00:00+00:00")
    assert not is_open(tokyo, "2026-07-06T09:00:00+00:00")


@given(MOMENTS, st.sampled_from(["UTC", "Asia/Gaza"]))
def test_a_period_of_a_whole_day_on_all_days_is_always_open(moment, zone):
    always = Schedule("s", (WeeklyPeriod(tuple(range(7)), time(), time()),))
    assert opening_at(always, moment, zone).is_open


@given(MOMENTS)
def test_a_week_later_by_the_local_clock_it_is_the_same(moment):
    schedule = Schedule("s", (OFFICE, NIGHT))
    here = opening_at(schedule, moment, "UTC").is_open
    later = opening_at(schedule, moment + timedelta(days=7), "UTC").is_open
    assert here is later
