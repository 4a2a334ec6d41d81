"""Lists, searches, reports, writes and exports over 5 million calls."""

import asyncio
import statistics
from dataclasses import dataclass

from bench.report import Report, number, open_report
from bench.scratch import scratch_postgres
from bench.store import exports, reports
from bench.store.house import House, make_house
from bench.store.lists import DIGITS, HISTORY, PAGES, ours_ms, scan_ms
from bench.store.writes import Rates, one_round
from callctl.db.embedded import EmbeddedPostgres

ROUNDS = 5
AT_MOST = {PAGES: 1 / 200, HISTORY: 1 / 300, DIGITS: 1 / 50}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Calls in the house, written in each round, and exported."""

    house: int
    writes: int
    exported: int


FULL = Sizes(5_000_000, 2_000, 1_000_000)
QUICK = Sizes(50_000, 300, 20_000)


def main() -> None:
    report = open_report("store")
    sizes = QUICK if report.options.quick else FULL
    with scratch_postgres() as server:
        asyncio.run(measure(report, server, sizes))


async def measure(report: Report, server: EmbeddedPostgres, sizes: Sizes) -> None:
    house = await make_house(server, "house", sizes.house, sums=True)
    await measure_lists(report, house, sizes.house)
    await measure_reports(report, house, sizes.house)
    await measure_writes(report, house, sizes)
    await measure_exports(report, house, sizes)
    await house.db.close()


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


async def measure_writes(report: Report, house: House, sizes: Sizes) -> None:
    rounds: list[Rates] = [
        await one_round(house.db, house.account, sizes.writes, number)
        for number in range(ROUNDS + 1)
    ][1:]
    copy = [r.copy for r in rounds]
    report.compare(
        f"durable batches of 100 into {sizes.house:,} calls to COPY by 1,000",
        [r.ours for r in rounds],
        copy,
        "calls/s",
        at_least=0.4,
        note="The same rows into the same five indexed tables; ours looks up channels and numbers "
        "and moves the journal's position, too. COPY into the table of calls alone: "
        f"{number(statistics.median(r.copy_of_calls_alone for r in rounds))} calls/s.",
    )
    report.compare(
        f"durable batches of 100 into {sizes.house:,} calls, with sums, to COPY by 1,000",
        [r.ours_with_rollups for r in rounds],
        copy,
        "calls/s",
        at_least=0.2,
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


if __name__ == "__main__":
    main()
