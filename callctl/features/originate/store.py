"""Orders to call, kept so that an idempotency key means the same after a restart."""

from dataclasses import dataclass
from datetime import datetime

from callctl.db.pool import Database
from callctl.features.originate.model import OrderState


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

    async def finish(self, order_id: int, state: OrderState, detail: str = "") -> None:
        await self._db.execute(_FINISH, order_id, state.value, detail)

    async def forget(self, order_id: int) -> None:
        """As if never asked: for an order of which nothing was sent."""
        await self._db.execute(_FORGET, order_id)


def _order(row: object) -> CallOrder:
    values = dict(row)  # type: ignore[call-overload]
    return CallOrder(**{**values, "state": OrderState(values["state"])})
