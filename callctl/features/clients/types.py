"""The account's list of client types (R001-19, R003-03), and its settings for clients."""

from typing import Any

import asyncpg
from msgspec import UNSET, to_builtins

from callctl.core.errors import CallctlError
from callctl.db.pool import Database, Reads
from callctl.features.clients.draft import clean_name
from callctl.features.clients.model import ClientSettings, TypeChange, TypeView
from callctl.features.clients.record import record
from callctl.http.endpoint import Actor, Page

MAX_TYPES = 200

LOCK_ACCOUNT = "select id from accounts where id = $1 for no key update"
TYPES = """
select id, name, retired from client_types where account_id = $1 order by position, id
"""
TYPE_LOCK = """
select id, name, retired from client_types where account_id = $1 and id = $2 for no key update
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

    async def create_type(self, actor: Actor, name: str) -> TypeView:
        """At the list's end. Raises CallctlError: `invalid_field`, `already_exists`, `conflict`."""
        account_id, name = actor.account_id, clean_name(name, "body.name")
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_ACCOUNT, account_id)
            if len(await connection.fetch(TYPES, account_id)) >= MAX_TYPES:
                raise CallctlError("conflict", f"there are {MAX_TYPES} client types already")
            made = await _write(connection, name, TYPE_INSERT, account_id, name)
            await _record(connection, actor, "created", None, made)
            return made

    async def change_type(self, actor: Actor, id_: int, change: TypeChange) -> TypeView:
        """Raises CallctlError: `not_found`, `invalid_field`, `already_exists`."""
        name = None if change.name is UNSET else clean_name(change.name, "body.name")
        retired = None if change.retired is UNSET else change.retired
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(TYPE_LOCK, actor.account_id, id_)
            if row is None:
                raise CallctlError("not_found", "there is no such client type")
            after = await _write(
                connection, name, TYPE_UPDATE, actor.account_id, id_, name, retired
            )
            await _record(connection, actor, "changed", TypeView(*row), after)
            return after

    async def order_types(self, actor: Actor, ids: list[int]) -> Page[TypeView]:
        """Raises CallctlError("conflict") unless `ids` are all types, once each."""
        account_id = actor.account_id
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_ACCOUNT, account_id)
            there = [row["id"] for row in await connection.fetch(TYPES, account_id)]
            if sorted(ids) != sorted(there):
                raise CallctlError("conflict", "name every type once", "body.ids", sorted(there))
            await connection.execute(TYPES_ORDER, account_id, ids)
            before, after = {"ids": there}, {"ids": ids}
            await record(connection, actor, "client_type.ordered", "client_types", before, after)
            return Page(_views(await connection.fetch(TYPES, account_id)), None)

    async def get_settings(self, account_id: int) -> ClientSettings:
        return await _settings(self._db, account_id)

    async def save_settings(self, actor: Actor, settings: ClientSettings) -> ClientSettings:
        """In force with the next call that is stored."""
        account_id, directions = actor.account_id, sorted(set(settings.register_directions))
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_ACCOUNT, account_id)
            before = await _settings(connection, account_id)
            await connection.execute(SETTINGS_UPSERT, account_id, settings.register, directions)
            after = await _settings(connection, account_id)
            await record(
                connection, actor, "client_settings.changed", "client_settings",
                to_builtins(before), to_builtins(after),
            )  # fmt: skip
            return after


async def _settings(db: Reads, account_id: int) -> ClientSettings:
    row = await db.fetchrow(SETTINGS, account_id)
    return ClientSettings(row[0], row[1]) if row else ClientSettings()


async def _write(connection: Any, name: str | None, sql: str, *args: Any) -> TypeView:
    try:
        row = await connection.fetchrow(sql, *args)
    except asyncpg.UniqueViolationError:
        raise CallctlError("already_exists", f"there is a type {name}", "body.name") from None
    return TypeView(*row)


async def _record(
    connection: Any, actor: Actor, verb: str, before: TypeView | None, after: TypeView
) -> None:
    old, new = (
        {"name": view.name, "retired": view.retired} if view else None for view in (before, after)
    )
    await record(connection, actor, f"client_type.{verb}", f"client_type:{after.id}", old, new)


def _views(rows: list[Any]) -> list[TypeView]:
    return [TypeView(*row) for row in rows]
