"""Held calls, decisions and notices in PostgreSQL; and the calls of the last day, to recount."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from callctl.core.author import Author
from callctl.core.routing.encoding import decode_why, encode_why
from callctl.core.routing.plan import EMERGENCY_ROUTE, Reason
from callctl.core.routing.reasons import render_reason
from callctl.core.scope import CallScope
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.limits.model import HoldFilters, HoldView, NoticeFilters, NoticeView
from callctl.http.endpoint import Page

CHANNEL = "callctl_limits"
"""PostgreSQL notification on every decision; the payload is the account's id."""

HOLD_UPSERT = """
insert into limit_holds
    (account_id, extension, destination, reason, number, calls, asked_at, last_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (account_id, extension, destination) where state = 'waiting' do update
set reason = excluded.reason, number = excluded.number,
    calls = limit_holds.calls + excluded.calls, last_at = excluded.last_at
"""

NOTICE_UPSERT = """
insert into limit_notices
    (account_id, extension, destination, action, limit_name, reason, number, calls, first_at,
     last_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (account_id, extension, destination, action, limit_name, first_at) do update
set reason = excluded.reason, number = excluded.number,
    calls = limit_notices.calls + excluded.calls, last_at = excluded.last_at
"""

HOLDS = """
select id, state, extension, destination, reason, number, calls, asked_at, last_at, decided_by,
       decided_at, until, for_extension, for_destination
from limit_holds
where account_id = $1 and ($2::text is null or state = $2) and ($3::bigint is null or id < $3)
  and ($5::text[] is null or extension = any($5))
order by id desc limit $4
"""

HOLD = """
select id, state, extension, destination, reason, number, calls, asked_at, last_at, decided_by,
       decided_at, until, for_extension, for_destination
from limit_holds where account_id = $1 and id = $2 and ($3::text[] is null or extension = any($3))
"""

DECIDE = """
update limit_holds
set state = $3, decided_by = $4, decided_at = now(), until = now() + $5, for_extension = $6,
    for_destination = $7
where account_id = $1 and id = $2
"""

NOTICES = """
select id, action, limit_name, extension, destination, reason, number, calls, first_at, last_at
from limit_notices
where account_id = $1 and ($2::text is null or action = $2) and ($3::bigint is null or id < $3)
  and ($5::text[] is null or extension = any($5))
order by id desc limit $4
"""

DECISIONS = """
select account_id, for_extension, for_destination, state, decided_by, until from limit_holds
where state <> 'waiting' and until > now() order by decided_at, id
"""

WAITING = "select count(*) from limit_holds where state = 'waiting'"

BLOCKED = """
select account_id, extension, sum(calls) as calls from limit_notices
where action = 'block' and last_at > now() - interval '1 hour' and extension <> ''
group by account_id, extension having sum(calls) > $1 order by account_id, extension
"""

RECENT_CALLS = f"""
select c.call_id, c.account_id, c.direction, c.extension, n.number as to_number, c.why,
       c.started_at, c.answered_at, c.ended_at, a.number, a.endpoint
from accounts
cross join lateral (
    select * from calls where calls.account_id = accounts.id and calls.started_at >= $1
    order by calls.started_at desc, calls.id desc limit $2
) c
cross join lateral (
    select attempts.number, attempts.endpoint from attempts
    where attempts.call = c.id and attempts.number is not null order by position limit 1
) a
left join numbers n on n.id = c.to_number_id
where c.route is null or c.route not like '{EMERGENCY_ROUTE}%'
order by c.started_at
"""  # noqa: S608

PAID_CALLS = """
select c.call_id, c.account_id, c.direction, c.extension, n.number as to_number, c.why,
       c.started_at, c.answered_at, c.ended_at, a.number, a.endpoint, c.cost
from unnest($1::bigint[]) budgets(account_id)
cross join lateral (
    select * from calls
    where calls.account_id = budgets.account_id and calls.started_at >= $2 and calls.cost > 0
    order by calls.started_at desc, calls.id desc limit $3
) c
cross join lateral (
    select attempts.number, attempts.endpoint from attempts
    where attempts.call = c.id and attempts.number is not null order by position limit 1
) a
left join numbers n on n.id = c.to_number_id
order by c.started_at
"""

COSTS = "select call_id, cost from calls where id = any($1::bigint[]) and cost > 0"

_NOTIFY = "select pg_notify($1, $2)"

MAX_RECENT_CALLS = 200_000
"""Of each account, when they are counted again after a restart: the newest."""


@dataclass(frozen=True, slots=True)
class Held:
    """Calls of one extension to one destination that were held since the last flush."""

    account_id: int
    extension: str
    destination: str
    reason: Reason
    number: str
    calls: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Calls over one limit since the last flush. `opened_at` names the row that they go into."""

    account_id: int
    extension: str
    destination: str
    action: str
    limit: str
    reason: Reason
    number: str
    calls: int
    opened_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided and is in force: `extension`, `destination` "" = any."""

    account_id: int
    extension: str
    destination: str
    approved: bool
    decided_by: str
    until: datetime


class LimitStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def save(self, held: Iterable[Held], notices: Iterable[Notice]) -> None:
        """Add to what is there, in one transaction. Raises CallctlError."""
        async with self._db.transaction() as connection:
            # In one order everywhere, so that two writers never wait for each other.
            for h in sorted(held, key=lambda h: (h.account_id, h.extension, h.destination)):
                why = encode_why((h.reason,))
                await connection.execute(
                    HOLD_UPSERT, h.account_id, h.extension, h.destination, why, h.number, h.calls,
                    h.first_at, h.last_at,
                )  # fmt: skip
            for n in notices:
                why = encode_why((n.reason,))
                await connection.execute(
                    NOTICE_UPSERT, n.account_id, n.extension, n.destination, n.action, n.limit,
                    why, n.number, n.calls, n.opened_at, n.last_at,
                )  # fmt: skip

    async def list_holds(self, scope: CallScope, filters: HoldFilters) -> Page[HoldView]:
        """The newest first."""
        rows = await self._db.fetch(
            HOLDS,
            scope.account_id,
            filters.state,
            filters.cursor,
            filters.limit + 1,
            _extensions(scope),
        )
        return _page([_hold(row) for row in rows], filters.limit)

    async def list_notices(self, scope: CallScope, filters: NoticeFilters) -> Page[NoticeView]:
        """The newest first."""
        rows = await self._db.fetch(
            NOTICES,
            scope.account_id,
            filters.action,
            filters.cursor,
            filters.limit + 1,
            _extensions(scope),
        )
        return _page([_notice(row) for row in rows], filters.limit)

    async def get_hold(self, scope: CallScope, hold: int) -> HoldView | None:
        row = await self._db.fetchrow(HOLD, scope.account_id, hold, _extensions(scope))
        return _hold(row) if row else None

    async def decide(
        self,
        account_id: int,
        hold: HoldView,
        state: str,
        author: Author,
        hours: int,
        for_extension: str,
        for_destination: str,
    ) -> HoldView:
        """Write the decision, and tell every daemon of it."""
        async with self._db.transaction() as connection:
            await connection.execute(
                DECIDE, account_id, hold.id, state, author.name, timedelta(hours=hours),
                for_extension, for_destination,
            )  # fmt: skip
            await connection.execute(_NOTIFY, CHANNEL, str(account_id))
            decided = _hold(await connection.fetchrow(HOLD, account_id, hold.id, None))
            await record_change(
                connection, account_id, author, f"hold.{state}", f"hold:{hold.id}",
                _decision_of(hold), _decision_of(decided),
            )  # fmt: skip
            return decided

    async def get_decisions(self) -> list[Decision]:
        """In force, the oldest first: a later one is over an earlier one."""
        rows = await self._db.fetch(DECISIONS)
        return [
            Decision(
                r["account_id"], r["for_extension"] or "", r["for_destination"] or "",
                r["state"] == "approved", r["decided_by"], r["until"],
            )
            for r in rows
        ]  # fmt: skip

    async def count_waiting(self) -> int:
        """Of all accounts."""
        waiting: int = await self._db.fetchval(WAITING)
        return waiting

    async def get_blocked(self, more_than: int) -> list[tuple[str, int]]:
        """(extension, calls) of those that had more calls blocked within the hour."""
        rows = await self._db.fetch(BLOCKED, more_than)
        return [(r["extension"], r["calls"]) for r in rows]

    async def get_recent_calls(self, since: datetime) -> list[Any]:
        """Rows of `RECENT_CALLS`, the oldest first: calls that dialled a number outside."""
        return await self._db.fetch(RECENT_CALLS, since, MAX_RECENT_CALLS)

    async def get_paid_calls(self, accounts: Sequence[int], since: datetime) -> list[Any]:
        """Rows of `PAID_CALLS` of these accounts, the oldest first."""
        return await self._db.fetch(PAID_CALLS, list(accounts), since, MAX_RECENT_CALLS)


async def get_costs(connection: Any, calls: Sequence[int]) -> dict[str, int]:
    """Call id → what it costs its account, of those that cost anything."""
    return {row["call_id"]: row["cost"] for row in await connection.fetch(COSTS, list(calls))}


def _extensions(scope: CallScope) -> list[str] | None:
    return None if scope.extensions is None else list(scope.extensions)


def _decision_of(hold: HoldView) -> dict[str, Any]:
    names = ("state", "for_extension", "for_destination", "until")
    return {name: getattr(hold, name) for name in names}


def _page(items: list[Any], limit: int) -> Page[Any]:
    shown = items[:limit]
    return Page(shown, str(shown[-1].id) if len(items) > limit else None)


def _said(why: str) -> str:
    return "; ".join(render_reason(reason) for reason in decode_why(why))


def _hold(row: Any) -> HoldView:
    return HoldView(**{**dict(row), "reason": _said(row["reason"])})


def _notice(row: Any) -> NoticeView:
    values = {**dict(row), "reason": _said(row["reason"])}
    return NoticeView(limit=values.pop("limit_name"), **values)
