"""Filters of the call list that people keep under a name, for themselves or for all."""

from typing import Any

import asyncpg
import msgspec
from msgspec import UNSET

from callctl.core.errors import CallctlError
from callctl.core.names import tidy_name
from callctl.core.permissions import Scope
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.calls.model import (
    CallFilters,
    NewSavedFilter,
    SavedFilterChange,
    SavedFilterFilters,
    SavedFilterView,
)
from callctl.features.calls.service import check_filters
from callctl.http.auth import require_scope
from callctl.http.decode import field_error
from callctl.http.endpoint import Actor, Page

MOST_SAVED = 200

# $2 is the user, null = the machine.
_COLUMNS = """
f.id, f.name, f.shared, f.user_id is not distinct from $2::bigint as mine,
(select u.login from users u where u.id = f.user_id) as owner, f.filters, f.created_at, f.changed_at
"""
_VISIBLE = "f.account_id = $1 and (f.shared or f.user_id is not distinct from $2::bigint)"
SAVED_FILTERS = f"""
select {_COLUMNS} from saved_filters f
where {_VISIBLE} and ($3::bigint is null or f.id > $3) order by f.id limit $4
"""  # noqa: S608 - constants of this file
SAVED_FILTER = f"select {_COLUMNS} from saved_filters f where {_VISIBLE} and f.id = $3"  # noqa: S608
SAVED_FILTER_LOCK = f"{SAVED_FILTER} for update of f"
SAVED_FILTER_INSERT = f"""
insert into saved_filters as f (account_id, user_id, name, shared, filters)
select $1, $2, $3, $4, $5
where (select count(*) from saved_filters o
       where o.account_id = $1 and o.user_id is not distinct from $2::bigint) < {MOST_SAVED}
returning {_COLUMNS}
"""  # noqa: S608
SAVED_FILTER_UPDATE = f"""
update saved_filters f set name = $4, shared = $5, filters = $6, changed_at = now()
where f.account_id = $1 and f.id = $3 returning {_COLUMNS}
"""  # noqa: S608
SAVED_FILTER_DELETE = "delete from saved_filters where id = $1"


class SavedFilterService:
    """What is neither the actor's nor shared does not exist. To share, and to change what is
    shared, takes `settings:write` and leaves a line in the audit log."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_saved(self, actor: Actor, page: SavedFilterFilters) -> Page[SavedFilterView]:
        """One's own and the shared ones, the oldest first."""
        after = int(page.cursor) if page.cursor else None
        rows = await self._db.fetch(SAVED_FILTERS, *_viewer(actor), after, page.limit + 1)
        items = [_view(row) for row in rows[: page.limit]]
        return Page(items, str(items[-1].id) if len(rows) > page.limit else None)

    async def get_saved(self, actor: Actor, id_: int) -> SavedFilterView:
        """Raises CallctlError("not_found")."""
        return await _get(self._db, SAVED_FILTER, actor, id_)

    async def create(self, actor: Actor, new: NewSavedFilter) -> SavedFilterView:
        """Raises CallctlError: `invalid_field`, `already_exists`, `forbidden`, `conflict` for more
        than `MOST_SAVED`."""
        values = (_name(new.name), new.shared, _storable(new.filters))
        try:
            async with self._db.transaction() as connection:
                row = await connection.fetchrow(SAVED_FILTER_INSERT, *_viewer(actor), *values)
                if row is None:
                    raise CallctlError("conflict", f"there are {MOST_SAVED} of yours already")
                made = _view(row)
                await _record(connection, actor, None, made)
                return made
        except asyncpg.UniqueViolationError:
            raise _exists() from None

    async def change(self, actor: Actor, id_: int, change: SavedFilterChange) -> SavedFilterView:
        """Raises CallctlError: `not_found`, `invalid_field`, `already_exists`, `forbidden`."""
        try:
            async with self._db.transaction() as connection:
                before = await _get(connection, SAVED_FILTER_LOCK, actor, id_)
                name = before.name if change.name is UNSET else _name(change.name)
                shared = before.shared if change.shared is UNSET else change.shared
                filters = before.filters if change.filters is UNSET else _storable(change.filters)
                row = await connection.fetchrow(
                    SAVED_FILTER_UPDATE, *_viewer(actor), id_, name, shared, filters
                )
                after = _view(row)
                await _record(connection, actor, before, after)
                return after
        except asyncpg.UniqueViolationError:
            raise _exists() from None

    async def delete(self, actor: Actor, id_: int) -> None:
        """Raises CallctlError: `not_found`, `forbidden`."""
        async with self._db.transaction() as connection:
            before = await _get(connection, SAVED_FILTER_LOCK, actor, id_)
            await connection.execute(SAVED_FILTER_DELETE, id_)
            await _record(connection, actor, before, None)


def read_stored(filters: dict[str, Any]) -> CallFilters:
    """Raises CallctlError("invalid_field") for what this version does not know."""
    try:
        return msgspec.convert(filters, CallFilters)
    except msgspec.ValidationError as error:
        raise field_error(error, "filters") from None


def _storable(filters: CallFilters) -> dict[str, Any]:
    """What differs from the defaults. Raises CallctlError("invalid_field")."""
    values: dict[str, Any] = msgspec.to_builtins(filters)
    default = msgspec.to_builtins(CallFilters())
    given = {name: value for name, value in values.items() if value != default[name]}
    for paging in ("cursor", "limit"):
        if paging in given:
            raise CallctlError(
                "invalid_field", "belongs to a page, not to a filter", f"body.filters.{paging}"
            )
    try:
        check_filters(filters)
    except CallctlError as error:
        place = (error.field or "query").replace("query", "body.filters", 1)
        raise CallctlError(error.code, error.message, place) from None
    return given


def _name(text: str) -> str:
    try:
        return tidy_name(text)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), "body.name") from None


def _exists() -> CallctlError:
    return CallctlError("already_exists", "another filter of that owner has this name", "body.name")


def _viewer(actor: Actor) -> tuple[int, int | None]:
    return actor.account_id, actor.author.responsible_id


async def _get(reads: Any, sql: str, actor: Actor, id_: int) -> SavedFilterView:
    row = await reads.fetchrow(sql, *_viewer(actor), id_)
    if row is None:
        raise CallctlError("not_found", f"there is no saved filter {id_}")
    return _view(row)


def _view(row: Any) -> SavedFilterView:
    problem = None
    try:
        read_stored(row["filters"])
    except CallctlError as error:
        problem = f"{error.field}: {error.message}"
    return SavedFilterView(**dict(row), problem=problem)


async def _record(
    connection: Any, actor: Actor, before: SavedFilterView | None, after: SavedFilterView | None
) -> None:
    """A line of what is shared, was or is to be. Raises CallctlError("forbidden")."""
    old, new = _shared_values(before), _shared_values(after)
    if old is None and new is None:
        return
    require_scope(actor, Scope.SETTINGS_WRITE)
    verb = "shared" if old is None else "unshared" if new is None else "changed"
    one = after or before
    assert one is not None
    await record_change(
        connection, actor.account_id, actor.author, f"saved_filter.{verb}",
        f"saved_filter:{one.id}", old, new,
    )  # fmt: skip


def _shared_values(view: SavedFilterView | None) -> dict[str, Any] | None:
    if view is None or not view.shared:
        return None
    return {"name": view.name, "owner": view.owner, "filters": view.filters}
