"""What a call costs: rates by longest prefix, in whole numbers, without a float anywhere.

A price is written in micros, millionths of the currency's minor unit (of a coin, where the account
counts in coins), since a second often costs less than a minor unit. Only the sum is rounded, half
up, to minor units. `docs/rates.md` tells each rule with an example that a test executes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from types import MappingProxyType
from zoneinfo import ZoneInfo

from callctl.core.routing.model import WeeklyPeriod

MICROS = 1_000_000
"""Micros of one minor unit."""

MAX_MICROS = 10**12
"""The highest price and connect fee: a million minor units."""

INCOMING = "in:"
"""Begins the prefix of a rate for calls that come in on a number that begins with the rest."""

MAX_UNIT_SECONDS = 86_400
MAX_PREFIX_DIGITS = 15


@dataclass(frozen=True, slots=True)
class Rate:
    """What calls to numbers that begin with `prefix` cost ("" = any other number).

    `prefix`: digits of the international number, without ``+``; after `INCOMING` they are of the
    own number that is called, and whoever has it pays. `price`: micros for each
    `unit_seconds` of talk, charged by `increment_seconds` begun, at least for `minimum_seconds`.
    The first `free_seconds` of talk are not charged. `connect_fee`: micros for an answered call,
    however short. `hours`: when this rate is in force, on the clocks of the table's zone; empty =
    whenever no rate of the same prefix with hours is.
    """

    prefix: str
    price: int
    destination: str = ""
    unit_seconds: int = 60
    connect_fee: int = 0
    minimum_seconds: int = 0
    increment_seconds: int = 1
    free_seconds: int = 0
    hours: tuple[WeeklyPeriod, ...] = ()


@dataclass(frozen=True, slots=True)
class RateTable:
    """One version of a tariff, ready for look-ups. Never changed, only replaced.

    `rates`: by prefix, of calls that go out; `incoming`: by prefix of the own number, of calls that
    come in. `version_id` names it in the database. `timezone` is an IANA zone: whose clocks
    `Rate.hours` are read on. Made by `build_rate_table`.
    """

    version_id: int
    currency: str
    timezone: str
    rates: Mapping[str, tuple[Rate, ...]] = field(repr=False)
    incoming: Mapping[str, tuple[Rate, ...]] = field(repr=False)
    longest: int = 0
    """Digits of the longest prefix."""


def build_rate_table(
    version_id: int, currency: str, timezone: str, rates: Iterable[Rate]
) -> RateTable:
    """Index `rates` by way and prefix, those with hours first. O(rates)."""
    going: dict[str, tuple[Rate, ...]] = {}
    coming: dict[str, tuple[Rate, ...]] = {}
    for rate in rates:
        found = coming if rate.prefix.startswith(INCOMING) else going
        prefix = rate.prefix.removeprefix(INCOMING)
        others = found.get(prefix, ())
        found[prefix] = (rate, *others) if rate.hours else (*others, rate)
    longest = max(map(len, (*going, *coming)), default=0)
    return RateTable(
        version_id, currency, timezone, MappingProxyType(going), MappingProxyType(coming), longest
    )


def find_rate(table: RateTable, e164: str, at: datetime, *, incoming: bool = False) -> Rate | None:
    """The rate of a call to `e164` that is answered at `at` (aware): it keeps it to its end.
    `incoming`: `e164` is one's own, on which the call came in.

    The longest prefix with a rate in force then decides. None: the table has none, or the number
    is not E.164 (a short code is nobody's country).
    """
    digits = e164[1:]
    if e164[:1] != "+" or not (digits.isascii() and digits.isdecimal()):
        return None
    local = at.astimezone(ZoneInfo(table.timezone))
    rates = table.incoming if incoming else table.rates
    for length in range(min(len(digits), table.longest), -1, -1):
        for rate in rates.get(digits[:length], ()):
            if not rate.hours or is_within(rate.hours, local):
                return rate
    return None


def is_within(hours: Sequence[WeeklyPeriod], local: datetime) -> bool:
    """Whether wall time `local` is in one of `hours`; one over midnight is its first day's."""
    clock, today = local.time().replace(tzinfo=None), local.weekday()
    for period in hours:
        over_midnight = period.closes <= period.opens
        begun = today in period.days and period.opens <= clock
        not_over = clock < period.closes
        if begun and (over_midnight or not_over):
            return True
        if over_midnight and not_over and (today - 1) % 7 in period.days:
            return True
    return False


# Time into money


@dataclass(frozen=True, slots=True)
class Bill:
    """How a cost came about. `amount` in minor units; the fee and the price of the talk as
    `connect_fee` micros and `billed_seconds` at the rate."""

    talk_seconds: int
    free_seconds: int
    billed_seconds: int
    connect_fee: int
    amount: int


NOTHING = Bill(0, 0, 0, 0, 0)


def bill(rate: Rate, seconds: int) -> Bill:
    """What `seconds` of talk cost. 0 seconds are a call that nobody answered: nothing."""
    if seconds <= 0:
        return NOTHING
    charged = max(0, seconds - rate.free_seconds)
    billed = _billed(rate, charged)
    # Over a common denominator, so that nothing is lost before the one rounding.
    sum_, one = rate.connect_fee * rate.unit_seconds + billed * rate.price, _one(rate)
    amount = (2 * sum_ + one) // (2 * one)
    return Bill(seconds, seconds - charged, billed, rate.connect_fee, amount)


def micros_of(rate: Rate, seconds: int) -> Fraction:
    """What `seconds` of talk cost before rounding."""
    counted = bill(rate, seconds)
    if not counted.talk_seconds:
        return Fraction(0)
    return rate.connect_fee + Fraction(counted.billed_seconds * rate.price, rate.unit_seconds)


def cost_of(rate: Rate, seconds: int) -> int:
    """Minor units for `seconds` of talk; never less for a longer talk."""
    return bill(rate, seconds).amount


def seconds_for(rate: Rate, money: int) -> int | None:
    """The longest talk whose cost is at most `money` minor units: the inverse of `cost_of`.

    None: however long (a longer talk costs no more). 0: not even one second.

    A talk is measured in seconds begun (`whole_seconds`): who hangs up by this must do so before
    the last of them is over.
    """
    if cost_of(rate, 1) > money:
        return 0
    if rate.price == 0:
        return None
    # round_half_up(sum / one) <= money  <=>  2 * sum < (2 * money + 1) * one
    most = ((2 * money + 1) * _one(rate) - 1) // 2
    billable = (most - rate.connect_fee * rate.unit_seconds) // rate.price
    if billable < _billed(rate, 1):
        return rate.free_seconds
    first = rate.minimum_seconds
    return rate.free_seconds + first + _down(billable - first, rate.increment_seconds)


def whole_seconds(us: int) -> int:
    """Microseconds of talk as seconds begun, as they are charged."""
    return -(-us // 1_000_000)


def _one(rate: Rate) -> int:
    """One minor unit, in micros times the unit's seconds."""
    return MICROS * rate.unit_seconds


def _billed(rate: Rate, charged: int) -> int:
    """Seconds that `charged` seconds count for: the first unit, then increments begun."""
    if charged <= 0:
        return 0
    over = max(0, charged - rate.minimum_seconds)
    return rate.minimum_seconds - _down(-over, rate.increment_seconds)


def _down(seconds: int, increment: int) -> int:
    return seconds // increment * increment


# What a table may not say


@dataclass(frozen=True, slots=True)
class RateFault:
    """`row` counts the given rates from 0; `field` is the name in `Rate`."""

    row: int
    field: str
    message: str


def check_rates(rates: Sequence[Rate]) -> list[RateFault]:
    """Everything wrong with `rates` as one table. Empty: every call finds one rate or none."""
    faults = [fault for row, rate in enumerate(rates) for fault in _check_rate(row, rate)]
    rows: dict[str, list[int]] = {}
    for row, rate in enumerate(rates):
        rows.setdefault(rate.prefix, []).append(row)
    for same in rows.values():
        faults += _check_prefix(rates, same)
    return sorted(faults, key=lambda f: f.row)


def _check_rate(row: int, rate: Rate) -> Iterable[RateFault]:
    prefix = rate.prefix.removeprefix(INCOMING)
    if prefix and not (prefix.isascii() and prefix.isdecimal()):
        yield RateFault(row, "prefix", "digits only: no +, no 00, no blanks")
    if len(prefix) > MAX_PREFIX_DIGITS:
        yield RateFault(row, "prefix", f"at most {MAX_PREFIX_DIGITS} digits")
    if prefix.startswith("0"):
        yield RateFault(row, "prefix", "no country's code begins with 0")
    for name, lowest, highest in _RANGES:
        if not lowest <= getattr(rate, name) <= highest:
            yield RateFault(row, name, f"must be from {lowest} to {highest}")


_RANGES = (
    ("price", 0, MAX_MICROS),
    ("connect_fee", 0, MAX_MICROS),
    ("unit_seconds", 1, MAX_UNIT_SECONDS),
    ("minimum_seconds", 0, MAX_UNIT_SECONDS),
    ("increment_seconds", 1, MAX_UNIT_SECONDS),
    ("free_seconds", 0, MAX_UNIT_SECONDS),
)


def _check_prefix(rates: Sequence[Rate], rows: Sequence[int]) -> Iterable[RateFault]:
    """One rate without hours for each prefix; hours of the others do not overlap."""
    always = [row for row in rows if not rates[row].hours]
    if not always:
        yield RateFault(rows[0], "hours", "the prefix needs a rate for all other hours too")
    for row in always[1:]:
        yield RateFault(row, "prefix", "stands here twice")
    taken: set[int] = set()
    for row in rows:
        minutes = _minutes_of_week(rates[row].hours)
        if not taken.isdisjoint(minutes):
            yield RateFault(row, "hours", "overlap with another rate of the prefix")
        taken |= minutes


def _minutes_of_week(hours: Iterable[WeeklyPeriod]) -> set[int]:
    found: set[int] = set()
    for period in hours:
        opens, closes = (t.hour * 60 + t.minute for t in (period.opens, period.closes))
        length = (closes - opens) % 1440 or 1440
        for day in period.days:
            start = day * 1440 + opens
            found.update(minute % 10_080 for minute in range(start, start + length))
    return found
