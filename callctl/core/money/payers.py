"""Who pays for a call that is about to begin, and at which price: from the tariffs in force."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from callctl.core.money.guard import Payer, Price
from callctl.core.money.rating import Rate, find_rate
from callctl.core.money.tariffs import Tariffs

SOON = timedelta(minutes=5)
"""A call is priced as it is answered. Until then another rate may have come into force: the dearer
of both counts."""


def payers_at(
    tariffs: Tariffs, line: Sequence[int], number: Callable[[], str], at: datetime
) -> list[Payer]:
    """Who of `line` (an account and those above it) pays its seller for a call that is dialled at
    `at`, the account itself first. `number` (E.164) is asked for if anybody may pay."""
    if tariffs.prices.keys().isdisjoint(line):
        return []
    rates: dict[int, list[Rate | None]] = {}
    e164 = number()
    for moment in (at, at + SOON):
        for quote in tariffs.prices_at(line, moment):
            table = quote.table
            rate = None if table is None else find_rate(table, e164, moment)
            rates.setdefault(quote.payer_id, []).append(rate)
    return [Payer(payer, _price(found)) for payer, found in rates.items()]


def _price(rates: Sequence[Rate | None]) -> Price | None:
    known = tuple(dict.fromkeys(rate for rate in rates if rate is not None))
    return Price(known) if len(known) and None not in rates else None
