"""Old calls deleted, when their account says so; what reports sum up stays (docs/recordings.md)."""

from typing import Any

from callctl.db.pool import Database
from callctl.features.calls.rollups import delete_but_keep_sums

MOST_PER_ROUND = 500

LOCK_HOLDS = "lock table legal_holds in share mode"
"""No hold comes in between looking for holds and deleting."""

DUE_CALLS = """
select o.id from recording_settings s cross join lateral (
    select c.id from calls c
    where c.account_id = s.account_id
      and c.started_at < now() - make_interval(days => s.call_days)
      and not exists (select 1 from legal_holds h where h.call = c.id and h.released_at is null)
      and not exists (
            select 1 from recordings r
            where r.call = c.id and r.state in ('pending', 'available', 'deleting'))
    order by c.started_at limit $1
) o
where s.call_days > 0
limit $1
"""
"""A call goes after its recordings: none of their files is left without a row that names it."""


DELETE_INTERVENTIONS = """
delete from interventions i using calls c
where c.id = any($1::bigint[]) and i.account_id = c.account_id
  and i.call_id = any(c.linkedids || c.call_id)
"""
"""They name numbers and people as the call does."""


async def delete_due_calls(db: Database, most: int = MOST_PER_ROUND) -> int:
    """One round: at most `most` calls in one transaction; returns how many."""
    async with db.transaction() as connection:
        await connection.execute(LOCK_HOLDS)
        ids: list[Any] = [row["id"] for row in await connection.fetch(DUE_CALLS, most)]
        if ids:
            await connection.execute(DELETE_INTERVENTIONS, ids)
            await delete_but_keep_sums(connection, ids)
    return len(ids)
