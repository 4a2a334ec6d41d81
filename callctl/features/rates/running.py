"""What a call costs its account while it goes on: from memory, and never asked of the database.

It goes by the number that was dialled and by the answer that the caller heard. What counts in the
end is the record, with each of its parts.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from callctl.core.money.call_costs import NO_COST, CallCost
from callctl.core.money.rating import RateTable, find_rate, seconds_for, whole_seconds
from callctl.core.money.tariffs import NoAmount, Tariffs, price
from callctl.core.routing.model import RoutingTable
from callctl.features.rates.memory import TariffMemory

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RunningCosts:
    """`trunk` is the endpoint that a call left by; None where that is not known."""

    def __init__(self, memory: TariffMemory, table: Callable[[], RoutingTable]) -> None:
        self._memory = memory
        self._table = table

    def cost(
        self,
        account_id: int,
        number: str | None,
        trunk: str | None,
        answered_us: int,
        now_us: int,
        incoming: bool = False,
    ) -> CallCost:
        """Of a call to `number` that was answered outside, or came in on it, up to `now_us`."""
        at = _EPOCH + timedelta(microseconds=answered_us)
        table = self._rates_of(account_id, trunk, at)
        if table is None:
            return NO_COST
        if number is None:
            return CallCost(None, table.currency, NoAmount.NO_NUMBER)
        seconds = whole_seconds(max(0, now_us - answered_us))
        priced = price(table, number, at, seconds, incoming=incoming)
        if incoming and priced.rate is None:
            return NO_COST
        return CallCost(priced.amount, table.currency, priced.reason)

    def seconds_until(
        self, account_id: int, number: str | None, trunk: str | None, answered_us: int, money: int
    ) -> int | None:
        """How long such a call may talk before it costs more than `money`; None: for ever, or its
        price is not known."""
        at = _EPOCH + timedelta(microseconds=answered_us)
        table = self._rates_of(account_id, trunk, at)
        rate = find_rate(table, number, at) if table and number else None
        return seconds_for(rate, money) if rate else None

    def _rates_of(self, account_id: int, trunk: str | None, at: datetime) -> RateTable | None:
        """What the account itself pays: its seller's, or, where it has none, its carrier's."""
        tariffs: Tariffs = self._memory.tariffs
        found = tariffs.prices_at((account_id,), at)
        owner = self._table().endpoints.get(trunk) if trunk else None
        if not found and owner is not None:
            carriers = tariffs.carriers_at((owner[0], owner[2]), at)
            found = [quote for quote in carriers if quote.payer_id == account_id]
        return found[0].table if found else None
