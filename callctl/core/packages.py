"""Packages: places for members, bought for months (R004-02 to R004-10). Pure: no clock, no I/O.

Amounts are whole minor units. A month of one seat costs `price`; a term is a number of calendar
months from the moment it began. What part of a month costs is the only thing that is rounded: by
days of that month, a day begun counting as a day, half a unit upwards, once for all its seats.
"""

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from callctl.core.errors import CallctlError
from callctl.core.money.currencies import MAX_AMOUNT

DEFAULT_PRICE = 100_000
"""Of a seat and month, in COIN (R004-04)."""
MAX_PRICE = 10**12
MAX_SEATS = 10_000
MAX_MONTHS = 120
"""That a term may go on."""

_DAY = timedelta(days=1)


class PackageState(StrEnum):
    """Never stored: it follows from the end of the term."""

    NONE = "none"
    ACTIVE = "active"
    EXPIRED = "expired"


class Purchase(StrEnum):
    ACTIVATE = "activate"
    EXTRA_SEATS = "extra_seats"
    RENEW = "renew"


@dataclass(frozen=True, slots=True)
class Term:
    """`months` calendar months from `since` on; the end is not part of it."""

    since: datetime
    months: int

    @property
    def until(self) -> datetime:
        return self.end_of_month(self.months)

    def end_of_month(self, month: int) -> datetime:
        """When the first `month` months are over."""
        return add_months(self.since, month)

    def months_over(self, now: datetime) -> int:
        """Whole months that have passed, all of them at most."""
        over = 0
        while over < self.months and self.end_of_month(over + 1) <= now:
            over += 1
        return over


@dataclass(frozen=True, slots=True)
class Package:
    """What an account has bought: places for `seats` members, of which `members` are taken."""

    seats: int
    term: Term
    members: int = 0

    def state(self, now: datetime) -> PackageState:
        return PackageState.ACTIVE if now < self.term.until else PackageState.EXPIRED

    def renewal_seats(self, now: datetime) -> int:
        """In term all that were bought, afterwards those of the members who stay (R004-10)."""
        if self.state(now) is PackageState.ACTIVE:
            return self.seats
        return max(self.members, 1)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to buy. `seats` None: as many as a renewal takes."""

    purchase: Purchase
    seats: int | None = None
    months: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """`seats` times `months`, or times `days` of a month that has `of_days`."""

    seats: int
    price: int
    amount: int
    months: int = 0
    days: int = 0
    of_days: int = 0


@dataclass(frozen=True, slots=True)
class Costs:
    """An order with what it costs. `months` 0: the term stays as it is."""

    purchase: Purchase
    seats: int
    months: int
    lines: tuple[Line, ...]

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time, `months` later; in a shorter month its last day."""
    year, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + year, month + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return moment.replace(year=year, month=month, day=day)


def cost_of(order: Order, package: Package | None, price: int, now: datetime) -> Costs:
    """What `order` costs an account that has `package`, at `price` for a seat and month.

    Raises CallctlError: `conflict` (activating what is there already), `package_required` (nothing
    to add to or to renew, or its term is over), `invalid_field` (`body.seats`, `body.months`).
    """
    costs = _cost_of(order, package, price, now)
    if costs.amount > MAX_AMOUNT:
        raise CallctlError("invalid_field", "more than can be paid at once", "body.seats")
    return costs


def _cost_of(order: Order, package: Package | None, price: int, now: datetime) -> Costs:
    match order.purchase:
        case Purchase.ACTIVATE:
            if package is not None:
                raise CallctlError("conflict", "there is a package already: renew it")
            return _whole_months(order, _wanted_seats(order, 0), _wanted_months(order, 0), price)
        case Purchase.EXTRA_SEATS:
            if order.months is not None:
                message = "extra seats end with the package: give no months"
                raise CallctlError("invalid_field", message, "body.months")
            active = _required(package, now, must_be_active=True)
            seats = _wanted_seats(order, active.seats)
            return Costs(order.purchase, seats, 0, tuple(_rest(active.term, seats, price, now)))
        case Purchase.RENEW:
            found = _required(package, now, must_be_active=False)
            in_term = found.state(now) is PackageState.ACTIVE
            left = found.term.months - found.term.months_over(now)
            months = _wanted_months(order, left)
            seats = found.renewal_seats(now)
            if order.seats not in (None, seats):
                raise _other_count(seats, in_term=in_term)
            return _whole_months(order, seats, months, price)


