"""Rates: what a call costs, and how long one may talk for a sum of money."""

from datetime import UTC, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.money.rating import (
    MICROS,
    Bill,
    Rate,
    bill,
    build_rate_table,
    check_rates,
    cost_of,
    find_rate,
    seconds_for,
    whole_seconds,
)
from callctl.core.routing.model import WeeklyPeriod

WORK = WeeklyPeriod((0, 1, 2, 3, 4), time(8), time(20))
NIGHT = WeeklyPeriod((4,), time(20), time(2))
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

rates = st.builds(
    Rate,
    prefix=st.just("36"),
    price=st.integers(0, 50 * MICROS),
    unit_seconds=st.integers(1, 90),
    connect_fee=st.integers(0, 20 * MICROS),
    minimum_seconds=st.integers(0, 90),
    increment_seconds=st.integers(1, 90),
    free_seconds=st.integers(0, 90),
)


@pytest.mark.parametrize(
    ("rate", "seconds", "cost"),
    [
        (Rate("36", 6 * MICROS), 0, 0),
        (Rate("36", 6 * MICROS, connect_fee=5 * MICROS), 0, 0),
        (Rate("36", 6 * MICROS, increment_seconds=60), 61, 12),
        (Rate("36", 6 * MICROS), 95, 10),  # 9.5 rounds up
        (Rate("36", 6 * MICROS), 94, 9),
        (Rate("36", 6 * MICROS, minimum_seconds=30, increment_seconds=6), 31, 4),  # 3.6
        (Rate("36", 6 * MICROS, free_seconds=60), 60, 0),
        (Rate("36", 6 * MICROS, free_seconds=60, connect_fee=2 * MICROS), 60, 2),
        (Rate("36", 6 * MICROS, free_seconds=60, minimum_seconds=60), 61, 6),
        (Rate("36", 1, unit_seconds=1), 499_999, 0),
        (Rate("36", 1, unit_seconds=1), 500_000, 1),
    ],
)
def test_a_call_costs(rate: Rate, seconds: int, cost: int) -> None:
    assert cost_of(rate, seconds) == cost


def test_what_comes_in_has_rates_of_its_own() -> None:
    rows = [Rate("36", MICROS), Rate("", MICROS), Rate("in:", MICROS), Rate("in:3680", MICROS)]
    assert check_rates(rows) == []
    table = build_rate_table(1, "HUF", "UTC", rows)

    def prefix(number: str, *, incoming: bool) -> str | None:
        rate = find_rate(table, number, MONDAY_NOON, incoming=incoming)
        return rate.prefix if rate else None

    assert prefix("+36801234567", incoming=True) == "in:3680"
    assert prefix("+36301234567", incoming=True) == "in:"
    assert prefix("+36801234567", incoming=False) == "36"
    assert [f.field for f in check_rates([Rate("in:in:36", 1), Rate("in:0", 1)])] == ["prefix"] * 2


def test_a_bill_tells_what_was_counted() -> None:
    rate = Rate("36", 6 * MICROS, connect_fee=1, minimum_seconds=30, increment_seconds=6)
    assert bill(rate, 40) == Bill(40, 0, 42, 1, 4)


def test_a_second_begun_is_a_second() -> None:
    assert [whole_seconds(us) for us in (0, 1, 1_000_000, 1_000_001)] == [0, 1, 1, 2]


@given(rates)
def test_a_longer_talk_never_costs_less(rate: Rate) -> None:
    costs = [cost_of(rate, seconds) for seconds in range(200)]
    assert costs == sorted(costs)


@given(rates, st.integers(-5, 2_000))
def test_seconds_for_is_the_exact_inverse_of_the_cost(rate: Rate, money: int) -> None:
    seconds = seconds_for(rate, money)
    if seconds is None:
        assert cost_of(rate, 10**9) <= money
    else:
        assert seconds == 0 or cost_of(rate, seconds) <= money
        assert cost_of(rate, seconds + 1) > money


def test_the_longest_prefix_decides_and_numbers_without_country_have_no_rate() -> None:
    near, far, rest = Rate("3620", 1), Rate("36", 2), Rate("", 3)
    table = build_rate_table(1, "HUF", "UTC", [rest, far, near])
    numbers = ("+36201234567", "+3612345678", "+4412345678", "1818", "+", "", "+36x", "+٣٦")
    found = [find_rate(table, number, MONDAY_NOON) for number in numbers]
    assert found == [near, far, rest, None, None, None, None, None]
    assert find_rate(build_rate_table(1, "HUF", "UTC", [far]), "+441", MONDAY_NOON) is None


def test_hours_are_read_on_the_clocks_of_the_tables_zone() -> None:
    peak, off = Rate("36", 2, hours=(WORK,)), Rate("36", 1)
    table = build_rate_table(1, "HUF", "Europe/Budapest", [off, peak])
    at = [datetime(2026, 11, 23, h, m, tzinfo=UTC) for h, m in ((6, 59), (7, 0), (18, 59), (19, 0))]
    assert [find_rate(table, "+3611", t) for t in at] == [off, peak, peak, off]


def test_hours_over_midnight_belong_to_the_day_they_begin_on() -> None:
    night, off = Rate("36", 2, hours=(NIGHT,)), Rate("36", 1)
    table = build_rate_table(1, "HUF", "UTC", [night, off])
    friday, saturday = datetime(2026, 11, 27, 23, tzinfo=UTC), datetime(2026, 11, 28, tzinfo=UTC)
    found = [friday, saturday.replace(hour=1), saturday.replace(hour=2), saturday.replace(hour=21)]
    assert [find_rate(table, "+3611", t) for t in found] == [night, night, off, off]


def test_a_table_that_is_in_order_has_no_faults() -> None:
    assert (
        check_rates([Rate("36", 1, hours=(WORK,)), Rate("36", 2, hours=(NIGHT,)), Rate("36", 3)])
        == []
    )


@pytest.mark.parametrize(
    ("given_rates", "row", "field"),
    [
        ([Rate("+36", 1)], 0, "prefix"),
        ([Rate("036", 1)], 0, "prefix"),
        ([Rate("3" * 16, 1)], 0, "prefix"),
        ([Rate("٣٦", 1)], 0, "prefix"),
        ([Rate("36", -1)], 0, "price"),
        ([Rate("36", 1, unit_seconds=0)], 0, "unit_seconds"),
        ([Rate("36", 1, increment_seconds=0)], 0, "increment_seconds"),
        ([Rate("36", 1), Rate("36", 2)], 1, "prefix"),
        ([Rate("36", 1, hours=(WORK,))], 0, "hours"),
        ([Rate("36", 1), Rate("36", 2, hours=(WORK,)), Rate("36", 3, hours=(WORK,))], 2, "hours"),
    ],
)
def test_a_table_that_is_not_in_order_is_told_where(
    given_rates: list[Rate], row: int, field: str
) -> None:
    assert [(f.row, f.field) for f in check_rates(given_rates)] == [(row, field)]
