"""Two clients become one: what hung on the loser hangs on the winner."""

import asyncio
from typing import Any

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.clients import store
from callctl.features.clients.keys import search_text
from callctl.features.clients.model import MAX_NUMBERS, ClientView
from callctl.features.clients.record import record_client, values_of
from callctl.features.clients.service import lock_clients
from callctl.http.endpoint import Actor

# The winner's word counts; where it has none, the loser's.
TAKE_FIELDS = """
update clients w
set type_id = coalesce(w.type_id, l.type_id),
    service_level = coalesce(nullif(w.service_level, ''), l.service_level),
    nature = coalesce(nullif(w.nature, ''), l.nature),
    address = coalesce(nullif(w.address, ''), l.address),
    email = coalesce(nullif(w.email, ''), l.email),
    owner_id = coalesce(w.owner_id, l.owner_id),
    notes = concat_ws(E'\\n', nullif(w.notes, ''), nullif(l.notes, '')),
    changed_at = now()
from clients l where w.id = $1 and l.id = $2
"""
TAKE_NUMBERS = """
update client_numbers
set client_id = $1,
    position = position + (select count(*) from client_numbers where client_id = $1)
where client_id = $2
"""
TAKE_GROUPS = """
insert into client_group_members (group_id, client_id)
select group_id, $1 from client_group_members where client_id = $2 on conflict do nothing
"""
TAKE_COMPANIES = """
insert into client_companies (person_id, company_id)
select $1, company_id from client_companies where person_id = $2 on conflict do nothing
"""
TAKE_CONTACTS = """
insert into client_companies (person_id, company_id)
select person_id, $1 from client_companies where company_id = $2 on conflict do nothing
"""
TAKE_MERGES = "update client_merges set winner_id = $1 where winner_id = $2"
REMEMBER = "insert into client_merges (loser_id, account_id, winner_id) values ($2, $3, $1)"
REMOVE = "delete from clients where id = $1"
SET_SEARCH = "update clients set search = $2 where id = $1"


async def merge_clients(db: Database, actor: Actor, winner: int, loser: int) -> ClientView:
    """The winner with the loser's numbers, groups, companies, contacts and notes.

    The history needs nothing: it goes by numbers. Raises CallctlError: `not_found`,
    `invalid_field` for a client and itself, `conflict` for a person and a company, or for more
    numbers than one client may have.
    """
    if winner == loser:
        raise CallctlError("invalid_field", "a client cannot go into itself", "body.loser")
    account_id = actor.account_id
    async with db.transaction() as connection:
        locked = await lock_clients(connection, account_id, winner, loser)
        if locked[winner]["kind"] != locked[loser]["kind"]:
            raise CallctlError("conflict", "one is a person, one a company: convert one first")
        old = {id_: await _values(connection, account_id, id_) for id_ in (winner, loser)}
        for statement in (
            TAKE_FIELDS,
            TAKE_NUMBERS,
            TAKE_GROUPS,
            TAKE_COMPANIES,
            TAKE_CONTACTS,
            TAKE_MERGES,
        ):
            await connection.execute(statement, winner, loser)
        await connection.execute(REMEMBER, winner, loser, account_id)
        await connection.execute(REMOVE, loser)
        client = await _with_new_keys(connection, account_id, winner)
        merged, into = values_of(client) | {"loser": loser}, {"merged_into": winner}
        await record_client(connection, actor, "merged", winner, old[winner], merged)
        await record_client(connection, actor, "deleted", loser, old[loser], into)
        return client


async def _values(connection: Any, account_id: int, id_: int) -> dict[str, Any]:
    client = await store.get_client(connection, account_id, id_)
    assert client is not None, "it is locked"
    return values_of(client)


async def _with_new_keys(connection: Any, account_id: int, id_: int) -> ClientView:
    client = await store.get_client(connection, account_id, id_)
    assert client is not None, "it is locked"
    if len(client.numbers) > MAX_NUMBERS:
        raise CallctlError("conflict", f"together they have more than {MAX_NUMBERS} numbers")
    country = await connection.fetchval(store.ACCOUNT_COUNTRY, account_id)
    numbers = [n.number for n in client.numbers]
    words = await asyncio.to_thread(search_text, client.name, client.address, numbers, country)
    await connection.execute(SET_SEARCH, id_, words)
    return client
