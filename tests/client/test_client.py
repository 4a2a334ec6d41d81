"""The Python client against a real server: calls, changes, events that go on after a break."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from callctl.client import ApiError, Client, WebhookError, read_webhook
from callctl.core.event_kinds import EventKind
from callctl.core.signature import sign
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.calls import api as calls_api
from callctl.features.events import api as events_api
from callctl.features.events import service as events_service
from callctl.features.events.live import LiveDesk
from callctl.features.events.service import EventService
from tests.events.conftest import Api, Serve, account_id, desk, events, serve
from tests.history.conftest import Desk, fixture_rows

__all__ = ["account_id", "desk", "events", "serve"]
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
async def api(serve: Serve, events: EventService, desk: Desk) -> Api:
    live = LiveDesk(
        desk.db,
        lambda: desk.table,
        default_account_id=lambda: desk.account_id,
        open_channels=frozenset,
        why_not_live=lambda: None,
    )
    api = await serve([*calls_api.endpoints(desk.service), *events_api.endpoints(live, events)])
    # The calls are those of the account that the token is of.
    desk.account_id = api.account_id
    for name in ("answered", "busy", "missed_by_all"):
        desk.write(fixture_rows(name))
    await desk.db.execute("update accounts set code = 'unused' where code = 'lab'")
    return api


@pytest.fixture
async def client(api: Api) -> AsyncIterator[Client]:
    async with Client(api.url + "/", api.token) as client:
        yield client


async def store_calls(desk: Desk, account: int) -> None:
    await desk.read_all(3)
    await desk.db.execute("update calls set account_id = $1", account)


async def test_calls_come_page_by_page_and_by_their_filters(
    client: Client, desk: Desk, api: Api
) -> None:
    await store_calls(desk, api.account_id)
    assert len([c async for c in client.calls(limit=1)]) == 3
    missed = [c async for c in client.calls(missed=True, since=LONG_AGO)]
    assert [c.missed for c in missed] == [True, True]
    detail = await client.call(missed[0].id)
    assert detail.call == missed[0]
    assert (await client.live()).live


async def test_changes_go_on_from_the_last_one(client: Client, desk: Desk, api: Api) -> None:
    await store_calls(desk, api.account_id)
    changes = [c async for c in client.changes(LONG_AGO, limit=2)]
    assert [c.changed_at for c in changes] == sorted(c.changed_at for c in changes)
    last = changes[-1]
    seen = [(last.id, last.changed_at)]
    assert [c async for c in client.changes(last.changed_at, seen=seen)] == []


async def test_errors_have_their_code_and_times_need_a_zone(client: Client) -> None:
    with pytest.raises(ApiError, match="not_found") as caught:
        await client.call(999)
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    with pytest.raises(ValueError, match="lacks its zone"):
        await anext(client.calls(since=datetime(2026, 1, 1)))  # noqa: DTZ001


async def test_events_go_on_where_a_stream_ended(
    client: Client, api: Api, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every stream ends after one page, as the server's do after a quarter of an hour.
    monkeypatch.setattr(events_service, "STREAM_SECONDS", 0.0)
    seen: list[int] = []

    async def watch() -> None:
        async for _, event in client.events(EventKind.CALL_ENDED, after="0"):
            seen.append(event.data["n"])
            if len(seen) == 5:
                return

    watching = asyncio.create_task(watch())
    for number in range(5):
        async with db.transaction() as connection:
            kind, data = EventKind.CALL_ENDED, {"n": number}
            await append_events(connection, [OutboxEvent(api.account_id, kind, "call:1", data)])
    async with asyncio.timeout(20):
        await watching
    assert seen == [0, 1, 2, 3, 4]


BODY = (
    b'{"id":7,"kind":"call.ended","subject":"call:1","created_at":"2026-11-27T10:00:00Z","data":{}}'
)


def test_a_webhook_is_read_only_with_its_secret() -> None:
    now = int(time.time())
    headers = {
        "CALLCTL-Timestamp": str(now),
        "callctl-signature": sign(["s"], now, BODY),
        "Callctl-Delivery": "3-7",
    }
    delivery, event = read_webhook("s", headers, BODY)
    assert (delivery, event.id, event.kind) == ("3-7", 7, "call.ended")
    for secret, body in (("other", BODY), ("s", BODY + b" ")):
        with pytest.raises(WebhookError):
            read_webhook(secret, headers, body)
    headers["callctl-signature"] = sign(["s"], now, b"[]")
    with pytest.raises(WebhookError, match="holds no event"):
        read_webhook("s", headers, b"[]")
