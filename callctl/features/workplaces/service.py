"""Places on the map of workstations: one cell each, one place for an extension."""

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
from msgspec import UNSET, structs

from callctl.core.errors import CallctlError
from callctl.core.lines import checked_line
from callctl.core.scope import CallScope
from callctl.core.workplaces import free_cells
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.workplaces.model import (
    COLUMNS,
    ROWS,
    NewWorkplace,
    WorkplaceChange,
    WorkplaceList,
    WorkplaceView,
)
from callctl.http.endpoint import Actor

_COLUMNS = "id, x, y, label, extension"

# $2: those whose calls one sees, null = all.
WORKPLACES = f"""
select {_COLUMNS} from workplaces
where account_id = $1
  and ($2::text[] is null or extension is null or extension = any($2::text[]))
order by y, x
"""  # noqa: S608 - constants of this file

WORKPLACE_LOCK = f"""
select {_COLUMNS} from workplaces where account_id = $1 and id = $2 for update
"""  # noqa: S608

WORKPLACE_INSERT = f"""
insert into workplaces (account_id, x, y, label, extension) values ($1, $2, $3, $4, $5)
returning {_COLUMNS}
"""  # noqa: S608

WORKPLACE_UPDATE = """
update workplaces set x = $3, y = $4, label = $5, extension = $6
where account_id = $1 and id = $2
"""

WORKPLACE_DELETE = "delete from workplaces where account_id = $1 and id = $2"

_ACCOUNT_LOCK = "select from accounts where id = $1 for no key update"

ListExtensions = Callable[[int], Sequence[str]]
"""The numbers of an account's extensions, as they are routed now."""


class WorkplaceService:
    """`list_extensions` is all it knows of the routing."""

    def __init__(self, db: Database, list_extensions: ListExtensions) -> None:
        self._db = db
        self._list_extensions = list_extensions

    async def list_places(self, scope: CallScope) -> WorkplaceList:
        """Row by row."""
        own = None if scope.extensions is None else list(scope.extensions)
        rows = await self._db.fetch(WORKPLACES, scope.account_id, own)
        return WorkplaceList(COLUMNS, ROWS, [WorkplaceView(**dict(row)) for row in rows])

    async def create(self, actor: Actor, new: NewWorkplace) -> WorkplaceView:
        """Raises CallctlError: `invalid_field`, `already_exists` (the cell is taken, or the
        extension has a place)."""
        self._check(actor, new.extension)
        label = checked_line(new.label, "body.label")
        values = (new.x, new.y, label, new.extension)
        try:
            async with self._db.transaction() as connection:
                row = await connection.fetchrow(WORKPLACE_INSERT, actor.account_id, *values)
                made = WorkplaceView(**dict(row))
                await _record(connection, actor, "workplace.created", None, made)
                return made
        except asyncpg.UniqueViolationError as error:
            raise _taken(error) from None

    async def change(self, actor: Actor, id_: int, change: WorkplaceChange) -> WorkplaceView:
        """Raises CallctlError: `not_found`, `invalid_field`, `already_exists`."""
        if change.extension is not UNSET:
            self._check(actor, change.extension)
        given = {k: v for k, v in structs.asdict(change).items() if v is not UNSET}
        if "label" in given:
            given["label"] = checked_line(given["label"], "body.label")
        try:
            async with self._db.transaction() as connection:
                before = await _lock(connection, actor, id_)
                after = structs.replace(before, **given)
                await connection.execute(
                    WORKPLACE_UPDATE, actor.account_id, id_,
                    after.x, after.y, after.label, after.extension,
                )  # fmt: skip
                await _record(connection, actor, "workplace.changed", before, after)
                return after
        except asyncpg.UniqueViolationError as error:
            raise _taken(error) from None

    async def delete(self, actor: Actor, id_: int) -> None:
        """Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            before = await _lock(connection, actor, id_)
            await connection.execute(WORKPLACE_DELETE, actor.account_id, id_)
            await _record(connection, actor, "workplace.deleted", before, None)

    async def arrange(self, actor: Actor) -> WorkplaceList:
        """A place, in rows below those there are, for each extension that has none. What there is
        no room for gets none.

        Raises CallctlError("already_exists") where somebody adds places in the same moment.
        """
        try:
            return await self._arrange(actor)
        except asyncpg.UniqueViolationError as error:
            raise _taken(error) from None

    async def _arrange(self, actor: Actor) -> WorkplaceList:
        async with self._db.transaction() as connection:
            await connection.fetch(_ACCOUNT_LOCK, actor.account_id)
            rows = await connection.fetch(WORKPLACES, actor.account_id, None)
            placed = {row["extension"] for row in rows}
            missing = [n for n in self._list_extensions(actor.account_id) if n not in placed]
            cells = free_cells({(row["x"], row["y"]) for row in rows}, COLUMNS, ROWS)
            made = list(zip(missing, cells, strict=False))
            await connection.executemany(
                WORKPLACE_INSERT, [(actor.account_id, x, y, "", number) for number, (x, y) in made]
            )
            if made:
                after = {"extensions": [number for number, _ in made]}
                await record_change(
                    connection, actor.account_id, actor.author, "workplaces.arranged",
                    "workplaces", None, after,
                )  # fmt: skip
        return await self.list_places(actor.calls)

    def _check(self, actor: Actor, extension: str | None) -> None:
        if extension is not None and extension not in self._list_extensions(actor.account_id):
            raise CallctlError("invalid_field", f"no extension {extension}", "body.extension")


async def _lock(connection: Any, actor: Actor, id_: int) -> WorkplaceView:
    row = await connection.fetchrow(WORKPLACE_LOCK, actor.account_id, id_)
    if row is None:
        raise CallctlError("not_found", f"there is no place {id_}")
    return WorkplaceView(**dict(row))


async def _record(
    connection: Any,
    actor: Actor,
    action: str,
    before: WorkplaceView | None,
    after: WorkplaceView | None,
) -> None:
    place = after or before
    assert place is not None
    await record_change(
        connection, actor.account_id, actor.author, action, f"workplace:{place.id}",
        None if before is None else structs.asdict(before),
        None if after is None else structs.asdict(after),
    )  # fmt: skip


def _taken(error: asyncpg.UniqueViolationError) -> CallctlError:
    if error.constraint_name == "workplaces_of_extension":
        return CallctlError("already_exists", "this extension has a place", "body.extension")
    return CallctlError("already_exists", "there is another place in that cell", "body.x")
