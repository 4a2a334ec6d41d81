"""Writing calls: whole batches in one transaction with the journal's position.

New calls go in by COPY; a call that is rebuilt keeps its row and its id, so that what hangs on it
(recordings, notes, charges) stays.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from callctl.core.calls.record import Attempt, CallRecord, StoredRecord
from callctl.core.calls.render import (
    involved_extensions,
    is_missed,
    talk_seconds,
    total_seconds,
    wait_seconds,
)
from callctl.core.routing.encoding import encode_why
from callctl.core.routing.plan import Direction
from callctl.db.numbers import save_numbers

COPY_CALLS = 100
"""Calls written out at a time: milliseconds, in which nobody else in the daemon has a turn."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A record with what only the store knows: its account, its numbers in E.164, its rows."""

    record: CallRecord
    account_id: int
    from_number: str | None
    to_number: str | None
    destination_number: str | None
    rows: bytes

    def as_stored(self, id_: int, *, new: bool) -> StoredRecord:
        """What others are told of it, inside the transaction that stores it."""
        numbers = (self.from_number, self.to_number, self.customer_number)
        return StoredRecord(id_, self.account_id, self.record, *numbers, new)

    @property
    def customer_number(self) -> str | None:
        """The outside party's number (R001-10); None inside the house."""
        match self.record.direction:
            case Direction.INBOUND:
                return self.from_number
            case Direction.OUTBOUND:
                return self.to_number
            case Direction.INTERNAL:
                return None


def instant(us: int) -> datetime:
    """Microseconds since the epoch as UTC; exact, where a float would round."""
    return _EPOCH + timedelta(microseconds=us)


def maybe_instant(us: int | None) -> datetime | None:
    return None if us is None else instant(us)


def pack_rows(raw: Iterable[bytes]) -> bytes:
    return zlib.compress(b"".join(raw), 1)


def unpack_rows(packed: bytes) -> bytes:
    return zlib.decompress(packed)


EXISTING_CALLS = """
select l.call, l.uniqueid, r.rows from legs l join call_rows r on r.call = l.call
where l.uniqueid = any($1::text[])
"""
NEXT_CALL_IDS = """
select nextval(pg_get_serial_sequence('calls', 'id')) from generate_series(1, $1::int)
"""
DELETE_CALLS = "delete from calls where id = any($1::bigint[])"
TAKE_CLIENT_TYPE = """
insert into call_clients (call, account_id, number_id, type_id, started_at)
select $1, account_id, number_id, type_id, started_at from call_clients
where call = any($2::bigint[]) order by call limit 1
on conflict (call) do nothing
"""
POSITION_SELECT = "select generation, position from journal_positions where systemname = $1"
POSITION_UPSERT = """
insert into journal_positions (systemname, generation, position) values ($1, $2, $3)
on conflict (systemname) do update
set generation = excluded.generation, position = excluded.position, updated_at = now()
"""
QUARANTINE_INSERT = """
insert into journal_quarantine (systemname, generation, position, reason, raw)
values ($1, $2, $3, $4, $5)
on conflict (systemname, generation, position) do nothing
"""
RECORDINGS_INSERT = """
insert into recordings (call, account_id, file, started_at)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[])
on conflict (file) do update set call = excluded.call, account_id = excluded.account_id
"""

HAS_RECORDING = """
update calls c set has_recording = exists (
    select 1 from recordings r where r.call = c.id and r.state in ('pending', 'available'))
where c.id = $1
"""

