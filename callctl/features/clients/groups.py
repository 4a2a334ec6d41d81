"""Client groups and who is in them (R003-46)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from callctl.core.errors import CallctlError
from callctl.db.audit import Values
from callctl.db.pool import Database
from callctl.features.clients.draft import clean_name
from callctl.features.clients.model import ClientGroupView, GroupFilters
from callctl.features.clients.record import record
from callctl.features.clients.service import not_found
from callctl.http.endpoint import Actor, Page

GROUPS = """
select g.id, g.name,
       (select count(*) from client_group_members m where m.group_id = g.id) as members
from client_groups g
where g.account_id = $1 and ($2::bigint is null or g.id = $2)
  and ($3::bigint is null or g.id > $3)
order by g.id limit $4
"""
GROUP_INSERT = "insert into client_groups (account_id, name) values ($1, $2) returning id"
GROUP_RENAME = "update client_groups set name = $3 where account_id = $1 and id = $2"
GROUP_DELETE = "delete from client_groups where account_id = $1 and id = $2"
# One that is renamed or deleted waits for its members to be written, and they for it.
GROUP_SHARE = "select name from client_groups where account_id = $1 and id = $2 for key share"
GROUP_LOCK = "select name from client_groups where account_id = $1 and id = $2 for update"
MEMBERS_FOUND = """
select id from clients where account_id = $1 and id = any($2::bigint[]) order by id for key share
"""
MEMBERS_ADD = """
insert into client_group_members (group_id, client_id)
select $1, id from unnest($2::bigint[]) id order by id on conflict do nothing
returning client_id
"""
MEMBER_REMOVE = """
delete from client_group_members where group_id = $1 and client_id = $2 returning true
"""


class ClientGroups:
    """What lies outside the account does not exist. The members are `ClientFilters.group`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_groups(self, account_id: int, filters: GroupFilters) -> Page[ClientGroupView]:
        """In the order in which they were made."""
        rows = await self._db.fetch(GROUPS, account_id, None, filters.cursor, filters.limit + 1)
        items = [ClientGroupView(*row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def get_group(self, account_id: int, id_: int) -> ClientGroupView:
        """Raises CallctlError("not_found")."""
        return await _get(self._db, account_id, id_)

    async def create_group(self, actor: Actor, name: str) -> ClientGroupView:
        """Raises CallctlError: `invalid_field`, `already_exists`."""
        name = _clean(name)
        async with self._db.transaction() as connection:
            with _taken(name):
                id_ = await connection.fetchval(GROUP_INSERT, actor.account_id, name)
            await _record(connection, actor, "created", id_, None, {"name": name})
            return await _get(connection, actor.account_id, id_)

    async def rename_group(self, actor: Actor, id_: int, name: str) -> ClientGroupView:
        """Raises CallctlError: `not_found`, `invalid_field`, `already_exists`."""
        name = _clean(name)
        async with self._db.transaction() as connection:
            before = await _lock(connection, GROUP_LOCK, actor.account_id, id_)
            with _taken(name):
                await connection.execute(GROUP_RENAME, actor.account_id, id_, name)
            await _record(connection, actor, "changed", id_, before, {"name": name})
            return await _get(connection, actor.account_id, id_)

    async def delete_group(self, actor: Actor, id_: int) -> None:
        """Its members stay clients. Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            before = await _lock(connection, GROUP_LOCK, actor.account_id, id_)
            await connection.execute(GROUP_DELETE, actor.account_id, id_)
            await _record(connection, actor, "deleted", id_, before, None)

    async def add_members(self, actor: Actor, id_: int, clients: list[int]) -> ClientGroupView:
        """All of them, or none. Raises CallctlError("not_found"), also for one of the clients."""
        account_id = actor.account_id
        async with self._db.transaction() as connection:
            await _lock(connection, GROUP_SHARE, account_id, id_)
            rows = await connection.fetch(MEMBERS_FOUND, account_id, clients)
            found = {row["id"] for row in rows}
            for client in clients:
                if client not in found:
                    raise await not_found(connection, account_id, client)
            added = [row[0] for row in await connection.fetch(MEMBERS_ADD, id_, sorted(found))]
            if added:
                await _record(connection, actor, "joined", id_, None, {"clients": added})
            return await _get(connection, account_id, id_)

    async def remove_member(self, actor: Actor, id_: int, client: int) -> None:
        """One that is not in it is fine. Raises CallctlError("not_found") for the group."""
        async with self._db.transaction() as connection:
            await _lock(connection, GROUP_SHARE, actor.account_id, id_)
            if await connection.fetchval(MEMBER_REMOVE, id_, client):
                await _record(connection, actor, "left", id_, {"clients": [client]}, None)


def _clean(name: str) -> str:
    # `;` parts the groups of a CSV cell.
    return clean_name(name, "body.name", ";")


@contextmanager
def _taken(name: str) -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError:
        raise CallctlError("already_exists", f"there is a group {name}", "body.name") from None


async def _get(connection: Any, account_id: int, id_: int) -> ClientGroupView:
    rows = await connection.fetch(GROUPS, account_id, id_, None, 1)
    if not rows:
        raise _no_group(id_)
    return ClientGroupView(*rows[0])


async def _lock(connection: Any, sql: str, account_id: int, id_: int) -> dict[str, str]:
    row = await connection.fetchrow(sql, account_id, id_)
    if row is None:
        raise _no_group(id_)
    return dict(row)


async def _record(
    connection: Any, actor: Actor, verb: str, id_: int, before: Values | None, after: Values | None
) -> None:
    action, subject = f"client_group.{verb}", f"client_group:{id_}"
    await record(connection, actor, action, subject, before, after)


def _no_group(id_: int) -> CallctlError:
    return CallctlError("not_found", f"there is no client group {id_}")
