"""Orders of numbers at providers: sent until there is a clear answer, each under one key for ever.

The customer has paid when the order goes out; a refusal gives everything back.
"""

import asyncio
from contextlib import suppress
from typing import Any

from callctl.core.author import SYSTEM
from callctl.core.errors import CallctlError
from callctl.core.numbers.states import NumberEvent
from callctl.db.ledger import refund
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.pool import Database
from callctl.features.numbers import store
from callctl.features.numbers.leases import Lease, end_lease, open_lease
from callctl.features.numbers.providers import (
    NumberProvider,
    ProviderRefused,
    Providers,
    ProviderUnclear,
)
from callctl.features.numbers.routes import Routes
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import UNITS_FAILED

log = get_logger("numbers")

POLL_SECONDS = 30.0
BATCH = 100

ORDERED = """
select s.id, s.number, s.provider, l.id as lease_id, l.account_id
from stock_numbers s join number_leases l on l.number_id = s.id and l.until is null
where s.state = 'ordering' order by s.id limit $1
"""

RETURNED = """
select s.id, s.number, s.provider, s.provider_ref, max(l.id) as lease_id
from stock_numbers s join number_leases l on l.number_id = s.id
where s.state = 'returning' group by s.id order by s.id limit $1
"""

DELIVERED = "update stock_numbers set provider_ref = $2 where id = $1"

MONTH_TRANSACTIONS = """
select transaction_id from number_charges
where lease_id = $1 and transaction_id is not null order by month
"""


class OrderingService:
    """`wake` has it look now."""

    def __init__(self, db: Database, routes: Routes, providers: Providers) -> None:
        self._db = db
        self._routes = routes
        self._providers = providers
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            with suppress(CallctlError):
                await self.order_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def order_all(self) -> None:
        """One round: every order that is open, and every number that goes back."""
        for row in await self._db.fetch(ORDERED, BATCH):
            await self._each(row, self._order)
        for row in await self._db.fetch(RETURNED, BATCH):
            await self._each(row, self._return)

    async def _each(self, row: Any, act: Any) -> None:
        try:
            provider = self._providers.get(row["provider"])
            await act(row, provider)
        except ProviderUnclear as error:
            log.warning("number_order_unclear", number=row["number"], error=str(error))
        except CallctlError as error:
            if error.code == "database_unavailable":
                raise
            # One order that cannot be gone on with keeps no other waiting.
            UNITS_FAILED.labels("number_order").inc()
            log.warning("number_order_waits", number=row["number"], error=error.message)

    async def _order(self, row: Any, provider: NumberProvider) -> None:
        try:
            reference = await provider.buy(row["number"], f"order-{row['lease_id']}")
        except ProviderRefused as error:
            await self._refused(row, str(error))
            return
        async with self._db.transaction() as connection:
            number = await store.lock_number(connection, row["id"])
            await store.move(connection, number, NumberEvent.DELIVER, account_id=number.account_id)
            await connection.execute(DELIVERED, number.id, reference)
        log.info("number_delivered", number=row["number"])

    async def _refused(self, row: Any, reason: str) -> None:
        """As if it had never been bought, but for the ledger, which forgets nothing."""
        account_id, name = row["account_id"], row["number"]
        async with self._routes.remove(account_id, name, SYSTEM, at_all_costs=True) as change:
            connection = change.connection
            number = await store.lock_number(connection, row["id"])
            lease = await open_lease(connection, number.id)
            assert lease is not None, row
            await store.move(connection, number, NumberEvent.REFUSE)
            await _pay_back(connection, lease)
            await end_lease(connection, number, lease, SYSTEM, "refused")
            text = f"{name} could not be had of its provider ({reason}); all was paid back."
            subject = f"number-lease:{lease.id}"
            await raise_notice(connection, NewNotice(account_id, "number_refused", subject, text))
        log.warning("number_refused", number=name, reason=reason)

    async def _return(self, row: Any, provider: NumberProvider) -> None:
        key = f"release-{row['lease_id']}"
        await provider.release(row["number"], row["provider_ref"], key)
        async with self._db.transaction() as connection:
            number = await store.lock_number(connection, row["id"])
            await store.move(connection, number, NumberEvent.RETURNED)


async def _pay_back(connection: Any, lease: Lease) -> None:
    rows = await connection.fetch(MONTH_TRANSACTIONS, lease.id)
    paid = [row["transaction_id"] for row in rows]
    for transaction_id in (lease.setup_transaction_id, *paid):
        if transaction_id is not None:
            await refund(
                connection,
                transaction_id=transaction_id,
                reference=f"number-lease:{lease.id}",
                author=SYSTEM,
                once=f"number-lease:{lease.id}:back:{transaction_id}",
            )
