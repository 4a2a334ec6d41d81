"""Exports: asked for, looked at, fetched, verified (R000-14). `runner.py` makes them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.tables import TableSource
from callctl.db.audit import Values, record_change
from callctl.db.pool import Database
from callctl.features.exports import store
from callctl.features.exports.model import (
    ExportFilters,
    ExportView,
    NewExport,
    Verified,
)
from callctl.http.decode import field_error, refuse_far_times
from callctl.http.endpoint import Actor, Page

MOST_VERIFY_BYTES = 4 * 1024**3
_PAGING = frozenset({"cursor", "limit"})


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """`root`: where files lie. `at_once`: how many of an account may wait or run."""

    root: Path
    systemname: str
    keep_hours: int
    at_once: int


@dataclass(frozen=True, slots=True)
class ExportFile:
    """A finished file, and the name to save it under."""

    path: Path
    name: str


class ExportService:
    """What lies outside the actor's scope does not exist."""

    def __init__(
        self,
        db: Database,
        tables: Sequence[TableSource],
        settings: ExportSettings,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._db = db
        self.tables: Mapping[str, TableSource] = {table.name: table for table in tables}
        self._settings = settings
        self._wake = wake
        # In here a crowd waits without taking the pool's connections.
        self._creating = asyncio.Lock()

    async def create(self, actor: Actor, new: NewExport) -> ExportView:
        """Raises CallctlError: `invalid_field`, `forbidden` (the list itself may not be read),
        `too_many_exports`."""
        table = self.tables.get(new.source)
        if table is None:
            known = ", ".join(self.tables)
            raise CallctlError("invalid_field", f"there are: {known}", "body.source")
        if table.scope not in actor.scopes:
            raise CallctlError(
                "forbidden", f"this needs the scope {table.scope}", detail={"scope": table.scope}
            )
        check_request(table, new)
        scope = actor.calls
        async with self._creating, self._db.transaction() as connection:
            await connection.fetch(store.ACCOUNT_LOCK, scope.account_id)
            under_way = await connection.fetchval(store.OPEN_EXPORTS, scope.account_id)
            if under_way >= self._settings.at_once:
                raise CallctlError(
                    "too_many_exports",
                    f"{under_way} exports of this account wait or run",
                    detail={"limit": self._settings.at_once},
                )
            row = await connection.fetchrow(
                store.EXPORT_INSERT,
                scope.account_id,
                None if scope.extensions is None else list(scope.extensions),
                self._settings.systemname,
                new.source,
                new.mode,
                new.format,
                new.bom,
                new.keys,
                new.filters,
                actor.name,
            )
            await _record(connection, actor, "created", row["id"], _asked(new))
        self._wake()
        return ExportView(**dict(row))

    async def list_exports(self, actor: Actor, filters: ExportFilters) -> Page[ExportView]:
        """The newest first."""
        before = int(filters.cursor) if filters.cursor else None
        rows = await self._db.fetch(
            store.EXPORTS, *_visible(actor), filters.state, before, filters.limit + 1
        )
        items = [ExportView(**dict(row)) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def get(self, actor: Actor, id_: int) -> ExportView:
        """Raises CallctlError("not_found")."""
        return _found(await self._db.fetchrow(store.EXPORT, *_visible(actor), id_), id_)

    async def cancel(self, actor: Actor, id_: int) -> ExportView:
        """Raises CallctlError: `not_found`; `conflict` when it is over already."""
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(store.CANCEL, *_visible(actor), id_)
            if row is not None:
                await _record(connection, actor, "cancelled", id_, None)
                return ExportView(**dict(row))
        state = (await self.get(actor, id_)).state
        raise CallctlError("conflict", f"the export is {state}")

    async def find_file(self, actor: Actor, id_: int) -> ExportFile:
        """Raises CallctlError: `not_found`; `conflict` when there is no file (yet, or any more)."""
        row = await self._db.fetchrow(store.EXPORT_PLACE, *_visible(actor), id_)
        if row is None:
            raise _no_export(id_)
        if row["state"] != "done":
            raise CallctlError("conflict", f"the export is {row['state']}")
        if row["systemname"] != self._settings.systemname:
            raise CallctlError("conflict", f"the file lies with {row['systemname']}")
        path = file_of(self._settings.root, id_, row["format"])
        if not await asyncio.to_thread(path.is_file):
            raise CallctlError("conflict", "the file is gone")
        return ExportFile(path, f"{row['source']}-{id_}.{row['format']}")

    async def verify(self, actor: Actor, sha256: str) -> Verified:
        """Which exports of the account a file of this hash is."""
        digest = sha256.lower()
        rows = await self._db.fetch(store.EXPORTS_BY_HASH, *_visible(actor), digest)
        found = [ExportView(**dict(row)) for row in rows]
        return Verified(digest, bool(found), found)

    async def verify_file(self, actor: Actor, chunks: AsyncIterator[bytes]) -> Verified:
        """The same for a file's bytes. Raises CallctlError("body_too_large")."""
        digest = hashlib.sha256()
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > MOST_VERIFY_BYTES:
                raise CallctlError(
                    "body_too_large",
                    f"the file is larger than {MOST_VERIFY_BYTES} bytes",
                    detail={"limit": MOST_VERIFY_BYTES},
                )
            digest.update(chunk)
        return await self.verify(actor, digest.hexdigest())


def _asked(new: NewExport) -> dict[str, Any]:
    """Who exported what is evidence. Of selected rows it is how many: the export names them."""
    return {
        "source": new.source,
        "mode": new.mode,
        "format": new.format,
        "filters": new.filters,
        "keys": len(new.keys),
    }


async def _record(connection: Any, actor: Actor, verb: str, id_: int, after: Values | None) -> None:
    await record_change(
        connection, actor.account_id, actor.author, f"export.{verb}", f"export:{id_}", None, after
    )


def check_request(table: TableSource, new: NewExport) -> None:
    """Raises CallctlError("invalid_field") for what contradicts itself."""
    if (new.mode == "selected") != bool(new.keys):
        raise CallctlError("invalid_field", "selected rows, and only they, have keys", "body.keys")
    if new.filters and new.mode in ("selected", "all"):
        raise CallctlError("invalid_field", f"{new.mode} has no filters", "body.filters")
    if new.mode == "search" and (paging := sorted(_PAGING & new.filters.keys())):
        raise CallctlError(
            "invalid_field", "belongs to a page, not to a search", f"body.filters.{paging[0]}"
        )
    filters = convert_filters(table, new.filters)
    try:
        table.check(filters, new.keys or None)
    except CallctlError as error:
        place = (error.field or "query").replace("query", "body.filters", 1)
        raise CallctlError(error.code, error.message, place) from None


def convert_filters(table: TableSource, filters: Mapping[str, Any]) -> Any:
    """As the list itself takes them. Raises CallctlError("invalid_field")."""
    try:
        converted = msgspec.convert(dict(filters), table.filters, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "body.filters") from None
    refuse_far_times(converted, "body.filters")
    return converted


def file_of(root: Path, id_: int, format_: str) -> Path:
    return root / f"{id_}.{format_}"


def _visible(actor: Actor) -> tuple[int, list[str] | None]:
    extensions = actor.calls.extensions
    return actor.calls.account_id, None if extensions is None else list(extensions)


def _found(row: Any, id_: int) -> ExportView:
    if row is None:
        raise _no_export(id_)
    return ExportView(**dict(row))


def _no_export(id_: int) -> CallctlError:
    return CallctlError("not_found", f"there is no export {id_}")