def fulfil(costs: Costs, package: Package | None, now: datetime) -> Package:
    """What the account has once `costs` are paid at `now`. The term begins anew where there was
    none or it was over, else it goes on from where it ends (R004-09)."""
    if package is None:
        return Package(costs.seats, Term(now, costs.months))
    if costs.purchase is Purchase.EXTRA_SEATS:
        return Package(package.seats + costs.seats, package.term, package.members)
    if package.state(now) is PackageState.EXPIRED:
        return Package(costs.seats, Term(now, costs.months), package.members)
    term = Term(package.term.since, package.term.months + costs.months)
    return Package(package.seats, term, package.members)


def package_required(ended_at: datetime | None) -> CallctlError:
    """What an account is told whose package is over, or that has none (None)."""
    detail = {"missing": "package", "state": PackageState.NONE.value}
    if ended_at is None:
        return CallctlError("package_required", "there is no package: activate one", detail=detail)
    detail |= {"state": PackageState.EXPIRED.value, "ended_at": ended_at.isoformat()}
    message = f"the package ended at {ended_at:%Y-%m-%d %H:%M} UTC: renew it"
    return CallctlError("package_required", message, detail=detail)


def seat_required(extension: str) -> CallctlError:
    """What is told to whoever wants to call outside from an extension of no member."""
    return CallctlError(
        "package_required",
        f"extension {extension} belongs to no member of the package",
        detail={"missing": "seat", "extension": extension},
    )


def due_reminder(until: datetime, days: Iterable[int], now: datetime) -> int | None:
    """The reminder that should have been given last: so many days before the end, None = none."""
    if now >= until:
        return None
    return min((d for d in days if until - d * _DAY <= now), default=None)


def _required(package: Package | None, now: datetime, *, must_be_active: bool) -> Package:
    if package is None or (must_be_active and package.state(now) is not PackageState.ACTIVE):
        raise package_required(package.term.until if package else None)
    return package


def _wanted_seats(order: Order, present: int) -> int:
    if order.seats is None or not 1 <= order.seats <= MAX_SEATS - present:
        message = f"how many seats: 1 to {MAX_SEATS - present}"
        raise CallctlError("invalid_field", message, "body.seats")
    return order.seats


def _wanted_months(order: Order, present: int) -> int:
    if order.months is None or not 1 <= order.months <= MAX_MONTHS - present:
        message = f"how many months: 1 to {MAX_MONTHS - present}"
        raise CallctlError("invalid_field", message, "body.months")
    return order.months


def _other_count(seats: int, *, in_term: bool) -> CallctlError:
    message = f"in term all {seats} seats are renewed; there can be fewer once it is over"
    if not in_term:
        message = f"{seats} seats are renewed, as many as there are members (at least 1)"
    return CallctlError("invalid_field", message, "body.seats", detail={"seats": seats})


def _whole_months(order: Order, seats: int, months: int, price: int) -> Costs:
    line = Line(seats, price, seats * months * price, months=months)
    return Costs(order.purchase, seats, months, (line,))


def _rest(term: Term, seats: int, price: int, now: datetime) -> Iterable[Line]:
    """What is left of the month that goes on, and the months after it."""
    over = term.months_over(now)
    began, ends = term.end_of_month(over), term.end_of_month(over + 1)
    of_days = (ends - began) // _DAY
    # Begun days; a clock behind the one that sold the package gives no more than the month has.
    days = min(-((now - ends) // _DAY), of_days)
    yield Line(seats, price, _share(seats * price, days, of_days), days=days, of_days=of_days)
    if whole := term.months - over - 1:
        yield Line(seats, price, seats * whole * price, months=whole)


def _share(amount: int, part: int, whole: int) -> int:
    """`amount` x `part` / `whole`, half a unit upwards."""
    return (2 * amount * part + whole) // (2 * whole)
