"""Clients and calls meet while calls are stored: unknown callers are registered (R001-18), and each
call keeps the type that its client had (R001-19).

Runs inside the transaction that stores calls (`StoreStep`): for a batch of calls of which nobody is
new, two statements.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callctl.core.calls.record import StoredRecord
from callctl.core.event_kinds import EventKind
from callctl.core.routing.plan import Direction
from callctl.db.outbox import OutboxEvent, append_events
from callctl.features.clients.keys import search_text, sort_key
from callctl.numbers import normalise

_MOST_NAME_CHARS = 200
_E164 = re.compile(r"\+[0-9]{5,15}")
"""What may be one: text that could not be normalised looks like this, too."""

# Looked up call by call, in indexes: a join is planned by statistics, which a table that has just
# begun to grow does not have.
UNKNOWN = """
select distinct on (c.account_id, c.customer_number_id)
       c.id as call, c.account_id, c.customer_number_id as number_id, a.country
from calls c
join client_settings s on s.account_id = c.account_id
     and s.register and c.direction = any(s.register_directions)
join accounts a on a.id = c.account_id
where c.id = any($1::bigint[])
  and (select k.client_id from client_numbers k
       where k.account_id = c.account_id and k.number_id = c.customer_number_id) is null
order by c.account_id, c.customer_number_id, c.id
"""
# The number is taken first: of two writers the second one waits here, and then makes no client.
REGISTER = """
with wanted as (
    select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
        v(account_id, number_id, name, sort_key, search)
), taken as (
    insert into client_numbers (account_id, number_id, client_id, position)
    select account_id, number_id, nextval(pg_get_serial_sequence('clients', 'id')), 0
    from wanted order by account_id, number_id
    on conflict (account_id, number_id) do nothing
    returning account_id, number_id, client_id
), made as (
    insert into clients (id, account_id, kind, name, type_id, registered, sort_key, search)
    overriding system value
    select t.client_id, t.account_id, 'person', w.name,
           (select y.id from client_types y where y.account_id = t.account_id and not y.retired
            order by y.position, y.id limit 1),
           true, w.sort_key, w.search
    from taken t join wanted w using (account_id, number_id)
)
select client_id, account_id, number_id from taken order by client_id
"""
KEEP_TYPES = """
insert into call_clients (call, account_id, number_id, type_id, started_at)
select c.id, c.account_id, c.customer_number_id, k.type_id, c.started_at
from calls c
cross join lateral (
    select k.type_id from client_numbers n join clients k on k.id = n.client_id
    where n.account_id = c.account_id and n.number_id = c.customer_number_id
    limit 1
) k
where c.id = any($1::bigint[]) and k.type_id is not null
on conflict (call) do nothing
"""
# A call that was rebuilt keeps what it had, unless its outside party turned out to be another.
FORGET_TYPES = """
delete from call_clients s using calls c
where s.call = any($1::bigint[]) and c.id = s.call
  and (c.customer_number_id is distinct from s.number_id or c.account_id <> s.account_id)
"""
MOVE_TYPES = """
update call_clients s set started_at = c.started_at from calls c
where s.call = any($1::bigint[]) and c.id = s.call and c.started_at <> s.started_at
"""


@dataclass(frozen=True, slots=True)
class Stranger:
    """An outside party that may become a client, as one call knows it."""

    account_id: int
    number: str
    name: str
    call: int


async def store_step(connection: Any, records: Sequence[StoredRecord]) -> None:
    """What belongs to clients when `records` are stored; a `StoreStep` of the journal's reader."""
    strangers = find_strangers(records)
    if strangers:
        await _register(connection, strangers)
    if rebuilt := [r.id for r in records if not r.new]:
        await connection.execute(FORGET_TYPES, rebuilt)
        await connection.execute(MOVE_TYPES, rebuilt)
    if parties := [r.id for r in records if r.customer_number is not None]:
        await connection.execute(KEEP_TYPES, parties)


def find_strangers(records: Sequence[StoredRecord]) -> dict[int, Stranger]:
    """Outside parties whose number looks like one, by the id of their call.

    Withheld numbers, what is no number, parties inside and callers whom a rule refused are none
    (R001-11).
    """
    found: dict[int, Stranger] = {}
    for stored in records:
        record, number = stored.record, stored.customer_number
        if number is None or record.direction is Direction.INTERNAL or record.refused_by_rule:
            continue
        if _E164.fullmatch(number):
            said = record.from_name if record.direction is Direction.INBOUND else None
            name = _printable(said or "") or number
            found[stored.id] = Stranger(stored.account_id, number, name, stored.id)
    return found


async def _register(connection: Any, strangers: Mapping[int, Stranger]) -> None:
    rows = await connection.fetch(UNKNOWN, list(strangers))
    unknown = {
        (row["account_id"], row["number_id"]): (stranger, row["country"])
        for row in rows
        # Whether it is a number is dear to find out, and only worth it for who is new.
        if (stranger := strangers[row["call"]]).number == normalise(stranger.number, "ZZ")
    }
    if not unknown:
        return
    keys = await asyncio.to_thread(_make_keys, list(unknown.values()))
    made = await connection.fetch(
        REGISTER,
        [account for account, _ in unknown],
        [number for _, number in unknown],
        [stranger.name for stranger, _ in unknown.values()],
        [key for key, _ in keys],
        [words for _, words in keys],
    )
    await append_events(
        connection,
        [_event(client, unknown[account, number][0]) for client, account, number in made],
    )


def _make_keys(unknown: Sequence[tuple[Stranger, str]]) -> list[tuple[str, str]]:
    return [(sort_key(s.name), search_text(s.name, "", [s.number], c)) for s, c in unknown]


def _event(client: int, stranger: Stranger) -> OutboxEvent:
    data = {
        "client": client,
        "name": stranger.name,
        "number": stranger.number,
        "call": stranger.call,
    }
    kind = EventKind.CLIENT_REGISTERED
    return OutboxEvent(stranger.account_id, kind, f"client:{client}", data)


def _printable(text: str) -> str:
    """A caller's name is a stranger's word: what cannot be printed is left out."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(kept.split())[:_MOST_NAME_CHARS]
