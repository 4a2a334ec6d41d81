"""Writing a client's row and its numbers, with the keys that searches go by.

Everything here runs inside a transaction of the caller's.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from callctl.core.errors import CallctlError
from callctl.db.numbers import save_numbers
from callctl.features.clients.draft import Draft
from callctl.features.clients.keys import search_text, sort_key

CLIENT_INSERT = """
insert into clients (account_id, kind, name, type_id, service_level, nature, address, email,
                     owner_id, notes, sort_key, search)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) returning id
"""
CLIENT_UPDATE = """
update clients set kind = $3, name = $4, type_id = $5, service_level = $6, nature = $7,
    address = $8, email = $9, owner_id = $10, notes = $11, sort_key = $12, search = $13,
    changed_at = now()
where account_id = $1 and id = $2
"""
NUMBERS_LEAVE = """
delete from client_numbers where client_id = $1 and not number_id = any($2::bigint[])
"""
# Those that another client has stay with it, and are missing in the answer.
NUMBERS_LINK = """
insert into client_numbers (account_id, number_id, client_id, label, position)
select $1, number_id, $2, label, position
from unnest($3::bigint[], $4::text[], $5::smallint[]) v(number_id, label, position)
order by number_id
on conflict (account_id, number_id) do update
set label = excluded.label, position = excluded.position
where client_numbers.client_id = excluded.client_id
returning number_id
"""
NUMBER_OWNERS = """
select n.number, c.id, c.name
from client_numbers k join clients c on c.id = k.client_id join numbers n on n.id = k.number_id
where k.account_id = $1 and n.number = any($2::text[]) order by n.number
"""
TYPE_BY_NAME = "select id, retired from client_types where account_id = $1 and name = $2"
OWNER_EXISTS = "select true from users where account_id = $1 and id = $2"


def number_taken(number: str, client_id: int, name: str, field: str | None = None) -> CallctlError:
    """The number is another client's; the error says whose."""
    return CallctlError(
        "conflict",
        f"{number} belongs to client {client_id}, {name}",
        field,
        detail={"number": number, "client_id": client_id, "client_name": name},
    )


async def search_keys(draft: Draft, country: str) -> tuple[str, str]:
    """(sort key, search words). In a thread: loading the Chinese readings takes a while, and
    calls do not wait."""

    def make() -> tuple[str, str]:
        words = search_text(draft.name, draft.address, draft.numbers, country)
        return sort_key(draft.name), words

    return await asyncio.to_thread(make)


async def find_type(connection: Any, account_id: int, name: str | None, field: str) -> int | None:
    """The id of a type that may be given. Raises CallctlError("invalid_field")."""
    if name is None:
        return None
    row = await connection.fetchrow(TYPE_BY_NAME, account_id, name)
    if row is None or row["retired"]:
        what = "is retired" if row else "is not in the list of client types"
        raise CallctlError("invalid_field", f"{name} {what}", field)
    type_id: int = row["id"]
    return type_id


async def check_owner(connection: Any, account_id: int, owner_id: int | None, field: str) -> None:
    """Raises CallctlError("invalid_field") unless it is a user of the account."""
    if owner_id is not None and not await connection.fetchval(OWNER_EXISTS, account_id, owner_id):
        raise CallctlError("invalid_field", f"there is no user {owner_id}", field)


async def insert_client(connection: Any, account_id: int, draft: Draft, country: str) -> int:
    """A new client with its numbers; its id. Raises CallctlError("conflict") for a number that
    another client has."""
    keys = await search_keys(draft, country)
    client_id: int = await connection.fetchval(CLIENT_INSERT, account_id, *_values(draft), *keys)
    await link_numbers(connection, account_id, client_id, draft.numbers)
    return client_id


async def update_client(
    connection: Any, account_id: int, client_id: int, draft: Draft, country: str
) -> None:
    """Write all of it over what is there. Raises CallctlError("conflict") as `insert_client`."""
    keys = await search_keys(draft, country)
    await connection.execute(CLIENT_UPDATE, account_id, client_id, *_values(draft), *keys)
    await link_numbers(connection, account_id, client_id, draft.numbers)


async def link_numbers(
    connection: Any, account_id: int, client_id: int, numbers: Mapping[str, str]
) -> None:
    """Make these the client's numbers, and no others.

    Two writers of one number are told apart by PostgreSQL: the second one waits for the first.
    """
    ids = await save_numbers(connection, numbers)
    wanted = [ids[n] for n in numbers]
    await connection.execute(NUMBERS_LEAVE, client_id, wanted)
    if not wanted:
        return
    linked = await connection.fetch(
        NUMBERS_LINK, account_id, client_id, wanted, list(numbers.values()), range(len(wanted))
    )
    if len(linked) < len(wanted):
        done = {row[0] for row in linked}
        taken = [n for n in numbers if ids[n] not in done]
        owner = await connection.fetchrow(NUMBER_OWNERS, account_id, taken)
        if owner is None:
            raise CallctlError("conflict", f"{taken[0]} has just been another client's")
        raise number_taken(*owner)


def _values(draft: Draft) -> tuple[Any, ...]:
    return (
        draft.kind,
        draft.name,
        draft.type_id,
        draft.service_level,
        draft.nature,
        draft.address,
        draft.email,
        draft.owner_id,
        draft.notes,
    )
