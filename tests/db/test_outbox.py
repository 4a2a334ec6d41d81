"""Events in the outbox: with what they tell of, or not at all."""

from callctl.core.event_kinds import EVENT_MEANINGS, EventKind
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database

NEW_ACCOUNT = (
    "insert into accounts (code, name, kind) values ('lab', 'Lab', 'operator') returning id"
)


def _event(account_id: int, call: int) -> OutboxEvent:
    return OutboxEvent(account_id, EventKind.CALL_ENDED, f"call:{call}", {"call": call})


async def test_events_are_there_with_the_transaction_in_their_order(db: Database) -> None:
    account_id = await db.fetchval(NEW_ACCOUNT)
    async with db.transaction() as connection:
        await append_events(connection, [_event(account_id, call) for call in (1, 2, 3)])
    rows = await db.fetch("select kind, subject, data from outbox order by txid, id")
    assert [tuple(row) for row in rows] == [
        ("call.ended", f"call:{call}", {"call": call}) for call in (1, 2, 3)
    ]


async def test_a_transaction_that_fails_leaves_no_event(db: Database) -> None:
    account_id = await db.fetchval(NEW_ACCOUNT)
    try:
        async with db.transaction() as connection:
            await append_events(connection, [_event(account_id, 1)])
            raise RuntimeError("after the event")
    except RuntimeError:
        pass
    assert await db.fetchval("select count(*) from outbox") == 0


def test_every_kind_is_explained() -> None:
    assert set(EVENT_MEANINGS) == set(EventKind)