CALL_COLUMNS = (
    "id",
    "account_id",
    "call_id",
    "linkedids",
    "direction",
    "from_number_id",
    "from_name",
    "extension",
    "to_number_id",
    "answered_by",
    "destination_number_id",
    "customer_number_id",
    "did",
    "route",
    "trunk",
    "plan_id",
    "why",
    "started_at",
    "answered_at",
    "ended_at",
    "wait_seconds",
    "talk_seconds",
    "total_seconds",
    "disposition",
    "missed",
    "has_recording",
    "tried",
    "completeness",
)
LEG_COLUMNS = (
    "call",
    "position",
    "uniqueid",
    "channel",
    "endpoint",
    "extension",
    "number",
    "started_at",
    "answered_at",
    "ended_at",
    "cause",
)
ATTEMPT_COLUMNS = (
    "call",
    "position",
    "extension",
    "number",
    "endpoint",
    "started_at",
    "seconds",
    "result",
    "cause",
)
EXTENSION_COLUMNS = ("account_id", "extension", "started_at", "call")

# Column names above are constants of this file: nothing of a call gets into this text.
CALL_UPDATE = (
    "update calls set "  # noqa: S608
    + ", ".join(f"{name} = ${i}" for i, name in enumerate(CALL_COLUMNS[1:], 2))
    + ", changed_at = clock_timestamp() where id = $1"
)


async def find_existing(
    connection: Any, uniqueids: Sequence[str]
) -> dict[int, tuple[set[str], bytes]]:
    """Stored calls that any of `uniqueids` is a leg of: id → (those legs, its rows)."""
    found: dict[int, tuple[set[str], bytes]] = {}
    for row in await connection.fetch(EXISTING_CALLS, list(uniqueids)):
        if row["call"] in found:
            found[row["call"]][0].add(row["uniqueid"])
        else:
            found[row["call"]] = ({row["uniqueid"]}, unpack_rows(row["rows"]))
    return found


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows for one table, in the order of `columns`."""

    table: str
    columns: tuple[str, ...]
    records: list[tuple[Any, ...]]


def render_rows(
    pairs: Sequence[tuple[int, StoredCall]], numbers: Mapping[str, int]
) -> list[TableRows]:
    """Calls with their ids as rows: the calls themselves first, then what hangs on them."""
    return [
        TableRows("calls", CALL_COLUMNS, [_call_row(i, c, numbers) for i, c in pairs]),
        *_render_parts(pairs),
    ]


def _render_parts(pairs: Sequence[tuple[int, StoredCall]]) -> list[TableRows]:
    extensions = [
        (c.account_id, e, instant(c.record.started_us), i)
        for i, c in pairs
        for e in involved_extensions(c.record)
    ]
    return [
        TableRows("legs", LEG_COLUMNS, [r for i, c in pairs for r in _leg_rows(i, c)]),
        TableRows("attempts", ATTEMPT_COLUMNS, [r for i, c in pairs for r in _attempt_rows(i, c)]),
        TableRows("call_extensions", EXTENSION_COLUMNS, extensions),
        TableRows("call_rows", ("call", "rows"), [(i, c.rows) for i, c in pairs]),
    ]


async def insert_calls(connection: Any, calls: Sequence[StoredCall]) -> list[int]:
    """COPY new calls and their parts; returns their ids, for the sums."""
    if not calls:
        return []
    ids = [r[0] for r in await connection.fetch(NEXT_CALL_IDS, len(calls))]
    numbers = await save_numbers_of(connection, calls)
    pairs = list(zip(ids, calls, strict=True))
    for start in range(0, len(pairs), COPY_CALLS):
        await _copy(connection, render_rows(pairs[start : start + COPY_CALLS], numbers))
    await _save_recordings(connection, pairs)
    return ids


async def replace_call(connection: Any, id_: int, call: StoredCall, losers: Sequence[int]) -> None:
    """Write a rebuilt call over the stored one; `losers` turned out to be parts of it.

    Recordings, notes, holds, costs and what type its client had move along; everything else about
    a call is a function of its rows. The sums must have been told before
    (`RollupChanges.before_change`).
    """
    number_ids = await save_numbers_of(connection, [call])
    if losers:
        for table in ("recordings", "call_notes", "legal_holds", "call_costs"):
            await connection.execute(
                f"update {table} set call = $1 where call = any($2::bigint[])",  # noqa: S608
                id_,
                list(losers),
            )
        await connection.execute(TAKE_CLIENT_TYPE, id_, list(losers))
        await connection.execute(DELETE_CALLS, list(losers))
    for table in ("legs", "attempts", "call_extensions", "call_rows"):
        await connection.execute(f"delete from {table} where call = $1", id_)  # noqa: S608
    await connection.execute(CALL_UPDATE, *_call_row(id_, call, number_ids))
    await _copy(connection, _render_parts([(id_, call)]))
    await _save_recordings(connection, [(id_, call)])
    await connection.execute(HAS_RECORDING, id_)


async def _copy(connection: Any, tables: Iterable[TableRows]) -> None:
    for rows in tables:
        if rows.records:
            await connection.copy_records_to_table(
                rows.table, columns=rows.columns, records=rows.records
            )


async def _save_recordings(connection: Any, pairs: Sequence[tuple[int, StoredCall]]) -> None:
    """A file that several calls name is the last one's, and began when the first says."""
    found: dict[str, tuple[int, int, str, datetime]] = {}
    for id_, call in pairs:
        for recording in call.record.recordings:
            file = recording.file
            began = found[file][3] if file in found else instant(recording.started_us)
            found[file] = (id_, call.account_id, file, began)
    if found:
        await connection.execute(RECORDINGS_INSERT, *zip(*found.values(), strict=True))


