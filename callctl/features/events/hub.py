"""The outbox read once for all streams: what is new is handed on from memory, what is older is
read by the stream that asks for it. Nothing is lost or doubled, because everything goes by
positions and each stream has its own."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from callctl.core.errors import CallctlError
from callctl.db.outbox import EventPosition, ReadEvent, read_end, read_events
from callctl.db.pool import Database
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import EVENT_STREAMS

log = get_logger("events")

POLL_SECONDS = 0.2
TICK_SECONDS = 1.0
PAGE = 500
IN_MEMORY = 5_000
"""Events kept for streams that are a little behind; one that is further behind reads by itself."""
RETRY_SECONDS = 1.0


class EventHub:
    """Streams of one daemon, at most `most_streams`."""

    def __init__(self, db: Database, most_streams: int) -> None:
        self._db = db
        self._most_streams = most_streams
        self._streams = 0
        self._wanted = asyncio.Event()
        # A crowd that comes back far behind must leave connections to others.
        self._reading = asyncio.Semaphore(2)
        self._changed = asyncio.Event()
        self._closed = False
        self._recent: deque[ReadEvent] = deque()
        self._since: EventPosition | None = None
        """`_recent` holds every event after it, up to `_end`; None while nobody reads."""
        self._end = EventPosition()

    @contextmanager
    def open_stream(self) -> Iterator[None]:
        """Counts one stream. Raises CallctlError("too_many_streams")."""
        if self._streams >= self._most_streams:
            raise CallctlError("too_many_streams", f"there are {self._streams} streams already")
        self._streams += 1
        EVENT_STREAMS.set(self._streams)
        self._wanted.set()
        try:
            yield
        finally:
            self._streams -= 1
            EVENT_STREAMS.set(self._streams)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._tell()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._since = None
            self._wanted.clear()
            if not self._streams:
                await self._wanted.wait()
            try:
                await self._read_on()
            except CallctlError as error:
                log.warning("events_wait", error=error.message)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_on(self) -> None:
        async with self._db.connection() as connection:
            self._end = await read_end(connection)
        self._recent.clear()
        self._since = self._end
        self._tell()
        while self._streams:
            async with self._db.connection() as connection:
                events = await read_events(connection, self._end, PAGE)
            if events:
                self._recent += events
                self._end = events[-1].position
                while len(self._recent) > IN_MEMORY:
                    self._since = self._recent.popleft().position
                self._tell()
            if len(events) < PAGE:
                await asyncio.sleep(POLL_SECONDS)

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def follow(
        self, account_id: int, after: EventPosition | None
    ) -> AsyncIterator[tuple[EventPosition, list[ReadEvent]]]:
        """Pages of an account's events after `after` (None: from now on), each with the position
        that it leads to; an empty one when there was none for a while. Ends when the hub closes."""
        position = after
        while not self._closed:
            changed = self._changed
            page: list[ReadEvent] = []
            if self._since is not None:
                start = self._end if position is None else position
                page, position = await self._next(account_id, start)
            if page and position is not None:
                yield position, page
            elif changed is self._changed:
                try:
                    async with asyncio.timeout(TICK_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    yield position or self._end, []

    async def _next(
        self, account_id: int, after: EventPosition
    ) -> tuple[list[ReadEvent], EventPosition]:
        end = self._end
        if self._since is not None and after >= self._since:
            page = []
            for event in reversed(self._recent):
                if event.position <= after:
                    break
                if event.account_id == account_id:
                    page.append(event)
            return page[::-1], max(end, after)
        try:
            async with self._reading, self._db.connection() as connection:
                page = await read_events(connection, after, PAGE, account_id)
        except CallctlError:
            await asyncio.sleep(RETRY_SECONDS)
            return [], after
        if len(page) == PAGE:
            return page, page[-1].position
        # Everything there was when `end` was seen has been read, of other accounts too.
        return page, max(end, page[-1].position if page else after)
