"""The account's list of client types (R001-19, R003-03), and its settings for clients."""

from typing import Any

import asyncpg
from msgspec import UNSET

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.clients.draft import clean_name
from callctl.features.clients.model import ClientSettings, TypeChange, TypeView
from callctl.http.endpoint import Page

MAX_TYPES = 200

LOCK_ACCOUNT = "select id from accounts where id = $1 for no key update"
TYPES = """
select id, name, retired from client_types where account_id = $1 order by position, id
"""
TYPE_INSERT = """
insert into client_types (account_id, name, position)
select $1, $2, coalesce(max(position), 0) + 1 from client_types where account_id = $1
returning id, name, retired
"""
TYPE_UPDATE = """
update client_types set name = coalesce($3, name), retired = coalesce($4, retired)
where account_id = $1 and id = $2 returning id, name, retired
"""
TYPES_ORDER = """
update client_types t set position = v.position
from unnest($2::bigint[]) with ordinality v(id, position)
where t.account_id = $1 and t.id = v.id
"""
SETTINGS = """
select register, register_directions from client_settings where account_id = $1
"""
SETTINGS_UPSERT = """
insert into client_settings (account_id, register, register_directions) values ($1, $2, $3)
on conflict (account_id) do update
set register = excluded.register, register_directions = excluded.register_directions
"""


class ClientTypes:
    """Types are never deleted: calls keep those that their clients had."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_types(self, account_id: int) -> Page[TypeView]:
        """All of them in their order; there is one page only."""
        return Page(_views(await self._db.fetch(TYPES, account_id)), None)

    async def create_type(self, account_id: int, name: str) -> TypeView:
        """At the list's end. Raises CallctlError: `invalid_field`, `already_exists`, `conflict`."""
        name = clean_name(name, "body.name")
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_ACCOUNT, account_id)
            if len(await connection.fetch(TYPES, account_id)) >= MAX_TYPES:
                raise CallctlError("conflict", f"there are {MAX_TYPES} client types already")
            return await _write(connection, name, TYPE_INSERT, account_id, name)

    async def change_type(self, account_id: int, id_: int, change: TypeChange) -> TypeView:
        """Raises CallctlError: `not_found`, `invalid_field`, `already_exists`."""
        name = None if change.name is UNSET else clean_name(change.name, "body.name")
        retired = None if change.retired is UNSET else change.retired
        async with self._db.transaction() as connection:
            return await _write(connection, name, TYPE_UPDATE, account_id, id_, name, retired)

    async def order_types(self, account_id: int, ids: list[int]) -> Page[TypeView]:
        """Raises CallctlError("conflict") unless `ids` are all types, once each."""
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_ACCOUNT, account_id)
            there = {row["id"] for row in await connection.fetch(TYPES, account_id)}
            if len(ids) != len(there) or set(ids) != there:
                raise CallctlError("conflict", "name every type once", "body.ids", sorted(there))
            await connection.execute(TYPES_ORDER, account_id, ids)
            return Page(_views(await connection.fetch(TYPES, account_id)), None)

    async def get_settings(self, account_id: int) -> ClientSettings:
        row = await self._db.fetchrow(SETTINGS, account_id)
        return ClientSettings(row[0], row[1]) if row else ClientSettings()

    async def save_settings(self, account_id: int, settings: ClientSettings) -> ClientSettings:
        """In force with the next call that is stored."""
        directions = sorted(set(settings.register_directions))
        await self._db.execute(SETTINGS_UPSERT, account_id, settings.register, directions)
        return await self.get_settings(account_id)


async def _write(connection: Any, name: str | None, sql: str, *args: Any) -> TypeView:
    try:
        row = await connection.fetchrow(sql, *args)
    except asyncpg.UniqueViolationError:
        raise CallctlError("already_exists", f"there is a type {name}", "body.name") from None
    if row is None:
        raise CallctlError("not_found", "there is no such client type")
    return TypeView(*row)


def _views(rows: list[Any]) -> list[TypeView]:
    return [TypeView(*row) for row in rows]