async def save_numbers_of(connection: Any, calls: Iterable[StoredCall]) -> Mapping[str, int]:
    """Ids of all numbers of `calls`, made where they are new."""
    parties = ((c.from_number, c.to_number, c.destination_number) for c in calls)
    return await save_numbers(connection, (n for numbers in parties for n in numbers if n))


def tried_labels(record: CallRecord) -> list[str]:
    """``101 NOANSWER`` per attempt, in order: what a history shows in its column *tried*.

    A trunk stands there by its name; the number dialled is the call's.
    """
    return [f"{_tried(attempt)} {attempt.result.value}" for attempt in record.attempts]


def _tried(attempt: Attempt) -> str:
    name = (attempt.endpoint or "").partition("/")[2]
    return attempt.extension or name or attempt.number or "?"


def _call_row(id_: int, call: StoredCall, numbers: Mapping[str, int]) -> tuple[Any, ...]:
    record = call.record
    number_id: dict[str | None, int | None] = {None: None}
    number_id.update(numbers)
    return (
        id_,
        call.account_id,
        record.call_id,
        list(record.linkedids),
        record.direction.value,
        number_id[call.from_number],
        record.from_name,
        record.extension,
        number_id[call.to_number],
        record.answered_by,
        number_id[call.destination_number],
        number_id[call.customer_number],
        record.did,
        record.route,
        record.trunk,
        record.plan_id,
        encode_why(record.why),
        instant(record.started_us),
        maybe_instant(record.answered_us),
        instant(record.ended_us),
        wait_seconds(record),
        talk_seconds(record),
        total_seconds(record),
        record.disposition.value,
        is_missed(record),
        bool(record.recordings),
        tried_labels(record),
        record.completeness.value,
    )


def _leg_rows(id_: int, call: StoredCall) -> Iterable[tuple[Any, ...]]:
    for position, leg in enumerate(call.record.legs):
        yield (
            id_,
            position,
            leg.uniqueid,
            leg.channel,
            leg.endpoint,
            leg.extension,
            leg.number,
            instant(leg.started_us),
            maybe_instant(leg.answered_us),
            maybe_instant(leg.ended_us),
            leg.cause,
        )


def _attempt_rows(id_: int, call: StoredCall) -> Iterable[tuple[Any, ...]]:
    for position, attempt in enumerate(call.record.attempts):
        yield (
            id_,
            position,
            attempt.extension,
            attempt.number,
            attempt.endpoint,
            instant(attempt.started_us),
            attempt.seconds,
            attempt.result.value,
            attempt.cause,
        )
