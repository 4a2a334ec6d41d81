"""A process that kills itself in the middle: its arguments are a database, an account, and when."""

import asyncio
import os
import signal
import sys
from typing import Any

from callctl.core.permissions import ALL_SCOPES
from callctl.db.pool import Database
from callctl.features.numbers import billing, leases
from callctl.features.numbers.billing import BillingService
from callctl.features.numbers.buying import NumberService
from callctl.features.numbers.model import NewNumber
from callctl.features.routing.numbers import RoutingNumbers
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.http.endpoint import Actor


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(function: Any) -> Any:
    async def last(*args: Any, **more: Any) -> None:
        await function(*args, **more)
        die()

    return last


async def main(url: str, account: int, what: str) -> None:
    db = await Database.connect(url)
    routing = RoutingService(RoutingStore(db))
    await routing.load()
    routes = RoutingNumbers(routing)
    if what == "month":
        billing.pay_month = dying_after(billing.pay_month)  # type: ignore[attr-defined]
        await BillingService(db, routes, grace_days=1, quarantine_days=1).charge_due()
    if what == "paid":
        leases.pay_month = dying_after(leases.pay_month)  # type: ignore[assignment]
    if what == "routed":
        RoutingStore.save_in = dying_after(RoutingStore.save_in)  # type: ignore[method-assign]
    order = NewNumber("+3612340000", "extension:101")
    actor = Actor(account, "anna", ALL_SCOPES)
    await NumberService(db, routes, quarantine_days=1).buy(actor, order, None)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
