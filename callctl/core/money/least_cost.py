"""Which trunk of a route is the cheapest for a number: worked out once, looked up at each call.

Trunks are compared by what a call of `COMPARED_SECONDS` costs, connect fee and minimum included,
before rounding. Hours do not count: a rate's own is the one for all other hours. So the order is
the same for the daemon and for the fallback dialplan, which has no tariffs.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from callctl.core.money.rating import Rate, RateTable, micros_of

COMPARED_SECONDS = 180


def order_by_cost(
    trunks: Sequence[str], tables: Mapping[str, RateTable]
) -> dict[str, tuple[str, ...]]:
    """Prefix → `trunks`, the cheapest first; where two cost the same, as they are listed. Trunks
    without a rate for the prefix are last. A prefix that adds nothing to a shorter one is left out,
    and so is everything that is as listed."""
    prefixes = {prefix for table in tables.values() for prefix in table.rates}
    orders: dict[str, tuple[str, ...]] = {}
    for prefix in sorted(prefixes, key=lambda p: (len(p), p)):
        order = tuple(sorted(trunks, key=lambda trunk: _cost(tables.get(trunk), prefix)))
        shorter = find_order(orders, prefix[:-1]) if prefix else None
        if order != (shorter or tuple(trunks)):
            orders[prefix] = order
    return orders


def find_order(orders: Mapping[str, tuple[str, ...]], digits: str) -> tuple[str, ...] | None:
    """The order of the longest prefix of `digits` that has one."""
    for length in range(len(digits), -1, -1):
        if (order := orders.get(digits[:length])) is not None:
            return order
    return None


def _cost(table: RateTable | None, prefix: str) -> tuple[bool, Fraction]:
    rate = None if table is None else _usual_rate(table, prefix)
    if rate is None:
        return True, Fraction(0)
    return False, micros_of(rate, COMPARED_SECONDS)


def _usual_rate(table: RateTable, digits: str) -> Rate | None:
    for length in range(len(digits), -1, -1):
        for rate in table.rates.get(digits[:length], ()):
            if not rate.hours:
                return rate
    return None
