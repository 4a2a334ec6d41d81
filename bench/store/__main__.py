"""Lists, searches, reports, exports and writes over 5 and 20 million calls."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field

import asyncpg

from bench.report import Report, number, open_report
from bench.scratch import scratch_postgres
from bench.store import exports, reports
from bench.store.generate import generate
from bench.store.lists import (
    DIGITS,
    HISTORY,
    PAGES,
    Asked,
    ours_ms,
    prepare,
    questions,
    scan_ms,
)
from bench.store.writes import Rates, one_round
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import migrate
from callctl.db.pool import Database

ROUNDS = 5
AT_MOST = {PAGES: 1 / 200, HISTORY: 1 / 300, DIGITS: 1 / 50}

FREQUENT = """
select n.number from calls c join numbers n on n.id = c.customer_number_id
where c.started_at > (select max(started_at) from calls) - interval '7 days'
group by 1 order by count(*) desc, 1 limit 1
"""
RARE = """
select n.id, n.number from numbers n
where length(n.number) > 8 and (select count(*) from calls c
    where c.account_id = $1 and c.customer_number_id = n.id) between 1 and 5
order by n.id limit 1
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Calls in the small and the large house, written in each round, and exported."""

    small: int
    large: int
    writes: int
    exported: int


FULL = Sizes(5_000_000, 20_000_000, 2_000, 1_000_000)
QUICK = Sizes(50_000, 200_000, 300, 20_000)


@dataclass(slots=True)
class House:
    """A filled database."""

    db: Database
    account: int
    asked: list[Asked] = field(default_factory=list)


def main() -> None:
    report = open_report("store")
    sizes = QUICK if report.options.quick else FULL
    with scratch_postgres() as server:
        asyncio.run(measure(report, server, sizes))


async def measure(report: Report, server: EmbeddedPostgres, sizes: Sizes) -> None:
    small = await make_house(server, "small", sizes.small, sums=True)
    await measure_lists(report, small, sizes.small)
    await measure_reports(report, small, sizes.small)
    await measure_exports(report, small, sizes)
    large = await make_house(server, "large", sizes.large, sums=False)
    await measure_growth(report, small, large, sizes)
    await measure_writes(report, small, sizes)
    await small.db.close()
    await large.db.close()


async def make_house(server: EmbeddedPostgres, name: str, calls: int, *, sums: bool) -> House:
    began = time.perf_counter()
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"create database {name}")
    await connection.close()
    url = server.url_of(name)
    await migrate(url)
    account = await generate(url, calls, sums=sums)
    print(f"{calls:,} calls made in {time.perf_counter() - began:.0f} s", flush=True)
    house = House(await Database.connect(url), account)
    frequent = await house.db.fetchval(FREQUENT)
    rare = (await house.db.fetchrow(RARE, account))["number"]
    for question in questions(frequent, rare, frequent[5:10]):
        house.asked.append(await prepare(house.db, account, question))
    return house


async def measure_lists(report: Report, house: House, calls: int) -> None:
    ours: list[list[float]] = [[] for _ in house.asked]
    scans: list[list[float]] = [[] for _ in house.asked]
    for _ in range(ROUNDS):
        for i, asked in enumerate(house.asked):
            ours[i].append(await ours_ms(house.db, asked))
            scans[i].append(await scan_ms(house.db, asked))
    ratios = [
        statistics.median(a / b for a, b in zip(o, s, strict=True))
        for o, s in zip(ours, scans, strict=True)
    ]
    for kind, bound in AT_MOST.items():
        of_kind = [i for i, asked in enumerate(house.asked) if asked.question.kind == kind]
        worst = max(of_kind, key=lambda i: ratios[i])
        report.compare(
            f"{kind} at {calls:,} calls, the worst of {len(of_kind)} questions",
            ours[worst],
            scans[worst],
            "ms",
            at_most=None if report.options.quick else bound,
            note=f"{house.asked[worst].question.name}. The target is 1/{1 / bound:.0f}; over all "
            f"of them the median is 1/{1 / statistics.median(ratios[i] for i in of_kind):.0f}.",
        )
    lines = ["| Question | Ours ms | Full scan ms | Ratio |", "|---|---:|---:|---:|"]
    for i, asked in enumerate(house.asked):
        middle = (statistics.median(ours[i]), statistics.median(scans[i]))
        values = f"{number(middle[0])} | {number(middle[1])} | 1/{1 / ratios[i]:,.0f}"
        lines.append(f"| {asked.question.name} | {values} |")
    report.figure(f"Every question at {calls:,} calls", "\n".join(lines))


async def measure_growth(report: Report, small: House, large: House, sizes: Sizes) -> None:
    """Pages of the large house against those of the small one."""
    rounds_small: list[list[float]] = [[] for _ in small.asked]
    rounds_large: list[list[float]] = [[] for _ in small.asked]
    for _ in range(ROUNDS):
        for i, (little, much) in enumerate(zip(small.asked, large.asked, strict=True)):
            rounds_small[i].append(await ours_ms(small.db, little))
            rounds_large[i].append(await ours_ms(large.db, much))
    growth = [
        statistics.median(a / b for a, b in zip(big, little, strict=True))
        for big, little in zip(rounds_large, rounds_small, strict=True)
    ]
    pages = [i for i, asked in enumerate(small.asked) if asked.question.kind == PAGES]
    report.compare(
        f"pages at {sizes.large:,} calls to those at {sizes.small:,}, the middle of {len(pages)}",
        [statistics.median(rounds_large[i][r] for i in pages) for r in range(ROUNDS)],
        [statistics.median(rounds_small[i][r] for i in pages) for r in range(ROUNDS)],
        "ms",
        at_most=1.3,
        note=f"{sum(growth[i] > 1.3 for i in pages)} of {len(pages)} questions grow by more.",
    )
    lines = [
        f"| Question | {sizes.small:,} ms | {sizes.large:,} ms | Growth |",
        "|---|---:|---:|---:|",
    ]
    for i in sorted(range(len(growth)), key=lambda i: -growth[i]):
        middle = (statistics.median(rounds_small[i]), statistics.median(rounds_large[i]))
        values = f"{number(middle[0])} | {number(middle[1])} | {number(growth[i])}"
        lines.append(f"| {small.asked[i].question.name} | {values} |")
    report.figure(f"From {sizes.small:,} to {sizes.large:,} calls", "\n".join(lines))


async def measure_reports(report: Report, house: House, calls: int) -> None:
    for asked in reports.ALL:
        kept, counted = [], []
        for _ in range(ROUNDS):
            kept.append(await reports.kept_ms(house.db, house.account, asked))
            counted.append(await reports.counted_ms(house.db, house.account, asked))
        report.compare(
            f"{asked.name}, {calls:,} calls, to a recount",
            kept,
            counted,
            "ms",
            at_most=None if report.options.quick else asked.at_most,
            note=f"Both say the same, row by row. The target is 1/{1 / asked.at_most:.0f}.",
        )


async def measure_exports(report: Report, house: House, sizes: Sizes) -> None:
    for kind in ("csv", "xlsx"):
        made = await exports.export(house.db, house.account, sizes.exported, kind)
        report.limit(
            f"memory that an export of {made.rows:,} calls takes over its first tenth, {kind}",
            [made.grown_mb],
            "MB",
            at_most=32,
            note=f"{made.rows / made.seconds:,.0f} rows/s.",
        )


async def measure_writes(report: Report, house: House, sizes: Sizes) -> None:
    rounds: list[Rates] = [
        await one_round(house.db, house.account, sizes.writes, number)
        for number in range(ROUNDS + 1)
    ][1:]
    copy = [r.copy for r in rounds]
    report.compare(
        f"durable batches of 100 into {sizes.small:,} calls to COPY by 1,000",
        [r.ours for r in rounds],
        copy,
        "calls/s",
        at_least=0.4,
        note="The same rows into the same five indexed tables; ours looks up channels and numbers "
        "and moves the journal's position, too. COPY into the table of calls alone: "
        f"{number(statistics.median(r.copy_of_calls_alone for r in rounds))} calls/s.",
    )
    report.compare(
        f"durable batches of 100 into {sizes.small:,} calls, with sums, to COPY by 1,000",
        [r.ours_with_rollups for r in rounds],
        copy,
        "calls/s",
        at_least=0.2,
    )


if __name__ == "__main__":
    main()
