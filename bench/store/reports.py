"""What reports will ask of the sums, against the same answer counted from the calls.

The queries are the bench's own: the reports of the API are not built yet. Ours reads sums and the
customer's index; the recount reads all calls, and must say the same.
"""

import time
from dataclasses import dataclass
from typing import Any

from bench.store.generate import UNTIL
from bench.store.lists import DAY, NO_INDEXES
from callctl.db.pool import Database


@dataclass(frozen=True, slots=True)
class Report:
    """One report: read from the sums, and counted anew. Both take the account and `arguments`."""

    name: str
    kept: str
    counted: str
    arguments: tuple[Any, ...] = ()


DAYS = Report(
    "two years by day",
    "select day, sum(calls)::bigint as calls, sum(answered)::bigint as answered, "
    "sum(missed)::bigint as missed from rollup_days where account_id = $1 "
    "group by day order by day",
    "select (started_at at time zone 'Europe/Budapest')::date as day, count(*) as calls, "
    "count(*) filter (where disposition = 'ANSWERED') as answered, "
    "count(*) filter (where missed) as missed from calls where account_id = $1 "
    "group by 1 order by 1",
)
EMPLOYEES = Report(
    "employees of a month",
    "select extension, sum(calls)::bigint as calls, sum(answered)::bigint as answered "
    "from rollup_extension_days where account_id = $1 and day >= $2 and day < $3 "
    "group by extension order by extension",
    "select e.extension, count(*) as calls, "
    "count(*) filter (where c.answered_by = e.extension) as answered "
    "from call_extensions e join calls c on c.id = e.call where e.account_id = $1 "
    "and (e.started_at at time zone 'Europe/Budapest')::date >= $2 "
    "and (e.started_at at time zone 'Europe/Budapest')::date < $3 "
    "group by e.extension order by e.extension",
    (UNTIL.date() - 40 * DAY, UNTIL.date() - 10 * DAY),
)
WEEK = Report(
    "the last 7 days by the hour",
    "select date_trunc('hour', quarter) as hour, sum(calls)::bigint as calls, "
    "sum(talk_us)::bigint as talk_us from rollup_quarters "
    "where account_id = $1 and quarter >= $2 group by 1 order by 1",
    "select date_trunc('hour', started_at) as hour, count(*) as calls, "
    "sum(case when answered_at is null then 0 else microseconds(ended_at - answered_at) end)"
    "::bigint as talk_us from calls where account_id = $1 and started_at >= $2 "
    "group by 1 order by 1",
    (UNTIL - 7 * DAY,),
)


def contact(number_id: int) -> Report:
    """First and last contact of one number."""
    by_customer = (
        "(select started_at from calls where account_id = $1 and customer_number_id = $2 "
        "order by started_at {0}, id {0} limit 1)"
    )
    return Report(
        "first and last contact of a number",
        f"select {by_customer.format('asc')} as first, {by_customer.format('desc')} as last",
        "select min(started_at) as first, max(started_at) as last from calls "
        "where account_id = $1 and customer_number_id = $2",
        (number_id,),
    )


async def kept_ms(db: Database, account: int, report: Report, times: int = 5) -> float:
    """The best of `times`, in milliseconds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        await db.fetch(report.kept, account, *report.arguments)
        best = min(best, time.perf_counter() - began)
    return best * 1000


async def counted_ms(db: Database, account: int, report: Report) -> float:
    """Milliseconds of the recount. Raises RuntimeError when it differs from the sums."""
    kept = await db.fetch(report.kept, account, *report.arguments)
    async with db.transaction() as connection:
        await connection.execute(NO_INDEXES)
        began = time.perf_counter()
        counted = await connection.fetch(report.counted, account, *report.arguments, timeout=600)
        spent = time.perf_counter() - began
    if [tuple(row) for row in kept] != [tuple(row) for row in counted]:
        raise RuntimeError(f"{report.name}: the sums are not what the calls add up to")
    return spent * 1000
