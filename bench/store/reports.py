"""The reports of the API against the same answers counted from all calls.

Ours is asked as the API asks it, its words and cursors made as well; the recount only runs its
statements, without indexes, and must say the same.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bench.store.generate import UNTIL
from bench.store.lists import DAY, NO_INDEXES
from callctl.core.periods import DashboardPeriod
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.reports.catalogue import REPORTS
from callctl.features.reports.model import CallsByPeriodQuery, DirectedPeriod, Paged
from callctl.features.reports.service import ReportService

Rows = list[tuple[Any, ...]]
MONTH = (UNTIL.date() - 40 * DAY, UNTIL.date() - 10 * DAY)
NOW = UNTIL - timedelta(hours=1)
"""The last evening of the calls there are: the dashboard's week ends with it."""

WEEK_BEGAN = UNTIL - 7 * DAY

_TALK = "case when answered_at is null then 0 else microseconds(ended_at - answered_at) end"
COUNT_DAYS = f"""
select (started_at at time zone 'Europe/Budapest')::date, direction, count(*),
       count(*) filter (where disposition = 'ANSWERED'), count(*) filter (where missed),
       sum({_TALK})::bigint
from calls where account_id = $1 group by 1, 2 order by 1, 2
"""
COUNT_EMPLOYEES = """
select e.extension, count(*), count(*) filter (where c.answered_by = e.extension)
from call_extensions e join calls c on c.id = e.call where e.account_id = $1
  and (e.started_at at time zone 'Europe/Budapest')::date >= $2
  and (e.started_at at time zone 'Europe/Budapest')::date < $3
group by 1 order by 2 desc, 1
"""
COUNT_CONTACTS = """
select n.number, k.at from (
    select customer_number_id as id, {0}(started_at) as at from calls
    where account_id = $1 and customer_number_id is not null group by 1
    order by 2 desc, 1 desc limit 50) k join numbers n on n.id = k.id
order by k.at desc, k.id desc
"""
COUNT_VOLUME = """
select (started_at at time zone 'Europe/Budapest')::date, count(*),
       count(*) filter (where missed)
from calls where account_id = $1 and started_at >= $2 group by 1 order by 1
"""
COUNT_WEEK_EMPLOYEES = """
select e.extension, count(*) from call_extensions e
where e.account_id = $1 and e.started_at >= $2 group by 1 order by 2 desc, 1
"""
COUNT_RECENT = """
select n.number, k.calls, k.at from (
    select customer_number_id as id, count(*) as calls, max(started_at) as at from calls
    where account_id = $1 and started_at >= $2 and customer_number_id is not null and {0}
    group by 1 order by 3 desc, 1 desc limit 20) k join numbers n on n.id = k.id
order by k.at desc, k.id desc
"""


@dataclass(frozen=True, slots=True)
class Report:
    """One report: asked of the service, and counted anew by statements ($1 = the account).

    `at_most` is the target: ours ÷ the recount.
    """

    name: str
    ask: Callable[[ReportService, CallScope], Awaitable[list[Rows]]]
    counted: Sequence[tuple[str, tuple[Any, ...]]]
    at_most: float


async def _days(service: ReportService, scope: CallScope) -> list[Rows]:
    answer = await service.answer(scope, REPORTS["calls-by-period"], CallsByPeriodQuery())
    return [
        [
            (r.starts_on, r.direction, r.calls, r.answered, r.missed, round(r.talk_seconds * 1e6))
            for r in answer.items
        ]
    ]


async def _employees(service: ReportService, scope: CallScope) -> list[Rows]:
    query = DirectedPeriod(since=MONTH[0], until=MONTH[1])
    answer = await service.answer(scope, REPORTS["employees-distribution"], query)
    return [[(r.extension, r.calls, r.answered) for r in answer.items]]


async def _first(service: ReportService, scope: CallScope) -> list[Rows]:
    answer = await service.answer(scope, REPORTS["clients-first-contact"], Paged())
    return [[(r.number, r.at) for r in answer.items]]


async def _last(service: ReportService, scope: CallScope) -> list[Rows]:
    answer = await service.answer(scope, REPORTS["clients-last-contact"], Paged())
    return [[(r.number, r.at) for r in answer.items]]


async def _dashboard(service: ReportService, scope: CallScope) -> list[Rows]:
    board = await service.dashboard(scope, DashboardPeriod.LAST_7_DAYS)
    return [
        [
            ((p.starts_at + DAY / 2).date(), p.inbound + p.outbound + p.internal, p.missed)
            for p in board.volume
        ],
        [(r.extension, r.calls) for r in board.employees],
        [(r.number, r.calls, r.last_at) for r in board.successful],
        [(r.number, r.calls, r.last_at) for r in board.missed],
    ]


ALL = (
    Report("two years by day", _days, [(COUNT_DAYS, ())], 1 / 100),
    Report("employees of a month", _employees, [(COUNT_EMPLOYEES, MONTH)], 1 / 30),
    Report("first contact of 50 clients", _first, [(COUNT_CONTACTS.format("min"), ())], 1 / 500),
    Report("last contact of 50 clients", _last, [(COUNT_CONTACTS.format("max"), ())], 1 / 500),
    Report(
        "dashboard of 7 days",
        _dashboard,
        [
            (COUNT_VOLUME, (WEEK_BEGAN,)),
            (COUNT_WEEK_EMPLOYEES, (WEEK_BEGAN,)),
            (COUNT_RECENT.format("disposition = 'ANSWERED'"), (WEEK_BEGAN,)),
            (COUNT_RECENT.format("missed"), (WEEK_BEGAN,)),
        ],
        1 / 200,
    ),
)


async def kept_ms(db: Database, account: int, report: Report, times: int = 5) -> float:
    """The best of `times`, in milliseconds."""
    service = ReportService(db, clock=lambda: NOW)
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        await report.ask(service, CallScope(account))
        best = min(best, time.perf_counter() - began)
    return best * 1000


async def counted_ms(db: Database, account: int, report: Report) -> float:
    """Milliseconds of the recount. Raises RuntimeError when it differs from the report."""
    kept = await report.ask(ReportService(db, clock=lambda: NOW), CallScope(account))
    counted: list[Rows] = []
    spent = 0.0
    async with db.transaction() as connection:
        await connection.execute(NO_INDEXES)
        for sql, arguments in report.counted:
            began = time.perf_counter()
            rows = await connection.fetch(sql, account, *arguments, timeout=600)
            spent += time.perf_counter() - began
            counted.append([tuple(row) for row in rows])
    if kept != counted:
        raise RuntimeError(f"{report.name}: the report is not what the calls add up to")
    return spent * 1000
