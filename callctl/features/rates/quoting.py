"""What would a call cost, and why; and what one's own account pays now."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.money.currencies import exponent_of, format_amount
from callctl.core.money.prices import format_price
from callctl.core.money.rating import INCOMING, Bill, Rate
from callctl.core.money.tariffs import (
    NO_AMOUNT_MEANINGS,
    Quote,
    Side,
    Tariffs,
    line_of,
    price,
)
from callctl.core.routing.model import RoutingTable
from callctl.db.pool import Database
from callctl.features.rates import store
from callctl.features.rates.memory import TariffMemory
from callctl.features.rates.model import (
    OwnRateFilters,
    QuoteLine,
    QuoteQuery,
    QuoteView,
    RateItem,
)
from callctl.features.rates.service import rates_page
from callctl.http.endpoint import Actor, Page
from callctl.numbers import normalise
from callctl.telemetry.clock import Clock, utc_now


class QuoteService:
    """Nothing here changes anything."""

    def __init__(
        self,
        db: Database,
        memory: TariffMemory,
        table: Callable[[], RoutingTable],
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._memory = memory
        self._table = table
        self._clock = clock

    async def own_rates(self, actor: Actor, filters: OwnRateFilters) -> Page[RateItem]:
        """What one's own account pays its seller now, by prefix; nothing where it pays nobody."""
        tariffs = await self._memory.refresh(self._db, self._clock())
        found = tariffs.prices_at([actor.account_id], self._clock())
        if not found:
            return Page([], None)
        return await rates_page(self._db, found[0].version_id, filters)

    async def quote(self, actor: Actor, query: QuoteQuery) -> QuoteView:
        """Raises CallctlError("not_found") for an account that is not below one's own."""
        at = (query.at or self._clock()).astimezone(UTC)
        account_id = query.account_id or actor.account_id
        account = await self._db.fetchrow(store.ACCOUNT_BELOW, actor.account_id, account_id)
        if account is None:
            message = f"no account with the id {account_id}"
            raise CallctlError("not_found", message, "query.account_id")
        e164 = normalise(query.number, account["country"])
        tariffs = await self._memory.refresh(self._db, self._clock())
        found = self._quotes(tariffs, actor.account_id, account_id, at)
        versions = {quote.version_id for quote, _ in found}
        tariffs = await self._memory.load(self._db, tariffs, versions)
        names = await self._names([quote for quote, _ in found])
        lines = [
            _line(tariffs, quote, trunk, names[quote.version_id], e164, at, query,
                  own=quote.side is Side.CARRIER or quote.payer_id != actor.account_id)
            for quote, trunk in found
        ]  # fmt: skip
        if query.incoming:
            lines = [line for line in lines if line.rate is not None]
        return QuoteView(e164, query.seconds, at, lines)

    def _quotes(
        self, tariffs: Tariffs, viewer: int, account_id: int, at: datetime
    ) -> list[tuple[Quote, str | None]]:
        """What `viewer` pays for, or is paid: what others pay each other is theirs to know."""
        line = line_of(self._table(), account_id)
        place = line.index(viewer) if viewer in line else len(line)
        seen = {viewer, *line[max(0, place - 1) : place]}
        prices: list[tuple[Quote, str | None]] = [
            (quote, None) for quote in tariffs.prices_at(line, at) if quote.payer_id in seen
        ]
        index = self._table().accounts.get(account_id)
        trunks = [trunk.name for trunk in index.routing.trunks] if index else []
        return prices + [
            (quote, name)
            for name in trunks
            for quote in tariffs.carriers_at((account_id, name), at)
            if quote.payer_id == viewer
        ]

    async def _names(self, quotes: Sequence[Quote]) -> dict[int, Any]:
        versions = [quote.version_id for quote in quotes]
        return {row["id"]: row for row in await self._db.fetch(store.VERSION_NAMES, versions)}


def _line(
    tariffs: Tariffs,
    quote: Quote,
    trunk: str | None,
    names: Any,
    e164: str | None,
    at: datetime,
    query: QuoteQuery,
    *,
    own: bool,
) -> QuoteLine:
    """`own`: the tariff is the viewer's, who may know its name."""
    table = tariffs.tables[quote.version_id]
    priced = price(table, e164, at, query.seconds, incoming=query.incoming)
    counted = priced.bill
    if priced.rate is not None and priced.amount is not None:
        why = explain(priced.rate, counted, table.currency)
    else:
        why = NO_AMOUNT_MEANINGS[str(priced.reason)]
    return QuoteLine(
        quote.side.value,
        quote.payer_id,
        trunk,
        names["name"] if own else None,
        names["number"],
        RateItem.of(priced.rate) if priced.rate else None,
        query.seconds,
        counted.free_seconds,
        counted.billed_seconds,
        priced.amount,
        table.currency,
        priced.reason,
        why,
    )


def explain(rate: Rate, counted: Bill, currency: str) -> str:
    """A bill in a sentence, as ``prefix 3620 (Mobile): 95 s of talk count as 96 s at 12 HUF
    per 60 s, and 5 HUF to connect: 24.20 HUF``."""
    exponent = exponent_of(currency)
    name = f" ({rate.destination})" if rate.destination else ""
    digits = rate.prefix.removeprefix(INCOMING)
    prefix = f"prefix {digits}" if digits else "any other number"
    if digits != rate.prefix:
        prefix = f"incoming, {prefix}"
    if not counted.talk_seconds:
        return f"{prefix}{name}: no talk, no cost"
    free = f", {counted.free_seconds} s of it free," if counted.free_seconds else ""
    unit = f"{format_price(rate.price, exponent)} {currency} per {rate.unit_seconds} s"
    connect = (
        f", and {format_price(rate.connect_fee, exponent)} {currency} to connect"
        if rate.connect_fee
        else ""
    )
    total = f"{format_amount(counted.amount, currency)} {currency}"
    return (
        f"{prefix}{name}: {counted.talk_seconds} s of talk{free} count as "
        f"{counted.billed_seconds} s at {unit}{connect}: {total}"
    )
