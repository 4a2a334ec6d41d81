"""Thresholds in PostgreSQL, and the marks on calls."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from callctl.core.author import Author
from callctl.db.audit import record_change
from callctl.db.pool import Database, Reads
from callctl.features.long_calls.model import TooLongSettings

ALL = "select account_id, body from too_long_settings"
ONE = "select body from too_long_settings where account_id = $1"
LOCK_ACCOUNT = "select id from accounts where id = $1 for no key update"
SAVE = """
insert into too_long_settings (account_id, body, changed_by) values ($1, $2, $3)
on conflict (account_id) do update
set body = excluded.body, changed_by = excluded.changed_by, changed_at = now()
"""
Fired = tuple[int, int | None]
"""The seconds of the threshold that a call has passed, and the price that came to them, if any."""

MARK = """
update calls c set too_long_seconds = m.seconds, too_long_cost = m.cost
from unnest($1::bigint[], $2::integer[], $3::bigint[]) m(call, seconds, cost)
where c.id = m.call and (c.too_long_seconds, c.too_long_cost) is distinct from (m.seconds, m.cost)
"""
UNCONNECTED = """
select exists (select from notices where kind = 'too_long' and call is null
               and raised_at > now() - interval '2 days')
"""
RAISED = """
select subject, call, (data ->> 'threshold_seconds')::integer as seconds,
       (data ->> 'threshold_cost')::bigint as cost
from notices
where kind = 'too_long' and account_id = any($1::bigint[]) and subject = any($2::text[])
"""
CONNECT = """
update notices n set call = m.call
from unnest($1::text[], $2::bigint[]) m(subject, call)
where n.kind = 'too_long' and n.account_id = any($3::bigint[]) and n.subject = m.subject
  and n.call is distinct from m.call
"""


class LongCallStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get_all(self) -> Mapping[int, TooLongSettings]:
        """Of every account that has any."""
        rows = await self._db.fetch(ALL)
        return {r["account_id"]: msgspec.convert(r["body"], TooLongSettings) for r in rows}

    async def has_unconnected(self) -> bool:
        """Whether there are notices of calls whose record is yet to come."""
        found: bool = await self._db.fetchval(UNCONNECTED)
        return found

    async def get(self, account_id: int) -> TooLongSettings:
        return await _get(self._db, account_id)

    async def save(self, account_id: int, settings: TooLongSettings, author: Author) -> None:
        after = msgspec.to_builtins(settings)
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_ACCOUNT, account_id)
            before = msgspec.to_builtins(await _get(connection, account_id))
            await connection.execute(SAVE, account_id, after, author.name)
            await record_change(
                connection, account_id, author, "too_long.changed", "too_long", before, after
            )


async def _get(db: Reads, account_id: int) -> TooLongSettings:
    body = await db.fetchval(ONE, account_id)
    return TooLongSettings() if body is None else msgspec.convert(body, TooLongSettings)


async def get_raised(
    connection: Any, accounts: Sequence[int], subjects: Sequence[str]
) -> Mapping[str, Fired]:
    """Subject → threshold of those calls that a notice was raised for already."""
    rows = await connection.fetch(RAISED, list(accounts), list(subjects))
    return {r["subject"]: (r["seconds"], r["cost"]) for r in rows}


async def connect_notices(
    connection: Any, accounts: Sequence[int], calls: Mapping[str, int]
) -> None:
    """Notices raised while calls lasted get the id that the call has now."""
    await connection.execute(CONNECT, list(calls), list(calls.values()), list(accounts))


async def mark(connection: Any, thresholds: Mapping[int, Fired | None]) -> None:
    """Write into calls the threshold that each has passed, None for none."""
    fired = [threshold or (None, None) for threshold in thresholds.values()]
    await connection.execute(MARK, list(thresholds), [s for s, _ in fired], [c for _, c in fired])
