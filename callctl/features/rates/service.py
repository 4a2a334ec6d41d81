"""Tariffs: their versions, imports with a diff first, and who pays by which."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any, BinaryIO, Literal
from zoneinfo import ZoneInfo

import asyncpg

from callctl.core.errors import CallctlError
from callctl.core.money.currencies import exponent_of
from callctl.core.money.rating import Rate, check_rates
from callctl.core.names import tidy_name
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, answer_once, transact_once
from callctl.db.pool import Database, Reads
from callctl.features.rates import store
from callctl.features.rates.assignments import Changed, not_before
from callctl.features.rates.cells import invalid_import, read_rates, write_heading, write_rates
from callctl.features.rates.cursor import read_cursor, write_cursor
from callctl.features.rates.model import (
    ApplyImport,
    ImportOptions,
    ImportPreview,
    LineError,
    NewTariff,
    PreviewFilters,
    RateDifference,
    RateFilters,
    RateItem,
    TariffChange,
    TariffFilters,
    TariffItem,
    VersionItem,
)
from callctl.http.endpoint import Actor, Empty, Page
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger

log = get_logger("rates")

EXPORT_RATES = 2_000


class TariffService:
    """Every method takes the actor; the tariffs of others do not exist. `on_change` is told after
    the commit of whatever changes what calls cost."""

    def __init__(self, db: Database, on_change: Changed, clock: Clock = utc_now) -> None:
        self._db = db
        self._on_change = on_change
        self._clock = clock

    # Tariffs

    async def list_tariffs(self, actor: Actor, filters: TariffFilters) -> Page[TariffItem]:
        """By name."""
        rows = await self._db.fetch(
            store.TARIFFS_PAGE, actor.account_id, filters.cursor, filters.limit + 1
        )
        items = [TariffItem(**row) for row in rows[: filters.limit]]
        return Page(items, items[-1].name if len(rows) > filters.limit else None)

    async def get_tariff(self, actor: Actor, tariff_id: int) -> TariffItem:
        """Raises CallctlError("not_found")."""
        return await _get(self._db, actor, tariff_id)

    async def create_tariff(
        self, actor: Actor, new: NewTariff, key: RequestKey | None = None
    ) -> TariffItem:
        """Raises CallctlError: `already_exists`, `invalid_field`."""
        name = _name(new.name)
        _check_currency(new.currency)
        _check_zone(new.timezone)

        async def act(connection: Any) -> TariffItem:
            id_ = await connection.fetchval(
                store.TARIFF_INSERT, actor.account_id, name, new.currency, new.timezone
            )
            after = {"name": name, "currency": new.currency, "timezone": new.timezone}
            await _record(connection, actor, "created", id_, None, after)
            return await _get(connection, actor, id_)

        try:
            return await transact_once(self._db, key, TariffItem, act)
        except asyncpg.UniqueViolationError:
            raise CallctlError("already_exists", "there is such a tariff", "body.name") from None

    async def rename_tariff(
        self, actor: Actor, tariff_id: int, change: TariffChange, key: RequestKey | None = None
    ) -> TariffItem:
        """Raises CallctlError: `not_found`, `already_exists`, `invalid_field`."""
        name = _name(change.name)

        async def act(connection: Any) -> TariffItem:
            await _lock(connection, actor, tariff_id)
            before = await _get(connection, actor, tariff_id)
            await connection.execute(store.TARIFF_RENAME, tariff_id, name)
            old, new = {"name": before.name}, {"name": name}
            await _record(connection, actor, "renamed", tariff_id, old, new)
            return await _get(connection, actor, tariff_id)

        try:
            return await transact_once(self._db, key, TariffItem, act)
        except asyncpg.UniqueViolationError:
            raise CallctlError("already_exists", "there is such a tariff", "body.name") from None

    async def list_versions(self, actor: Actor, tariff_id: int) -> Page[VersionItem]:
        """The latest first, 500 at most. Raises CallctlError("not_found")."""
        await _get(self._db, actor, tariff_id)
        rows = await self._db.fetch(store.VERSIONS, tariff_id)
        return Page([VersionItem(**row) for row in rows], None)

    async def list_rates(
        self, actor: Actor, tariff_id: int, filters: RateFilters
    ) -> Page[RateItem]:
        """By prefix. Raises CallctlError("not_found"), also for a version that is not there."""
        await _get(self._db, actor, tariff_id)
        version = await _version(self._db, tariff_id, filters.version)
        if version is None:
            return Page([], None)
        return await rates_page(self._db, version, filters)

    async def export_rates(
        self, actor: Actor, tariff_id: int, number: int | None
    ) -> AsyncIterator[bytes]:
        """A version as CSV, in pieces. Raises CallctlError("not_found")."""
        tariff = await _get(self._db, actor, tariff_id)
        version = await _version(self._db, tariff_id, number)
        exponent = exponent_of(tariff.currency)
        yield write_heading()
        after: Sequence[str | None] = (None, None)
        while version is not None:
            rows = await self._db.fetch(store.RATES_PAGE, version, "", *after, EXPORT_RATES)
            yield write_rates(map(store.rate_of, rows), exponent)
            if len(rows) < EXPORT_RATES:
                return
            after = (rows[-1]["prefix"], rows[-1]["hours"])

    # Imports

    async def upload(
        self,
        actor: Actor,
        tariff_id: int,
        file: BinaryIO,
        options: ImportOptions,
        key: RequestKey | None = None,
    ) -> ImportPreview:
        """Keep the file's rates as a draft, and tell what applying it would change. `key` must
        know the file (`with_file`).

        Raises CallctlError: `not_found`; `invalid_import` with every wrong line.
        """
        tariff = await _get(self._db, actor, tariff_id)
        read = await asyncio.to_thread(read_rates, file, exponent_of(tariff.currency))

        async def act(connection: Any) -> ImportPreview:
            await _lock(connection, actor, tariff_id)
            await connection.execute(store.OLD_DRAFTS_DELETE, tariff_id)
            latest = await connection.fetchrow(store.LATEST_VERSION, tariff_id)
            base_id = latest["id"] if latest else None
            kept: list[Rate] = []
            if base_id is not None and options.missing == "keep":
                kept = await store.read_rates(connection, base_id)
            rates = await asyncio.to_thread(_checked, read, kept)
            draft_id = await connection.fetchval(
                store.DRAFT_INSERT, tariff_id, base_id, len(rates), actor.name
            )
            await store.copy_rates(connection, draft_id, rates)
            preview = await _preview(connection, actor, tariff_id, draft_id, PreviewFilters())
            after = {"new": preview.new, "changed": preview.changed, "gone": preview.gone}
            await _record(connection, actor, "uploaded", tariff_id, None, after)
            return preview

        return await transact_once(self._db, key, ImportPreview, act)

    async def get_import(
        self, actor: Actor, tariff_id: int, import_id: int, filters: PreviewFilters
    ) -> ImportPreview:
        """Raises CallctlError("not_found"), also for one that was applied."""
        return await _preview(self._db, actor, tariff_id, import_id, filters)

    async def discard(
        self, actor: Actor, tariff_id: int, import_id: int, key: RequestKey | None = None
    ) -> Empty:
        """Raises CallctlError("not_found")."""

        async def act(connection: Any) -> Empty:
            await _lock(connection, actor, tariff_id)
            await _draft(connection, actor, tariff_id, import_id)
            await connection.execute(store.DRAFT_DELETE, import_id)
            before = {"import": import_id}
            await _record(connection, actor, "discarded", tariff_id, before, None)
            return Empty()

        return await transact_once(self._db, key, Empty, act)

    async def apply(
        self,
        actor: Actor,
        tariff_id: int,
        import_id: int,
        body: ApplyImport,
        key: RequestKey | None = None,
    ) -> VersionItem:
        """Make exactly what the preview showed the tariff's next version.

        Raises CallctlError: `not_found`; `conflict` when another version was applied since;
        `invalid_field` for a time in the past or before the version before.
        """
        async with self._db.transaction() as connection:
            await _lock(connection, actor, tariff_id)
            act = partial(self._apply, connection, actor, tariff_id, import_id, body)
            version = await answer_once(connection, key, VersionItem, act)
        await self._on_change()
        return version

    async def _apply(
        self, connection: Any, actor: Actor, tariff_id: int, import_id: int, body: ApplyImport
    ) -> VersionItem:
        draft = await _draft(connection, actor, tariff_id, import_id)
        latest = await connection.fetchrow(store.LATEST_VERSION, tariff_id)
        if draft["base_id"] != (latest["id"] if latest else None):
            words = "another version was applied since this import was compared; upload it anew"
            raise CallctlError("conflict", words)
        valid_from = not_before(body.valid_from, self._clock(), "body.valid_from")
        if latest is not None and valid_from < latest["valid_from"]:
            words = f"version {latest['number']} begins later than that"
            raise CallctlError("invalid_field", words, "body.valid_from")
        number = latest["number"] + 1 if latest else 1
        row = await connection.fetchrow(
            store.DRAFT_APPLY, import_id, number, valid_from, actor.name
        )
        await connection.execute(store.CHANGED)
        version = VersionItem(**row)
        after = {"version": number, "valid_from": valid_from, "rates": version.rates}
        await _record(connection, actor, "applied", tariff_id, None, after)
        log.info("tariff_applied", tariff=tariff_id, version=number, rates=version.rates)
        return version


async def rates_page(db: Reads, version_id: int, filters: Any) -> Page[RateItem]:
    """A page of a version's rates, by `prefix`, `limit` and `cursor` of `filters`."""
    after = read_cursor(filters.cursor, list) or [None, None]
    prefix = filters.prefix.replace("+", "")
    rows = await db.fetch(store.RATES_PAGE, version_id, prefix, *after, filters.limit + 1)
    items = [store.item_of(row) for row in rows[: filters.limit]]
    more = len(rows) > filters.limit
    return Page(items, write_cursor([items[-1].prefix, items[-1].hours]) if more else None)


