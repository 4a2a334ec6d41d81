"""The tariffs in memory: who pays by which, and the rates of every version that is in force.

Rates of an applied version never change, so only what is new is read. A number in the database
tells whether anything is: whoever prices a call for good asks for it in the same transaction.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime

from callctl.core.errors import CallctlError
from callctl.core.money.least_cost import order_by_cost
from callctl.core.money.rating import RateTable, build_rate_table
from callctl.core.money.tariffs import NO_TARIFFS, Tariffs, Timeline, Trunk, in_force
from callctl.core.routing.model import AccountRouting, TrunkOrder, TrunkOrders
from callctl.db.pool import Database, Reads
from callctl.features.rates import store
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger

log = get_logger("rates")

WATCH_SECONDS = 1.0


class TariffMemory:
    """`tariffs` is replaced as a whole, never changed."""

    def __init__(self) -> None:
        self.tariffs: Tariffs = NO_TARIFFS

    async def refresh(self, db: Reads, now: datetime) -> Tariffs:
        """Up to date as `db` sees it: one short statement when nothing has changed.

        Raises CallctlError("database_unavailable").
        """
        revision: int = await db.fetchval(store.REVISION)
        if revision != self.tariffs.revision:
            await self._read(db, revision, now)
        return self.tariffs

    async def load(self, db: Reads, tariffs: Tariffs, versions: Iterable[int]) -> Tariffs:
        """`tariffs` with these versions, too: those that calls of long ago are paid by."""
        missing = set(versions) - set(tariffs.tables)
        if not missing:
            return tariffs
        tables = {version: await _read_table(db, version) for version in sorted(missing)}
        # They never change: whoever asks for them next finds them.
        self.tariffs = replace(self.tariffs, tables={**tables, **self.tariffs.tables})
        return replace(tariffs, tables={**tables, **tariffs.tables})

    async def _read(self, db: Reads, revision: int, now: datetime) -> None:
        prices: dict[int, list[tuple[datetime, int | None]]] = {}
        carriers: dict[Trunk, dict[int, list[tuple[datetime, int | None]]]] = {}
        for row in await db.fetch(store.ALL_ASSIGNMENTS):
            entry = (row["since"], row["tariff_id"])
            if row["trunk"] is None:
                prices.setdefault(row["account_id"], []).append(entry)
            else:
                bearers = carriers.setdefault((row["account_id"], row["trunk"]), {})
                bearers.setdefault(row["bearer_id"], []).append(entry)
        versions: dict[int, list[tuple[datetime, int | None]]] = {}
        for row in await db.fetch(store.ALL_VERSIONS):
            versions.setdefault(row["tariff_id"], []).append((row["valid_from"], row["id"]))
        timelines = {tariff: tuple(entries) for tariff, entries in versions.items()}
        wanted = {v for timeline in timelines.values() for v in _from_now_on(timeline, now)}
        tables: dict[int, RateTable] = {}
        for version in sorted(wanted):
            kept = self.tariffs.tables.get(version)
            tables[version] = kept or await _read_table(db, version)
        if revision < self.tariffs.revision:
            return  # Another reader was quicker, and saw more.
        self.tariffs = Tariffs(
            revision,
            {account: tuple(entries) for account, entries in prices.items()},
            {
                trunk: {bearer: tuple(entries) for bearer, entries in bearers.items()}
                for trunk, bearers in carriers.items()
            },
            timelines,
            tables,
        )
        log.info("tariffs_read", revision=revision, versions=len(tables))


def _from_now_on(timeline: Timeline, now: datetime) -> set[int]:
    """What is in force now, or will be."""
    later = {value for since, value in timeline if since > now}
    return {value for value in (in_force(timeline, now), *later) if value is not None}


async def _read_table(db: Reads, version_id: int) -> RateTable:
    head = await db.fetchrow(store.VERSION_HEAD, version_id)
    rates = await store.read_rates(db, version_id)
    return build_rate_table(version_id, head["currency"], head["timezone"], rates)


async def watch_tariffs(
    db: Database,
    memory: TariffMemory,
    on_carriers: Callable[[], Awaitable[None]],
    clock: Clock = utc_now,
) -> None:
    """Until cancelled: take over what another process changed. `on_carriers` is told when a carrier
    is paid by other prices, also because their time has come.

    While the database is away the tariffs in memory stay in use.
    """
    known: object = None
    while True:
        with contextlib.suppress(CallctlError):
            tariffs = await memory.refresh(db, clock())
            now = clock()
            in_use = {trunk: tariffs.carriers_at(trunk, now) for trunk in tariffs.carriers}
            versions = {
                trunk: [(quote.payer_id, quote.version_id) for quote in quotes]
                for trunk, quotes in in_use.items()
            }
            if versions != known:
                await on_carriers()
                known = versions
        await asyncio.sleep(WATCH_SECONDS)


def trunk_orders(tariffs: Tariffs, routing: AccountRouting, now: datetime) -> TrunkOrders:
    """For the routes of an account that try the cheapest trunk first: in which order that is."""
    account_id = routing.account.id
    orders = {}
    for route in routing.outbound:
        if route.order is TrunkOrder.CHEAPEST:
            quotes = {name: tariffs.carriers_at((account_id, name), now) for name in route.trunks}
            tables = {
                name: found[0].table
                for name, found in quotes.items()
                if found and found[0].table is not None
            }
            orders[route.name] = order_by_cost(route.trunks, tables)
    return orders
