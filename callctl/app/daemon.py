"""Lifetimes: what starts when, and ends in which order.

Order of start does not matter: without PostgreSQL the fallback dialplan decides calls, without
Asterisk the history works, and each part joins in when it is back.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import IO

from callctl.app.ami import subscribe
from callctl.app.call_path import build_agi_server, build_journal_reader
from callctl.app.jobs import Jobs, jobs_from_the_start, jobs_with_database, until_done
from callctl.app.lock import take_lock
from callctl.app.services import Services
from callctl.app.web import build_web, list_endpoints
from callctl.asterisk.conf import write_files
from callctl.config import REMEMBERED_FILE, Settings, dump_settings
from callctl.core.errors import CallctlError
from callctl.db.opening import migrate_when_reachable, open_database_url
from callctl.db.pool import Database
from callctl.http.endpoint import Endpoint
from callctl.http.server import HttpServer
from callctl.telemetry.clock import utc_now
from callctl.telemetry.log import get_logger

log = get_logger("daemon")


class Daemon(Services):
    """Everything of one callctl beside one Asterisk. Use as an async context manager."""

    def __init__(self, settings: Settings, db: Database, database_url: str) -> None:
        super().__init__(settings, db)
        self.database_url = database_url
        self.agi = build_agi_server(self)
        self.http_port = 0
        self.ready = asyncio.Event()
        self._http = HttpServer(build_web(self))
        self._jobs = Jobs()
        self._lock: IO[str] | None = None

    def endpoints(self) -> list[Endpoint]:
        """Every operation of the API, by feature."""
        return list_endpoints(self)

    async def __aenter__(self) -> "Daemon":
        self._lock = take_lock(self.settings.state_dir, self.settings.systemname)
        write_files(self.settings.state_dir, {REMEMBERED_FILE: dump_settings(self.settings)}, 0o600)
        await self.agi.start()
        await self.ami.start()
        subscribe(self.ami, lambda: self.reader, self.limits, self.devices)
        self.http_port = await self._http.start(self.settings.http_host, self.settings.http_port)
        self._jobs.start("start", self._start_with_database)
        self.channel_watch.start()
        for name, job in jobs_from_the_start(self).items():
            self._jobs.start(name, job)
        log.info("started", http=f"http://{self.settings.http_host}:{self.http_port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.agi.stop()
        self.events.hub.close()
        await self._http.stop()
        await self._jobs.stop()
        if self.reader is not None:
            self.reader.close()
        with contextlib.suppress(CallctlError):
            await self.routing.save_memory()
            await self.limits.flush()
            await self.spend.refresh()
        await self.ami.stop()
        await self.numbers.close()
        if self._lock is not None:
            self._lock.close()
        log.info("stopped")

    async def _start_with_database(self) -> None:
        """What needs PostgreSQL once: accounts, the routing table; then what reads for ever."""
        await until_done(self._prepare)
        self.reader = build_journal_reader(self)
        for name, job in jobs_with_database(self, self.reader).items():
            self._jobs.start(name, job)
        self.ready.set()

    async def _prepare(self) -> None:
        await migrate_when_reachable(self.database_url)
        self.default_account_id = (await self.access.bootstrap()).account_id
        await self.tariff_memory.refresh(self.db, utc_now())
        await self.routing.load()
        await self.limits.restore()
        await self.spend.restore()
        await self.long_calls.load()
        self.loaded = True
        await self.provisioning.provision(self.routing.table)


@contextlib.asynccontextmanager
async def open_daemon(settings: Settings) -> AsyncIterator[Daemon]:
    """A running daemon with its database. Raises AlreadyRunning, MigrationError, OSError."""
    async with open_database_url(settings) as url:
        with contextlib.suppress(CallctlError):
            # PostgreSQL that is away is waited for; a wrong schema stops the start.
            await migrate_when_reachable(url)
        db = await Database.connect(url)
        try:
            async with Daemon(settings, db, url) as daemon:
                yield daemon
        finally:
            await db.close()