async def _get(db: Reads, actor: Actor, tariff_id: int) -> TariffItem:
    row = await db.fetchrow(store.TARIFF, actor.account_id, tariff_id)
    if row is None:
        raise CallctlError("not_found", f"no tariff with the id {tariff_id}")
    return TariffItem(**row)


async def _lock(connection: Any, actor: Actor, tariff_id: int) -> None:
    if await connection.fetchval(store.TARIFF_LOCK, actor.account_id, tariff_id) is None:
        raise CallctlError("not_found", f"no tariff with the id {tariff_id}")


async def _version(db: Reads, tariff_id: int, number: int | None) -> int | None:
    """Its id; None when the latest is asked for and there is none."""
    if number is None:
        latest = await db.fetchrow(store.LATEST_VERSION, tariff_id)
        return latest["id"] if latest else None
    found: int | None = await db.fetchval(store.NUMBERED_VERSION, tariff_id, number)
    if found is None:
        raise CallctlError("not_found", f"the tariff has no version {number}")
    return found


async def _draft(db: Reads, actor: Actor, tariff_id: int, import_id: int) -> Any:
    row = await db.fetchrow(store.DRAFT, actor.account_id, tariff_id, import_id)
    if row is None:
        raise CallctlError("not_found", f"no import with the id {import_id}")
    return row


