"""What a number costs and when (docs/numbers.md). Amounts are integers of the smallest unit.

Months are calendar months of the account's zone. The month in which a number is bought costs by the
days that are left of it, today included; each later one costs the whole price, at its beginning.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class FirstCharge:
    """What buying costs: `setup` once, and `month` for `days` of the `days_of_month`."""

    setup: int
    month: int
    days: int
    days_of_month: int

    @property
    def total(self) -> int:
        return self.setup + self.month


def first_charge(setup: int, monthly: int, day: date) -> FirstCharge:
    """The price of a number bought on `day`; half a unit is rounded up."""
    of_month = monthrange(day.year, day.month)[1]
    days = of_month - day.day + 1
    return FirstCharge(setup, (2 * monthly * days + of_month) // (2 * of_month), days, of_month)


def month_of(day: date) -> date:
    """The first day of its month: what a month is called."""
    return day.replace(day=1)


def next_month(month: date) -> date:
    """The first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_due(paid: date, today: date) -> date | None:
    """The earliest month that has begun and is not paid; `paid` is the last one that is."""
    month = next_month(paid)
    return month if month <= month_of(today) else None
