"""An account's own numbers: bought, made the default one, released (004-11, 004-12)."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from callctl.core.errors import CallctlError
from callctl.core.numbers.kinds import NumberType
from callctl.core.numbers.states import OWNED_STATES, NumberState
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, answer_once, earlier_answer, transact_once
from callctl.db.pool import Database, Reads
from callctl.features.numbers import store
from callctl.features.numbers.leases import give_back, open_lease, sell
from callctl.features.numbers.model import (
    NewNumber,
    NumberChange,
    NumberFilters,
    NumberItem,
    PriceView,
)
from callctl.features.numbers.offers import checked_number
from callctl.features.numbers.routes import Routes, RoutingChange
from callctl.http.endpoint import Actor, Empty, Page

_ITEM = """
select s.id, s.number, s.state, s.country, s.area_code, s.area, s.type, s.capabilities, l.currency,
       l.setup_price, l.monthly_price, l.since, l.paid_month, l.unpaid_since, l.cut_at,
       s.test_detail, s.tested_at, s.proven_at, s.proven_by
from number_leases l join stock_numbers s on s.id = l.number_id
where l.account_id = $1 and l.until is null
"""

NUMBERS_PAGE = f"""
{_ITEM} and ($2::text is null or s.number > $2) order by s.number limit $3
"""

NUMBER = f"{_ITEM} and s.id = $2"

# Also of one that it has given up: whoever gives up twice is told of the first time.
NAME = """
select number from stock_numbers s
where id = $2 and exists (select from number_leases where number_id = s.id and account_id = $1)
"""

IS_FREE = """
select case
    when state = 'held' and until > now() then account_id = $3
    else provider = '' and (state in ('available', 'held')
                            or (state = 'quarantined' and until <= now()))
    end
from stock_numbers where number = $1 and seller_id = any($2::bigint[])
"""

BeforeSale = Callable[[Any], Awaitable[None]]
"""What else is done in a sale's transaction, on its connection."""


