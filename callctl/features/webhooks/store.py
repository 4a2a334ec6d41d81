"""Webhooks and deliveries in PostgreSQL: the outbox fanned out, and the line of what waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.db.audit import Values, record_change
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.outbox import EventPosition, ReadEvent, read_end, read_events
from callctl.db.pool import Database
from callctl.features.webhooks.model import DeliveryFilters, DeliveryView, NewWebhook, WebhookView
from callctl.features.webhooks.targets import shown_url
from callctl.http.endpoint import Page

READER = "webhooks"
FAN_OUT_PAGE = 500

_VIEW = """
w.id, w.url, w.kinds, w.active, w.created_at, w.created_by, w.failing_since, w.paused_at,
w.paused_reason, case when w.old_secret_until > now() then w.old_secret_until end
as old_secret_until, (select count(*) from webhook_deliveries d
                      where d.webhook_id = w.id and d.state = 'waiting') as waiting
"""
WEBHOOKS = f"""
select {_VIEW} from webhooks w where w.account_id = $1 and ($2::bigint is null or w.id > $2)
order by w.id limit $3
"""  # noqa: S608 - constants of this file
WEBHOOK = f"select {_VIEW} from webhooks w where w.account_id = $1 and w.id = $2"  # noqa: S608
LOCK_ACCOUNT = "select id from accounts where id = $1 for update"
COUNT = "select count(*) from webhooks where account_id = $1"
INSERT = """
insert into webhooks (account_id, url, kinds, active, secret, created_by)
values ($1, $2, $3, $4, $5, $6) returning id
"""
LOCK = """
select url, kinds, active from webhooks where account_id = $1 and id = $2 for no key update
"""
CHANGE = """
update webhooks set url = coalesce($3, url), kinds = coalesce($4, kinds),
    active = coalesce($5, active),
    paused_at = case when $5 is null then paused_at end,
    paused_reason = case when $5 is null then paused_reason end,
    failing_since = case when $5 is null then failing_since end
where account_id = $1 and id = $2
"""
HURRY = "update webhook_deliveries set next_at = now() where webhook_id = $1 and state = 'waiting'"
ROTATE = """
update webhooks set old_secret = secret, old_secret_until = now() + $4::interval, secret = $3
where account_id = $1 and id = $2
"""
DELETE = "delete from webhooks where account_id = $1 and id = $2"

READER_INSERT = """
insert into outbox_readers (name, txid, id) values ($1, $2::bigint::text::xid8, $3)
on conflict do nothing
"""
READER_SELECT = """
select txid::text::bigint as txid, id from outbox_readers where name = $1 for update
"""
READER_UPDATE = """
update outbox_readers set txid = $2::bigint::text::xid8, id = $3 where name = $1
"""
ACTIVE = "select id, account_id, kinds from webhooks where active"
DELIVERIES_INSERT = """
insert into webhook_deliveries (webhook_id, event_id, kind, subject, body, replayed)
select w, e, k, s, b, $6
from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[]) with ordinality
     as t(w, e, k, s, b, n)
order by n
on conflict (webhook_id, event_id) where not replayed do nothing
"""
CLAIM = """
with due as (
    select d.id from webhook_deliveries d join webhooks w on w.id = d.webhook_id
    where d.state = 'waiting' and d.next_at <= now() and w.active
      and d.webhook_id <> all($1::bigint[])
      and not exists (
            select from webhook_deliveries b
            where b.webhook_id = d.webhook_id and b.subject = d.subject and b.state = 'waiting'
              and b.id < d.id)
    order by d.next_at, d.id limit $2
    for update of d skip locked
)
update webhook_deliveries d
set next_at = now() + $3::interval, attempts = d.attempts + 1, last_at = now()
from due, webhooks w
where d.id = due.id and w.id = d.webhook_id
returning d.id, d.webhook_id, d.event_id, d.kind, d.body, d.attempts, d.created_at, w.account_id,
    w.url, w.secret, case when w.old_secret_until > now() then w.old_secret end as old_secret
"""
DONE = """
update webhook_deliveries set state = $2, next_at = now() + $3::interval, status = $4, error = $5,
    response = $6
where id = $1 and state = 'waiting'
"""
ARRIVED = "update webhooks set failing_since = null where id = $1 and failing_since is not null"
MISSED = """
update webhooks set failing_since = coalesce(failing_since, now()) where id = $1
returning account_id, url, failing_since, now() - failing_since > $2::interval as too_long, active
"""
PAUSE = """
update webhooks set active = false, paused_at = now(), paused_reason = $2 where id = $1 and active
returning paused_at
"""
DELIVERIES = """
select d.id, d.webhook_id, d.event_id, d.kind, d.subject, d.state, d.replayed, d.attempts,
    d.created_at, case when d.state = 'waiting' then d.next_at end as next_at, d.last_at, d.status,
    d.error, d.response
from webhook_deliveries d join webhooks w on w.id = d.webhook_id
where w.account_id = $1 and w.id = $2 and ($3::text is null or d.state = $3)
  and ($4::text is null or d.subject = $4) and ($5::bigint is null or d.id < $5)
