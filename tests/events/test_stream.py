"""The stream of events: nothing lost, nothing doubled, nothing that is not for the one who asks."""

import asyncio
import json
import random
from typing import Any

import pytest

from callctl.core.event_kinds import EventKind
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.events import api as events_api
from callctl.features.events import hub as hub_module
from callctl.features.events.service import EventService, may_see
from callctl.features.events.store import delete_old
from callctl.http.endpoint import Actor

from .conftest import MOST_STREAMS, Api


def event(account_id: int, number: int, kind: EventKind = EventKind.CALL_ENDED) -> OutboxEvent:
    return OutboxEvent(account_id, kind, f"call:{number}", {"n": number, "extensions": ["201"]})


async def write(db: Database, *events: OutboxEvent) -> None:
    async with db.transaction() as connection:
        await append_events(connection, events)


class Stream:
    """A client that keeps what it saw and where it was, as a browser's EventSource does."""

    def __init__(self, api: Api, query: str = "") -> None:
        self.api = api
        self.query = query
        self.last_id = ""
        self.seen: list[tuple[str, dict[str, Any]]] = []

    async def read(self, until: int) -> None:
        """Connect, and read until `until` events were seen in all."""
        headers = self.api.headers()
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        url = f"{self.api.url}/api/v1/events{self.query}"
        async with asyncio.timeout(20), self.api.client.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            assert response.content_type == "text/event-stream"
            kind = ""
            pending_id = ""
            while len(self.seen) < until:
                line = (await response.content.readline()).decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if name == "id":
                    pending_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    self.seen.append((kind, json.loads(value)))
                elif not line and pending_id:
                    self.last_id = pending_id
                if name == "data":
                    self.last_id = pending_id or self.last_id

    @property
    def numbers(self) -> list[int]:
        return [data["data"]["n"] for _, data in self.seen]


async def test_all_events_come_once_in_order_to_a_client_that_breaks_off_again_and_again(
    api: Api, db: Database
) -> None:
    """Also with writers whose transactions end in another order than they began."""
    chance = random.Random(3)
    total = 120

    async def writer(numbers: list[int]) -> None:
        for number in numbers:
            async with db.transaction() as connection:
                await append_events(connection, [event(api.account_id, number)])
                await asyncio.sleep(chance.random() * 0.02)
                await append_events(connection, [event(api.account_id, number + 1000)])

    stream = Stream(api, "?last_event_id=0")
    writers = [asyncio.create_task(writer(list(range(first, total, 4)))) for first in range(4)]
    while len(stream.seen) < 2 * total:
        await stream.read(min(2 * total, len(stream.seen) + chance.randrange(20, 60)))
        stream.query = ""
    await asyncio.gather(*writers)
    rows = await db.fetch("select (data ->> 'n')::int from outbox order by txid, id")
    assert stream.numbers == [row[0] for row in rows]
    assert sorted(stream.numbers) == sorted([*range(total), *range(1000, 1000 + total)])


async def test_an_event_of_a_transaction_that_ends_late_is_not_passed_over(
    api: Api, db: Database
) -> None:
    stream = Stream(api, "?last_event_id=0")
    async with db.transaction() as early:
        await append_events(early, [event(api.account_id, 1)])
        await write(db, event(api.account_id, 2))
        reading = asyncio.create_task(stream.read(2))
        async with db.connection() as other:
            await other.execute("select 1")
        assert not reading.done()
    await reading
    assert stream.numbers == [1, 2]


async def test_a_stream_that_is_far_behind_reads_the_rest_by_itself(
    api: Api, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "IN_MEMORY", 3)
    monkeypatch.setattr(hub_module, "PAGE", 4)
    stream = Stream(api, "?last_event_id=0")
    await write(db, *(event(api.account_id, n) for n in range(10)))
    await stream.read(10)
    await write(db, *(event(api.account_id, n) for n in range(10, 40)))
    await stream.read(40)
    assert stream.numbers == list(range(40))


