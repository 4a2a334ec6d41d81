"""One page of each report, from a connection or from the pool."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.periods import day_start, local_day
from callctl.core.scope import CallScope
from callctl.db.pool import Reads
from callctl.features.reports import queries
from callctl.features.reports.model import (
    AnsweredMissedRow,
    CallbackQuery,
    CallbackRow,
    CallsByPeriodQuery,
    CallsByPeriodRow,
    ClientShareRow,
    ContactRow,
    DirectedPeriod,
    EmployeeShareRow,
    NumberRow,
    NumbersQuery,
    Paged,
    Period,
    RankingQuery,
    RankingRow,
)
from callctl.features.reports.queries import ByScope

MOST_DAYS_COUNTED = 366
"""What has no sums of its own is counted from calls; a longer period is not a report's business."""

_WEEK_OFFSET = {"monday": 6, "sunday": 0, "saturday": 1}

ClientNames = Callable[[Reads, int, Sequence[int]], Awaitable[Mapping[int, str]]]
"""(connection, account, ids of numbers) → the names of the clients whose numbers they are."""


async def no_clients(_db: Reads, _account: int, _numbers: Sequence[int]) -> Mapping[int, str]:
    """Where no client is known."""
    return {}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a report is read with. `zone` and `currency` are the account's, `callback_minutes` is
    when one is due."""

    db: Reads
    scope: CallScope
    zone: str
    currency: str
    now: datetime
    callback_minutes: int
    client_names: ClientNames

    async def fetch(self, pair: ByScope, *args: Any) -> list[Any]:
        """From the sums, or from the calls of the scope's extensions."""
        account = self.scope.account_id
        if self.scope.extensions is None:
            return await self.db.fetch(pair.all, account, *args)
        return await self.db.fetch(pair.some, account, *args, list(self.scope.extensions))

    async def names(self, rows: Sequence[Any]) -> Mapping[int, str]:
        """Clients by the numbers of `rows`."""
        ids = [row["number_id"] for row in rows]
        return await self.client_names(self.db, self.scope.account_id, ids)


P = TypeVar("P", bound=Period)

Read = Callable[[Reading, Any], Awaitable[tuple[list[Any], str | None]]]
"""(what to read with, parameters) → rows, and the cursor of the next page."""


def check_period(query: Any) -> None:
    """Raises CallctlError("invalid_field") for a period that ends before it starts."""
    if not isinstance(query, Period):
        return
    if query.since and query.until and query.since > query.until:
        raise CallctlError("invalid_field", "the period ends before it starts", "query.until")


# Sums


async def calls_by_period(
    reading: Reading, query: CallsByPeriodQuery
) -> tuple[list[CallsByPeriodRow], str | None]:
    rows = await reading.fetch(
        queries.CALLS_BY_PERIOD,
        query.since,
        query.until,
        query.period,
        _WEEK_OFFSET[query.week_start],
        query.direction,
    )
    return [CallsByPeriodRow(**dict(row)) for row in rows], None


async def employees_distribution(
    reading: Reading, query: DirectedPeriod
) -> tuple[list[EmployeeShareRow], str | None]:
    rows = await _fetch_employees(reading, queries.EMPLOYEE_SHARES, query, query.direction)
    whole = sum(row["calls"] for row in rows)
    return [EmployeeShareRow(**dict(row), share=row["calls"] / whole) for row in rows], None


async def employees_answered_missed(
    reading: Reading, query: DirectedPeriod
) -> tuple[list[AnsweredMissedRow], str | None]:
    fields = ("answered", "missed", "refused", "elsewhere", "unreachable")
    extensions = [
        AnsweredMissedRow("extension", row["extension"], **{name: row[name] for name in fields})
        for row in await _fetch_employees(reading, queries.EMPLOYEES, query, query.direction)
    ]
    groups = [
        AnsweredMissedRow(
            "hunt_group", row["name"], row["answered"], row["missed"], None, None, None
        )
        for row in await _fetch_targets(reading, query, "hunt_group", query.direction)
    ]
    return [*extensions, *groups], None


