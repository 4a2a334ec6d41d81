"""Alarms in PostgreSQL: one row each time one is raised, with when it was seen and cleared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callctl.core.checks.alarms import RaisedAlarm
from callctl.db.pool import Database

SAVE_RAISED = """
insert into alarms (systemname, code, subject, detail, raised_at, last_seen_at)
values ($1, $2, $3, $4, $5, $6)
on conflict (systemname, code, subject) where cleared_at is null do update
set detail = excluded.detail, last_seen_at = excluded.last_seen_at,
    raised_at = least(alarms.raised_at, excluded.raised_at)
"""
SAVE_CLEARED = """
update alarms set detail = $4, last_seen_at = $5, cleared_at = $6
where systemname = $1 and code = $2 and subject = $3 and cleared_at is null
"""
GET_RAISED = """
select code, subject, detail, raised_at, last_seen_at from alarms
where systemname = $1 and cleared_at is null
"""
LIST_ALARMS = """
select id, systemname, code, subject, detail, raised_at, last_seen_at, cleared_at from alarms
where ($1 = 'all' or (cleared_at is null) = ($1 = 'raised')) and ($2::bigint is null or id < $2)
order by id desc limit $3
"""
DELETE_OLD = "delete from alarms where cleared_at < now() - interval '1 year'"


@dataclass(frozen=True, slots=True)
class Write:
    """One change of an alarm, in the order in which they came. `cleared_at` None: it is raised."""

    alarm: RaisedAlarm
    cleared_at: datetime | None = None


class AlarmStore:
    """The alarms of one node (`systemname`)."""

    def __init__(self, db: Database, systemname: str) -> None:
        self._db = db
        self._systemname = systemname

    async def save_all(self, writes: Sequence[Write]) -> None:
        """In one transaction. Raises CallctlError("database_unavailable")."""
        async with self._db.transaction() as connection:
            for write in writes:
                alarm = write.alarm
                key = (self._systemname, alarm.code, alarm.subject, alarm.detail)
                times = (alarm.raised_at, alarm.last_seen_at)
                await connection.execute(SAVE_RAISED, *key, *times)
                if write.cleared_at is not None:
                    await connection.execute(
                        SAVE_CLEARED, *key, alarm.last_seen_at, write.cleared_at
                    )

    async def get_raised(self) -> list[RaisedAlarm]:
        """What was raised when callctl stopped. Raises CallctlError("database_unavailable")."""
        await self._db.execute(DELETE_OLD)
        return [RaisedAlarm(**row) for row in await self._db.fetch(GET_RAISED, self._systemname)]

    async def list_alarms(self, state: str, before: int | None, limit: int) -> list[Any]:
        """Rows of all nodes, the newest first. Raises CallctlError("database_unavailable")."""
        return await self._db.fetch(LIST_ALARMS, state, before, limit)
