"""The seller's stock: blocks loaded, prices changed, numbers taken from sale."""

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from callctl.core.errors import CallctlError
from callctl.core.numbers.patterns import like_of_pattern
from callctl.core.numbers.states import NumberEvent, NumberState
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, transact_once
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.numbers import store
from callctl.features.numbers.blocks import (
    StockEntry,
    entries_of_block,
    entries_of_csv,
    invalid_import,
)
from callctl.features.numbers.model import (
    BlockOptions,
    BlockReport,
    LineError,
    NewBlock,
    StockChange,
    StockFilters,
    StockItem,
)
from callctl.http.endpoint import Actor, Page

IsRouted = Callable[[str], bool]
"""Whether some account's routing has a number already."""

STOCK_PAGE = f"""
select {store.STOCK_COLUMNS} from stock_numbers s
where s.seller_id = $1
  and ($2::text is null or $2 = case
        when s.state in ('held', 'quarantined') and s.until <= now() then 'available'
        else s.state end)
  and ($3::text is null or s.country = $3)
  and ($4::text is null or s.number like $4)
  and ($5::text is null or s.number > $5)
order by s.number
limit $6
"""  # noqa: S608 - a constant of this package

SELLER = """
with recursive up as (
    select id, parent_id from accounts where id = $2
    union all
    select a.id, a.parent_id from accounts a join up on a.id = up.parent_id where up.id <> $1
)
select kind, country from accounts where id = $2 and exists (select from up where id = $1)
"""

TAKEN = "select number from stock_numbers where number = any($1::text[])"

LOAD = """
insert into stock_numbers (seller_id, number, country, area_code, area, type, capabilities,
                           currency, setup_price, monthly_price)
select $1, v.number, v.country, v.area_code, v.area, v.type, string_to_array(v.capabilities, '|'),
       v.currency, v.setup, v.monthly
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::bigint[])
     v(number, country, area_code, area, type, capabilities, currency, setup, monthly)
"""

PRICES = (
    "update stock_numbers set currency = $2, setup_price = $3, monthly_price = $4 where id = $1"
)