async def _preview(
    db: Reads, actor: Actor, tariff_id: int, import_id: int, filters: PreviewFilters
) -> ImportPreview:
    draft = await _draft(db, actor, tariff_id, import_id)
    versions = (draft["id"], draft["base_id"])
    counts = await db.fetchrow(store.DIFFERENCE_COUNTS, *versions)
    after = read_cursor(filters.cursor, list) or [None, None]
    rows = await db.fetch(store.DIFFERENCES_PAGE, *versions, *after, filters.limit + 1)
    changes = [_difference(row) for row in rows[: filters.limit]]
    last = changes[-1] if len(rows) > filters.limit else None
    new, gone, same = counts["new"], counts["gone"], counts["same"]
    return ImportPreview(
        draft["id"],
        tariff_id,
        draft["base"],
        draft["created_at"],
        draft["created_by"],
        new,
        counts["rows"] - new - gone - same,
        gone,
        same,
        changes,
        write_cursor([last.prefix, last.hours]) if last else None,
    )


def _difference(row: Any) -> RateDifference:
    sides = {}
    for label in ("before", "after"):
        values = [row[f"{label}_{name}"] for name in store.RATE_COLUMNS[2:]]
        there = row[f"{label}_price"] is not None
        sides[label] = RateItem(row["prefix"], row["hours"], *values) if there else None
    change: Literal["new", "changed", "gone"] = "changed"
    if sides["before"] is None:
        change = "new"
    elif sides["after"] is None:
        change = "gone"
    return RateDifference(change, row["prefix"], row["hours"], sides["before"], sides["after"])


def _checked(read: Sequence[tuple[int, Rate]], kept: Sequence[Rate]) -> list[Rate]:
    """The file's rates, and those that are kept beside them, as one table in order."""
    given = {(rate.prefix, rate.hours) for _, rate in read}
    rates = [rate for _, rate in read]
    rates += [rate for rate in kept if (rate.prefix, rate.hours) not in given]
    faults = check_rates(rates)
    if faults:
        lines = [line for line, _ in read]
        raise invalid_import(
            [
                LineError(lines[f.row] if f.row < len(lines) else 1, f.field, f.message)
                for f in faults
            ]
        )
    return rates


async def _record(
    connection: Any, actor: Actor, verb: str, tariff_id: int, before: Any, after: Any
) -> None:
    await record_change(
        connection, actor.account_id, actor.author, f"tariff.{verb}", f"tariff:{tariff_id}", before,
        after,
    )  # fmt: skip


def _name(text: str) -> str:
    try:
        return tidy_name(text)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), "body.name") from None


def _check_currency(currency: str) -> None:
    try:
        exponent_of(currency)
    except ValueError as error:
        raise CallctlError("invalid_field", str(error), "body.currency") from None


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        words = "is no time zone; write one such as Europe/Budapest"
        raise CallctlError("invalid_field", words, "body.timezone") from None