async def numbers(reading: Reading, query: NumbersQuery) -> tuple[list[NumberRow], str | None]:
    rows = await _fetch_targets(reading, query, "did", query.direction, query.did)
    return [
        NumberRow(
            row["name"],
            row["calls"],
            row["answered"],
            row["missed"],
            _rate(row["answered"], row["calls"]),
            row["talk_seconds"],
            row["wait_seconds"],
            row["cost"],
        )
        for row in rows
    ], None


async def rankings(reading: Reading, query: RankingQuery) -> tuple[list[RankingRow], str | None]:
    if query.of == "extension":
        counted = [
            _Counted(r["extension"], r["rings_answered"] + r["missed"] + r["refused"],
                     r["rings_answered"], r["talk_seconds"], r["cost"])
            for r in await _fetch_ranked_employees(reading, query)
        ]  # fmt: skip
    else:
        if query.did is not None and query.of == "hunt_group":
            words = "hunt groups are not counted by number"
            raise CallctlError("invalid_field", words, "query.did")
        counted = [
            _Counted(r["name"], r["calls"], r["answered"], r["talk_seconds"], r["cost"])
            for r in await _fetch_targets(reading, query, query.of, None, query.did)
        ]
    rows: list[RankingRow] = []
    before = None
    for key, entry in sorted((_place(query.by, entry), entry) for entry in counted):
        rank = rows[-1].rank if rows and key == before else len(rows) + 1
        before = key
        rate = _rate(entry.answered, entry.offered)
        rows.append(
            RankingRow(
                rank, entry.name, entry.offered, entry.answered, rate, entry.talk, entry.cost
            )
        )
    return rows, None


class _Counted(NamedTuple):
    name: str
    offered: int
    answered: int
    talk: float
    cost: int


def _place(by: str, entry: _Counted) -> tuple[bool, float]:
    """What to sort by: the most first, what has no rate behind all that have one."""
    values: dict[str, float | None] = {
        "cost": entry.cost,
        "talk_time": entry.talk,
        "effectiveness": _rate(entry.answered, entry.offered),
    }
    value = values[by]
    return value is None, -(value or 0.0)


async def _fetch_ranked_employees(reading: Reading, query: RankingQuery) -> list[Any]:
    if query.did is None:
        return await _fetch_employees(reading, queries.EMPLOYEES, query, None)
    period = bounded(reading, query)
    return await _fetch_employees(reading, queries.EMPLOYEES_OF_DID, period, None, query.did)


async def _fetch_employees(
    reading: Reading, sql: str, period: Period, direction: str | None, *more: Any
) -> list[Any]:
    extensions = reading.scope.extensions
    return await reading.db.fetch(
        sql,
        reading.scope.account_id,
        period.since,
        period.until,
        direction,
        None if extensions is None else list(extensions),
        *more,
    )


async def _fetch_targets(
    reading: Reading, period: Period, kind: str, direction: str | None, target: str | None = None
) -> list[dict[str, Any]]:
    rows = await reading.fetch(queries.TARGETS, period.since, period.until, kind, direction, target)
    return [dict(row) | {"name": unquote(row["name"])} if kind == "hunt_group" else dict(row)
            for row in rows]  # fmt: skip


def bounded(reading: Reading, query: P) -> P:
    """Without a first day, the last days that may be counted. Raises as `check_counted`."""
    if query.since is None:
        until = query.until or local_day(reading.now, reading.zone) + timedelta(days=1)
        try:
            since = until - timedelta(days=MOST_DAYS_COUNTED)
        except OverflowError:
            since = date.min
        query = msgspec.structs.replace(query, since=since)
    check_counted(reading, query)
    return query


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# Clients


async def clients_distribution(
    reading: Reading, query: Paged
) -> tuple[list[ClientShareRow], str | None]:
    after = _read_cursor("clients-distribution", query.cursor, int)
    key = (after.value, after.id) if after else (None, None)
    ever = query.since is None and query.until is None and reading.scope.extensions is None
    if ever:
        account = reading.scope.account_id
        rows = await reading.db.fetch(queries.CLIENTS_EVER, account, *key, query.limit + 1)
    else:
        check_counted(reading, query)
        rows = await reading.fetch(queries.CLIENTS, query.since, query.until, *key, query.limit + 1)
    names = await reading.names(rows)
    page = [
        ClientShareRow(client=names.get(row["number_id"]), **dict(row))
        for row in rows[: query.limit]
    ]
    more = len(rows) > query.limit
    last = page[-1] if more else None
    return page, _cursor("clients-distribution", last.calls, last.number_id) if last else None


