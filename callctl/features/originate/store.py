"""Orders to call, kept so that an idempotency key means the same after a restart.

Not in the table of `callctl.db.idempotency`: what an order does is done by Asterisk, in no
transaction of ours. So the row stands before the order is sent, and an outcome that is not known
is told again as that.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.orders import OrderState
from callctl.core.scope import CallScope
from callctl.db.pool import Database


@dataclass(frozen=True, slots=True)
class CallOrder:
    """One row of call_orders."""

    id: int
    account_id: int
    idempotency_key: str | None
    placed_by: str
    extension: str
    number: str
    ring_seconds: int
    state: OrderState
    detail: str
    placed_at: datetime


_INSERT = """
insert into call_orders
    (account_id, idempotency_key, placed_by, extension, number, ring_seconds, state)
values ($1, $2, $3, $4, $5, $6, 'sending')
on conflict (account_id, idempotency_key) do nothing
returning id, account_id, idempotency_key, placed_by, extension, number, ring_seconds, state,
    detail, placed_at
"""

_BY_KEY = """
select id, account_id, idempotency_key, placed_by, extension, number, ring_seconds, state,
    detail, placed_at
from call_orders where account_id = $1 and idempotency_key = $2
"""

_FINISH = "update call_orders set state = $2, detail = $3 where id = $1 and state = 'sending'"

_FORGET = "delete from call_orders where id = $1 and state = 'sending'"

# Of the phone that the person sits at (R003-20), else their own.
_OWN_EXTENSION = """
select coalesce((select b.extension from phone_bindings b join sessions s on s.id = b.session
                 where b.user_id = u.id and s.expires_at > now()), u.extension)
from users u where u.account_id = $1 and u.id = $2
"""

# Whom an extension calls back: the party outside, or inside the one that it is not itself.
_PARTY = """
select n.number
from calls c left join numbers n on n.id = case
    when c.customer_number_id is not null or c.direction <> 'internal' then c.customer_number_id
    when c.extension = $4 then c.to_number_id
    else c.from_number_id end
where c.account_id = $1 and c.id = $2
  and ($3::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($3::text[])))
"""

_CLIENT = """
select (select n.number from client_numbers l join numbers n on n.id = l.number_id
        where l.client_id = k.id order by l.position, n.id limit 1)
from clients k where k.account_id = $1 and k.id = $2
"""


class OrderStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def insert_order(
        self,
        account_id: int,
        key: str | None,
        placed_by: str,
        extension: str,
        number: str,
        ring_seconds: int,
    ) -> CallOrder | None:
        """The new order, or None when the account has one with that key. Atomic."""
        row = await self._db.fetchrow(
            _INSERT, account_id, key, placed_by, extension, number, ring_seconds
        )
        return _order(row) if row else None

    async def get_by_key(self, account_id: int, key: str) -> CallOrder | None:
        row = await self._db.fetchrow(_BY_KEY, account_id, key)
        return _order(row) if row else None

    async def finish(self, order_id: int, state: OrderState, detail: str) -> None:
        await self._db.execute(_FINISH, order_id, state.value, detail)

    async def own_extension(self, account_id: int, user_id: int | None) -> str | None:
        """The user's; None for one without, and for no user."""
        extension: str | None = await self._db.fetchval(_OWN_EXTENSION, account_id, user_id)
        return extension

    async def find_party(self, scope: CallScope, call: int, extension: str) -> str | None:
        """The number of a call's other party as `extension` sees it, None where it is unknown.

        Raises CallctlError("not_found"), also for a call outside the scope.
        """
        seen = None if scope.extensions is None else list(scope.extensions)
        return _number(
            await self._db.fetchrow(_PARTY, scope.account_id, call, seen, extension), f"call {call}"
        )

    async def find_client_number(self, account_id: int, client: int) -> str | None:
        """The first of a client's numbers. Raises CallctlError("not_found")."""
        return _number(await self._db.fetchrow(_CLIENT, account_id, client), f"client {client}")

    async def forget(self, order_id: int) -> None:
        """As if never asked: for an order of which nothing was sent."""
        await self._db.execute(_FORGET, order_id)


def _number(row: Any, what: str) -> str | None:
    if row is None:
        raise CallctlError("not_found", f"there is no {what}")
    number: str | None = row[0]
    return number


def _order(row: object) -> CallOrder:
    values = dict(row)  # type: ignore[call-overload]
    return CallOrder(**{**values, "state": OrderState(values["state"])})
