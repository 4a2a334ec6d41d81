"""Groups: users together, whose leader sees their calls (R002-05, R002-09)."""

from typing import Any

import asyncpg
from msgspec import UNSET

from callctl.core.errors import CallctlError
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.people import store
from callctl.features.people.model import GroupChange, GroupFilters, GroupView, NewGroup
from callctl.features.people.users import checked_name
from callctl.http.endpoint import Actor, Page


class GroupService:
    """Whoever sees a part of the account's people only sees their own group."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_groups(self, actor: Actor, filters: GroupFilters) -> Page[GroupView]:
        """By name."""
        rows = await self._db.fetch(
            store.GROUPS_PAGE, actor.account_id, actor.viewer_id, filters.cursor, filters.limit + 1
        )
        items = [GroupView(**row) for row in rows[: filters.limit]]
        return Page(items, items[-1].name if len(rows) > filters.limit else None)

    async def get_group(self, actor: Actor, group_id: int) -> GroupView:
        """Raises CallctlError("not_found")."""
        return await _get(self._db, actor, group_id)

    async def create_group(self, actor: Actor, new: NewGroup) -> GroupView:
        """Raises CallctlError: `already_exists`, `invalid_field`."""
        values = _checked(new.name, new.description)
        try:
            async with self._db.transaction() as connection:
                group_id = await connection.fetchval(
                    store.GROUP_INSERT, actor.account_id, values["name"], values["description"]
                )
                await _record(connection, actor, "created", group_id, None, values)
                return await _get(connection, actor, group_id)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise store.refusal(error) from None

    async def change_group(self, actor: Actor, group_id: int, change: GroupChange) -> GroupView:
        """Raises CallctlError: `not_found`, `already_exists`, `invalid_field`."""
        try:
            async with self._db.transaction() as connection:
                before = await _lock(connection, actor, group_id)
                after = _checked(
                    before["name"] if change.name is UNSET else change.name,
                    before["description"] if change.description is UNSET else change.description,
                )
                await connection.execute(
                    store.GROUP_UPDATE, actor.account_id, group_id, after["name"],
                    after["description"],
                )  # fmt: skip
                await _record(connection, actor, "changed", group_id, before, after)
                return await _get(connection, actor, group_id)
        except asyncpg.IntegrityConstraintViolationError as error:
            raise store.refusal(error) from None

    async def delete_group(self, actor: Actor, group_id: int) -> None:
        """Raises CallctlError: `not_found`, `conflict` while somebody belongs or is invited."""
        try:
            async with self._db.transaction() as connection:
                before = await _lock(connection, actor, group_id)
                await connection.execute(store.GROUP_LEAVE_INVITATIONS, actor.account_id, group_id)
                await connection.execute(store.GROUP_DELETE, actor.account_id, group_id)
                await _record(connection, actor, "deleted", group_id, before, None)
        except asyncpg.ForeignKeyViolationError:
            message = "people still belong to this group, or are invited to it"
            raise CallctlError("conflict", message) from None


def _checked(name: str, description: str) -> dict[str, str]:
    description = description and checked_name(description, "body.description")
    return {"name": checked_name(name, "body.name"), "description": description}


async def _get(connection: Any, actor: Actor, group_id: int) -> GroupView:
    row = await connection.fetchrow(store.GROUP, actor.account_id, actor.viewer_id, group_id)
    if row is None:
        raise CallctlError("not_found", f"no group with the id {group_id}")
    return GroupView(**row)


async def _lock(connection: Any, actor: Actor, group_id: int) -> dict[str, str]:
    row = await connection.fetchrow(store.GROUP_LOCK, actor.account_id, group_id)
    if row is None:
        raise CallctlError("not_found", f"no group with the id {group_id}")
    return dict(row)


async def _record(
    connection: Any, actor: Actor, verb: str, group_id: int, before: Any, after: Any
) -> None:
    await record_change(
        connection, actor.account_id, actor.author, f"group.{verb}", f"group:{group_id}", before,
        after,
    )  # fmt: skip
