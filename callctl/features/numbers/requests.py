"""Wanted numbers: a queue between an account and its seller (004-13). Asking costs nothing."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.numbers.requests import (
    ANSWER_DAYS,
    RequestEvent,
    RequestState,
    next_request_state,
    request_state_at,
)
from callctl.core.numbers.states import NumberEvent, NumberState
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, transact_once
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.pool import Database
from callctl.features.numbers import store
from callctl.features.numbers.buying import NumberService
from callctl.features.numbers.model import NumberItem
from callctl.features.numbers.offers import checked_number
from callctl.features.numbers.request_model import (
    Acceptance,
    Declination,
    NewOffer,
    NewRequest,
    RequestFilters,
    RequestItem,
)
from callctl.features.numbers.stock import checked_pattern
from callctl.http.endpoint import Actor, Page

MOST_OPEN = 50
"""Wishes of one account that wait for an answer."""

CHECK_SECONDS = 60.0

_ITEM = """
select r.id, r.account_id, a.code as account, r.seller_id, r.state, r.number, r.country, r.area,
       r.pattern, r.type, r.note, r.requested_by, r.requested_at, r.answer_by, r.offered_id,
       s.number as offered, r.offer_until, r.answer, r.answered_at, r.settled_at, now() as at
from number_requests r join accounts a on a.id = r.account_id
left join stock_numbers s on s.id = r.offered_id
"""

REQUESTS_PAGE = f"""
{_ITEM}
where ($2::text is distinct from 'customers' and r.account_id = $1
       or $2::text is distinct from 'own' and r.seller_id = $1)
  and ($3::text is null or $3 = case
        when r.state = 'offered' and r.offer_until <= now() then 'requested' else r.state end)
  and ($4::bigint is null or r.id < $4)
order by r.id desc limit $5
"""

REQUEST = f"{_ITEM} where r.id = $1 and (r.account_id = $2 or r.seller_id = $2)"

REQUEST_LOCK = "select id from number_requests where id = $1 for no key update"

OPEN_COUNT = """
select count(*) from number_requests where account_id = $1 and state in ('requested', 'offered')
"""

REQUEST_INSERT = """
insert into number_requests (account_id, seller_id, number, country, area, pattern, type, note,
                             requested_by, answer_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::interval) returning id
"""

REQUEST_OFFER = """
update number_requests
set state = 'offered', offered_id = $2, offer_until = $3, answer = $4, answered_at = now()
where id = $1
"""

REQUEST_SETTLE = """
update number_requests
set state = $2, answer = coalesce($3, answer), settled_at = now(),
    answered_at = case when $3::text is null then answered_at else now() end
where id = $1
"""

OVERDUE = """
select r.id, r.seller_id, a.code from number_requests r join accounts a on a.id = r.account_id
where r.state = 'requested' and r.answer_by <= now()
  and not exists (select from notices n where n.account_id = r.seller_id
                  and n.kind = 'number_request_overdue' and n.subject = 'number-request:' || r.id)
