"""Webhooks with their API, a deliverer at work, and a program that is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from callctl.core.event_kinds import EventKind
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.notices import api as notices_api
from callctl.features.notices.service import NoticeService
from callctl.features.webhooks import api as webhooks_api
from callctl.features.webhooks.delivery import Deliverer
from callctl.features.webhooks.service import WebhookService
from callctl.features.webhooks.store import WebhookStore
from callctl.features.webhooks.targets import Targets
from tests.events.conftest import Api, Serve, eventually, serve

from .receiver import Receiver, receiving

__all__ = ["serve"]

TARGETS = Targets(["127.0.0.0/8"])


@dataclass
class Post:
    """What a test of webhooks works with."""

    api: Api
    db: Database
    receiver: Receiver

    async def create(self, url: str = "", kinds: tuple[str, ...] = ("call.ended",)) -> Any:
        status, body = await self.api.ask(
            "POST", "/api/v1/webhooks", {"url": url or self.receiver.url, "kinds": list(kinds)}
        )
        assert status == 201, body
        return body

    async def write(self, *numbers: int, subject: str = "") -> None:
        """Events of that many calls, or of the one call `subject`."""
        kind = EventKind.CALL_ENDED
        async with self.db.transaction() as connection:
            await append_events(
                connection,
                [
                    OutboxEvent(self.api.account_id, kind, subject or f"call:{n}", {"n": n})
                    for n in numbers
                ],
            )

    @asynccontextmanager
    async def at_work(self, **options: Any) -> AsyncIterator[None]:
        """A deliverer that tries again at once, unless told otherwise."""
        options = {"wait": lambda attempts, chance: 0.01, "timeout_seconds": 1.0} | options
        deliverer = Deliverer(WebhookStore(self.db), TARGETS, **options)
        task = asyncio.create_task(deliverer.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def accepted(self, numbers: list[int]) -> None:
        async def there() -> bool:
            return self.receiver.numbers == numbers

        await eventually(there, f"{numbers} arrive, not {self.receiver.numbers}")

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        await eventually(condition, what)

    async def deliveries(self, webhook: int, query: str = "") -> list[Any]:
        status, body = await self.api.ask("GET", f"/api/v1/webhooks/{webhook}/deliveries{query}")
        assert status == 200, body
        return list(body["items"])


@pytest.fixture
async def post(serve: Serve, db: Database) -> AsyncIterator[Post]:
    service = WebhookService(WebhookStore(db), TARGETS)
    endpoints = [*webhooks_api.endpoints(service), *notices_api.endpoints(NoticeService(db))]
    api = await serve(endpoints)
    # The place in the outbox from which webhooks are told.
    await WebhookStore(db).fan_out()
    async with receiving() as receiver:
        yield Post(api, db, receiver)


ONE_DAY = timedelta(days=1)
