"""From the journal's file to calls in PostgreSQL: exactly once, whatever dies in between.

What a batch of calls is made of and the position to resume at are committed in one transaction.
The position is the oldest row that no stored call has; rows read again after a crash find their
call stored and change nothing. While PostgreSQL is away nothing is read: the file is the buffer.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import asyncpg

from callctl.asterisk.journal import Poison, RawRow, parse_row, split_rows
from callctl.asterisk.journal_files import JournalFiles, Position
from callctl.core.calls.assembly import CallAssembly, OpenCall
from callctl.core.calls.events import CelEvent
from callctl.core.calls.record import CallRecord, StoredRecord
from callctl.core.errors import CallctlError
from callctl.core.routing.model import RoutingTable
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.calls import store
from callctl.features.calls.record_maker import RecordMaker
from callctl.features.calls.rollups import RollupChanges
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import (
    CALLS_OPEN,
    CALLS_STORED,
    JOURNAL_LAG_BYTES,
    JOURNAL_QUARANTINED,
    JOURNAL_ROWS,
)

log = get_logger("journal")

BATCH_CALLS = 200
READ_ROWS = 4_000
"""Rows read at most before what is over is stored, so that a long backlog takes no more memory
than a short one; and enough of them for a whole batch."""

PAUSE_CALLS = 5
"""Calls built at a time: so long (a millisecond) a call that wants its plan may have to wait."""

POLL_SECONDS = 0.1
STORE_SECONDS = 1.0
"""From one transaction to the next while calls keep ending: a transaction costs more than the few
calls of a tenth of a second. The first call after a pause is stored at once."""
RETRY_SECONDS = 1.0
ROTATE_BYTES = 64 * 1024 * 1024
HOUSEKEEPING_SECONDS = 60.0

_CALL_AT_FAULT = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,
)
"""This call will never be stored, whatever is tried."""

_DATABASE_AT_FAULT = (CallctlError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""Everything else that can be wrong is the database's (its disk is full, a lock is held, it is
away): the same will work later, and nothing is read until then."""

OnCalls = Callable[[Sequence[CallRecord]], None]
"""Told of each batch after its commit: for what may be lost, like memory and live views."""

StoreStep = Callable[[Any, Sequence[StoredRecord]], Awaitable[None]]
"""Does, on the given connection, what belongs into the transaction that stores these calls: events,
clients, charges. Told of each call that is new, and again when it is rebuilt."""

BeforeStore = Callable[[Sequence[str]], Awaitable[None]]
"""Told of the channels (unique ids) of calls that are over, before the transaction that stores
them begins: for what must be written before it or not at all. It must not fail."""

OnChannels = Callable[[Sequence[str]], None]
"""Told which channels (unique ids) the rows just read speak of for the first time."""

OnRows = Callable[[Sequence[CelEvent]], None]
"""Told of every row that is read, before it is stored and perhaps again after a restart: for what
follows calls while they go on. It must be quick and cannot fail: nothing waits for it."""


async def _nothing_before(uniqueids: Sequence[str]) -> None:
    """For a reader alone."""


