"""Calls that happen now, followed by a reader as the daemon has it; and an API to watch them."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from callctl.core.calls.not_live import Missing, NotLive
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.calls.reader import JournalReader
from callctl.features.events import api as events_api
from callctl.features.events.live import LiveDesk
from callctl.features.events.service import EventService
from callctl.features.events.steps import tell_stored_calls
from callctl.http.endpoint import Endpoint
from callctl.http.server import HttpServer, build_web_app
from tests.history.conftest import Desk, account_id, desk, eventually, fixture_rows

__all__ = ["account_id", "desk", "eventually"]


MOST_STREAMS = 16


def rows_now(name: str, seconds_ago: float = 2.0) -> list[bytes]:
    """A fixture's rows as if its first one had been written `seconds_ago`."""
    text = fixture_rows(name).decode()
    first = int(text[:10])
    shift = int(time.time() - seconds_ago) - first
    moved = re.sub(r"\b1795\d{6}\b", lambda m: str(int(m[0]) + shift), text)
    return moved.encode().splitlines(keepends=True)


@dataclass
class Following:
    """A reader with the live desk on it, both running."""

    desk: Desk
    live: LiveDesk
    reader: JournalReader
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        rows = await self.desk.db.fetch("select kind, subject, data from outbox order by txid, id")
        return [tuple(row) for row in rows]

    async def kinds(self) -> list[str]:
        return [kind for kind, _, _ in await self.events()]

    async def until_kinds(self, expected: Sequence[str]) -> None:
        async def there() -> bool:
            return await self.kinds() == list(expected)

        await eventually(there, f"{expected}")


@asynccontextmanager
async def following(desk: Desk, *more: Any) -> AsyncIterator[Following]:
    """`more`: further steps of the transaction that stores calls."""
    reader: JournalReader | None = None
    live = LiveDesk(
        desk.db,
        lambda: desk.table,
        default_account_id=lambda: desk.account_id,
        open_channels=lambda: reader.open_channels() if reader else frozenset(),
        why_not_live=lambda: None,
    )
    desk.steps = [*more, tell_stored_calls]
    reader = desk.reader(on_rows=live.rows_read, before_store=live.forget_news)
    tasks = [asyncio.create_task(reader.run()), asyncio.create_task(live.run())]
    try:
        yield Following(desk, live, reader, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        reader.close()


@dataclass(frozen=True)
class Api:
    url: str
    access: AccessService
    token: str
    client: aiohttp.ClientSession
    account_id: int

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {"Authorization": f"Bearer {token or self.token}"}

    async def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> tuple[int, Any]:
        async with self.client.request(
            method, self.url + path, json=body, headers=self.headers(token)
        ) as response:
            return response.status, await response.json() if response.status != 204 else None


Serve = Callable[[Sequence[Endpoint]], Awaitable[Api]]


@pytest.fixture
async def serve(db: Database) -> AsyncIterator[Serve]:
    """Starts an API of the given endpoints on the test's database."""
    async with AsyncExitStack() as stack:

        async def start(endpoints: Sequence[Endpoint]) -> Api:
            access = AccessService(AccessStore(db))
            made = await access.bootstrap()
            server = HttpServer(build_web_app(endpoints, access))
            port = await server.start("127.0.0.1", 0)
            stack.push_async_callback(server.stop)
            client = await stack.enter_async_context(
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            )
            return Api(
                f"http://127.0.0.1:{port}", access, made.token or "", client, made.account_id
            )

        yield start


@pytest.fixture
async def events(db: Database) -> AsyncIterator[EventService]:
    """With its hub at work."""
    service = EventService(db, most_streams=MOST_STREAMS, retention_days=14)
    task = asyncio.create_task(service.hub.run())
    yield service
    service.hub.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def api(serve: Serve, events: EventService, db: Database) -> Api:
    live = LiveDesk(
        db,
        lambda: None,  # type: ignore[arg-type, return-value]
        default_account_id=lambda: 0,
        open_channels=frozenset,
        why_not_live=lambda: NotLive(Missing.DATABASE, "waits for the database"),
    )
    return await serve(events_api.endpoints(live, events))