def check_counted(reading: Reading, query: Period) -> None:
    """Only calls of some extensions may be counted over all the time there is."""
    if reading.scope.extensions is not None:
        return
    if query.since is None:
        raise CallctlError("invalid_field", "give the first day, too", "query.since")
    until = query.until or local_day(reading.now, reading.zone) + timedelta(days=1)
    if (until - query.since).days > MOST_DAYS_COUNTED:
        raise CallctlError(
            "invalid_field",
            f"at most {MOST_DAYS_COUNTED} days, or no period at all",
            "query.since",
        )


def first_contact(reading: Reading, query: Paged) -> Awaitable[tuple[list[Any], str | None]]:
    return _contact(reading, query, "clients-first-contact", queries.FIRST_CONTACT)


def last_contact(reading: Reading, query: Paged) -> Awaitable[tuple[list[Any], str | None]]:
    return _contact(reading, query, "clients-last-contact", queries.LAST_CONTACT)


async def _contact(
    reading: Reading, query: Paged, name: str, pair: ByScope
) -> tuple[list[ContactRow], str | None]:
    after = _read_cursor(name, query.cursor, datetime)
    rows = await reading.fetch(
        pair,
        instant_of(query.since, reading.zone),
        instant_of(query.until, reading.zone),
        after.value if after else None,
        after.id if after else None,
        query.limit + 1,
    )
    names = await reading.names(rows)
    page = [
        ContactRow(client=names.get(row["number_id"]), **dict(row)) for row in rows[: query.limit]
    ]
    last = page[-1] if len(rows) > query.limit else None
    return page, _cursor(name, last.at, last.number_id) if last else None


async def callbacks(
    reading: Reading, query: CallbackQuery, number_id: int | None = None
) -> tuple[list[CallbackRow], str | None]:
    after = _read_cursor("clients-missed", query.cursor, datetime)
    patience = timedelta(minutes=reading.callback_minutes)
    cut = reading.now - patience
    rows = await reading.fetch(
        queries.CALLBACKS,
        cut if query.state == "waiting" else None,
        cut if query.state == "overdue" else None,
        after.value if after else None,
        after.id if after else None,
        query.limit + 1,
        query.owner,
        number_id,
    )
    names = await reading.names(rows)
    page = [
        CallbackRow(
            client=names.get(row["number_id"]),
            due_at=row["owed_since"] + patience,
            state="overdue" if row["owed_since"] < cut else "waiting",
            **dict(row),
        )
        for row in rows[: query.limit]
    ]
    last = page[-1] if len(rows) > query.limit else None
    return page, _cursor("clients-missed", last.owed_since, last.number_id) if last else None


def instant_of(day: date | None, zone: str) -> datetime | None:
    """Raises CallctlError("invalid_field") for a day that does not begin within the calendar."""
    try:
        return None if day is None else day_start(day, zone)
    except OverflowError:
        raise CallctlError("invalid_field", "lies outside the calendar", "query.since") from None


# Cursors


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    report: str
    value: int | datetime
    id: int


def _cursor(report: str, value: int | datetime, id_: int) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(report, value, id_))).decode()


def _read_cursor(report: str, text: str | None, kind: type[Any]) -> Any:
    """Raises CallctlError("invalid_field") for what is no cursor of this report."""
    if text is None:
        return None
    wrong = CallctlError("invalid_field", "not a cursor of this report", "query.cursor")
    try:
        raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=_Cursor)
        value = cursor.value
        if isinstance(value, datetime):
            value = value.astimezone(UTC)
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError, ValueError, OverflowError):
        raise wrong from None
    naive = isinstance(cursor.value, datetime) and cursor.value.tzinfo is None
    if cursor.report != report or not isinstance(value, kind) or naive:
        raise wrong
    if abs(cursor.id) >= 1 << 63 or (isinstance(value, int) and abs(value) >= 1 << 63):
        raise wrong
    return msgspec.structs.replace(cursor, value=value)