async def test_only_the_account_and_the_kinds_asked_for_are_shown(api: Api, db: Database) -> None:
    other = await db.fetchval(
        "insert into accounts (code, name, kind) values ('other', 'O', 'enterprise') returning id"
    )
    missed = EventKind.CALL_MISSED
    await write(
        db,
        event(other, 1, missed),
        event(api.account_id, 2),
        event(api.account_id, 3, missed),
        event(api.account_id, 4, EventKind.RECORDING_READY),
        event(api.account_id, 5, missed),
    )
    stream = Stream(api, "?last_event_id=0&kind=call.missed&kind=recording.ready")
    await stream.read(3)
    assert stream.numbers == [3, 4, 5]
    assert [kind for kind, _ in stream.seen] == ["call.missed", "recording.ready", "call.missed"]


async def test_scopes_and_own_extensions_decide_what_is_seen(
    api: Api, events: EventService, db: Database
) -> None:
    await write(db, event(api.account_id, 1), event(api.account_id, 2, EventKind.RECORDING_READY))
    pages = events.hub.follow(api.account_id, hub_module.EventPosition())
    with events.hub.open_stream():
        _, page = await anext(pages)
    await pages.aclose()  # type: ignore[attr-defined]
    call, recording = page
    everything = frozenset({"calls:read", "recordings:read"})
    assert may_see(Actor(1, "head", everything), recording)
    assert not may_see(Actor(1, "token", frozenset({"calls:read"})), recording)
    assert may_see(Actor(1, "own", everything, extensions=("201",)), call)
    assert not may_see(Actor(1, "own", everything, extensions=("202",)), call)
    assert not may_see(Actor(1, "none", everything, extensions=()), call)


async def test_more_streams_than_allowed_are_refused_and_a_closed_one_makes_room(api: Api) -> None:
    url = f"{api.url}/api/v1/events"
    opened = [await api.client.get(url, headers=api.headers()) for _ in range(MOST_STREAMS)]
    status, body = await api.ask("GET", "/api/v1/events")
    assert (status, body["error"]["code"]) == (429, "too_many_streams")
    for response in opened:
        response.close()
    async with asyncio.timeout(20):
        while True:
            response = await api.client.get(url, headers=api.headers())
            response.close()
            if response.status == 200:
                break
            await asyncio.sleep(0.05)


async def test_a_client_that_takes_nothing_is_dropped(
    api: Api, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_api, "WRITE_SECONDS", 0.2)
    dropped = events_api.EVENT_STREAMS_DROPPED
    before = dropped._value.get()
    url = f"{api.url}/api/v1/events?last_event_id=0"
    response = await api.client.get(url, headers=api.headers())
    big = {"n": 0, "extensions": [], "text": "x" * 500_000}
    for number in range(24):
        kind = EventKind.CALL_ENDED
        await write(db, OutboxEvent(api.account_id, kind, f"call:{number}", big))
    async with asyncio.timeout(20):
        while dropped._value.get() == before:
            await asyncio.sleep(0.05)
    response.close()


@pytest.mark.parametrize("text", ["x", "1-2-3", "-1", "1" * 40])
async def test_a_position_that_is_none_is_refused(api: Api, text: str) -> None:
    headers = api.headers() | {"Last-Event-ID": text}
    async with api.client.get(f"{api.url}/api/v1/events", headers=headers) as response:
        assert response.status == 422


async def test_who_resumes_before_what_was_deleted_is_told_that_events_are_lost(
    api: Api, db: Database
) -> None:
    await write(db, event(api.account_id, 1))
    stream = Stream(api, "?last_event_id=0")
    await stream.read(1)
    await write(db, event(api.account_id, 2))
    await db.execute("update outbox set created_at = now() - interval '20 days'")
    await write(db, event(api.account_id, 3))
    assert await delete_old(db, 14) == 2
    stream.query = ""
    await stream.read(3)
    assert [kind for kind, _ in stream.seen] == ["call.ended", "lost", "call.ended"]


async def test_the_view_of_calls_says_when_it_is_not_live(api: Api) -> None:
    status, body = await api.ask("GET", "/api/v1/calls/live")
    assert (status, body["live"], body["reason"]) == (200, False, "waits for the database")
    assert (body["missing"], body["since"]) == ("database", None)