class JournalReader:
    """Reads the journal for ever. One per Asterisk (`systemname`)."""

    def __init__(
        self,
        files: JournalFiles,
        db: Database,
        table: Callable[[], RoutingTable],
        *,
        systemname: str,
        default_account_id: int,
        grace_seconds: float,
        retention_days: int,
        on_calls: OnCalls = lambda calls: None,
        on_channels: OnChannels = lambda uniqueids: None,
        on_rows: OnRows = lambda events: None,
        before_store: BeforeStore = _nothing_before,
        steps: Sequence[StoreStep] = (),
    ) -> None:
        self._files = files
        self._db = db
        self._maker = RecordMaker(table, default_account_id)
        self._systemname = systemname
        self._retention_days = retention_days
        self._on_calls = on_calls
        self._on_channels = on_channels
        self._on_rows = on_rows
        self._before_store = before_store
        self._steps = tuple(steps)
        self._grace_seconds = grace_seconds
        self._assembly = CallAssembly(grace_seconds)
        self._poison: list[tuple[int, Poison]] = []
        self._saved: Position | None = None
        self._began_us: int | None = None
        self._housekeeping_at = 0.0
        self._store_at = 0.0
        self.caught_up = asyncio.Event()
        self.last_error: str | None = None
        """What the database says to it, until it takes calls again."""
        self.unreadable: str | None = None
        """Why the journal's files cannot be read, until they can."""
        self.read_until: float | None = None
        """Whatever Asterisk had written by then (monotonic seconds) has been read."""

    async def run(self) -> None:
        """Until cancelled. A database that is away is waited for; nothing is lost by it.

        Run again after an error it begins anew at the stored position, as after a crash: rows in
        memory would be read a second time.
        """
        self._files.close()
        self._assembly = CallAssembly(self._grace_seconds)
        self._poison.clear()
        self.read_until = None
        await self._retry(self._find_position)
        with self._reading():
            self._open_files()
        while True:
            with self._reading():
                read = await self._read_ahead()
            self._cut_off()
            backlog = read >= READ_ROWS
            store_now = backlog or time.monotonic() >= self._store_at
            if store_now:
                least = BATCH_CALLS if backlog else 0
                await self._retry(partial(self._store_what_is_over, least))
            self._observe()
            if read:
                await asyncio.sleep(0)
            else:
                if store_now:
                    self.caught_up.set()
                    self._keep_house()
                await asyncio.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Let go of the files; call it when `run` has ended."""
        self._files.close()

    def asterisk_started(self, at: datetime) -> None:
        """AMI says that Asterisk began at `at`: calls from before it are cut off.

        Once all that it had written before is read, that is: their ends may be yet to come.
        """
        self._began_us = int(at.timestamp() * 1_000_000)

    def open_channels(self) -> frozenset[str]:
        """Channels whose start was read, and whose end was not."""
        return self._assembly.open_channels()

    def close_channels(self, uniqueids: Sequence[str]) -> tuple[str, ...]:
        """Asterisk has these no more: close their calls as truncated. Returns those still open."""
        return self._assembly.close_channels(uniqueids, time.monotonic())

    @property
    def problem(self) -> str | None:
        """What keeps it from going on, in the words of what refuses."""
        return self.unreadable or self.last_error

    @property
    def open_calls(self) -> int:
        return len(self._assembly)

    async def _retry(self, step: Callable[[], Any]) -> None:
        while True:
            try:
                await step()
            except _DATABASE_AT_FAULT as error:
                if self.last_error is None:
                    log.warning("journal_waits", error=str(error))
                self.last_error = str(error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if self.last_error is not None:
                    log.info("journal_goes_on")
                self.last_error = None
                return

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.unreadable = f"{error.filename or self._files.path}: {error.strerror or error}"
            raise
        self.unreadable = None

    async def _find_position(self) -> None:
        row = await self._db.fetchrow(store.POSITION_SELECT, self._systemname)
        self._saved = Position(row["generation"], row["position"]) if row else None

    def _open_files(self) -> None:
        if not self._files.open_at(self._saved):
            log.error("journal_position_lost", saved=str(self._saved))

    async def _read_ahead(self) -> int:
        """Read until there is nothing more or enough to store; returns the number of pieces."""
        count = 0
        while count < READ_ROWS and (read := self._read()):
            count += read
            await asyncio.sleep(0)
        return count

    def _read(self) -> int:
        """Take what is new into memory; returns the number of pieces."""
        now = time.monotonic()
        count = 0
        channels: list[str] = []
        events: list[CelEvent] = []
        for position, piece in self._files.read(now):
            count += 1
            event = piece if isinstance(piece, Poison) else parse_row(piece, position)
            if isinstance(event, Poison):
                self._assembly.note_damage(event.uniqueids)
                self._poison.append((position, event))
                channels += event.uniqueids
            elif event is not None and isinstance(piece, RawRow):
                self._assembly.add(event, piece.raw, now)
                events.append(event)
                if event.type == "CHAN_START":
                    channels.append(event.uniqueid)
        if channels:
            self._on_channels(channels)
        if events:
            self._on_rows(events)
        if self._files.at_end:
            self.read_until = now
        return count

    def _cut_off(self) -> None:
        """What was open before Asterisk began, and has no end in all there is, never ends."""
        if self._began_us is not None and self._files.at_end:
            self._assembly.asterisk_started(self._began_us, time.monotonic())
            self._began_us = None

    async def _store_what_is_over(self, least: int) -> None:
        """In a backlog `least` keeps a few calls for the next batch: each costs a transaction."""
        while True:
            calls = self._assembly.take_over(time.monotonic(), BATCH_CALLS)
            enough = len(calls) >= least if calls else self._moved()
            if not enough and not self._poison:
                return
            try:
                await self._store(calls)
            except _CALL_AT_FAULT as error:
                log.error("journal_batch_failed", error=str(error), calls=len(calls))
                for call in calls:
                    await self._store_or_quarantine(call)
            if len(calls) < BATCH_CALLS:
                return

    def _moved(self) -> bool:
        """Whether the position went on although no call is over (rows that belong to none)."""
        return len(self._assembly) == 0 and self._resume_position() != self._saved

    def _resume_position(self) -> Position | None:
        return self._files.resume_position(self._assembly.oldest_position())

    async def _store(self, calls: Sequence[OpenCall]) -> None:
        """One transaction: calls, quarantined rows, position."""
        stored: list[StoredRecord] = []
        poison = list(self._poison)
        built = await self._build_all(calls)
        await self._before_store([i for call in calls for i in call.ids])
        async with self._db.transaction() as connection:
            await connection.execute(WRITE_MODE)
            ids = [i for call in calls for i in call.ids]
            existing = await store.find_existing(connection, ids) if ids else {}
            known = {u for uniqueids, _ in existing.values() for u in uniqueids}
            fresh: list[store.StoredCall] = []
            sums = RollupChanges(connection)
            for call, new in zip(calls, built, strict=True):
                if known.isdisjoint(call.ids):
                    fresh.extend([new] if new else [])
                elif rebuilt := await self._rebuild(connection, call, sums):
                    stored.append(rebuilt)
            added = await store.insert_calls(connection, fresh)
            sums.added(added)
            stored += [c.as_stored(i, new=True) for i, c in zip(added, fresh, strict=True)]
            for step in self._steps if stored else ():
                await step(connection, stored)
            await sums.apply()
            await self._quarantine(connection, poison)
            position = self._position_without(calls)
            if position is not None:
                await connection.execute(
                    store.POSITION_UPSERT, self._systemname, position.generation, position.offset
                )
        self._committed(calls, [s.record for s in stored], poison, position)

    async def _build_all(self, calls: Sequence[OpenCall]) -> list[store.StoredCall | None]:
        """The calls' records, with pauses in which the daemon does what cannot wait."""
        built = []
        for number, call in enumerate(calls, 1):
            built.append(self._maker.make(call))
            if number % PAUSE_CALLS == 0:
                await asyncio.sleep(0)
        return built

    def _position_without(self, calls: Sequence[OpenCall]) -> Position | None:
        done = {e.position for call in calls for e in call.events}
        oldest = next((p for p in self._assembly.positions() if p not in done), None)
        return self._files.resume_position(oldest)

    async def _rebuild(
        self, connection: Any, call: OpenCall, sums: RollupChanges
    ) -> StoredRecord | None:
        """Add late rows to the stored call(s) they belong to; None when they are not new."""
        existing = await store.find_existing(connection, call.ids)
        stored = [raw for _, rows in existing.values() for raw in split_rows(rows)]
        built = self._maker.make_again(stored, call)
        if built is None:
            return None
        keep, *losers = sorted(existing)
        await sums.before_change((keep, *losers))
        await store.replace_call(connection, keep, built, losers)
        return built.as_stored(keep, new=False)

    async def _quarantine(self, connection: Any, poison: Sequence[tuple[int, Poison]]) -> None:
        for position, piece in poison:
            place = self._files.place(position)
            await connection.execute(
                store.QUARANTINE_INSERT,
                self._systemname,
                place.generation,
                place.offset,
                piece.reason,
                piece.raw,
            )

    async def _store_or_quarantine(self, call: OpenCall) -> None:
        """A call that cannot be stored must not stop the others: its rows are kept aside."""
        try:
            await self._store([call])
        except _CALL_AT_FAULT as error:
            log.error("call_quarantined", linkedid=call.root, error=str(error))
            first = call.events[0].position
            raw = b"".join(call.raw)
            self._poison.append((first, Poison(first, raw, f"call not stored: {error}", call.ids)))
            self._assembly.forget(call)
            await self._store([])

    def _committed(
        self,
        calls: Sequence[OpenCall],
        records: Sequence[CallRecord],
        poison: Sequence[tuple[int, Poison]],
        position: Position | None,
    ) -> None:
        for call in calls:
            self._assembly.forget(call)
        del self._poison[: len(poison)]
        self._saved = position
        JOURNAL_ROWS.inc(sum(len(c.events) for c in calls))
        JOURNAL_QUARANTINED.inc(len(poison))
        for record in records:
            CALLS_STORED.labels(record.direction.value, record.disposition.value).inc()
        if records:
            self._store_at = time.monotonic() + STORE_SECONDS
            self._on_calls(records)

    def _observe(self) -> None:
        CALLS_OPEN.set(len(self._assembly))
        JOURNAL_LAG_BYTES.set(self._files.behind_bytes())

    def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._housekeeping_at < HOUSEKEEPING_SECONDS:
            return
        self._housekeeping_at = now
        self._files.rotate(datetime.now(UTC), ROTATE_BYTES)
        for path in self._files.finished(time.time() - self._retention_days * 86_400):
            log.info("journal_file_removed", file=path.name)
            path.unlink(missing_ok=True)