order by d.id desc limit $6
"""
REPLAY_ONE = """
insert into webhook_deliveries (webhook_id, event_id, kind, subject, body, replayed)
select d.webhook_id, d.event_id, d.kind, d.subject, d.body, true
from webhook_deliveries d join webhooks w on w.id = d.webhook_id
where w.account_id = $1 and w.id = $2 and d.id = $3 and d.state <> 'waiting'
"""
EVENTS_OF_PERIOD = """
select txid::text::bigint as txid, id, account_id, kind, subject, data, created_at from outbox
where account_id = $1 and kind = any($2::text[])
  and ($3::timestamptz is null or created_at >= $3)
  and ($4::timestamptz is null or created_at < $4)
order by txid, id limit $5
"""
DELETE_OLD = """
delete from webhook_deliveries where state <> 'waiting' and created_at < now() - $1::interval
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that was claimed: nobody else sends it until its lease is over."""

    id: int
    webhook_id: int
    account_id: int
    event_id: int
    kind: str
    body: str
    attempts: int
    created_at: datetime
    url: str
    secret: str
    old_secret: str | None

    @property
    def delivery_id(self) -> str:
        return f"{self.webhook_id}-{self.event_id}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt. `state` waiting: again after `wait`."""

    state: str
    wait: timedelta = timedelta()
    status: int | None = None
    error: str | None = None
    response: str | None = None


def render_body(event: ReadEvent) -> str:
    """What is sent of an event: the same as the stream shows (`EventView`)."""
    view = {
        "id": event.position.id,
        "kind": event.kind,
        "subject": event.subject,
        "created_at": event.created_at,
        "data": event.data,
    }
    return msgspec.json.encode(view).decode()


