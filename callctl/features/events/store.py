"""The outbox's age: events are kept for a while, so that a stream can be resumed and replayed."""

from datetime import timedelta
from typing import Any

from callctl.db.outbox import EventPosition
from callctl.db.pool import Database

DELETE_OLD = """
with old as (
    select id from outbox
    where created_at < now() - $1::interval
      and not exists (select from outbox_readers r
                      where r.name = 'webhooks' and (outbox.txid, outbox.id) > (r.txid, r.id))
    order by id limit $2
), gone as (
    delete from outbox where id in (select id from old) returning txid, id
)
select max(txid)::text::bigint as txid, max(id) as id, count(*) as gone from gone
"""
GONE_UPSERT = """
insert into outbox_readers (name, txid, id) values ('deleted', $1::bigint::text::xid8, $2)
on conflict (name) do update set txid = greatest(outbox_readers.txid, excluded.txid),
    id = greatest(outbox_readers.id, excluded.id)
"""
GONE_SELECT = """
select txid::text::bigint as txid, id from outbox_readers where name = 'deleted'
"""
AT_ONCE = 5_000


async def delete_old(db: Database, days: int) -> int:
    """Drop events older than `days`, some at a time; how many went."""
    total: int = 0
    while True:
        async with db.transaction() as connection:
            row: Any = await connection.fetchrow(DELETE_OLD, timedelta(days=days), AT_ONCE)
            if row["gone"]:
                await connection.execute(GONE_UPSERT, row["txid"], row["id"])
        total += int(row["gone"])
        if row["gone"] < AT_ONCE:
            return total


async def get_deleted_until(db: Database) -> EventPosition:
    """Whoever resumes before it has lost events."""
    row = await db.fetchrow(GONE_SELECT)
    return EventPosition(row["txid"], row["id"]) if row else EventPosition()
