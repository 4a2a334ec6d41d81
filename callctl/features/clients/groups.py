"""Client groups and who is in them (R003-46)."""

from typing import Any

import asyncpg

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.clients.draft import clean_name
from callctl.features.clients.model import ClientGroupView, GroupFilters
from callctl.features.clients.service import not_found
from callctl.http.endpoint import Page

GROUPS = """
select g.id, g.name,
       (select count(*) from client_group_members m where m.group_id = g.id) as members
from client_groups g
where g.account_id = $1 and ($2::bigint is null or g.id = $2)
  and ($3::bigint is null or g.id > $3)
order by g.id limit $4
"""
GROUP_INSERT = "insert into client_groups (account_id, name) values ($1, $2) returning id"
GROUP_RENAME = """
update client_groups set name = $3 where account_id = $1 and id = $2 returning id
"""
GROUP_DELETE = "delete from client_groups where account_id = $1 and id = $2 returning id"
GROUP_LOCK = "select id from client_groups where account_id = $1 and id = $2 for key share"
MEMBERS_FOUND = """
select id from clients where account_id = $1 and id = any($2::bigint[]) order by id for key share
"""
MEMBERS_ADD = """
insert into client_group_members (group_id, client_id)
select $1, id from unnest($2::bigint[]) id order by id on conflict do nothing
"""
MEMBER_REMOVE = "delete from client_group_members where group_id = $1 and client_id = $2"


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

    async def create_group(self, account_id: int, name: str) -> ClientGroupView:
        """Raises CallctlError: `invalid_field`, `already_exists`."""
        return await self._write(GROUP_INSERT, account_id, name)

    async def rename_group(self, account_id: int, id_: int, name: str) -> ClientGroupView:
        """Raises CallctlError: `not_found`, `invalid_field`, `already_exists`."""
        return await self._write(GROUP_RENAME, account_id, name, id_)

    async def delete_group(self, account_id: int, id_: int) -> None:
        """Its members stay clients. Raises CallctlError("not_found")."""
        if await self._db.fetchval(GROUP_DELETE, account_id, id_) is None:
            raise _no_group(id_)

    async def add_members(self, account_id: int, id_: int, clients: list[int]) -> ClientGroupView:
        """All of them, or none. Raises CallctlError("not_found"), also for one of the clients."""
        async with self._db.transaction() as connection:
            await _lock(connection, account_id, id_)
            rows = await connection.fetch(MEMBERS_FOUND, account_id, clients)
            found = {row["id"] for row in rows}
            for client in clients:
                if client not in found:
                    raise await not_found(connection, account_id, client)
            await connection.execute(MEMBERS_ADD, id_, sorted(found))
            return await _get(connection, account_id, id_)

    async def remove_member(self, account_id: int, id_: int, client: int) -> None:
        """One that is not in it is fine. Raises CallctlError("not_found") for the group."""
        async with self._db.transaction() as connection:
            await _lock(connection, account_id, id_)
            await connection.execute(MEMBER_REMOVE, id_, client)

    async def _write(self, sql: str, account_id: int, name: str, *ids: int) -> ClientGroupView:
        # `;` parts the groups of a CSV cell.
        name = clean_name(name, "body.name", ";")
        try:
            id_ = await self._db.fetchval(sql, account_id, *ids, name)
        except asyncpg.UniqueViolationError:
            raise CallctlError("already_exists", f"there is a group {name}", "body.name") from None
        if id_ is None:
            raise _no_group(ids[0])
        return await _get(self._db, account_id, id_)


async def _get(connection: Any, account_id: int, id_: int) -> ClientGroupView:
    rows = await connection.fetch(GROUPS, account_id, id_, None, 1)
    if not rows:
        raise _no_group(id_)
    return ClientGroupView(*rows[0])


async def _lock(connection: Any, account_id: int, id_: int) -> None:
    if await connection.fetchval(GROUP_LOCK, account_id, id_) is None:
        raise _no_group(id_)


def _no_group(id_: int) -> CallctlError:
    return CallctlError("not_found", f"there is no client group {id_}")