class NumberService:
    """Buying and routing are one transaction, and the next call to the number goes by it.

    `wake` has those who order numbers of providers look now.
    """

    def __init__(
        self,
        db: Database,
        routes: Routes,
        *,
        quarantine_days: int,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self._routes = routes
        self._quarantine_days = quarantine_days
        self._wake = wake

    async def list_numbers(self, actor: Actor, filters: NumberFilters) -> Page[NumberItem]:
        """By number."""
        rows = await self._db.fetch(
            NUMBERS_PAGE, actor.account_id, filters.cursor, filters.limit + 1
        )
        default = self._routes.default_of(actor.account_id)
        items = [_item(row, default) for row in rows[: filters.limit]]
        return Page(items, items[-1].number if len(rows) > filters.limit else None)

    async def get_number(
        self, actor: Actor, number_id: int, reads: Reads | None = None
    ) -> NumberItem:
        """`reads`: on which connection. Raises CallctlError("not_found")."""
        row = await (reads or self._db).fetchrow(NUMBER, actor.account_id, number_id)
        if row is None:
            raise _no_number(number_id)
        return _item(row, self._routes.default_of(actor.account_id))

    async def buy(self, actor: Actor, new: NewNumber, key: RequestKey | None) -> NumberItem:
        """Charge, assign and route, or nothing of it.

        Raises CallctlError: `not_found`, `conflict` (somebody else has it), `insufficient_funds`,
        `invalid_field`, `idempotency_conflict`, and what the routing raises.
        """
        buyer = await store.get_buyer(self._db, actor.account_id)
        number = checked_number(new.number, buyer.country)
        return await self.sell_to(actor, buyer, number, new.to, new.label, key)

    async def sell_to(
        self,
        actor: Actor,
        buyer: store.Buyer,
        number: str,
        to: str,
        label: str,
        key: RequestKey | None,
        first: BeforeSale | None = None,
    ) -> NumberItem:
        """As `buy`; `first` is done before it, in the same transaction."""
        answered = await self._answered_or_offered(buyer, number, key)
        if answered is not None:
            return answered
        try:
            item = await self._sell_to(actor, buyer, number, to, label, key, first)
        except CallctlError as error:
            if error.code != "invalid_routing":
                raise
            # Perhaps because it has become somebody's meanwhile.
            answered = await self._answered_or_offered(buyer, number, key)
            if answered is None:
                raise
            return answered
        self._wake()
        return item

    async def _sell_to(
        self,
        actor: Actor,
        buyer: store.Buyer,
        number: str,
        to: str,
        label: str,
        key: RequestKey | None,
        first: BeforeSale | None,
    ) -> NumberItem:
        async with self._routes.add(buyer.id, number, to, label, actor.author) as change:
            connection = change.connection
            change.wanted = False

            async def act() -> NumberItem:
                if first is not None:
                    await first(connection)
                found = await store.lock_offered(connection, number, buyer.sellers)
                await sell(connection, buyer, found, actor.author)
                change.wanted = True
                return await self._bought(connection, buyer, found.id)

            return await answer_once(connection, key, NumberItem, act)

    async def change(
        self, actor: Actor, number_id: int, change: NumberChange, key: RequestKey | None = None
    ) -> NumberItem:
        """Raises CallctlError: `not_found`, and what the routing raises."""
        answered: NumberItem | None = await earlier_answer(self._db, key, NumberItem)
        if answered is not None:
            return answered
        before = await self.get_number(actor, number_id)
        if change.default == before.default:
            show = partial(self.get_number, actor, number_id)
            return await transact_once(self._db, key, NumberItem, show)
        default = before.number if change.default else None
        async with self._routes.set_default(actor.account_id, default, actor.author) as routing:
            connection = routing.connection
            routing.wanted = False

            async def act() -> NumberItem:
                await store.lock_own(connection, number_id, actor.account_id)
                await record_change(
                    connection, actor.account_id, actor.author, "number.changed",
                    f"number:{number_id}", {"default": before.default}, {"default": change.default},
                )  # fmt: skip
                routing.wanted = True
                item = await self.get_number(actor, number_id, connection)
                return replace(item, default=change.default)

            return await answer_once(connection, key, NumberItem, act)

    async def release(self, actor: Actor, number_id: int, key: RequestKey | None = None) -> Empty:
        """Give it up: nothing of the month that is paid comes back, and nobody else has it for a
        while. Raises CallctlError: `not_found`, `conflict`, and what the routing raises."""
        answered: Empty | None = await earlier_answer(self._db, key, Empty)
        if answered is not None:
            return answered
        number = await self._db.fetchval(NAME, actor.account_id, number_id)
        if number is None:
            raise _no_number(number_id)
        async with self._routes.remove(actor.account_id, number, actor.author) as change:
            change.wanted = False
            act = partial(self._release, change, actor, number_id)
            return await answer_once(change.connection, key, Empty, act)

    async def _release(self, change: RoutingChange, actor: Actor, number_id: int) -> Empty:
        found = await store.lock_own(change.connection, number_id, actor.account_id)
        lease = await open_lease(change.connection, found.id)
        assert lease is not None, found
        await give_back(
            change.connection, found, lease, actor.author, why="released",
            quarantine_days=self._quarantine_days,
        )  # fmt: skip
        change.wanted = True
        self._wake()
        return Empty()

    async def _answered_or_offered(
        self, buyer: store.Buyer, number: str, key: RequestKey | None
    ) -> NumberItem | None:
        """The answer, where this very request has bought it already; else None if it is for sale.
        Before anybody waits for the routing: a number that is gone is gone."""
        free = await self._db.fetchval(IS_FREE, number, buyer.sellers, buyer.id)
        # Asked for after the look: the answer is there as soon as the number is gone.
        answered: NumberItem | None = await earlier_answer(self._db, key, NumberItem)
        if answered is None and not free:
            raise store.not_for_sale(number) if free is None else store.taken(number)
        return answered

    async def _bought(self, connection: Any, buyer: store.Buyer, number_id: int) -> NumberItem:
        row = await connection.fetchrow(NUMBER, buyer.id, number_id)
        default = self._routes.default_of(buyer.id)
        return _item(row, default or row["number"])


def _no_number(number_id: int) -> CallctlError:
    return CallctlError("not_found", f"no number with the id {number_id}")


def _item(row: Any, default: str | None) -> NumberItem:
    state = NumberState(row["state"])
    assert state in OWNED_STATES, state
    return NumberItem(
        id=row["id"],
        number=row["number"],
        state=state,
        country=row["country"],
        area_code=row["area_code"],
        area=row["area"],
        type=NumberType(row["type"]),
        capabilities=list(row["capabilities"]),
        setup=PriceView(row["setup_price"], row["currency"]),
        monthly=PriceView(row["monthly_price"], row["currency"]),
        since=row["since"],
        paid_month=row["paid_month"],
        unpaid_since=row["unpaid_since"],
        cut_at=row["cut_at"],
        test=row["test_detail"],
        tested_at=row["tested_at"],
        proven_at=row["proven_at"],
        proven_by=row["proven_by"] or None,
        default=row["number"] == default,
    )
