"""What packages cost, and what a payment makes of them."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.errors import CallctlError
from callctl.core.packages import (
    DEFAULT_PRICE,
    MAX_MONTHS,
    MAX_PRICE,
    MAX_SEATS,
    Costs,
    Order,
    Package,
    PackageState,
    Purchase,
    Term,
    add_months,
    cost_of,
    due_reminder,
    fulfil,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)

START = datetime(2020, 1, 1, tzinfo=UTC)

moments = st.timedeltas(timedelta(0), 7300 * DAY).map(START.__add__)
seats = st.integers(1, 500)
months = st.integers(1, 36)
prices = st.integers(0, 10**7)


@st.composite
def running(draw: st.DrawFn) -> tuple[Package, datetime]:
    """A package, and a moment of its term."""
    term = Term(draw(moments), draw(months))
    bought = draw(seats)
    members = draw(st.integers(0, bought))
    seconds = (term.until - term.since) // timedelta(microseconds=1)
    now = term.since + timedelta(microseconds=draw(st.integers(0, seconds - 1)))
    return Package(bought, term, members), now


def extra(package: Package, count: int, price: int, now: datetime) -> Costs:
    return cost_of(Order(Purchase.EXTRA_SEATS, count), package, price, now)


def renew(package: Package, count: int, now: datetime, price: int = 7) -> Costs:
    return cost_of(Order(Purchase.RENEW, months=count), package, price, now)


def refused(order: Order, package: Package | None, now: datetime = NOON) -> CallctlError:
    with pytest.raises(CallctlError) as caught:
        cost_of(order, package, 7, now)
    return caught.value


# Terms


@given(moments, st.integers(0, 600))
def test_a_month_later_is_the_same_day_or_the_last_of_the_month(start: datetime, n: int) -> None:
    later = add_months(start, n)
    assert (later.year - start.year) * 12 + later.month - start.month == n
    assert later.timetz() == start.timetz()
    assert later.day == start.day or (later.day < start.day and (later + DAY).day == 1)


@given(running())
def test_months_over_are_those_that_have_passed(found: tuple[Package, datetime]) -> None:
    package, now = found
    over = package.term.months_over(now)
    assert package.term.end_of_month(over) <= now < package.term.end_of_month(over + 1)


# Buying


@given(seats, months, prices, moments)
def test_activation_costs_seats_times_months_times_price(
    count: int, n: int, price: int, now: datetime
) -> None:
    costs = cost_of(Order(Purchase.ACTIVATE, count, n), None, price, now)
    assert costs.amount == count * n * price
    package = fulfil(costs, None, now)
    assert (package.seats, package.term) == (count, Term(now, n))
    assert package.state(now) is PackageState.ACTIVE
    assert package.state(package.term.until) is PackageState.EXPIRED


@given(running(), seats, prices)
def test_extra_seats_cost_their_share_of_the_month_and_the_months_after_it(
    found: tuple[Package, datetime], count: int, price: int
) -> None:
    package, now = found
    costs = extra(package, count, price, now)
    first, *after = costs.lines
    exact = Fraction(count * price * first.days, first.of_days)
    assert abs(first.amount - exact) <= Fraction(1, 2)
    assert 28 <= first.of_days <= 31
    assert 1 <= first.days <= first.of_days
    assert sum(line.amount for line in after) == count * price * sum(x.months for x in after)
    left = package.term.months - package.term.months_over(now)
    assert sum(x.months for x in after) == left - 1
    assert costs.amount <= count * price * left
    bought = fulfil(costs, package, now)
    assert (bought.seats, bought.term) == (package.seats + count, package.term)


@given(running(), seats, prices)
def test_extra_seats_at_the_beginning_cost_what_they_would_have_cost_at_once(
    found: tuple[Package, datetime], count: int, price: int
) -> None:
    package, _ = found
    amount = extra(package, count, price, package.term.since).amount
    assert amount == count * price * package.term.months


@given(running(), seats, seats, prices, st.timedeltas(timedelta(0), timedelta(days=90)))
def test_more_seats_cost_more_and_later_ones_less(
    found: tuple[Package, datetime], a: int, b: int, price: int, later: timedelta
) -> None:
    package, now = found
    amount = extra(package, a, price, now).amount
    assert (
        abs(
            extra(package, a + b, price, now).amount - amount - extra(package, b, price, now).amount
        )
        <= 1
    )
    if now + later < package.term.until:
        assert extra(package, a, price, now + later).amount <= amount


@given(running(), months, months)
def test_renewing_twice_is_renewing_once_for_both(
    found: tuple[Package, datetime], a: int, b: int
) -> None:
    package, now = found
    once = renew(package, a + b, now)
    first = renew(package, a, now)
    between = fulfil(first, package, now)
    second = renew(between, b, now)
    assert fulfil(second, between, now) == fulfil(once, package, now)
    assert first.amount + second.amount == once.amount
    assert fulfil(once, package, now).term.until == add_months(
        package.term.since, package.term.months + a + b
    )


@given(running(), months, st.timedeltas(timedelta(0), timedelta(days=900)))
def test_after_the_end_members_are_renewed_from_the_payment_on(
    found: tuple[Package, datetime], n: int, later: timedelta
) -> None:
    package, _ = found
    now = package.term.until + later
    costs = renew(package, n, now)
    count = max(package.members, 1)
    assert (costs.seats, costs.amount) == (count, count * n * 7)
    assert fulfil(costs, package, now) == Package(count, Term(now, n), package.members)


@given(running(), seats)
def test_a_renewal_for_another_count_is_refused(
    found: tuple[Package, datetime], count: int
) -> None:
    package, now = found
    for moment in (now, package.term.until):
        right = package.renewal_seats(moment)
        assert cost_of(Order(Purchase.RENEW, right, 1), package, 7, moment).seats == right
        if count != right:
            error = refused(Order(Purchase.RENEW, count, 1), package, moment)
            assert (error.code, error.field) == ("invalid_field", "body.seats")
            assert error.detail == {"seats": right}


PACKAGE = Package(5, Term(NOON, 2), 3)
OVER = PACKAGE.term.until


@pytest.mark.parametrize(
    ("order", "package", "now", "code", "field"),
    [
        (Order(Purchase.ACTIVATE, 1, 1), PACKAGE, NOON, "conflict", None),
        (Order(Purchase.ACTIVATE, 1, 1), PACKAGE, OVER, "conflict", None),
        (Order(Purchase.ACTIVATE, None, 1), None, NOON, "invalid_field", "body.seats"),
        (Order(Purchase.ACTIVATE, 0, 1), None, NOON, "invalid_field", "body.seats"),
        (Order(Purchase.ACTIVATE, MAX_SEATS + 1, 1), None, NOON, "invalid_field", "body.seats"),
        (Order(Purchase.ACTIVATE, 1), None, NOON, "invalid_field", "body.months"),
        (Order(Purchase.ACTIVATE, 1, MAX_MONTHS + 1), None, NOON, "invalid_field", "body.months"),
        (Order(Purchase.EXTRA_SEATS, 1), None, NOON, "package_required", None),
        (Order(Purchase.EXTRA_SEATS, 1), PACKAGE, OVER, "package_required", None),
        (Order(Purchase.EXTRA_SEATS, 1, 1), PACKAGE, NOON, "invalid_field", "body.months"),
        (Order(Purchase.EXTRA_SEATS, MAX_SEATS), PACKAGE, NOON, "invalid_field", "body.seats"),
        (Order(Purchase.RENEW, None, 1), None, NOON, "package_required", None),
        (Order(Purchase.RENEW), PACKAGE, NOON, "invalid_field", "body.months"),
        (Order(Purchase.RENEW, months=MAX_MONTHS), PACKAGE, NOON, "invalid_field", "body.months"),
    ],
)  # fmt: skip
def test_what_cannot_be_bought_is_refused(
    order: Order, package: Package | None, now: datetime, code: str, field: str | None
) -> None:
    error = refused(order, package, now)
    assert (error.code, error.field) == (code, field)


def test_more_than_can_be_posted_at_once_is_refused() -> None:
    with pytest.raises(CallctlError) as caught:
        cost_of(Order(Purchase.ACTIVATE, 11, 1), None, MAX_PRICE, NOON)
    assert (caught.value.code, caught.value.field) == ("invalid_field", "body.seats")
    assert cost_of(Order(Purchase.ACTIVATE, 10, 1), None, MAX_PRICE, NOON).amount == 10 * MAX_PRICE


def test_a_term_can_be_renewed_for_ever() -> None:
    """The bound is on what is ahead, not on what is over."""
    package = PACKAGE
    for year in range(30):
        now = add_months(NOON, 12 * year)
        package = fulfil(renew(package, 12, now), package, now)
    assert package.term.months == 2 + 30 * 12


def test_what_is_missing_is_said() -> None:
    assert refused(Order(Purchase.RENEW, months=1), None).detail == {
        "missing": "package",
        "state": "none",
    }
    assert refused(Order(Purchase.EXTRA_SEATS, 1), PACKAGE, OVER).detail == {
        "missing": "package",
        "state": "expired",
        "ended_at": "2026-03-31T12:00:00+00:00",
    }


def test_the_default_price_is_that_of_the_requirement() -> None:
    assert DEFAULT_PRICE == 100_000


@pytest.mark.parametrize(
    ("days_before", "due"),
    [(20, None), (14, 14), (10, 14), (3, 3), (2.5, 3), (1, 1), (0.01, 1), (0, None), (-1, None)],
)
def test_the_last_reminder_that_is_due(days_before: float, due: int | None) -> None:
    assert due_reminder(NOON, (3, 14, 1), NOON - days_before * DAY) == due