order by r.id limit 100
"""


class RequestService:
    """Both sides see a request: who asks, and who sells. Every method that is given an id raises
    CallctlError("not_found") for one of neither, and "conflict" for what its state does not allow.
    """

    def __init__(self, db: Database, numbers: NumberService) -> None:
        self._db = db
        self._numbers = numbers

    async def list_requests(self, actor: Actor, filters: RequestFilters) -> Page[RequestItem]:
        """The newest first."""
        rows = await self._db.fetch(
            REQUESTS_PAGE, actor.account_id, filters.side, filters.state, filters.cursor,
            filters.limit + 1,
        )  # fmt: skip
        items = [_item(row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def get_request(self, actor: Actor, request_id: int) -> RequestItem:
        return _item(await _get(self._db, request_id, actor.account_id))

    async def ask(self, actor: Actor, new: NewRequest, key: RequestKey | None) -> RequestItem:
        """Raises CallctlError: `invalid_field`, `conflict` for too many open ones."""
        buyer = await store.get_buyer(self._db, actor.account_id)
        if not any((new.number, new.country, new.area, new.pattern, new.type)):
            raise CallctlError("invalid_field", "say what is wanted", "body")
        number = new.number and checked_number(new.number, buyer.country)
        checked_pattern(new.pattern, "body.pattern")

        async def act(connection: Any) -> RequestItem:
            if await connection.fetchval(OPEN_COUNT, buyer.id) >= MOST_OPEN:
                raise CallctlError("conflict", f"{MOST_OPEN} wishes wait already")
            id_ = await connection.fetchval(
                REQUEST_INSERT, buyer.id, buyer.seller_id, number, new.country, new.area,
                new.pattern, new.type, new.note, actor.name, timedelta(days=ANSWER_DAYS),
            )  # fmt: skip
            text = f"{buyer.code} wants a number."
            subject = f"number-request:{id_}"
            notice = NewNotice(buyer.seller_id, "number_request", subject, text)
            await raise_notice(connection, notice)
            item = _item(await _get(connection, id_, buyer.id))
            await _record(connection, actor, "requested", None, item)
            return item

        return await transact_once(self._db, key, RequestItem, act)

    async def offer(
        self, actor: Actor, request_id: int, offer: NewOffer, key: RequestKey | None = None
    ) -> RequestItem:
        """By the seller: a number of its stock, held for the account until a deadline.

        Raises CallctlError: `invalid_field` (the number), `conflict` (it is somebody's).
        """
        seller = await store.get_buyer(self._db, actor.account_id)
        number = checked_number(offer.number, seller.country)

        async def act(connection: Any) -> RequestItem:
            row = await _lock(connection, request_id, actor.account_id, RequestEvent.OFFER)
            _require_seller(row, actor)
            found = await store.lock_offered(connection, number, [actor.account_id])
            if found.state is not NumberState.AVAILABLE or found.provider:
                raise store.taken(number)
            until = found.at + timedelta(hours=offer.hours)
            await store.move(
                connection, found, NumberEvent.HOLD, account_id=row["account_id"], until=until
            )
            await connection.execute(REQUEST_OFFER, request_id, found.id, until, offer.answer)
            text = f"{number} is offered to you until {until:%Y-%m-%d %H:%M} UTC."
            subject = f"number-request:{request_id}:{found.id}:{until:%Y%m%d%H%M%S}"
            await raise_notice(
                connection, NewNotice(row["account_id"], "number_offer", subject, text)
            )
            return await self._changed(connection, actor, row)

        return await transact_once(self._db, key, RequestItem, act)

    async def decline(
        self, actor: Actor, request_id: int, why: Declination, key: RequestKey | None = None
    ) -> RequestItem:
        """By the seller."""

        async def act(connection: Any) -> RequestItem:
            row = await _lock(connection, request_id, actor.account_id, RequestEvent.DECLINE)
            _require_seller(row, actor)
            await _drop_hold(connection, row)
            state = RequestState.DECLINED
            await connection.execute(REQUEST_SETTLE, request_id, state.value, why.reason)
            return await self._changed(connection, actor, row)

        return await transact_once(self._db, key, RequestItem, act)

    async def withdraw(
        self, actor: Actor, request_id: int, key: RequestKey | None = None
    ) -> RequestItem:
        """By whoever asked."""

        async def act(connection: Any) -> RequestItem:
            row = await _lock(connection, request_id, actor.account_id, RequestEvent.WITHDRAW)
            _require_own(row, actor)
            await _drop_hold(connection, row)
            state = RequestState.WITHDRAWN
            await connection.execute(REQUEST_SETTLE, request_id, state.value, None)
            return await self._changed(connection, actor, row)

        return await transact_once(self._db, key, RequestItem, act)

    async def accept(
        self, actor: Actor, request_id: int, acceptance: Acceptance, key: RequestKey | None
    ) -> NumberItem:
        """Buy what is offered. Raises as buying does, too."""
        row = await _get(self._db, request_id, actor.account_id)
        _require_own(row, actor)
        if row["offered"] is None:
            raise CallctlError("conflict", "nothing is offered yet")
        buyer = await store.get_buyer(self._db, actor.account_id)

        async def fulfil(connection: Any) -> None:
            locked = await _lock(connection, request_id, actor.account_id, RequestEvent.ACCEPT)
            if locked["offered_id"] != row["offered_id"]:
                raise CallctlError("conflict", "another number is offered by now")
            state = RequestState.FULFILLED
            await connection.execute(REQUEST_SETTLE, request_id, state.value, None)
            await self._changed(connection, actor, locked)

        return await self._numbers.sell_to(
            actor, buyer, row["offered"], acceptance.to, acceptance.label, key, fulfil
        )

    async def run_watch(self) -> None:
        """Until cancelled: sellers are told of wishes that they have left unanswered."""
        while True:
            with suppress(CallctlError):
                await self.tell_overdue()
            await asyncio.sleep(CHECK_SECONDS)

    async def tell_overdue(self) -> int:
        """How many there were; each is told of once."""
        async with self._db.transaction() as connection:
            rows = await connection.fetch(OVERDUE)
            for row in rows:
                text = f"{row['code']} still waits for an answer to its wish for a number."
                subject = f"number-request:{row['id']}"
                await raise_notice(
                    connection,
                    NewNotice(row["seller_id"], "number_request_overdue", subject, text),
                )
        return len(rows)

    async def _changed(self, connection: Any, actor: Actor, before: Any) -> RequestItem:
        item = _item(await _get(connection, before["id"], actor.account_id))
        await _record(connection, actor, item.state.value, _item(before), item)
        return item


async def _get(connection: Any, request_id: int, account_id: int) -> Any:
    row = await connection.fetchrow(REQUEST, request_id, account_id)
    if row is None:
        raise CallctlError("not_found", f"no request with the id {request_id}")
    return row


async def _lock(connection: Any, request_id: int, account_id: int, event: RequestEvent) -> Any:
    """The request, locked, in a state that `event` goes with."""
    await connection.execute(REQUEST_LOCK, request_id)
    row = await _get(connection, request_id, account_id)
    state = _state_of(row)
    if next_request_state(state, event) is None:
        message = f"the request is {state}: {event} does not go with it"
        raise CallctlError("conflict", message, detail={"state": state})
    return row


def _require_seller(row: Any, actor: Actor) -> None:
    if row["seller_id"] != actor.account_id:
        raise CallctlError("conflict", "the request is for your seller to answer")


def _require_own(row: Any, actor: Actor) -> None:
    if row["account_id"] != actor.account_id:
        raise CallctlError("conflict", "the request is another account's")


async def _drop_hold(connection: Any, row: Any) -> None:
    if row["offered_id"] is None:
        return
    number = await store.lock_number(connection, row["offered_id"])
    if number.state is NumberState.HELD and number.account_id == row["account_id"]:
        await store.move(connection, number, NumberEvent.DROP)


async def _record(
    connection: Any, actor: Actor, verb: str, before: RequestItem | None, after: RequestItem
) -> None:
    """In the log of whoever acts."""
    old, new = (
        None if item is None else
        {"state": item.state, "offered": item.offered, "answer": item.answer, "note": item.note}
        for item in (before, after)
    )  # fmt: skip
    await record_change(
        connection, actor.account_id, actor.author, f"number_request.{verb}",
        f"number_request:{after.id}", old, new,
    )  # fmt: skip


def _state_of(row: Any) -> RequestState:
    return request_state_at(RequestState(row["state"]), row["offer_until"], row["at"])


def _item(row: Any) -> RequestItem:
    values = dict(row)
    state = _state_of(row)
    at = values.pop("at")
    del values["seller_id"], values["offered_id"]
    if state is RequestState.REQUESTED:
        values |= {"offered": None, "offer_until": None}
    overdue = state is RequestState.REQUESTED and values["answer_by"] <= at
    return RequestItem(**values | {"state": state, "overdue": overdue})
