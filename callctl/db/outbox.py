"""Events written in the transaction of what they tell of (migrations/0006_outbox.sql)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callctl.core.event_kinds import EventKind

OUTBOX_INSERT = """
insert into outbox (account_id, kind, subject, data)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::jsonb[])
"""


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """One thing that has happened. `subject` is what it is about, like ``call:12``: events of one
    subject are told in their order. `data` is what msgspec can write as JSON."""

    account_id: int
    kind: EventKind
    subject: str
    data: Mapping[str, Any]


async def append_events(connection: Any, events: Sequence[OutboxEvent]) -> None:
    """Write them on `connection`, inside the transaction that does what they tell of."""
    if events:
        await connection.execute(
            OUTBOX_INSERT,
            [e.account_id for e in events],
            [e.kind.value for e in events],
            [e.subject for e in events],
            [dict(e.data) for e in events],
        )
