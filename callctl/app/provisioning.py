"""Asterisk's files: written when the routing changes, and reloaded."""

import asyncio
import gc
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError
from callctl.asterisk.provision import modules_to_reload, render_provisioning, write_provisioning
from callctl.core.routing.model import RoutingTable
from callctl.features.routing.service import RoutingService
from callctl.telemetry.log import get_logger
from callctl.telemetry.memory import release_memory
from callctl.telemetry.metrics import PROVISIONED

log = get_logger("daemon")

PAID_SECONDS_EVERY = 60.0


class Provisioning:
    """Keeps the files in `directory` as the routing wants them."""

    def __init__(
        self,
        directory: Path,
        ami: AmiClient,
        routing: Callable[[], RoutingService],
        paid_seconds: Callable[[], Mapping[int, int]],
    ) -> None:
        self._directory = directory
        self._ami = ami
        self._routing = routing
        self._paid_seconds = paid_seconds
        self._written_seconds: Mapping[int, int] = {}
        self._writing = asyncio.Lock()

    async def keep_paid_seconds(self) -> None:
        """Until cancelled: write anew when accounts come to money or lose it, so that the fallback
        dialplan knows what was so a minute before the daemon is gone."""
        while True:
            await asyncio.sleep(PAID_SECONDS_EVERY)
            if await asyncio.to_thread(self._paid_seconds) != self._written_seconds:
                await self.provision(self._routing().table)

    async def provision(self, table: RoutingTable) -> None:
        """Write what Asterisk must know, and have it reloaded. Phones keep working meanwhile.

        In a thread, since a large table takes seconds to write out and calls do not wait; one at
        a time, the newest table last.
        """
        async with self._writing:
            if table is self._routing().table:
                await self._write_and_reload(table)

    async def _write_and_reload(self, table: RoutingTable) -> None:
        # A tariff may have hundreds of thousands of rates.
        paid_seconds = await asyncio.to_thread(self._paid_seconds)
        try:
            changed = await asyncio.to_thread(self._write_files, table, paid_seconds)
            self._written_seconds = paid_seconds
            await self._reload(modules_to_reload(changed))
        except (OSError, AmiError) as error:
            PROVISIONED.labels("failed").inc()
            log.error("provisioning_failed", error=str(error))
        else:
            PROVISIONED.labels("done").inc()
            log.info("provisioned", files=list(changed), revision=table.revision)
        # What is in memory now is there to stay. Were the collector to look through it again and
        # again, calls would wait for their plan meanwhile: 50 ms with 5,000 extensions.
        gc.collect()
        gc.freeze()
        # After the collection, which empties what the interpreter keeps for reuse.
        await asyncio.to_thread(release_memory)

    def _write_files(self, table: RoutingTable, paid_seconds: Mapping[int, int]) -> tuple[str, ...]:
        year = datetime.now(UTC).year
        files = render_provisioning(table, self._routing().credentials, year, paid_seconds)
        return write_provisioning(self._directory, files)

    async def _reload(self, modules: Sequence[str]) -> None:
        # An Asterisk that is away reads the files when it starts.
        if modules and self._ami.state.connected:
            await self._ami.reload(modules)