class WebhookStore:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._done_until: EventPosition | None = None
        """Whether by this daemon or another: every event up to it has been put in line."""

    async def list_webhooks(
        self, account_id: int, after: int | None, limit: int
    ) -> Page[WebhookView]:
        rows = await self._db.fetch(WEBHOOKS, account_id, after, limit + 1)
        items = [WebhookView(**dict(row)) for row in rows[:limit]]
        return Page(items, str(items[-1].id) if len(rows) > limit else None)

    async def get_webhook(self, account_id: int, webhook: int) -> WebhookView | None:
        row = await self._db.fetchrow(WEBHOOK, account_id, webhook)
        return WebhookView(**dict(row)) if row else None

    async def insert_webhook(
        self, account_id: int, author: Author, new: NewWebhook, secret: str, most: int
    ) -> int:
        """Raises CallctlError("conflict") when the account has `most` already."""
        kinds = [kind.value for kind in new.kinds]
        async with self._db.transaction() as connection:
            await connection.fetchval(LOCK_ACCOUNT, account_id)
            if await connection.fetchval(COUNT, account_id) >= most:
                raise CallctlError("conflict", f"an account has at most {most} webhooks")
            id_: int = await connection.fetchval(
                INSERT, account_id, new.url, kinds, new.active, secret, author.name
            )
            after = {"url": shown_url(new.url), "kinds": kinds, "active": new.active}
            await _record(connection, account_id, author, "created", id_, None, after)
            return id_

    async def change_webhook(
        self, account_id: int, author: Author, webhook: int, url: str | None,
        kinds: list[str] | None, active: bool | None,
    ) -> None:  # fmt: skip
        """Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            before = await _lock(connection, account_id, webhook)
            await connection.execute(CHANGE, account_id, webhook, url, kinds, active)
            if active:
                await connection.execute(HURRY, webhook)
            after = await _lock(connection, account_id, webhook)
            await _record(connection, account_id, author, "changed", webhook, before, after)

    async def rotate_secret(
        self, account_id: int, author: Author, webhook: int, secret: str, overlap: timedelta
    ) -> None:
        """Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            await _lock(connection, account_id, webhook)
            await connection.execute(ROTATE, account_id, webhook, secret, overlap)
            await _record(connection, account_id, author, "secret_rotated", webhook)

    async def delete_webhook(self, account_id: int, author: Author, webhook: int) -> None:
        """Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            before = await _lock(connection, account_id, webhook)
            await connection.execute(DELETE, account_id, webhook)
            await _record(connection, account_id, author, "deleted", webhook, before)

    async def fan_out(self) -> int:
        """Put the next events of the outbox in line for every webhook that wants them; how many
        events were looked at. In one transaction with the position, so exactly once."""
        async with self._db.connection() as connection:
            end = await read_end(connection)
            if end == self._done_until:
                return 0
            async with connection.transaction():
                return await self._fan_out(connection, end)

    async def _fan_out(self, connection: Any, end: EventPosition) -> int:
        place = await connection.fetchrow(READER_SELECT, READER)
        if place is None:
            await connection.execute(READER_INSERT, READER, end.txid, end.id)
            return 0
        after = EventPosition(place["txid"], place["id"])
        # Looked up after the end: of what is before it, they have missed nothing.
        hooks = await connection.fetch(ACTIVE)
        events = await read_events(connection, after, FAN_OUT_PAGE) if hooks else []
        wanted = [
            (hook["id"], event)
            for event in events
            for hook in hooks
            if hook["account_id"] == event.account_id and event.kind in hook["kinds"]
        ]
        await _insert(connection, wanted, replayed=False)
        last = events[-1].position if events else max(after, end)
        if last > after:
            await connection.execute(READER_UPDATE, READER, last.txid, last.id)
        if len(events) < FAN_OUT_PAGE:
            self._done_until = last
        return len(events)

    async def claim(self, busy: Sequence[int], limit: int, lease: timedelta) -> list[Due]:
        """Deliveries that are due, the first of each subject only, none of the webhooks `busy`."""
        rows = await self._db.fetch(CLAIM, list(busy), limit, lease)
        return [Due(**dict(row)) for row in sorted(rows, key=lambda r: r["id"])]

    async def save_outcome(self, due: Due, outcome: Outcome, pause_after: timedelta) -> bool:
        """Write it down. True when the webhook was paused: nothing arrived for `pause_after`."""
        async with self._db.transaction() as connection:
            await connection.execute(
                DONE, due.id, outcome.state, outcome.wait, outcome.status, outcome.error,
                outcome.response,
            )  # fmt: skip
            if outcome.state == "delivered":
                await connection.execute(ARRIVED, due.webhook_id)
                return False
            row = await connection.fetchrow(MISSED, due.webhook_id, pause_after)
            if row is None or not row["too_long"] or not row["active"]:
                return False
            reason = (
                f"nothing arrived since {row['failing_since']:%Y-%m-%d %H:%M} UTC: {outcome.error}"
            )
            paused_at = await connection.fetchval(PAUSE, due.webhook_id, reason)
            notice = NewNotice(
                row["account_id"],
                "webhook_paused",
                f"webhook:{due.webhook_id}:{paused_at:%Y%m%dT%H%M%S}",
                f"The webhook to {shown_url(row['url'])} was paused: {reason}",
            )
            await raise_notice(connection, notice)
            return True

    async def list_deliveries(
        self, account_id: int, webhook: int, filters: DeliveryFilters
    ) -> Page[DeliveryView]:
        """The newest first."""
        rows = await self._db.fetch(
            DELIVERIES, account_id, webhook, filters.state, filters.subject, filters.cursor,
            filters.limit + 1,
        )  # fmt: skip
        items = [_delivery(row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def replay_one(self, account_id: int, author: Author, webhook: int, delivery: int) -> int:
        """1, or 0 when there is no such delivery that is over."""
        async with self._db.transaction() as connection:
            done = await connection.execute(REPLAY_ONE, account_id, webhook, delivery)
            events = int(done.rpartition(" ")[2])
            if events:
                after = {"delivery": delivery, "events": events}
                await _record(connection, account_id, author, "replayed", webhook, None, after)
            return events

    async def replay_period(
        self, account_id: int, author: Author, hook: WebhookView, since: datetime | None,
        until: datetime | None, most: int,
    ) -> int:  # fmt: skip
        """How many events were put in line. Raises CallctlError("conflict") above `most`."""
        async with self._db.transaction() as connection:
            rows = await connection.fetch(
                EVENTS_OF_PERIOD, account_id, hook.kinds, since, until, most + 1
            )
            if len(rows) > most:
                raise CallctlError("conflict", f"more than {most} events: take a shorter period")
            events = [
                ReadEvent(
                    EventPosition(r["txid"], r["id"]), r["account_id"], r["kind"], r["subject"],
                    r["data"], r["created_at"],
                )
                for r in rows
            ]  # fmt: skip
            await _insert(connection, [(hook.id, event) for event in events], replayed=True)
            after = {"since": since, "until": until, "events": len(events)}
            await _record(connection, account_id, author, "replayed", hook.id, None, after)
            return len(events)

    async def delete_old(self, days: int) -> None:
        await self._db.execute(DELETE_OLD, timedelta(days=days))


async def _lock(connection: Any, account_id: int, webhook: int) -> dict[str, Any]:
    """What the audit log keeps of it. Raises CallctlError("not_found")."""
    row = await connection.fetchrow(LOCK, account_id, webhook)
    if row is None:
        raise CallctlError("not_found", f"there is no webhook {webhook}")
    return {**row, "url": shown_url(row["url"])}


async def _record(
    connection: Any, account_id: int, author: Author, verb: str, webhook: int,
    before: Values | None = None, after: Values | None = None,
) -> None:  # fmt: skip
    await record_change(
        connection, account_id, author, f"webhook.{verb}", f"webhook:{webhook}", before, after
    )


async def _insert(
    connection: Any, wanted: Sequence[tuple[int, ReadEvent]], *, replayed: bool
) -> None:
    if wanted:
        await connection.execute(
            DELIVERIES_INSERT,
            [webhook for webhook, _ in wanted],
            [event.position.id for _, event in wanted],
            [event.kind for _, event in wanted],
            [event.subject for _, event in wanted],
            [render_body(event) for _, event in wanted],
            replayed,
        )


def _delivery(row: Any) -> DeliveryView:
    values = dict(row)
    webhook = values.pop("webhook_id")
    return DeliveryView(delivery_id=f"{webhook}-{values['event_id']}", **values)
