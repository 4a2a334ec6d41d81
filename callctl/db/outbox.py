"""Events written in the transaction of what they tell of (migrations/0006_outbox.sql)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callctl.core.event_kinds import EventKind

OUTBOX_INSERT = """
insert into outbox (account_id, kind, subject, data, once)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::jsonb[], $5::text[])
on conflict (once) where once is not null do nothing
"""

EVENTS_AFTER = """
select txid::text::bigint as txid, id, account_id, kind, subject, data, created_at from outbox
where (txid, id) > ($1::bigint::text::xid8, $2::bigint)
  and txid < pg_snapshot_xmin(pg_current_snapshot())
order by txid, id limit $3
"""

EVENTS_OF_ACCOUNT_AFTER = """
select txid::text::bigint as txid, id, account_id, kind, subject, data, created_at from outbox
where account_id = $4 and (txid, id) > ($1::bigint::text::xid8, $2::bigint)
  and txid < pg_snapshot_xmin(pg_current_snapshot())
order by txid, id limit $3
"""

OUTBOX_END = """
select txid::text::bigint as txid, id from outbox
where txid < pg_snapshot_xmin(pg_current_snapshot())
order by txid desc, id desc limit 1
"""


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """One thing that has happened. `subject` is what it is about, like ``call:12``: events of one
    subject are told in their order. `data` is what msgspec can write as JSON. Of several events
    with the same `once` only the first is written."""

    account_id: int
    kind: EventKind
    subject: str
    data: Mapping[str, Any]
    once: str | None = None


@dataclass(frozen=True, slots=True, order=True)
class EventPosition:
    """A place in the outbox. Everything before one that was read stays as it is."""

    txid: int = 0
    id: int = 0

    def __str__(self) -> str:
        return f"{self.txid}-{self.id}"


@dataclass(frozen=True, slots=True)
class ReadEvent:
    """An event as it is read back."""

    position: EventPosition
    account_id: int
    kind: str
    subject: str
    data: Mapping[str, Any]
    created_at: datetime


async def append_events(connection: Any, events: Sequence[OutboxEvent]) -> None:
    """Write them on `connection`, inside the transaction that does what they tell of."""
    if events:
        await connection.execute(
            OUTBOX_INSERT,
            [e.account_id for e in events],
            [e.kind.value for e in events],
            [e.subject for e in events],
            [dict(e.data) for e in events],
            [e.once for e in events],
        )


async def read_events(
    connection: Any, after: EventPosition, limit: int, account_id: int | None = None
) -> list[ReadEvent]:
    """The next events in order, as far as no running transaction can add before them."""
    place = (after.txid, after.id, limit)
    if account_id is None:
        rows = await connection.fetch(EVENTS_AFTER, *place)
    else:
        rows = await connection.fetch(EVENTS_OF_ACCOUNT_AFTER, *place, account_id)
    return [
        ReadEvent(
            EventPosition(r["txid"], r["id"]),
            r["account_id"],
            r["kind"],
            r["subject"],
            r["data"],
            r["created_at"],
        )
        for r in rows
    ]


async def read_end(connection: Any) -> EventPosition:
    """The position of the newest event that can be read."""
    row = await connection.fetchrow(OUTBOX_END)
    return EventPosition(row["txid"], row["id"]) if row else EventPosition()
