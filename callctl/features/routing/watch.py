"""Takes over routing that another process applied (``callctl routing apply`` beside the daemon)."""

import asyncio
from contextlib import suppress

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import CHANNEL

_RETRY_SECONDS = 1.0

LOOK_SECONDS = 60.0
"""So often it is looked without a notification, too: a connection that is cut off without a word
brings none, and may be taken for alive for hours."""


async def watch_routing(db: Database, service: RoutingService) -> None:
    """Run until cancelled: refresh on every notification, on each new connection, and every
    `LOOK_SECONDS`.

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
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await changed.wait()
        finally:
            if not connection.is_closed():
                connection.remove_termination_listener(on_notify)
                await connection.remove_listener(CHANNEL, on_notify)