class StockService:
    """What sellers do with their numbers. Loading is all or nothing."""

    def __init__(self, db: Database, is_routed: IsRouted) -> None:
        self._db = db
        self._is_routed = is_routed

    async def list_stock(self, actor: Actor, filters: StockFilters) -> Page[StockItem]:
        """The account's own stock, by number. Raises CallctlError("invalid_field")."""
        rows = await self._db.fetch(
            STOCK_PAGE,
            actor.account_id,
            filters.state,
            filters.country,
            checked_pattern(filters.pattern),
            filters.cursor,
            filters.limit + 1,
        )
        items = [store.stock_item(store.stock_number(row)) for row in rows[: filters.limit]]
        return Page(items, items[-1].number if len(rows) > filters.limit else None)

    async def load_block(
        self, actor: Actor, block: NewBlock, key: RequestKey | None = None
    ) -> BlockReport:
        """Raises CallctlError: `not_found` (the account), `invalid_field`, `invalid_import`."""
        seller_id, country = await self._seller(actor, block.account_id)
        entries = entries_of_block(block, country)
        return await self._load(actor, seller_id, entries, block.dry_run, key)

    async def load_csv(
        self, actor: Actor, raw: bytes, options: BlockOptions, key: RequestKey | None = None
    ) -> BlockReport:
        """Raises as `load_block` does. `key` must know the file (`with_file`)."""
        seller_id, country = await self._seller(actor, options.account_id)
        entries = entries_of_csv(raw, country)
        return await self._load(actor, seller_id, entries, options.dry_run, key)

    async def change(
        self, actor: Actor, number_id: int, change: StockChange, key: RequestKey | None = None
    ) -> StockItem:
        """Raises CallctlError: `not_found`, `invalid_field`, `conflict` for one that somebody has
        or that is ordered of a provider."""

        async def act(connection: Any) -> StockItem:
            row = await connection.fetchrow(store.NUMBER_OF_SELLER, number_id, actor.account_id)
            if row is None:
                raise CallctlError("not_found", f"no number with the id {number_id}")
            before = store.stock_number(row)
            item = store.stock_item(before)
            setup = item.setup if change.setup is UNSET else change.setup
            monthly = item.monthly if change.monthly is UNSET else change.monthly
            if setup.currency != monthly.currency:
                raise CallctlError("invalid_field", "both are in one currency", "body.monthly")
            if change.for_sale is not UNSET and change.for_sale != _is_for_sale(before):
                if before.provider:
                    raise CallctlError("conflict", f"{before.number} is its provider's to offer")
                event = NumberEvent.RESTORE if change.for_sale else NumberEvent.WITHDRAW
                await store.move(connection, before, event)
            await connection.execute(
                PRICES, number_id, setup.currency, setup.amount, monthly.amount
            )
            after = store.stock_number(
                await connection.fetchrow(store.NUMBER_OF_SELLER, number_id, actor.account_id)
            )
            await record_change(
                connection, actor.account_id, actor.author, "number_stock.changed",
                f"stock_number:{number_id}", _audited(before), _audited(after),
            )  # fmt: skip
            return store.stock_item(after)

        return await transact_once(self._db, key, StockItem, act)

    async def _seller(self, actor: Actor, account_id: int | None) -> tuple[int, str]:
        """Whose stock, and how its people write numbers."""
        seller_id = account_id or actor.account_id
        row = await self._db.fetchrow(SELLER, actor.account_id, seller_id)
        if row is None:
            raise CallctlError("not_found", f"no account with the id {seller_id}")
        if row["kind"] == "enterprise":
            raise CallctlError("invalid_field", "an enterprise sells nothing", "body.account_id")
        return seller_id, row["country"]

    async def _load(
        self,
        actor: Actor,
        seller_id: int,
        entries: Sequence[StockEntry],
        dry_run: bool,
        key: RequestKey | None,
    ) -> BlockReport:
        async def act(connection: Any) -> BlockReport:
            await connection.execute(WRITE_MODE)
            await self._check_free(connection, entries)
            if not dry_run:
                await _insert(connection, actor, seller_id, entries)
            return BlockReport(dry_run, len(entries))

        try:
            return await transact_once(self._db, key, BlockReport, act)
        except asyncpg.UniqueViolationError:
            # Somebody loaded one of them in this very moment.
            async with self._db.snapshot() as connection:
                await self._check_free(connection, entries)
            raise

    async def _check_free(self, connection: Any, entries: Sequence[StockEntry]) -> None:
        rows = await connection.fetch(TAKEN, [entry.number for entry in entries])
        taken = {row["number"] for row in rows}
        errors = [
            LineError(entry.line, "first", f"{entry.number} is in a stock already")
            for entry in entries
            if entry.number in taken
        ]
        errors += [
            LineError(entry.line, "first", f"{entry.number} is in an account's routing already")
            for entry in entries
            if self._is_routed(entry.number)
        ]
        if errors:
            raise invalid_import(sorted(errors, key=lambda e: e.line))


async def _insert(
    connection: Any, actor: Actor, seller_id: int, entries: Sequence[StockEntry]
) -> None:
    await connection.execute(
        LOAD,
        seller_id,
        [e.number for e in entries],
        [e.country for e in entries],
        [e.area_code for e in entries],
        [e.area for e in entries],
        [e.type.value for e in entries],
        ["|".join(e.capabilities) for e in entries],
        [e.currency for e in entries],
        [e.setup for e in entries],
        [e.monthly for e in entries],
    )
    numbers = sorted(entry.number for entry in entries)
    after = {"count": len(numbers), "first": numbers[0], "last": numbers[-1]}
    for account_id in {actor.account_id, seller_id}:
        await record_change(
            connection, account_id, actor.author, "number_stock.loaded", f"account:{seller_id}",
            None, after,
        )  # fmt: skip


def checked_pattern(text: str | None, field: str = "query.pattern") -> str | None:
    """As a LIKE pattern. Raises CallctlError("invalid_field")."""
    if text is None:
        return None
    try:
        return like_of_pattern(text)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), field) from None


def _is_for_sale(number: store.StockNumber) -> bool:
    return number.state is not NumberState.WITHDRAWN


def _audited(number: store.StockNumber) -> dict[str, object]:
    item = store.stock_item(number)
    return {
        "number": item.number,
        "state": item.state,
        "setup": structs.asdict(item.setup),
        "monthly": structs.asdict(item.monthly),
    }
