"""What can be bought: searched, and set aside for minutes (004-12)."""

import re
from datetime import timedelta
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.numbers.states import NumberEvent, NumberState
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, earlier_answer, transact_once
from callctl.db.pool import Database
from callctl.features.numbers import store
from callctl.features.numbers.model import HoldItem, NewHold, OfferFilters, OfferItem
from callctl.features.numbers.providers import Providers
from callctl.features.numbers.stock import checked_pattern
from callctl.http.endpoint import Actor, Empty, Page
from callctl.numbers import normalise

MOST_HOLDS = 10
"""Of one account at a time: nobody takes a stock away from the others for nothing."""

OFFERS_PAGE = f"""
select {store.STOCK_COLUMNS} from stock_numbers s
where s.seller_id = any($1::bigint[]) and s.provider = ''
  and (s.state = 'available' or (s.state in ('held', 'quarantined') and s.until <= now()))
  and ($2::text is null or s.country = $2)
  and ($3::text is null or s.area_code = $3 or lower(s.area) like lower($4))
  and ($5::text is null or s.type = $5)
  and ($6::text is null or $6 = any(s.capabilities))
  and ($7::text is null or s.number like $7)
  and ($8::text is null or s.number > $8)
order by s.number
limit $9
"""  # noqa: S608 - a constant of this package

HOLDS = f"""
select {store.STOCK_COLUMNS} from stock_numbers s
where s.account_id = $1 and s.state = 'held' and s.until > now() order by s.number limit 1000
"""  # noqa: S608 - a constant of this package

HOLD_COUNT = """
select count(*) from stock_numbers where account_id = $1 and state = 'held' and until > now()
"""

LOCK_ACCOUNT = "select id from accounts where id = $1 for no key update"


class OfferService:
    """Numbers of the stocks that an account may buy of, and of the providers behind them."""

    def __init__(self, db: Database, providers: Providers) -> None:
        self._db = db
        self._providers = providers

    async def search(self, actor: Actor, filters: OfferFilters) -> Page[OfferItem]:
        """By number. Raises CallctlError: `invalid_field`, `provider_unavailable`."""
        buyer = await store.get_buyer(self._db, actor.account_id)
        pattern = checked_pattern(filters.pattern)
        if filters.provider is not None:
            return await self._providers.search(self._db, buyer, filters)
        area = filters.area
        rows = await self._db.fetch(
            OFFERS_PAGE,
            buyer.sellers,
            filters.country,
            area,
            None if area is None else _beginning(area),
            filters.type,
            filters.capability,
            pattern,
            filters.cursor,
            filters.limit + 1,
        )
        items = [store.offer_item(store.stock_number(row), buyer) for row in rows[: filters.limit]]
        return Page(items, items[-1].number if len(rows) > filters.limit else None)

    async def hold(self, actor: Actor, new: NewHold, key: RequestKey | None = None) -> HoldItem:
        """Raises CallctlError: `not_found`, `conflict` (somebody else's, or too many held),
        `invalid_field`, `provider_unavailable`."""
        answered: HoldItem | None = await earlier_answer(self._db, key, HoldItem)
        if answered is not None:
            return answered
        buyer = await store.get_buyer(self._db, actor.account_id)
        number = checked_number(new.number, buyer.country)
        if new.provider is not None:
            await self._providers.reserve(self._db, buyer, new.provider, number, new.minutes)

        async def act(connection: Any) -> HoldItem:
            # The number before the account, as a sale has it, which locks the account's routing.
            found = await store.lock_offered(connection, number, buyer.sellers)
            await connection.execute(LOCK_ACCOUNT, buyer.id)
            if await connection.fetchval(HOLD_COUNT, buyer.id) >= MOST_HOLDS:
                raise CallctlError("conflict", f"{MOST_HOLDS} numbers are held already")
            if found.state is not NumberState.AVAILABLE or found.provider != (new.provider or ""):
                raise store.taken(number)
            until = found.at + timedelta(minutes=new.minutes)
            await store.move(connection, found, NumberEvent.HOLD, account_id=buyer.id, until=until)
            await record_change(
                connection, buyer.id, actor.author, "number.held", f"number:{found.id}", None,
                {"number": number, "until": until},
            )  # fmt: skip
            return HoldItem(found.id, number, until, store.offer_item(found, buyer))

        return await transact_once(self._db, key, HoldItem, act)

    async def list_holds(self, actor: Actor) -> Page[HoldItem]:
        buyer = await store.get_buyer(self._db, actor.account_id)
        rows = await self._db.fetch(HOLDS, actor.account_id)
        items = [
            HoldItem(
                row["id"], row["number"], row["until"],
                store.offer_item(store.stock_number(row), buyer),
            )
            for row in rows
        ]  # fmt: skip
        return Page(items, None)

    async def drop(self, actor: Actor, number_id: int, key: RequestKey | None = None) -> Empty:
        """Give a hold up. Raises CallctlError("not_found")."""

        async def act(connection: Any) -> Empty:
            row = await connection.fetchrow(store.NUMBER_OF_ACCOUNT, number_id, actor.account_id)
            found = store.stock_number(row) if row else None
            if found is None or found.state is not NumberState.HELD:
                raise CallctlError("not_found", f"no hold with the id {number_id}")
            await store.move(connection, found, NumberEvent.DROP)
            await record_change(
                connection, actor.account_id, actor.author, "number.dropped",
                f"number:{number_id}", {"number": found.number}, None,
            )  # fmt: skip
            return Empty()

        return await transact_once(self._db, key, Empty, act)


def checked_number(text: str, country: str, field: str = "body.number") -> str:
    """In E.164. Raises CallctlError("invalid_field")."""
    number = normalise(text, country)
    if number is None:
        raise CallctlError("invalid_field", "is no number of the outside world", field)
    return number


def _beginning(area: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", area) + "%"
