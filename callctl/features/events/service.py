"""The stream of events as server-sent events (WHATWG HTML, 9.2)."""

import asyncio
import time
from collections.abc import AsyncGenerator

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EVENT_SCOPES, EventKind
from callctl.db.outbox import EventPosition, ReadEvent
from callctl.db.pool import Database
from callctl.features.events.hub import EventHub
from callctl.features.events.model import EventFilters, EventView
from callctl.features.events.store import delete_old, get_deleted_until
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger("events")

STREAM_SECONDS = 900.0
"""A stream ends by itself and is resumed by its client, so that a right that was taken away does
not go on for ever."""
HEARTBEAT_SECONDS = 15.0
HOUSEKEEPING_SECONDS = 600.0


class EventService:
    """`hub.run` and `run_housekeeping` are jobs of the daemon."""

    def __init__(self, db: Database, *, most_streams: int, retention_days: int) -> None:
        self._db = db
        self.hub = EventHub(db, most_streams)
        self._retention_days = retention_days

    async def stream(
        self, actor: Actor, filters: EventFilters, header: str
    ) -> AsyncGenerator[bytes, None]:
        """The stream's text in pieces, an empty one when there was nothing for a while. Raises,
        before the first piece, CallctlError("invalid_field") for a position that is none."""
        after = parse_position(header or filters.last_event_id or "")
        wanted = frozenset(filters.kind or EventKind)
        ends_at = time.monotonic() + STREAM_SECONDS
        beat_at = 0.0
        lost = False
        if after is not None and after > EventPosition():
            lost = after < await get_deleted_until(self._db)
        yield b"retry: 2000\n\n" + (b"event: lost\ndata: {}\n\n" if lost else b"")
        async for position, page in self.hub.follow(actor.account_id, after):
            shown = [e for e in page if e.kind in wanted and may_see(actor, e)]
            now = time.monotonic()
            if page or now >= beat_at:
                beat_at = now + HEARTBEAT_SECONDS
                beat = f": now\nid: {position}\n\n".encode()
                yield b"".join(map(render_event, shown)) + beat
            else:
                yield b""
            if now > ends_at:
                return

    async def run_housekeeping(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            try:
                await delete_old(self._db, self._retention_days)
            except CallctlError as error:
                log.warning("events_not_deleted", error=error.message)


def parse_position(text: str) -> EventPosition | None:
    """``12-34`` or ``0``; None for nothing. Raises CallctlError("invalid_field")."""
    if not text:
        return None
    parts = text.split("-")
    if len(parts) > 2 or not all(p.isascii() and p.isdecimal() and len(p) <= 18 for p in parts):
        raise CallctlError("invalid_field", "is no id of an event", "header.Last-Event-ID")
    return EventPosition(*map(int, parts))


def may_see(actor: Actor, event: ReadEvent) -> bool:
    """By the actor's scopes, and for somebody with calls of their own only by those they are in."""
    try:
        scope = EVENT_SCOPES[EventKind(event.kind)]
    except ValueError:
        return False
    if scope not in actor.scopes:
        return False
    own = actor.calls.extensions
    return own is None or not set(own).isdisjoint(event.data.get("extensions") or ())


def view_of(event: ReadEvent) -> EventView:
    return EventView(
        event.position.id, event.kind, event.subject, event.created_at, dict(event.data)
    )


def render_event(event: ReadEvent) -> bytes:
    """One server-sent event; JSON has no line breaks."""
    head = f"id: {event.position}\nevent: {event.kind}\ndata: "
    return head.encode() + msgspec.json.encode(view_of(event)) + b"\n\n"
