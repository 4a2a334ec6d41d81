"""Reports, the dashboard, and callbacks that are owed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.periods import DashboardPeriod, dashboard_days, day_start, hours_between
from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.core.tables import TableSource
from callctl.db.audit import Values, record_change
from callctl.db.pool import Database, Reads
from callctl.features.reports import queries, read
from callctl.features.reports.catalogue import REPORTS, Report
from callctl.features.reports.model import (
    Answer,
    AssignCallback,
    CallbackQuery,
    CallbackRow,
    Dashboard,
    DirectedPeriod,
    NoteView,
    RecentNumber,
    SettleCallback,
    VolumePoint,
)
from callctl.features.reports.queries import ByScope
from callctl.features.reports.read import ClientNames, Reading, check_period, no_clients
from callctl.telemetry.clock import Clock, utc_now

RECENT = 20
"""Numbers in each of the dashboard's lists (R002-15, R002-16)."""

EXPORT_PAGE = 2_000


class ReportService:
    """Every method takes a scope; calls outside it do not exist (R002-27)."""

    def __init__(
        self,
        db: Database,
        *,
        callback_minutes: int = 60,
        client_names: ClientNames = no_clients,
        clock: Clock = utc_now,
    ) -> None:
        self._db = db
        self._callback_minutes = callback_minutes
        self._client_names = client_names
        self._clock = clock

    async def answer(self, scope: CallScope, report: Report, query: Any) -> Answer[Any]:
        """One page of a report. Raises CallctlError("invalid_field")."""
        check_period(query)
        reading = await self._reading(self._db, scope)
        rows, cursor = await report.read(reading, query)
        return Answer(
            report.name,
            report.definition,
            report.formula,
            report.cost,
            reading.zone,
            reading.currency,
            rows,
            cursor,
        )

    async def dashboard(self, scope: CallScope, period: DashboardPeriod) -> Dashboard:
        """What happened today, or in the last days with today, in the account's zone."""
        reading = await self._reading(self._db, scope)
        first, after = dashboard_days(period, reading.now, reading.zone)
        since, until = day_start(first, reading.zone), day_start(after, reading.zone)
        volume, (employees, _), successful, missed = await asyncio.gather(
            self._volume(reading, period),
            read.employees_distribution(reading, DirectedPeriod(since=first, until=after)),
            self._recent(reading, queries.RECENT_SUCCESSFUL, since),
            self._recent(reading, queries.RECENT_MISSED, since),
        )
        return Dashboard(
            period,
            reading.zone,
            since,
            until,
            "day" if period is DashboardPeriod.LAST_7_DAYS else "hour",
            volume,
            employees,
            successful,
            missed,
        )

    async def settle_callback(
        self, scope: CallScope, number_id: int, body: SettleCallback, author: Author
    ) -> NoteView:
        """No callback is owed to this number any more, until it is missed again.

        Raises CallctlError("not_found") when none is owed, or none in this scope.
        """
        await self._owed(self._db, scope, number_id)
        async with self._db.transaction() as connection:
            settled = await connection.fetchval(
                queries.CALLBACK_SETTLE, scope.account_id, number_id
            )
            if settled is None:
                raise _not_owed(number_id)
            row = await connection.fetchrow(
                queries.CALLBACK_NOTE, scope.account_id, number_id, settled, body.note, author.name
            )
            after = {"note": body.note}
            await _record(connection, scope, author, "settled", number_id, None, after)
        return NoteView(**dict(row))

    async def assign_callback(
        self, scope: CallScope, number_id: int, body: AssignCallback, author: Author
    ) -> CallbackRow:
        """Make an extension responsible. Raises CallctlError("not_found") as `settle_callback`."""
        await self._owed(self._db, scope, number_id)
        if scope.extensions is not None and body.extension not in (None, *scope.extensions):
            raise CallctlError("not_found", "there is no such extension", "body.extension")
        async with self._db.transaction() as connection:
            owner = await connection.fetchval(queries.CALLBACK_LOCK, scope.account_id, number_id)
            await connection.execute(
                queries.CALLBACK_ASSIGN, scope.account_id, number_id, body.extension
            )
            before, after = {"extension": owner}, {"extension": body.extension}
            await _record(connection, scope, author, "assigned", number_id, before, after)
            return await self._owed(connection, scope, number_id)

    async def _owed(self, db: Reads, scope: CallScope, number_id: int) -> CallbackRow:
        reading = await self._reading(db, scope)
        rows, _ = await read.callbacks(reading, CallbackQuery(limit=1), number_id)
        if not rows:
            raise _not_owed(number_id)
        return rows[0]

    async def _reading(self, db: Reads, scope: CallScope) -> Reading:
        account = await db.fetchrow(queries.ACCOUNT, scope.account_id)
        zone, currency = account or ("UTC", "")
        return Reading(
            db, scope, zone, currency, self._clock(), self._callback_minutes, self._client_names
        )

    async def _volume(self, reading: Reading, period: DashboardPeriod) -> list[VolumePoint]:
        first, after = dashboard_days(period, reading.now, reading.zone)
        since, until = day_start(first, reading.zone), day_start(after, reading.zone)
        if period is DashboardPeriod.LAST_7_DAYS:
            rows = await reading.fetch(queries.VOLUME_DAYS, first, after)
            days = [first.fromordinal(n) for n in range(first.toordinal(), after.toordinal())]
            starts = {day: day_start(day, reading.zone) for day in days}
            counted = [(starts[row["day"]], row) for row in rows]
            at = list(starts.values())
        else:
            rows = await reading.fetch(
                queries.VOLUME_HOURS, first, after, since, until, reading.zone
            )
            counted = [(row["starts_at"], row) for row in rows]
            at = hours_between(since, until)
        points = {start: {"inbound": 0, "outbound": 0, "internal": 0, "missed": 0} for start in at}
        for start, row in counted:
            point = points.setdefault(
                start, {"inbound": 0, "outbound": 0, "internal": 0, "missed": 0}
            )
            point[row["direction"]] += row["calls"]
            point["missed"] += row["missed"]
        return [VolumePoint(start, **points[start]) for start in sorted(points)]

    async def _recent(self, reading: Reading, pair: ByScope, since: Any) -> list[RecentNumber]:
        rows = await reading.fetch(pair, since, RECENT)
        names = await reading.names(rows)
        return [RecentNumber(client=names.get(row["number_id"]), **dict(row)) for row in rows]

    # Exports

    def tables(self) -> list[TableSource]:
        """Every report as a table that can be exported."""
        return [
            TableSource(
                report.name,
                report.title,
                Scope.REPORTS_READ,
                report.query,
                report.columns,
                report.key,
                lambda query, _keys: check_period(query),
                self._pages_of(report),
            )
            for report in REPORTS.values()
        ]

    def _pages_of(self, report: Report) -> Any:
        async def pages(
            connection: Any,
            scope: CallScope,
            query: Any,
            keys: Sequence[str] | None,
            one_page: bool,
        ) -> AsyncIterator[Sequence[Sequence[Any]]]:
            reading = await self._reading(connection, scope)
            wanted = None if keys is None else set(keys)
            if not one_page and hasattr(query, "limit"):
                query = msgspec.structs.replace(query, limit=EXPORT_PAGE, cursor=None)
            while True:
                rows, cursor = await report.read(reading, query)
                yield [
                    msgspec.structs.astuple(row)
                    for row in rows
                    if wanted is None or _key_of(report, row) in wanted
                ]
                if cursor is None or one_page:
                    return
                query = msgspec.structs.replace(query, cursor=cursor)

        return pages


async def _record(
    connection: Any,
    scope: CallScope,
    author: Author,
    verb: str,
    number_id: int,
    before: Values | None,
    after: Values,
) -> None:
    await record_change(
        connection, scope.account_id, author, f"callback.{verb}", f"callback:{number_id}", before,
        after,
    )  # fmt: skip


def _key_of(report: Report, row: Any) -> str:
    return "/".join(str(getattr(row, name)) for name in report.key)


def _not_owed(number_id: int) -> CallctlError:
    return CallctlError("not_found", f"no callback is owed to the number {number_id}")
