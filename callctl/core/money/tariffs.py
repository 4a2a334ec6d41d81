"""Who pays whom for a call, and by which version of which tariff: a frozen picture of all of them.

An account pays its seller, its direct superior, by the tariff that the seller gave it; the seller
pays its own in turn. Whoever has a carrier pays that by the tariff it set for the trunk.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from callctl.core.money.currencies import MAX_AMOUNT
from callctl.core.money.rating import NOTHING, Bill, Rate, RateTable, bill, find_rate
from callctl.core.routing.model import RoutingTable
from callctl.core.texts import N_


class Side(StrEnum):
    """`PRICE`: what an account pays its seller. `CARRIER`: what it pays its carrier."""

    PRICE = "price"
    CARRIER = "carrier"


class NoAmount(StrEnum):
    """Why a part of a call that went outside has no amount."""

    NO_RATE = "no_rate"
    NO_NUMBER = "no_number"
    OTHER_CURRENCY = "other_currency"
    TOO_MUCH = "too_much"


NO_AMOUNT_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        NoAmount.NO_RATE: N_("the tariff has no rate for the number"),
        NoAmount.NO_NUMBER: N_("what was dialled is no international number"),
        NoAmount.OTHER_CURRENCY: N_("the tariff is in another currency than the account pays in"),
        NoAmount.TOO_MUCH: N_("it would be more than one posting can hold"),
    }
)
EMERGENCY = "emergency"
"""Such a call costs nothing, whatever any tariff says."""

Trunk = tuple[int, str]
"""(account of the trunk, its name)."""

Timeline = tuple[tuple[datetime, int | None], ...]
"""What holds from each moment on (an id, None = nothing), in order of time."""


def line_of(table: RoutingTable, account_id: int) -> tuple[int, ...]:
    """The account and those above it, one after the other."""
    line: list[int] = []
    node: int | None = account_id
    while node is not None and node not in line:
        line.append(node)
        index = table.accounts.get(node)
        node = index.account.parent_id if index else None
    return tuple(line)


def in_force(timeline: Timeline, at: datetime) -> int | None:
    """What holds at `at`: the last entry that has begun by then."""
    found = None
    for since, value in timeline:
        if since > at:
            break
        found = value
    return found


@dataclass(frozen=True, slots=True)
class Quote:
    """By which version of a tariff one account pays for a call, on one `side`.

    `table` None: that version is not in memory.
    """

    side: Side
    payer_id: int
    version_id: int
    table: RateTable | None


@dataclass(frozen=True, slots=True)
class Tariffs:
    """All that is in force, and was: never changed, only replaced.

    `prices`: account → tariff of its seller. `carriers`: trunk → who pays → its tariff.
    `versions`: tariff → version. `tables`: versions that are in memory.
    """

    revision: int = 0
    prices: Mapping[int, Timeline] = field(default_factory=dict)
    carriers: Mapping[Trunk, Mapping[int, Timeline]] = field(default_factory=dict)
    versions: Mapping[int, Timeline] = field(default_factory=dict)
    tables: Mapping[int, RateTable] = field(default_factory=dict, repr=False)

    @property
    def is_empty(self) -> bool:
        """Nobody pays for anything."""
        return not self.prices and not self.carriers

    def prices_at(self, line: Iterable[int], at: datetime) -> list[Quote]:
        """Who pays its seller for a call of the first account of `line` (`line_of`)."""
        payers = ((account, self.prices.get(account, ())) for account in line)
        return self._quotes(Side.PRICE, payers, at)

    def carriers_at(self, trunk: Trunk, at: datetime) -> list[Quote]:
        """Who pays a carrier for what leaves by `trunk`: as a rule one."""
        return self._quotes(Side.CARRIER, sorted(self.carriers.get(trunk, {}).items()), at)

    def _quotes(
        self, side: Side, payers: Iterable[tuple[int, Timeline]], at: datetime
    ) -> list[Quote]:
        found = []
        for payer, timeline in payers:
            tariff = in_force(timeline, at)
            version = None if tariff is None else in_force(self.versions.get(tariff, ()), at)
            if version is not None:
                found.append(Quote(side, payer, version, self.tables.get(version)))
        return found


NO_TARIFFS = Tariffs()


@dataclass(frozen=True, slots=True)
class Priced:
    """What `seconds` of talk to a number cost by one table. `amount` None: `reason` says why."""

    amount: int | None
    rate: Rate | None = None
    bill: Bill = NOTHING
    reason: NoAmount | None = None


def price(
    table: RateTable, e164: str | None, at: datetime, seconds: int, *, incoming: bool = False
) -> Priced:
    """The cost of a talk that began at `at`, or why it has none: never 0 for want of a rate.
    `incoming`: it came in on `e164`; then want of a rate means that it is free."""
    if e164 is None:
        return Priced(None, reason=NoAmount.NO_NUMBER)
    rate = find_rate(table, e164, at, incoming=incoming)
    if rate is None:
        return Priced(None, reason=NoAmount.NO_RATE)
    counted = bill(rate, seconds)
    if counted.amount > MAX_AMOUNT:
        return Priced(None, rate, counted, NoAmount.TOO_MUCH)
    return Priced(counted.amount, rate, counted)
