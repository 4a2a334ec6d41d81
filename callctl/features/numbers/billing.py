"""The months of numbers: each charged exactly once, and what happens when one cannot be paid."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from callctl.core.author import SYSTEM
from callctl.core.errors import CallctlError
from callctl.core.numbers.charges import month_due
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.pool import Database
from callctl.features.numbers import store
from callctl.features.numbers.leases import (
    Lease,
    give_back,
    open_lease,
    pay_month,
)
from callctl.features.numbers.routes import Routes
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import UNITS_FAILED

log = get_logger("numbers")

ROUND_SECONDS = 60.0
BATCH = 200

# Somewhere on earth the month begins fourteen hours before it does in UTC; `month_due` knows.
DUE_LEASES = """
select number_id from number_leases
where until is null and number_id > $1
  and paid_month < date_trunc('month', now() + interval '14 hours')::date
order by number_id limit $2
"""

LEASE_PAID = """
update number_leases set paid_month = $2, unpaid_since = null, cut_at = null where id = $1
"""

LEASE_UNPAID = """
update number_leases set unpaid_since = now(), cut_at = now() + $2::interval where id = $1
"""

CUT_LEASES = """
select l.number_id, l.account_id, s.number
from number_leases l join stock_numbers s on s.id = l.number_id
where l.until is null and l.cut_at <= now() and s.state <> 'ordering'
order by l.cut_at limit $1
"""


class BillingService:
    """A lease's month is charged under its row's lock, in one transaction with the note that it
    was: whatever is killed when, it is charged once."""

    def __init__(
        self, db: Database, routes: Routes, *, grace_days: int, quarantine_days: int
    ) -> None:
        self._db = db
        self._routes = routes
        self._grace = timedelta(days=grace_days)
        self._quarantine_days = quarantine_days

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(CallctlError):
                await self.charge_due()
                await self.cut_unpaid()
            await asyncio.sleep(ROUND_SECONDS)

    async def charge_due(self) -> int:
        """Charge every month that has begun; how many were."""
        charged, last = 0, 0
        while rows := await self._db.fetch(DUE_LEASES, last, BATCH):
            for row in rows:
                last = row["number_id"]
                charged += await self._charge(last)
        return charged

    async def _charge(self, number_id: int) -> int:
        """The lease's months that are due, the oldest first, until one cannot be paid."""
        charged = 0
        while await self._charge_month(number_id):
            charged += 1
        return charged

    async def _charge_month(self, number_id: int) -> bool:
        """Whether there was one that could be paid."""
        async with self._db.transaction() as connection:
            number = await store.lock_number(connection, number_id)
            lease = await open_lease(connection, number_id)
            if lease is None:
                return False
            month = month_due(lease.paid_month, lease.today)
            if month is None:
                return False
            try:
                await pay_month(
                    connection, lease.account_id, lease.id, month, lease.currency,
                    lease.monthly_price, SYSTEM, number.number,
                )  # fmt: skip
            except CallctlError as error:
                if error.code != "insufficient_funds":
                    raise
                await self._note_unpaid(connection, number, lease, error)
                return False
            await connection.execute(LEASE_PAID, lease.id, month)
            return True

    async def _note_unpaid(
        self, connection: Any, number: store.StockNumber, lease: Lease, error: CallctlError
    ) -> None:
        if lease.unpaid_since is not None:
            return
        await connection.execute(LEASE_UNPAID, lease.id, self._grace)
        text = (
            f"The month of {number.number} could not be paid. Without it the number goes in "
            f"{self._grace.days} days."
        )
        subject = f"number-lease:{lease.id}:{lease.today:%Y-%m}"
        notice = NewNotice(lease.account_id, "number_unpaid", subject, text, error.detail or {})
        await raise_notice(connection, notice)
        log.warning("number_unpaid", number=number.number, account=lease.account_id)

    async def cut_unpaid(self) -> int:
        """Take back every number whose grace is over; how many there were."""
        cut = 0
        for row in await self._db.fetch(CUT_LEASES, BATCH):
            try:
                cut += await self._cut(row["account_id"], row["number_id"], row["number"])
            except CallctlError as error:
                if error.code == "database_unavailable":
                    raise
                # One account's routing that cannot be changed keeps no other's number.
                UNITS_FAILED.labels("number_cut").inc()
                log.warning("number_not_cut", number=row["number"], error=error.message)
        return cut

    async def _cut(self, account_id: int, number_id: int, name: str) -> bool:
        async with self._routes.remove(account_id, name, SYSTEM, at_all_costs=True) as change:
            connection = change.connection
            number = await store.lock_number(connection, number_id)
            lease = await open_lease(connection, number_id)
            if lease is None or lease.cut_at is None or lease.cut_at > lease.at:
                change.wanted = False
                return False
            await give_back(
                connection, number, lease, SYSTEM, why="unpaid",
                quarantine_days=self._quarantine_days,
            )  # fmt: skip
            text = f"{name} was taken back: its month was not paid."
            notice = NewNotice(account_id, "number_cut", f"number-lease:{lease.id}", text)
            await raise_notice(connection, notice)
            return True
