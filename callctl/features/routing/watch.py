"""Takes over routing that another process applied (``callctl routing apply`` beside the daemon)."""

import asyncio

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import CHANNEL

_RETRY_SECONDS = 1.0


async def watch_routing(db: Database, service: RoutingService) -> None:
    """Run until cancelled: refresh on every notification, and on each new connection.

    While the database is away the table in memory stays in use.
    """
    while True:
        try:
            await _listen(db, service)
        except CallctlError as error:
            if error.code != "database_unavailable":
                raise
        await asyncio.sleep(_RETRY_SECONDS)


async def _listen(db: Database, service: RoutingService) -> None:
    changed = asyncio.Event()

    def on_notify(*_: object) -> None:
        changed.set()

    async with db.connection() as connection:
        await connection.add_listener(CHANNEL, on_notify)
        connection.add_termination_listener(on_notify)
        try:
            while not connection.is_closed():
                changed.clear()
                await service.refresh()
                await changed.wait()
        finally:
            if not connection.is_closed():
                connection.remove_termination_listener(on_notify)
                await connection.remove_listener(CHANNEL, on_notify)
