"""What happens by itself: reminders before a term ends, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EventKind
from callctl.core.packages import due_reminder
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.packages.model import MAX_REMINDER_DAYS
from callctl.features.packages.store import DEFAULT_REMINDER_DAYS, NOTIFY_ROUTING
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger

log = get_logger("callctl.packages")

LOOK_SECONDS = 20.0
"""Calls go by the clock itself; so much later the fallback dialplan and people know."""
KEEP_UNPAID = timedelta(days=1)
_AT_ONCE = 100

# Of several daemons one does each.
ENDED = """
update packages p set over = true
from (select account_id from packages where not over and until <= $1
      order by until limit $2 for update skip locked) due
where p.account_id = due.account_id
returning p.account_id, p.until, p.seats
"""

ENDING = """
select p.account_id, p.until, p.seats, p.reminded_days,
       coalesce(t.reminder_days, $3) as reminder_days
from packages p
    join accounts a on a.id = p.account_id
    left join package_terms t on t.seller_id = a.parent_id
where not p.over and p.until > $1 and p.until <= $2
order by p.until
for update of p skip locked
"""

REMINDED = "update packages set reminded_days = $2 where account_id = $1"

ADMINISTRATORS = """
select email from users
where account_id = $1 and active and role = 'administrator' and email is not null
order by id limit 50
"""

UNPAID_DELETE = "delete from package_quotes where paid_at is null and expires_at < $1"


class PackageWatch:
    """A job of the daemon. `on_change`: the fallback dialplan must know who may call."""

    def __init__(
        self, db: Database, on_change: Callable[[], Awaitable[object]], clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._on_change = on_change
        self._clock = clock

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except CallctlError as error:
                log.warning("packages_wait", error=error.message)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Everything that is due now. Raises CallctlError("database_unavailable")."""
        now = self._clock()
        while await self._end_some(now) == _AT_ONCE:
            pass
        await self._remind(now)
        await self._db.execute(UNPAID_DELETE, now - KEEP_UNPAID)

    async def _end_some(self, now: datetime) -> int:
        async with self._db.transaction() as connection:
            ended = await connection.fetch(ENDED, now, _AT_ONCE)
            for package in ended:
                text = (
                    f"The package of {package['seats']} seats is over. Renew it to go on calling."
                )
                await _tell(connection, package, EventKind.PACKAGE_ENDED, text, {})
                await connection.execute(NOTIFY_ROUTING, str(package["account_id"]))
        if ended:
            log.info("packages_ended", accounts=[p["account_id"] for p in ended])
            await self._on_change()
        return len(ended)

    async def _remind(self, now: datetime) -> None:
        ahead = now + timedelta(days=MAX_REMINDER_DAYS)
        async with self._db.transaction() as connection:
            for package in await connection.fetch(ENDING, now, ahead, list(DEFAULT_REMINDER_DAYS)):
                due = due_reminder(package["until"], package["reminder_days"], now)
                last = package["reminded_days"]
                if due is None or (last is not None and last <= due):
                    continue
                text = (
                    f"The package of {package['seats']} seats ends at "
                    f"{package['until']:%Y-%m-%d %H:%M} UTC. "
                    "Renew it before then for all seats, or afterwards for the members who stay."
                )
                await _tell(
                    connection, package, EventKind.PACKAGE_ENDING, text, {"reminder_days": due}
                )
                await connection.execute(REMINDED, package["account_id"], due)


async def _tell(
    connection: Any, package: Any, kind: EventKind, text: str, more: dict[str, Any]
) -> None:
    """A notice, a mail to each administrator, an event."""
    account_id = package["account_id"]
    data = {"seats": package["seats"], "until": package["until"], **more}
    word = kind.value.replace(".", "_")
    subject = ":".join([word, package["until"].isoformat(), *map(str, more.values())])
    mail_to = [row["email"] for row in await connection.fetch(ADMINISTRATORS, account_id)]
    await raise_notice(connection, NewNotice(account_id, word, subject, text, data), mail_to)
    await append_events(connection, [OutboxEvent(account_id, kind, f"package:{account_id}", data)])
